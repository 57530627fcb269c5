"""Settings that every test shares: one thread, no display, and the same hypothesis examples on every run."""

import os
import tempfile

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import torch
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

torch.set_num_threads(1)  # two threads on a busy machine wait for each other
set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))  # not in the repository
settings.register_profile("kdcourse", deadline=None, max_examples=40, derandomize=True, database=None)
settings.load_profile("kdcourse")
