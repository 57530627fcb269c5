"""A teacher that only an API gives: text, a few log-probabilities and a bill. And what a distiller needs around it.

    api = SimulatedAPI(mails, refuses={"spam": 0.1}, drift=4.0, changes_at=3_000)
    client = Client(api)                                  # keeps each answer on disk: nothing is paid twice
    answers = client("train", range(100))
    logits, kept = targets(answers, mails.class_names)    # of what was refused there are none

`kdcourse.bring.bring(mails, client)` does it for a whole data set, and watches for a new version.
"""

from kdcourse.api.client import Client
from kdcourse.api.reading import parse, targets, version_changed
from kdcourse.api.simulated import Answer, SimulatedAPI

__all__ = ["Answer", "Client", "SimulatedAPI", "parse", "targets", "version_changed"]
