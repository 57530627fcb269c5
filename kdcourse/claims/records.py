"""The claims that this course tests. One record each: what is said, where it is usually taught, how it is tested.

A record is written before its result is known. `supports` is the verdict of `stats.compare` that would speak for the
claim, and `measure` is the function that runs the experiment, or None while no lesson has got to it. Results lie in
`data/results/`, one file for each claim.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kdcourse.claims import lesson_01, lesson_02, lesson_03, lesson_04, lesson_05


@dataclass(frozen=True)
class Claim:
    """One claim: `name` is its id, `lesson` the two digits of the lesson that tests it."""

    name: str
    wording: str
    taught_in: str
    lesson: str
    measured: str
    supports: str = "better"
    measure: Callable | None = None


CLAIMS = (
    Claim(
        name="soft-beats-hard",
        wording="A student learns more from soft labels than from hard labels.",
        taught_in="Hinton, Vinyals and Dean 2015, section 2; nearly every introduction since",
        lesson="01",
        measured=(
            "Test accuracy, soft labels minus labels: same pictures, initial weights, batches and number of "
            "steps. Temperature (1 to 20) and learning rate of each arm chosen on validation."
        ),
        measure=lesson_01.soft_beats_hard,
    ),
    Claim(
        name="omitted-class-is-learned",
        wording="A student can learn a class it was never shown, from what the teacher says about the others.",
        taught_in="Hinton, Vinyals and Dean 2015, section 3 (a digit left out of MNIST)",
        lesson="01",
        measured=(
            "Recall of the left-out garment on test, soft labels minus the teacher's arg-max labels, both after "
            "one bias was corrected on validation data. Left out: what label or teacher's first choice calls by "
            "that name."
        ),
        measure=lesson_01.omitted_class,
    ),
    Claim(
        name="low-data-gains-most",
        wording="Distillation gains most where data are scarce.",
        taught_in="Hinton, Vinyals and Dean 2015, section 6 (3 % of a speech corpus)",
        lesson="02",
        measured=(
            "The gain of soft labels over labels with few pictures, minus the gain with five or ten times as many; "
            "nested sets of pictures, settings chosen on validation for each arm and size."
        ),
        measure=lesson_02.low_data_gains_most,
    ),
    Claim(
        name="t-4-to-10",
        wording="A temperature from 4 to 10 is a good choice.",
        taught_in="tutorials and framework examples; Hinton et al. 2015 report larger ones as well",
        lesson="02",
        measured=(
            "Test accuracy of the best temperature among 4, 7 and 10, minus the best among 1, 2 and 20; both "
            "chosen on validation, with the learning rate; a margin of half a point, that of the lesson, added after "
            "a first run."
        ),
        measure=lesson_02.temperature_4_to_10,
    ),
    Claim(
        name="best-temperature-moves",
        wording="A larger student, and a smaller transfer set, gain more from T = 4 over T = 1.",
        taught_in="Hinton, Vinyals and Dean 2015, section 3, where a very small net does best at a lower temperature",
        lesson="02",
        measured=(
            "What T = 4 gains over T = 1 on test, in students of 256 hidden units minus in those of 32, and with 500"
            " pictures minus with 5,000; learning rate chosen on validation."
        ),
        measure=lesson_02.best_temperature_moves,
    ),
    Claim(
        name="t-squared-keeps-gradients",
        wording="Multiplying by T² keeps the size of the gradients the same at every temperature.",
        taught_in="Hinton, Vinyals and Dean 2015, section 2, for T large against the logits",
        lesson="02",
        measured=(
            "Base-2 logarithm of the ratio of gradient norms at two temperatures, T² included, for students after"
            " one epoch; the claim holds if the ratio stays within a factor of 1.25."
        ),
        supports="equivalent",
        measure=lesson_02.t_squared_keeps_gradients,
    ),
    Claim(
        name="smoothed-teacher-teaches-worse",
        wording="A teacher trained with label smoothing teaches worse.",
        taught_in="Müller, Kornblith and Hinton 2019; Chandrasegaran et al. 2022",
        lesson="02",
        measured=(
            "Test accuracy of students of a smoothed teacher minus those of a plain one, at low and high temperature;"
            " six pairs of teachers with two students each, learning rate chosen on validation."
        ),
        supports="worse",
        measure=lesson_02.smoothed_teacher,
    ),
    Claim(
        name="blend-beats-either",
        wording="A blend of soft and hard labels beats either alone.",
        taught_in="Hinton, Vinyals and Dean 2015, section 2; the default of most libraries",
        lesson="03",
        measured=(
            "Test accuracy of the best blend (soft weight 0.1, 0.5 or 0.9) minus the better of the two pure "
            "losses; weight, temperature and learning rate chosen on validation; a margin of a quarter of a point,"
            " set after a first run; this is a second, with fresh weights and, of 500, fresh pictures."
        ),
        measure=lesson_03.blend_beats_either,
    ),
    Claim(
        name="soft-labels-resist-noise",
        wording="Soft labels protect a student from wrong labels in its transfer set.",
        taught_in="Li et al. 2017, abstract, for a teacher that learned from clean labels",
        lesson="03",
        measured=(
            "Test accuracy, soft labels minus labels, with 30 % of the transfer set's labels wrong; the teacher saw"
            " clean labels, or other pictures with as many wrong ones; settings of each arm chosen on validation."
        ),
        measure=lesson_03.soft_labels_resist_noise,
    ),
    Claim(
        name="sweet-spot-5-20",
        wording="The sweet spot is a student 5 to 20 times smaller than its teacher.",
        taught_in="practitioners' guides, as a rule of thumb; we know of no paper that supports it as a law",
        lesson="04",
        measured=(
            "What distillation gains over the same-size student on labels, at a size ratio of 10, minus what it "
            "gains at a ratio outside the range; all 50,000 pictures, and blocks of 5,000."
        ),
        measure=lesson_04.sweet_spot,
    ),
    Claim(
        name="below-5x-use-small",
        wording="Below 5 times smaller, distillation is not worth it: just train the small model on labels.",
        taught_in="practitioners' guides, as a rule of thumb",
        lesson="04",
        measured=(
            "How far the gain of soft labels over labels on test stays under 1 point, at a size ratio of 2; settings"
            " of each arm chosen on validation."
        ),
        measure=lesson_04.below_5x,
    ),
    Claim(
        name="above-20x-gap",
        wording="Above 20 times smaller, the gap to the teacher becomes too large.",
        taught_in="practitioners' guides, as a rule of thumb; Mirzadeh et al. 2020 on the capacity gap",
        lesson="04",
        measured=(
            "How far the gap between teacher and distilled student on test lies over a limit of 5 points at ratios"
            " above 20, and under it up to 20."
        ),
        measure=lesson_04.above_20x,
    ),
    Claim(
        name="assistant-bridges-gap",
        wording="An assistant of medium size helps a student that is much smaller than its teacher.",
        taught_in="Mirzadeh et al. 2020",
        lesson="04",
        measured=(
            "Test accuracy with an assistant in between minus without, above a size ratio of 20, at equal compute"
            " for the student; its size (5 or 20 times smaller) and temperature chosen on validation."
        ),
        measure=lesson_04.assistant_bridges_gap,
    ),
    Claim(
        name="95-percent-at-10x",
        wording="A student a tenth of the size keeps 95 % of the teacher's accuracy.",
        taught_in="vendors and overviews; Sanh et al. 2019 report 97 % of a GLUE score at 60 % of the size",
        lesson="04",
        measured="Distilled student's test accuracy as a share of the teacher's, minus 95 %, at a size ratio of 10.",
        measure=lesson_04.keeps_95_percent,
    ),
    Claim(
        name="gap-is-not-uniform",
        wording="What a student loses against its teacher differs from slice to slice.",
        taught_in="Hooker et al. 2019; Lukasik et al. 2022; Mohammadshahi and Ioannou 2024",
        lesson="05",
        measured=(
            "Gap between teacher and student in the class where it is largest on validation, minus the mean gap of "
            "the other classes, on test; students of 32 hidden units on 5,000 pictures."
        ),
        measure=lesson_05.gap_is_not_uniform,
    ),
    Claim(
        name="rare-and-hard-lose-most",
        wording="Rare and hard examples lose most.",
        taught_in="Hooker et al. 2019; Lukasik et al. 2022",
        lesson="05",
        measured=(
            "Gap on hard or rare slices minus the gap on the rest, on test. Hard: where the teacher is least sure "
            "(a quarter, by its confidence on validation), and mail that looks like spam. Rare: classes with few "
            "pictures; each class has its turn. Pairs are blocks of pictures; for mail, what is repeated is the mail."
        ),
        measure=lesson_05.rare_and_hard_lose_most,
    ),
    Claim(
        name="average-hides-slices",
        wording="An average that looks fine can hide a slice that is not.",
        taught_in="audits of models in general",
        lesson="05",
        measured=(
            "A spam filter's gap against a limit of 3 points fixed beforehand: all mail under it, and hard ham, real "
            "mail that looks like spam, over it. A student counts with its mean over seeds; the pairs are test mails."
        ),
        measure=lesson_05.average_hides_slices,
    ),
    Claim(
        name="distillation-lifts-the-tail-over-hard-labels",
        wording="With a long-tailed transfer set, soft labels help the rare class more than hard labels do.",
        taught_in="Menon et al. 2021 by implication; contested by Lukasik et al. 2022",
        lesson="05",
        measured=(
            "Recall on test, soft labels minus labels, of the rarest class (5 pictures) and of the three rarest, with "
            "a tail that begins at another class in each block, so that every class is rarest once."
        ),
        measure=lesson_05.distillation_lifts_the_tail,
    ),
    Claim(
        name="wrong-distribution-ruins",
        wording="A transfer set from another distribution ruins the student.",
        taught_in="practitioners' guides; Menghani and Ravi 2019 (abstract) report exceptions",
        lesson="06",
        measured="Test accuracy after distilling on other pictures minus on the task's own.",
        supports="worse",
    ),
    Claim(
        name="soft-beats-sampled",
        wording="The teacher's distribution teaches more than completions sampled from it.",
        taught_in="Kim and Rush 2016 (word level against sequence level)",
        lesson="08",
        measured="Phoneme error on test at equal compute, sampled completions minus soft targets.",
    ),
    Claim(
        name="on-policy-helps",
        wording="Training on the student's own samples helps.",
        taught_in="Agarwal et al. 2023; Gu et al. 2023",
        lesson="08",
        measured="Phoneme error on test at equal compute, off-policy minus on-policy.",
    ),
    Claim(
        name="pruning-and-int8-stack-with-distillation",
        wording="Quantisation and pruning combine with distillation at little cost.",
        taught_in="Kim and Rush 2016 (pruning); deployment guides",
        lesson="09",
        measured="Test accuracy after each step minus before it, with a margin.",
        supports="equivalent",
    ),
    Claim(
        name="cascade-recovers-the-tail",
        wording="Asking the teacher below a confidence threshold recovers most of what the student lost.",
        taught_in="deployment guides",
        lesson="09",
        measured="Accuracy on the flagged slices, cascade minus student, at a threshold chosen on validation.",
    ),
)
