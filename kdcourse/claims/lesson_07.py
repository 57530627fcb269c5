"""The experiment of lesson 07: ways to distil beside plain logits, each against plain logits."""

from kdcourse.claims.flavours import against, arms
from kdcourse.claims.record import claim

# {what a part's key calls it: the way}
OF_CNNS = {"squared logits": "squared logits", "dkd": "DKD", "dist": "DIST"}
OF_CNNS |= {name: name for name in ("hints", "hints first", "attention", "relations", "assistant")}
OF_MLPS = {"hints": "hints", "hints first": "hints first", "relations": "relations", "dkd": "DKD"}


@claim(
    "features-beat-logits",
    "Matching features, or another way to distil, beats matching logits.",
    taught_in="Romero et al. 2015 (FitNets), section 4; Tian et al. 2020 (CRD), table 1, where plain logits beat most "
    "ways to match features",
    parts="methods",
    smallest=1.0,
    planned=True,
)
def features_beat_logits(run):
    """Test accuracy of students taught by a method minus that of students taught by the teacher's logits alone (KL at a
    temperature), on 1,000 pictures, with the same initial weights, order and steps. CNNs of a tenth, of the teacher's
    family; and MLPs, across architectures. Features come beside the logits ("hints first": half of the steps each),
    DKD, DIST and squared logits beside labels. Two settings of every arm were chosen on validation, by climbing. The
    ensemble and the teacher that stopped early are our own, and are compared with one of ours.
    """
    found = arms(run)
    parts = [
        against(run, found, name, "logits", {"method": key, "student": "CNN"}, labels="labels")
        for key, name in OF_CNNS.items()
    ]
    parts += [
        against(run, found, name, "one of our teachers", {"method": name, "student": "CNN"}, labels="labels")
        for name in ("ensemble", "early-stopped teacher")
    ]
    return parts + [
        against(run, found, f"{name}, MLP", "logits, MLP", {"method": key, "student": "MLP"})
        for key, name in OF_MLPS.items()
    ]
