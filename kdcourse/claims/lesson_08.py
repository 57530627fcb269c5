"""The experiments of lesson 08: what a language model's student learns from, at equal compute."""

from kdcourse.claims.phonemes import against, arms
from kdcourse.claims.record import claim

PLAN = (
    "Five blocks of words were to show an effect of 1 point. They differ more than that plan had assumed, so smaller "
    "effects than 2 or 3 points may be hidden."
)


@claim(
    "soft-beats-sampled",
    "The teacher's distribution teaches more than completions sampled from it.",
    taught_in="Kim and Rush 2016 (word level against sequence level)",
    settings=("cmudict",),
    revised=PLAN,
)
def soft_beats_sampled(run):
    """Phoneme accuracy on test at equal compute, soft targets minus what the teacher wrote: 1, 4 or 16 samples of each
    word, or the best of a beam. Students of 107,456 parameters, 2,000 words; compute counts the teacher's passes,
    sampling and decoding.
    """
    written = ["1 sample", "4 samples", "16 samples", "beam of 4"]
    found = arms(run, ["soft targets", *written])
    return [against(run, found, "soft targets", name, {"against": name}) for name in written]


@claim(
    "on-policy-helps",
    "Training on the student's own samples helps.",
    taught_in="Agarwal et al. 2023; Gu et al. 2023",
    settings=("cmudict",),
    revised=f"{PLAN} In a first run, the arm with the same loss had no warm start; since then, it has the same one. "
    "A first interval, too short for 5 seeds, called half on-policy worse.",
)
def on_policy_helps(run):
    """Phoneme accuracy on test at equal compute, students scored on their own output minus students scored on the
    listed pronunciations: with the same loss, reverse divergence, after the same warm start; and by soft targets.
    """
    on = ["on-policy", "half on-policy", "on-policy by sampled tokens", "on-policy from scratch"]
    found = arms(run, ["soft targets", "reverse on the dictionary", *on])
    pairs = [("on-policy", "reverse on the dictionary"), *((name, "soft targets") for name in on)]
    return [against(run, found, one, other, {"arm": one, "against": other}) for one, other in pairs]


@claim(
    "more-unlabelled-data-beats-a-better-loss",
    "More unlabelled data beats a better loss.",
    taught_in="Sun et al. 2019, section 3.3 (grapheme to phoneme); practitioners' guides",
    settings=("cmudict",),
    smallest=1.0,
)
def more_unlabelled_data(run):
    """Phoneme accuracy on test at equal compute: 2,000 words with labels and 71,532 words that the teacher said, all by
    cross-entropy, minus soft targets on the 2,000 alone. Beside it, soft targets on all of them.
    """
    names = ["pseudo-labels of more words", "soft targets for longer", "soft targets of more words"]
    found = arms(run, names)
    part = against(run, found, *names[:2], {"against": names[1]})
    both = found[names[2]][run.setting.metric].values.mean()
    return [part._replace(beside={names[2]: float(both)})]
