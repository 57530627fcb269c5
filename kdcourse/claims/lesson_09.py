"""The claims of lesson 09: what a student costs to serve, and what making it cheaper takes away."""

from kdcourse.claims import shipping
from kdcourse.claims.record import Claim, claim


@claim(
    "pruning-and-int8-stack-with-distillation",
    "Quantisation and pruning combine with distillation at little cost.",
    taught_in="Kim and Rush 2016 (pruning); Polino et al. 2018 (quantisation); deployment guides",
    supports="not worse",
    settings=("fashion-mnist", "wordnet-glosses"),
    parts="steps",
)
def stack_with_distillation(run):
    """Test accuracy of a distilled student after a step minus before it; a cost below 1 point is little. Steps: int8 by
    ONNX Runtime; half of the units or channels cut out, with and without distilling again; four fifths of the weights
    set to zero; and int8 on top of these. Students learn on 5,000 examples, with settings chosen on validation.
    """
    return shipping.steps(run)


CASCADE_RECOVERS_THE_TAIL = Claim(
    name="cascade-recovers-the-tail",
    wording="Asking the teacher below a confidence threshold recovers most of what the student lost.",
    taught_in="deployment guides",
    measured="Accuracy on the flagged slices, cascade minus student, at a threshold chosen on validation.",
)
