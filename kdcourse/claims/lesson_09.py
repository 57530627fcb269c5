"""The claims of lesson 09: what a student costs to serve, and what making it cheaper takes away."""

from kdcourse.claims import routed, shipping
from kdcourse.claims.record import claim


@claim(
    "pruning-and-int8-stack-with-distillation",
    "Quantisation and pruning combine with distillation at little cost.",
    taught_in="Kim and Rush 2016 (pruning); Polino et al. 2018 (quantisation); deployment guides",
    supports="not worse",
    settings=("fashion-mnist", "wordnet-glosses"),
    parts="steps",
    revised="int8 on students that a cut or zeros had ruined was left out after a first run: it can cost those little.",
    smallest=1.0,
)
def stack_with_distillation(run):
    """Test accuracy of a distilled student after a step minus before it; a cost below 1 point is little. Steps: int8 by
    ONNX Runtime; half of the units or channels cut out, with and without distilling again, and int8 on top of
    that; four fifths of the weights set to zero. Students learn on 5,000 examples, with settings chosen on validation.
    """
    return shipping.steps(run)


@claim(
    "cascade-recovers-the-tail",
    "Asking the teacher below a confidence threshold recovers most of what the student lost.",
    taught_in="deployment guides; Chow 1970 on the rule of rejection; Viola and Jones 2001 on cascades",
    settings=("spam-assassin", "wordnet-glosses"),
    parts="slices and shares",
    revised="That it beats asking at random was once counted as evidence; since then, it stands beside each part.",
    smallest=2.0,
)
def cascade_recovers_the_tail(run):
    """Test accuracy of a cascade minus that of the student with half of its loss against the teacher won back; beside
    it, as a control, minus that of a router that asks about as many examples at random. The teacher is asked where the
    student's highest probability is below a threshold: of those that ask about at most 10 or 20 % of validation, the
    one with the most right answers there. Slices: all, and the hard ones, which are ham that looks like spam, and the
    rarest third of the classes. The students are those of lesson 05.
    """
    return routed.routes(run)
