"""The claims of lesson 06, which has no experiments yet."""

from kdcourse.claims.record import Claim

WRONG_DISTRIBUTION_RUINS = Claim(
    name="wrong-distribution-ruins",
    wording="A transfer set from another distribution ruins the student.",
    taught_in="practitioners' guides; Menghani and Ravi 2019 (abstract) report exceptions",
    measured="Test accuracy after distilling on other pictures minus on the task's own.",
    supports="worse",
)
