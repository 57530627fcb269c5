"""Language models that are small enough to train on a laptop: letters in, phonemes out.

`Transformer` is the model, `fit` trains it, `greedy`, `sample` and `beam` let it write, `speculative` with a smaller
one that proposes; `pronunciation_errors` counts what is wrong, `load_teacher` is the teacher of `data.load("cmudict")`;
`watch` says how an on-policy run is doing, and `broken` has runs with bugs to be found.
"""

from kdcourse.lm.batches import bucketed, padding_share, trimmed
from kdcourse.lm.compute import bytes_per_token, forward_flops
from kdcourse.lm.decode import beam, greedy, sample, spelled
from kdcourse.lm.errors import Errors, edit_distance, pronunciation_errors
from kdcourse.lm.failures import RUNS, broken
from kdcourse.lm.losses import gradient_noise, sampled_reverse_loss
from kdcourse.lm.model import Cache, Transformer
from kdcourse.lm.scores import scores
from kdcourse.lm.speculative import Speculation, speculative
from kdcourse.lm.teacher import load_student, load_teacher
from kdcourse.lm.train import fit, on_policy, teacher_logits, token_losses, warm_cosine
from kdcourse.lm.watch import watch

__all__ = [
    "RUNS",
    "Cache",
    "Errors",
    "Speculation",
    "Transformer",
    "beam",
    "broken",
    "bucketed",
    "bytes_per_token",
    "edit_distance",
    "fit",
    "forward_flops",
    "gradient_noise",
    "greedy",
    "load_student",
    "load_teacher",
    "on_policy",
    "padding_share",
    "pronunciation_errors",
    "sample",
    "sampled_reverse_loss",
    "scores",
    "spelled",
    "speculative",
    "teacher_logits",
    "token_losses",
    "trimmed",
    "warm_cosine",
    "watch",
]
