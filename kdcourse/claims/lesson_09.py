"""The claims of lesson 09, which has no experiments yet."""

from kdcourse.claims.record import Claim

STACK_WITH_DISTILLATION = Claim(
    name="pruning-and-int8-stack-with-distillation",
    wording="Quantisation and pruning combine with distillation at little cost.",
    taught_in="Kim and Rush 2016 (pruning); deployment guides",
    measured="Test accuracy after each step minus before it, with a margin.",
    supports="not worse",
    holds="all",
    parts="steps",
)

CASCADE_RECOVERS_THE_TAIL = Claim(
    name="cascade-recovers-the-tail",
    wording="Asking the teacher below a confidence threshold recovers most of what the student lost.",
    taught_in="deployment guides",
    measured="Accuracy on the flagged slices, cascade minus student, at a threshold chosen on validation.",
)
