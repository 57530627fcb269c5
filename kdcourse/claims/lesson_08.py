"""The experiments of lesson 08: what a language model's student learns from, at equal compute."""

from kdcourse.claims.phonemes import against, arms
from kdcourse.claims.record import claim

PLAN = "Five blocks of words were to show an effect of 1 point; they differ more than that plan had assumed."


@claim(
    "soft-beats-sampled",
    "The teacher's distribution teaches more than completions sampled from it.",
    taught_in="Kim and Rush 2016 (word level against sequence level)",
    settings=("cmudict",),
    revised=f"{PLAN} What is learned from the same sample came last: the other parts were known. All were measured "
    "again with it; in the first run, with the narrower intervals of four parts, 4 samples had lost.",
    smallest=1.0,
    planned=True,
)
def soft_beats_sampled(run):
    """Phoneme accuracy on test at equal compute, soft targets minus what the teacher wrote: 1, 4 or 16 samples of each
    word, or the best of a beam. There, soft targets have the dictionary's pronunciations and the others the teacher's;
    in one part, both have the same sample of each word. Students of 107,456 parameters, 2,000 words; compute counts the
    teacher's passes, sampling and decoding.
    """
    written = ["1 sample", "4 samples", "16 samples", "beam of 4"]
    found = arms(run, ["soft targets", "soft targets on 1 sample", *written])
    pairs = {name: ("soft targets", name) for name in written}
    pairs["the same sample"] = "soft targets on 1 sample", "1 sample"
    return [against(run, found, *pair, {"against": what}) for what, pair in pairs.items()]


@claim(
    "on-policy-helps",
    "Training on the student's own samples helps.",
    taught_in="Agarwal et al. 2023; Gu et al. 2023",
    settings=("cmudict",),
    revised=f"{PLAN} In a first run, the arm with the same loss had no warm start; since then, it has the same one. "
    "A first interval, too short for 5 seeds, called half on-policy worse. All were measured again for two slices: "
    "sampled tokens had lost to soft targets before, and since then that is open.",
    smallest=1.0,
    planned=True,
)
def on_policy_helps(run):
    """Phoneme accuracy on test at equal compute, students scored on their own output minus students scored on the
    listed pronunciations: with the same loss, reverse divergence, after the same warm start; and by soft targets.
    """
    on = ["on-policy", "half on-policy", "on-policy by sampled tokens", "on-policy from scratch"]
    found = arms(run, ["soft targets", "reverse on the dictionary", *on])
    pairs = [("on-policy", "reverse on the dictionary"), *((name, "soft targets") for name in on)]
    return [against(run, found, one, other, {"arm": one, "against": other}) for one, other in pairs]


AFTERWARDS = (
    "It was written after its arms had been measured against soft targets. In a first run, on another processor, "
    "the arms were tuned once more and chose other learning rates; now they are those of `on-policy-helps`."
)


@claim(
    "on-policy-needs-warm-start",
    "On-policy training needs a warm start.",
    taught_in="Agarwal et al. 2023, who begin with a student that was trained on sequences",
    settings=("cmudict",),
    revised=AFTERWARDS,
    smallest=1.0,
)
def needs_warm_start(run):
    """Phoneme accuracy on test at equal compute, students scored on their own output by reverse divergence: after a
    warm start on soft targets, which takes half of what there is to train with and reads the dictionary's
    pronunciations, minus without one.
    """
    return [_on_policy_against(run, "on-policy from scratch")]


@claim(
    "whole-distribution-beats-sampled-token",
    "On its own words, a student learns more from the teacher's whole distribution than from its score of one token.",
    taught_in="Gu et al. 2023, who compute the expectation over the next token to lower the variance",
    settings=("cmudict",),
    revised=AFTERWARDS,
    smallest=1.0,
)
def whole_distribution(run):
    """Phoneme accuracy on test at equal compute, on-policy after the same warm start: by the reverse divergence at each
    place, minus by the teacher's and the student's probability of the written token alone, as a policy gradient.
    """
    return [_on_policy_against(run, "on-policy by sampled tokens")]


def _on_policy_against(run, other):
    found = arms(run, ["on-policy", other])
    return against(run, found, "on-policy", other, {"against": other})


@claim(
    "more-unlabelled-data-beats-a-better-loss",
    "More unlabelled data beats a better loss.",
    taught_in="Sun et al. 2019, section 3.3 (grapheme to phoneme); practitioners' guides",
    settings=("cmudict",),
    revised="Soft targets of more words had been a number beside the other part. Once both were known, they became a "
    "part of their own, and two slices were added.",
    smallest=1.0,
    planned=True,
)
def more_unlabelled_data(run):
    """Phoneme accuracy on test at equal compute: 2,000 words with labels and 71,532 words that the teacher said, by
    cross-entropy or by soft targets, minus soft targets on the 2,000 alone.
    """
    few, more = "soft targets for longer", ("pseudo-labels of more words", "soft targets of more words")
    found = arms(run, [few, *more])
    return [against(run, found, name, few, {"arm": name}) for name in more]
