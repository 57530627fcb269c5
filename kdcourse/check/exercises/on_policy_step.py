"""The exercise `on_policy_step`: judged by the loss, and by what it would move in the student and in the teacher."""

import copy
import functools

import torch
import torch.nn.functional as F

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.check.exercises._pieces import divergence, logs
from kdcourse.data.cmudict import END, PAD, START
from kdcourse.lm import Transformer, greedy, sample, sampled_reverse_loss, trimmed

VOCABULARY = 6  # with so few tokens END comes early, and there is padding


def _loss_and_pulls(on_policy_step, letters, seed):
    """The loss of two small models, and the size of its gradient in the student and in the teacher."""
    student, teacher = _model(seed), _model(seed + 1_000)
    loss = on_policy_step(student, teacher, letters, seed)
    if issubclass(type(loss), float):
        loss = torch.tensor(loss)
    if not issubclass(type(loss), torch.Tensor):
        return loss
    if loss.numel() != 1:
        raise ValueError(f"one number is due, the mean over all tokens, got a tensor of shape {list(loss.shape)}")
    if loss.requires_grad:
        loss.sum().backward()
    return torch.stack([loss.detach().sum(), _size(student), _size(teacher)])


def _model(seed):
    return copy.deepcopy(_original(seed))


@functools.cache
def _original(seed):
    """A model whose initial weights make it say something: those of a new one ignore all but the last token."""
    model = Transformer(VOCABULARY, width=8, layers=1, heads=1, seed=0).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim == 2:
                weights.normal_(0, 0.45, generator=generator)
    return model


def _size(model):
    """The norm of all that `backward` left."""
    gradients = [weights.grad.flatten() for weights in model.parameters() if weights.grad is not None]
    return torch.cat(gradients).norm() if gradients else torch.zeros(())


def _written_by_student(student, teacher, letters, seed):
    return sample(student, letters, seed=seed)[:, 0]


def _behind_start(written):
    return torch.cat([torch.full_like(written[:, :1], START), written[:, :-1]], 1)


def _reverse(student_logits, teacher_logits, written):
    return divergence(logs(student_logits), logs(teacher_logits))


def _forward(student_logits, teacher_logits, written):
    return divergence(logs(teacher_logits), logs(student_logits))


def _of_the_written(student_logits, teacher_logits, written):
    """log q − log p of the one token that was written."""
    return F.cross_entropy(teacher_logits, written, reduction="none") - F.cross_entropy(
        student_logits, written, reduction="none"
    )


def _mean(values, written):
    return values[written != PAD].mean()


def _mean_of_means(values, written):
    real = written != PAD
    return ((values * real).sum(1) / real.sum(1)).mean()


def _step(writes=_written_by_student, before=_behind_start, values=_reverse, mean=_mean, fixed=True):
    """The step, with one of its pieces replaced; `fixed` is whether the teacher is kept out of the gradient."""

    def answer(student, teacher, letters, seed):
        written = writes(student, teacher, letters, seed)
        with torch.set_grad_enabled(not fixed):
            said = teacher(letters, before(written))
        return mean(values(student(letters, before(written)), said, written), written)

    return answer


def _teacher_trained(student, teacher, letters, seed):
    """The two have changed places in the loss, and what is kept out of the gradient is the student."""
    written = _written_by_student(student, teacher, letters, seed)
    with torch.no_grad():
        said = student(letters, _behind_start(written))
    return _mean(_reverse(teacher(letters, _behind_start(written)), said, written), written)


def _first_not_scored(student, teacher, letters, seed):
    written = _written_by_student(student, teacher, letters, seed)
    with torch.no_grad():
        said = teacher(letters, written[:, :-1])
    return _mean(_reverse(student(letters, written[:, :-1]), said, written), written[:, 1:])


def _detached(student, teacher, letters, seed):
    return _step()(student, teacher, letters, seed).detach()


def _letters_and_seed(generator):
    words, longest = torch.randint(2, 4, (2,), generator=generator).tolist()
    letters = torch.randint(3, VOCABULARY, (words, longest), generator=generator)
    lengths = torch.randint(1, longest + 1, (words, 1), generator=generator)
    letters = letters.masked_fill(torch.arange(longest) >= lengths, PAD)
    return letters, int(torch.randint(1, 1_000, (), generator=generator))


