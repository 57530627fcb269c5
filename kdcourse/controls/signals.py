"""The same examples with another signal, made from the teacher's own or from the labels."""

import torch

from kdcourse._arguments import integer, number, positive
from kdcourse.controls._signal import seeded, signal_of, tiny, with_signal  # noqa: F401, for the examples
from kdcourse.data import DataSet

_ONE = torch.ones((), dtype=torch.float64)


def arg_max(data: DataSet) -> DataSet:
    """The teacher's first choice, with certainty at every temperature: is the teacher just a good labeller?

    At temperature 1 and soft weight 1, the loss is cross-entropy with those choices. At any other, T² multiplies it.

    >>> arg_max(tiny()).train.teacher_logits
    tensor([[0., -inf],
            [-inf, 0.]])
    """
    chosen = signal_of(data).argmax(1)
    certain = torch.full_like(data.train.teacher_logits, -torch.inf)
    return with_signal(data, certain.scatter_(1, chosen[:, None], 0.0))


def sampled(data: DataSet, seed: int = 0) -> DataSet:
    """One class drawn from the teacher's probabilities (T = 1), with certainty: what an API says that answers in text.

    >>> sampled(tiny()).train.teacher_logits.exp().sum(1)  # one of them is certain
    tensor([1., 1.])
    """
    drawn = torch.multinomial(signal_of(data).softmax(1), 1, generator=seeded(seed))
    return with_signal(data, torch.full_like(signal_of(data), -torch.inf).scatter_(1, drawn, 0.0))


def smoothed_labels(data: DataSet, amount: float = 0.1) -> DataSet:
    """The label, smoothed: probability 1 − amount for it, and `amount`, in (0, 1], spread evenly over all classes.

    At temperature 1 this is label smoothing (Szegedy et al. 2016, section 7): is softness enough?

    >>> smoothed_labels(tiny(), 0.2).train.teacher_logits.exp()
    tensor([[0.9000, 0.1000],
            [0.1000, 0.9000]])
    """
    if not 0 < number("amount", amount) <= 1:
        raise ValueError(f"amount must be in (0, 1], got {amount}")
    classes = signal_of(data).shape[1]
    probabilities = torch.full_like(data.train.teacher_logits, amount / classes)
    probabilities[torch.arange(len(data.train)), data.train.labels] += 1 - amount
    return with_signal(data, probabilities.log())


def shuffled(data: DataSet, seed: int = 0) -> DataSet:
    """Every example gets the soft label of another one: a negative control. Who learns from that has found a leak.

    >>> shuffled(tiny()).train.teacher_logits
    tensor([[1., 2.],
            [3., 0.]])
    """
    order = torch.randperm(len(signal_of(data)), generator=seeded(seed))
    if len(order) < 2:
        raise ValueError("data.train must hold at least two examples to be shuffled, got one")
    other = torch.empty_like(order)
    other[order] = order.roll(1)  # nobody keeps their own
    return with_signal(data, data.train.teacher_logits[other])


def slipped(data: DataSet, start: int) -> DataSet:
    """From row `start` on, every example has the teacher's logits of the one before it: a cache that lost a row.

    The row `start` itself gets those of the last.

    >>> slipped(tiny(), 0).train.teacher_logits
    tensor([[1., 2.],
            [3., 0.]])
    """
    logits = signal_of(data).clone()
    if integer("start", start, at_least=0) >= len(logits):
        raise ValueError(f"start must be a row of the {len(logits)} training examples, got {start}")
    logits[start:] = logits[start:].roll(1, 0)
    return with_signal(data, logits)


def with_soft_labels(data: DataSet, soft_labels: torch.Tensor, temperature: float) -> DataSet:
    """A teacher who says `soft_labels` [N, C] at this temperature: rows of probabilities, none of them zero.

    Train at the same temperature. So any control that is a table of probabilities is an arm of an experiment.

    >>> with_soft_labels(tiny(), torch.tensor([[0.9, 0.1], [0.4, 0.6]]), 4).train.teacher_logits.div(4).softmax(1)
    tensor([[0.9000, 0.1000],
            [0.4000, 0.6000]])
    """
    before, soft_labels = signal_of(data), torch.as_tensor(soft_labels)
    if soft_labels.shape != before.shape:
        raise ValueError(f"soft_labels must be {list(before.shape)}, got {list(soft_labels.shape)}")
    if not (soft_labels > 0).all() or not torch.allclose(soft_labels.sum(1).double(), _ONE, atol=1e-3):
        raise ValueError("soft_labels must be above 0, and each row must sum to 1")
    return with_signal(data, positive("temperature", temperature) * soft_labels.to(before.dtype).log())
