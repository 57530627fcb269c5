"""The claims of lesson 08, which has no experiments yet."""

from kdcourse.claims.record import Claim

SOFT_BEATS_SAMPLED = Claim(
    name="soft-beats-sampled",
    wording="The teacher's distribution teaches more than completions sampled from it.",
    taught_in="Kim and Rush 2016 (word level against sequence level)",
    measured="Phoneme error on test at equal compute, sampled completions minus soft targets.",
)

ON_POLICY_HELPS = Claim(
    name="on-policy-helps",
    wording="Training on the student's own samples helps.",
    taught_in="Agarwal et al. 2023; Gu et al. 2023",
    measured="Phoneme error on test at equal compute, off-policy minus on-policy.",
)
