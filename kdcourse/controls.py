"""Other training data: what a comparison needs before it may credit the soft labels.

Each takes a DataSet and gives one back whose *training* split says something else, or less. Validation and test stay
as they are, so that agreement is always agreement with the real teacher. A student on hard labels needs none of these:
its soft weight is 0. `weighted_labels` changes no data, and gives a loss; `told` is for the blocks of a sweep.

    table = sweep(settings, controls.arg_max(garments), epochs=10)

Each raises TypeError or ValueError that names the argument.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace

import torch

from kdcourse import _arguments
from kdcourse._arguments import integer, number, positive
from kdcourse._process import arithmetic_threads
from kdcourse.data import DataSet, Split
from kdcourse.losses import LossFunction, blended
from kdcourse.models import mlp
from kdcourse.train import accuracy, cosine, distill, teacher_logits, train

TINY = 1e-30  # of a probability that may not be zero
_ONE = torch.ones((), dtype=torch.float64)


def arg_max(data: DataSet) -> DataSet:
    """The teacher's first choice, with certainty at every temperature: is the teacher just a good labeller?

    At temperature 1 and soft weight 1, the loss is cross-entropy with those choices. At any other, T² multiplies it.

    >>> arg_max(_tiny()).train.teacher_logits
    tensor([[0., -inf],
            [-inf, 0.]])
    """
    chosen = _logits(data).argmax(1)
    certain = torch.full_like(data.train.teacher_logits, -torch.inf)
    return _with_signal(data, certain.scatter_(1, chosen[:, None], 0.0))


def sampled(data: DataSet, seed: int = 0) -> DataSet:
    """One class drawn from the teacher's probabilities (T = 1), with certainty: what an API says that answers in text.

    >>> sampled(_tiny()).train.teacher_logits.exp().sum(1)  # one of them is certain
    tensor([1., 1.])
    """
    drawn = torch.multinomial(_logits(data).softmax(1), 1, generator=_generator(seed))
    return _with_signal(data, torch.full_like(_logits(data), -torch.inf).scatter_(1, drawn, 0.0))


def smoothed_labels(data: DataSet, amount: float = 0.1) -> DataSet:
    """The label, smoothed: probability 1 − amount for it, and `amount`, in (0, 1], spread evenly over all classes.

    At temperature 1 this is label smoothing (Szegedy et al. 2016, section 7): is softness enough?

    >>> smoothed_labels(_tiny(), 0.2).train.teacher_logits.exp()
    tensor([[0.9000, 0.1000],
            [0.1000, 0.9000]])
    """
    if not 0 < number("amount", amount) <= 1:
        raise ValueError(f"amount must be in (0, 1], got {amount}")
    classes = _logits(data).shape[1]
    probabilities = torch.full_like(data.train.teacher_logits, amount / classes)
    probabilities[torch.arange(len(data.train)), data.train.labels] += 1 - amount
    return _with_signal(data, probabilities.log())


def shuffled(data: DataSet, seed: int = 0) -> DataSet:
    """Every example gets the soft label of another one: a negative control. Who learns from that has found a leak.

    >>> shuffled(_tiny()).train.teacher_logits
    tensor([[1., 2.],
            [3., 0.]])
    """
    order = torch.randperm(len(_logits(data)), generator=_generator(seed))
    if len(order) < 2:
        raise ValueError("data.train must hold at least two examples to be shuffled, got one")
    other = torch.empty_like(order)
    other[order] = order.roll(1)  # nobody keeps their own
    return _with_signal(data, data.train.teacher_logits[other])


def slipped(data: DataSet, start: int) -> DataSet:
    """From row `start` on, every example has the teacher's logits of the one before it: a cache that lost a row.

    The row `start` itself gets those of the last.

    >>> slipped(_tiny(), 0).train.teacher_logits
    tensor([[1., 2.],
            [3., 0.]])
    """
    logits = _logits(data).clone()
    if integer("start", start, at_least=0) >= len(logits):
        raise ValueError(f"start must be a row of the {len(logits)} training examples, got {start}")
    logits[start:] = logits[start:].roll(1, 0)
    return _with_signal(data, logits)


def random_teacher(data: DataSet, seed: int = 0, width: int = 128) -> DataSet:
    """What a network that was never trained says, made as confident as the teacher: does *any* smooth function teach?

    Its logits are scaled to the teacher's standard deviation about their mean in each row.

    >>> round(random_teacher(_tiny()).train.teacher_logits.square().mean().item(), 3)  # (1.5² + 0.5²) / 2
    1.25
    """
    logits = _logits(data)
    width = integer("width", width, at_least=1)
    seed = integer("seed", seed, at_least=0)
    stranger = mlp([data.train.inputs.shape[1], width, logits.shape[1]], seed)
    with torch.no_grad():
        said = stranger(data.train.inputs)
    said = said - said.mean(1, keepdim=True)
    spread = (logits - logits.mean(1, keepdim=True)).square().mean().sqrt()
    return _with_signal(data, said * (spread / said.square().mean().sqrt()))


def taught_by(data: DataSet, teacher: torch.nn.Module) -> DataSet:
    """The same examples with another teacher, [N, D] -> logits [N, C]: an assistant, one that was trained otherwise.

    >>> taught_by(_tiny(), torch.nn.Identity()).train.teacher_logits
    tensor([[1., 0.],
            [0., 1.]])
    """
    before = _logits(data)
    said = teacher_logits(teacher, data.train.inputs)
    if said.shape != before.shape:
        raise ValueError(f"teacher must give logits {list(before.shape)}, got {list(said.shape)}")
    return _with_signal(data, said)


def with_soft_labels(data: DataSet, soft_labels: torch.Tensor, temperature: float) -> DataSet:
    """A teacher who says `soft_labels` [N, C] at this temperature: rows of probabilities, none of them zero.

    Train at the same temperature. So any control that is a table of probabilities is an arm of an experiment.

    >>> with_soft_labels(_tiny(), torch.tensor([[0.9, 0.1], [0.4, 0.6]]), 4).train.teacher_logits.div(4).softmax(1)
    tensor([[0.9000, 0.1000],
            [0.4000, 0.6000]])
    """
    before, soft_labels = _logits(data), torch.as_tensor(soft_labels)
    if soft_labels.shape != before.shape:
        raise ValueError(f"soft_labels must be {list(before.shape)}, got {list(soft_labels.shape)}")
    if not (soft_labels > 0).all() or not torch.allclose(soft_labels.sum(1).double(), _ONE, atol=1e-3):
        raise ValueError("soft_labels must be above 0, and each row must sum to 1")
    return _with_signal(data, positive("temperature", temperature) * soft_labels.to(before.dtype).log())


def never_shown(data: DataSet, class_name: str) -> DataSet:
    """The data set without the training examples that label *or teacher* would call by the name of a class.

    Hinton et al. (2015, section 3) leave out the examples with the label; this leaves out more.

    >>> never_shown(_tiny(), "spam").train.labels
    tensor([0])
    """
    said, label = _logits(data).argmax(1), data.class_index(class_name)
    unseen = (data.train.labels != label) & (said != label)
    return replace(data, train=data.train[unseen])


def self_taught(
    data: DataSet, *, width: int = 256, epochs: Sequence[int] = (5, 10, 20), seed: int = 0, device: str = "auto"
) -> DataSet:
    """The same examples with a teacher that learned from their own labels: it knows no more than its student may.

    The teacher is a network with `width` hidden units; of these numbers of epochs it has the one that is best on
    validation. Where labels are wrong, it has learned from the wrong ones.

    >>> tiny = _tiny()
    >>> self_taught(tiny, width=4, epochs=[30]).train.teacher_logits.shape == tiny.train.teacher_logits.shape
    True
    """
    classes, train_split = _logits(data).shape[1], data.train
    width, seed = integer("width", width, at_least=1), integer("seed", seed, at_least=0)
    teachers = []
    for passes in epochs:
        teacher = mlp([train_split.inputs.shape[1], width, classes], seed)
        how = {"schedule": cosine, "order_seed": seed, "device": device, "progress": False}
        train(teacher, train_split.inputs, train_split.labels, epochs=passes, **how)
        teachers.append((accuracy(teacher, data.validation, device=device), -passes, teacher))
    if not teachers:
        raise ValueError(f"epochs must not be empty, got {epochs!r}")
    return taught_by(data, max(teachers, key=lambda one: one[:2])[2])


def noisy_labels(data: DataSet, share: float, seed: int = 0) -> DataSet:
    """A `share` of the training *labels* replaced by other classes, drawn evenly; the teacher's logits stay.

    Exactly this share of the labels, in [0, 1], is wrong, to the nearest example.

    >>> noisy_labels(_tiny(), 1.0).train.labels
    tensor([1, 0])
    """
    _arguments.share("share", share)
    classes, train, generator = _logits(data).shape[1], data.train, _generator(seed)
    chosen = torch.randperm(len(train), generator=generator)[: round(share * len(train))]
    labels = train.labels.clone()
    labels[chosen] = (labels[chosen] + torch.randint(1, classes, (len(chosen),), generator=generator)) % classes
    mislabelled = copy(train)  # so that the teacher of the mirrored view stays as well
    mislabelled.labels = labels
    return replace(data, train=mislabelled)


def long_tail(data: DataSet, rarest: int, first: int = 0) -> DataSet:
    """Training examples dropped so that the classes get rarer step by step, the last of them down to `rarest`.

    Class first + k, counted round the classes, keeps most · (rarest / most)^(k / (C − 1)) of its examples, the first
    ones, where `most` is the size of the smallest class before (Cui et al. 2019, section 5.1, cut so). With another
    `first` another class is the rarest, so that "rare" can be told from "hard". The rarest is class first − 1.

    Parameters
    ----------
    data : DataSet
    rarest : int
        Examples, from 1 to the size of the smallest class.
    first : int
        In 0 ... C − 1.

    Examples
    --------
    >>> long_tail(_tiny(), rarest=1).train
    Split(2 examples)
    """
    classes = _logits(data).shape[1]
    rarest, first = integer("rarest", rarest, at_least=1), integer("first", first, at_least=0)
    if first >= classes:
        raise ValueError(f"first must be one of the {classes} classes, 0 to {classes - 1}, got {first}")
    labels = data.train.labels
    most = int(torch.bincount(labels, minlength=classes).min())
    if rarest > most:
        raise ValueError(f"rarest must be at most the size of the smallest class, {most}, got {rarest}")
    kept = torch.zeros(len(labels), dtype=torch.bool)
    for step in range(classes):
        count = round(most * (rarest / most) ** (step / max(classes - 1, 1)))
        kept[(labels == (first + step) % classes).nonzero().flatten()[:count]] = True
    return replace(data, train=data.train[kept])


def weighted_labels(data: DataSet) -> LossFunction:
    """The loss of labels in which all classes weigh the same, each example one over how frequent its class is.

    The simplest remedy for a long tail that needs no teacher.

    Parameters
    ----------
    data : DataSet
        Whose training labels are counted; a class without any counts as one that has a single example.

    Returns
    -------
    function
        A loss for `kdcourse.sweep.sweep`, as of `kdcourse.losses.blended`.

    Examples
    --------
    >>> loss = weighted_labels(_tiny())
    >>> loss(torch.zeros(1, 2), None, torch.tensor([0])).shape
    torch.Size([1])
    """
    counts = torch.bincount(data.train.labels, minlength=_logits(data).shape[1]).clamp(min=1)
    return blended(soft_weight=0, class_weight=len(data.train) / (len(counts) * counts))


def told(data: DataSet, n: int, *, quick: bool = False) -> dict[str, Callable[[DataSet, int], DataSet]]:
    """What a teacher may say of the first n pictures, each a function of a block's data set and its number.

    - "one sample each": a class drawn from its probabilities, as an API gives that answers in text
    - "first choices": its most probable class
    - "four times too sure": its logits, times four
    - "smoothed" and "plain": another teacher's, of 256 units; of these two one has learned with label smoothing

    The two learn from the labels of the last 10,000 of the training pictures of `data`, with `quick` of 2,000.

    >>> from kdcourse.data import load
    >>> garments = load("fashion-mnist").subset(60)
    >>> told(garments, 20)["first choices"](garments, 0).train.teacher_logits.softmax(1).amax(1).unique()
    tensor([1.])
    """
    n = integer("n", n, at_least=1)
    apart = replace(data, train=data.train[-2_000 if quick else -10_000 :])

    def learned(amount):
        soft = smoothed_labels(apart, amount).train.teacher_logits
        teacher = mlp([data.train.inputs.shape[1], 256, len(data.class_names)], seed=0)
        how = {"temperature": 1, "epochs": 5, "schedule": cosine, "device": "cpu", "progress": False}
        with arithmetic_threads(1):  # more would wait for one another longer than they compute
            distill(teacher, apart.train.inputs, soft, **how)
        return lambda data, block: taught_by(data.subset(n), teacher)

    def too_sure(data, block):
        some = data.subset(n)
        return with_soft_labels(some, (4 * some.train.teacher_logits).softmax(1) + TINY, 1)

    return {
        "one sample each": lambda data, block: sampled(data.subset(n), block),
        "first choices": lambda data, block: arg_max(data.subset(n)),
        "four times too sure": too_sure,
        "smoothed": learned(0.1),
        "plain": learned(TINY),
    }


def _logits(data):
    if not isinstance(data, DataSet):
        raise TypeError(f"data must be a DataSet, got {type(data).__name__}")
    if data.train.teacher_logits is None:
        raise ValueError("data.train must hold the teacher's logits, got None")
    return data.train.teacher_logits


def _tiny():
    """Two examples, for the examples above."""
    split = Split(torch.tensor([0, 1]), torch.tensor([[3.0, 0.0], [1.0, 2.0]]), inputs=torch.eye(2))
    return DataSet("tiny", split, split, split, class_names=("ham", "spam"))


def _generator(seed):
    return torch.Generator().manual_seed(integer("seed", seed, at_least=0))


def _with_signal(data, teacher_logits):
    train = data.train
    if train.pixels is None:
        return replace(data, train=Split(train.labels, teacher_logits, inputs=train.inputs))
    return replace(data, train=Split(train.labels, teacher_logits, pixels=train.pixels, scale=train.scale))
