"""The experiment of lesson 07: ways to distil beside plain logits, each against plain logits."""

from kdcourse.claims.flavours import against, arms
from kdcourse.claims.record import claim

OF_THE_LOGITS = {"logit_mse": "squared logits", "dkd": "DKD", "dist": "DIST"}
OF_FEATURES = {name: name for name in ("hints", "attention", "relations")}


@claim(
    "features-beat-logits",
    "Matching features beats matching logits.",
    taught_in="Romero et al. 2015 (FitNets), section 4; Tian et al. 2020 (CRD), table 1, where plain logits beat most "
    "ways to match features",
    parts="methods",
    smallest=1.0,
)
def features_beat_logits(run):
    """Test accuracy of students taught by a method minus that of students taught by the teacher's logits alone (KL at a
    temperature): 1,000 pictures, as many steps, the same initial weights and order. CNNs of a tenth, of the teacher's
    family; MLPs, to which a CNN's features are foreign. DKD, DIST and squared logits have cross-entropy
    beside them, features the plain loss. Each climbed in its learning rate and one setting of its own, on validation.
    The ensemble of three and the teacher that stopped early are our own, and are compared with one of ours.
    """
    found, parts = arms(run), []
    for key, name in (OF_THE_LOGITS | OF_FEATURES | {"assistant": "assistant"}).items():
        parts.append(against(run, found, name, "logits", {"method": key}, labels="labels"))
    for key in ("ensemble", "early-stopped teacher"):
        parts.append(against(run, found, key, "one of our teachers", {"method": key}, labels="labels"))
    for key, name in {"hints": "hints", "relations": "relations", "dkd": "DKD"}.items():
        parts.append(against(run, found, f"{name}, MLP", "logits, MLP", {"method": key, "student": "MLP"}))
    return parts