on_policy_step = Exercise(
    "on_policy_step",
    lesson="08_language_models",
    order=3,
    reference=_step(),
    through=_loss_and_pulls,
    inputs=_letters_and_seed,
    small=[
        (torch.tensor([[5, 3], [4, 0]]), 1),
        (torch.tensor([[5, 3], [4, 0]]), 2),
        (torch.tensor([[5, 3], [4, 0]]), 3),
    ],
    praise="The student writes, the teacher scores, and no dictionary was opened.",
    hints=[
        "Three steps: the student writes with sample(student, letters, seed=seed)[:, 0]; both models say what they "
        "would have written at each place; the loss compares them.",
        "A model that is to say what comes at a place is told what stands before it: START (1), then all written "
        "tokens but the last column. Both get the same.",
        "The teacher's logits are targets: compute them under torch.no_grad(). With log q and log p from "
        "log_softmax(1), the reverse divergence is (q · (log q − log p)).sum(1), one value per token.",
        "Padding does not count, END does: the mean over written != 0. That is sequence_loss(values, written).",
        "before = torch.cat([torch.full_like(written[:, :1], 1), written[:, :-1]], 1); then student(letters, before) "
        "and teacher(letters, before)",
    ],
    bugs={
        "the teacher writes": Bug(
            _step(lambda student, teacher, letters, seed: sample(teacher, letters, seed=seed)[:, 0]),
            "The teacher writes here. That is off-policy: the student would never see its own mistakes. Let the "
            "student write.",
        ),
        "greedy": Bug(
            _step(lambda student, teacher, letters, seed: greedy(student, letters)),
            "The student writes the likeliest token each time. Reverse KL is a mean over what it says with its own "
            "probabilities: use sample.",
        ),
        "the same draws in every step": Bug(
            _step(lambda student, teacher, letters, seed: sample(student, letters)[:, 0]),
            "The seed is not used, so every step would draw with the same luck. Hand it on: sample(…, seed=seed).",
        ),
        "forward": Bug(
            _step(values=_forward),
            "The direction is forward, KL(teacher ‖ student). On its own words the student is asked what it says that "
            "the teacher would not: KL(student ‖ teacher).",
        ),
        "no START": Bug(
            _step(before=lambda written: written),
            "Both models were shown the very token that they are asked about, and judged the one behind it. Put START "
            "in front and drop the last column.",
        ),
        "first token not scored": Bug(
            _first_not_scored,
            "The first token of every word is not scored: START is missing. Put it in front of what was written.",
        ),
        "only START known": Bug(
            _step(before=lambda written: torch.full_like(written, START)),
            "Both models are told START in every place, and nothing of what was written. START comes once, then the "
            "written tokens but the last.",
        ),
        "gradient into the teacher": Bug(
            _step(fixed=False),
            "The loss is right, but its gradient reaches the teacher, too (the third number). Compute the teacher's "
            "logits under torch.no_grad(), or detach them.",
        ),
        "the teacher is trained": Bug(
            _teacher_trained,
            "Student and teacher have changed places: the gradient flows into the teacher alone.",
            _step(values=lambda s, t, written: _reverse(t, s.detach(), written), fixed=False),
        ),
        "no gradient": Bug(
            _detached,
            "The value is right, but no gradient reaches the student (the second number). Only the writing and the "
            "teacher go without: no .item(), and no torch.no_grad() around the student's logits.",
        ),
        "padding counted": Bug(
            _step(mean=lambda values, written: values.mean()),
            "Padding is in the mean: values behind END. Take those where written is not 0.",
            _step(lambda *case: trimmed(_written_by_student(*case)), mean=lambda values, written: values.mean()),
            _step(mean=lambda values, written: (values * (written != PAD)).mean()),
        ),
        "END masked": Bug(
            _step(mean=lambda values, written: values[written > END].mean()),
            "END is left out as if it were padding, so nobody tells the student when to stop. Only 0 is padding.",
        ),
        "sum": Bug(
            _step(mean=lambda values, written: values[written != PAD].sum()),
            "You add up over the tokens. Then the steps grow with what the student writes: take the mean.",
        ),
        "mean over words": Bug(
            _step(mean=_mean_of_means),
            "You take a mean within each word, then one over words, so a token of a short word weighs more. Take one "
            "mean over all tokens.",
        ),
        "divided by the vocabulary": Bug(
            _step(values=lambda *case: _reverse(*case) / VOCABULARY),
            "You take the mean over the vocabulary, axis 1. A divergence is a sum over it.",
        ),
        "probability of zero": Bug(
            _step(values=lambda s, t, written: F.kl_div(logs(t), s.softmax(1), reduction="none").sum(1)),
            "A probability of the student is exactly 0 (no model ever says padding), and there q · log q has no "
            "gradient but NaN. Take log q from log_softmax; F.kl_div takes it with log_target=True.",
            _step(values=lambda s, t, written: (s.softmax(1) * (s.softmax(1).log() - logs(t))).sum(1)),
        ),
        "teacher's cross-entropy": Bug(
            _step(values=lambda s, t, written: -(s.softmax(1) * logs(t)).sum(1)),
            "The student's own q · log q is missing. What is left is smallest where the student always says what the "
            "teacher finds likeliest: nothing keeps it from going silent on the rest.",
        ),
        "the written token alone": Bug(
            _step(values=_of_the_written),
            "You compare the one token that was written, log q − log p, and differentiate that. Its value is right on "
            "average, and its gradient is zero on average: sum over the vocabulary instead, q · (log q − log p).",
        ),
        "policy gradient": Bug(
            _step(values=sampled_reverse_loss),
            "That is the estimate from one token, which is right on average. Here the teacher's whole distribution is "
            "at hand, so there is no need for its noise: sum over the vocabulary.",
        ),
        "trained on its own words": Bug(
            _step(values=lambda s, t, written: F.cross_entropy(s, written, reduction="none")),
            "The teacher has no say: the student learns that whatever it wrote was right. Compare it with the "
            "teacher's logits.",
        ),
        "the wrong way": Bug(
            _step(values=lambda *case: -_reverse(*case)),
            "The sign is wrong: the student would move away from the teacher. It is log q − log p, q the student's.",
        ),
    },
    rules=[
        Rule(lambda numbers, letters, seed: numbers.shape != (3,) or numbers[0] >= 0, "A divergence is not negative."),
    ],
)
