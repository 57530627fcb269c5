"""Eight bugs of distillation, each met in a public repository: what a run with it logs, and what probes say.

Every run trains the same small student on the same pictures. Its soft term is a function `(student, teacher, pictures,
temperature) -> one number`; the bug is in that function, or in what it is given for a teacher.
"""

import copy
from collections.abc import Callable, Mapping

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kdcourse._arguments import integer, positive
from kdcourse._process import arithmetic_threads
from kdcourse.data import DataSet
from kdcourse.losses import soft_per_example
from kdcourse.models import mlp
from kdcourse.train import cosine, distill

TEMPERATURE, SOFT_WEIGHT = 4.0, 0.5
TRAINED, WATCHED, PROBED, BATCH = 2_000, 1_000, 50, 50  # pictures
MEASURES = {  # what is drawn of a run; a logger, too, scales every loss to its own range
    "scaled": "loss\n(own range)",
    "accuracy": "accuracy",
    "agreement": "agreement\nwith teacher",
    "confidence": "confidence\n(T = 1)",
}
Term = Callable[[nn.Module, nn.Module, torch.Tensor, float], torch.Tensor]


class Misaligned(nn.Module):
    """A teacher whose answers were stored batch by batch, in one shuffled order, and are read in another.

    Parameters
    ----------
    teacher : nn.Module
    pictures : Tensor [N, D]
        That are shuffled for training.
    seed : int
        Of the order in which the answers were stored.

    Examples
    --------
    >>> stored = Misaligned(nn.Identity(), torch.arange(4.0)[:, None])
    >>> sorted(stored(torch.zeros(3, 1)).flatten().tolist() + stored(torch.zeros(1, 1)).flatten().tolist())
    [0.0, 1.0, 2.0, 3.0]
    """

    answers: torch.Tensor

    def __init__(self, teacher: nn.Module, pictures: torch.Tensor, seed: int = 1):
        super().__init__()
        order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))
        self.register_buffer("answers", _asked(teacher, pictures[order]))
        self.place = 0

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        rows = torch.arange(self.place, self.place + len(pictures)) % len(self.answers)
        self.place += len(pictures)
        return self.answers[rows]


def _asked(teacher, pictures):
    with torch.no_grad():
        return teacher.eval()(pictures)


def _of_logits(soft):
    """A term that asks the teacher as it should; `soft` compares the logits."""
    return lambda student, teacher, pictures, T: soft(student(pictures), _asked(teacher, pictures), T).mean()


def _kl_div(first, t, T):
    """As the library computes it: `first` should be the student's log-probabilities."""
    return T**2 * F.kl_div(first, (t / T).softmax(1), reduction="none").sum(1)


def _raw(s, t, T):
    p, q = ((logits / T).clamp(1e-7, 1) for logits in (t, s))
    return T**2 * (p * (p / q).log()).sum(1)


def _in_train_mode(student, teacher, pictures, T):
    with torch.no_grad():
        said = teacher.train()(pictures)
    return soft_per_example(student(pictures), said, T).mean()


def _into_the_teacher(student, teacher, pictures, T):
    return _kl_div((student(pictures) / T).log_softmax(1), teacher.eval()(pictures), T).mean()


def right_term(student: nn.Module, teacher: nn.Module, pictures: torch.Tensor, temperature: float) -> torch.Tensor:
    """T² · KL(teacher ‖ student), the mean over the pictures, of a teacher that is asked in evaluation mode.

    Examples
    --------
    >>> student = mlp([3, 2], seed=0)
    >>> abs(right_term(student, copy.deepcopy(student), torch.eye(3), 4.0).item()) < 1e-6
    True
    """
    return _of_logits(soft_per_example)(student, teacher, pictures, temperature)


TERMS: Mapping[str, Term] = {
    "teacher on both sides": _of_logits(lambda s, t, T: soft_per_example(t, t, T)),
    "cache misaligned": right_term,  # the fault is in what it is given for a teacher
    "raw logits": _of_logits(_raw),
    "log missing": _of_logits(lambda s, t, T: _kl_div((s / T).softmax(1), t, T)),
    "softmax twice": _of_logits(lambda s, t, T: _kl_div((s / T).softmax(1).log_softmax(1), t, T)),
    "wrong axis": _of_logits(lambda s, t, T: _kl_div((s / T).log_softmax(0), t, T)),
    "teacher in train mode": _in_train_mode,
    "gradient into the teacher": _into_the_teacher,
}
NAMES = tuple(TERMS)
BUG_OF = {run: NAMES[place] for run, place in zip("ABCDEFGH", (3, 6, 1, 5, 0, 4, 7, 2), strict=True)}


def fit_teacher(data: DataSet, *, examples: int = 10_000, epochs: int = 4, hidden: int = 256) -> nn.Module:
    """A small teacher with dropout, which can be asked anew in every step; itself distilled from the data's teacher.

    Parameters
    ----------
    data : DataSet
        With teacher logits; the last `examples` of training are used, the first `TRAINED` are left to the students.
    examples, epochs, hidden : int

    Returns
    -------
    nn.Module
        In training mode, as training leaves it.

    Examples
    --------
    >>> from kdcourse.data import load
    >>> fit_teacher(load("fashion-mnist"), examples=200, epochs=1).training
    True
    """
    train = data.train[-examples:]
    first, _, last = mlp([train.inputs.shape[1], hidden, len(data.class_names)], seed=0)
    teacher = nn.Sequential(first, nn.ReLU(), nn.Dropout(0.5), last)
    with arithmetic_threads(1):  # more would wait for one another longer than they compute
        distill(
            teacher, train.inputs, train.teacher_logits, temperature=2.0, epochs=epochs, lr=3e-3, schedule=cosine,
            device="cpu", progress=False,
        )  # fmt: skip
    return teacher


def run(
    term: Term, teacher: nn.Module, data: DataSet, *, epochs: int = 8, asked: nn.Module | None = None
) -> pd.DataFrame:
    """What a run logs after every epoch: `SOFT_WEIGHT` of the term, the rest cross-entropy with the labels.

    The optimiser holds the weights of student and teacher; the teacher's move only if a gradient reaches them. The
    teacher that was handed over stays as it is.

    Parameters
    ----------
    term : function
        (student, teacher, pictures [B, D], temperature) -> a number, the mean over the batch.
    teacher : nn.Module
        Of `fit_teacher`; what agreement is measured with.
    data : DataSet
        Its first 2,000 training and 1,000 validation examples are used.
    epochs : int
        >= 1.
    asked : nn.Module, optional
        What the term gets in place of the teacher.

    Returns
    -------
    DataFrame
        epoch, loss and soft (means over the epoch's batches), scaled (the loss, its range made that from 0 to 1); on
        validation accuracy, agreement with the teacher as it was before, and confidence (mean largest probability).

    Examples
    --------
    >>> from kdcourse.data import load
    >>> garments = load("fashion-mnist")
    >>> table = run(right_term, fit_teacher(garments, examples=200, epochs=1), garments, epochs=2)
    >>> table["epoch"].tolist(), bool(table["loss"].is_monotonic_decreasing)
    ([1, 2], True)
    """
    epochs = integer("epochs", epochs, at_least=1)
    train, watched = data.train[:TRAINED], data.validation[:WATCHED]
    student = mlp([train.inputs.shape[1], 32, len(data.class_names)], seed=0)
    before = _asked(copy.deepcopy(teacher), watched.inputs).argmax(1)
    asked = copy.deepcopy(asked or teacher)
    optimizer = torch.optim.AdamW([*student.parameters(), *asked.parameters()], lr=2e-3, weight_decay=0, fused=True)
    order, rows = torch.Generator().manual_seed(0), []
    with arithmetic_threads(1), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # dropout draws from it
        for epoch in range(1, epochs + 1):
            sums = torch.zeros(2)
            for batch in torch.randperm(len(train.labels), generator=order).split(BATCH):
                pictures = train.inputs[batch]
                soft = term(student, asked, pictures, TEMPERATURE)
                hard = F.cross_entropy(student(pictures), train.labels[batch])
                loss = SOFT_WEIGHT * soft + (1 - SOFT_WEIGHT) * hard
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                sums += torch.stack([loss, soft]).detach() * len(batch) / len(train.labels)
            said = _asked(student, watched.inputs)
            first = said.argmax(1)
            shares = [(first == watched.labels).double().mean(), (first == before).double().mean()]
            rows.append([epoch, *sums.tolist(), *map(float, shares), float(said.softmax(1).amax(1).mean())])
    table = pd.DataFrame(rows, columns=["epoch", "loss", "soft", "accuracy", "agreement", "confidence"])
    low, high = table["loss"].min(), table["loss"].max()
    return table.assign(scaled=(table["loss"] - low) / max(high - low, 1e-12))


class _Shifted(nn.Module):
    def __init__(self, student):
        super().__init__()
        self.student = student

    def forward(self, pictures):
        return self.student(pictures) + 10


def probe(
    term: Term,
    student: nn.Module,
    teacher: nn.Module,
    inputs: torch.Tensor,
    *,
    temperature: float = TEMPERATURE,
    asked: nn.Module | None = None,
) -> dict[str, float]:
    """Seven unit tests of your soft term, on one batch and without training: a sound one gives 0, but for `to student`.

    Neither model is changed: copies are probed, the student's in evaluation mode. A loss over logits becomes a term by
    `lambda student, teacher, x, T: loss(student(x), teacher(x).detach(), ...).mean()`.

    Parameters
    ----------
    term : function
        `(student, teacher, inputs, temperature) -> one number`, the mean over the batch, as a Tensor of shape [].
    student, teacher : nn.Module
        From inputs [B, ...] to logits [B, C]. A student that has learned nothing yet will do.
    inputs : Tensor [B, ...]
        At least two examples.
    temperature : float
        At which the term is asked; at 1, `off` does not see a T that was forgotten.
    asked : nn.Module, optional
        What the term asks in place of the teacher, such as a cache of its answers.

    Returns
    -------
    dict
        copy: the term of a student that is a copy of the teacher. Three are changes of the student's term: again, the
        largest in five repeats with other random draws; alone, when every example is a batch of its own; shift, when
        10 is added to all of its logits, which changes no probability. Two are lengths of gradients: to teacher, which
        none should reach, and to student, which is 0 if it learns nothing. off: how far the student's gradient lies
        from that of `right_term`, T² · KL(teacher ‖ student), in lengths of that one: 2 for a wrong sign, near 1
        without T²; not 0 either for another loss that was chosen on purpose.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> student, teacher = mlp([3, 8, 4], seed=0), mlp([3, 8, 4], seed=1)
    >>> found = probe(right_term, student, teacher, torch.eye(3))
    >>> {name: round(value, 3) + 0.0 for name, value in found.items() if name != "to student"}
    {'copy': 0.0, 'again': 0.0, 'alone': 0.0, 'shift': 0.0, 'to teacher': 0.0, 'off': 0.0}
    >>> found["to student"] > 0.01
    True
    """
    if not isinstance(inputs, torch.Tensor):
        raise TypeError(f"inputs must be a Tensor, got {type(inputs).__name__}")
    if inputs.ndim < 2 or len(inputs) < 2:
        raise ValueError(f"inputs must have the shape [B, ...] with B >= 2, got {list(inputs.shape)}")
    temperature = positive("temperature", temperature)

    for name, model in {"student": student, "teacher": teacher}.items():
        if not isinstance(model, nn.Module):
            raise TypeError(f"{name} must be an nn.Module, got {type(model).__name__}")

    def value(who, batches=(inputs,), draws=0, other=None):
        (torch if inputs.is_cuda else torch.default_generator).manual_seed(draws)
        other = copy.deepcopy(asked or teacher) if other is None else other
        found = [term(who, other, batch, temperature) for batch in batches]
        if not isinstance(found[0], torch.Tensor) or found[0].ndim:
            shape = f"shape {list(found[0].shape)}" if isinstance(found[0], torch.Tensor) else type(found[0]).__name__
            raise TypeError(f"term must return one number, a Tensor of shape [], got {shape}")
        return torch.stack(found).mean()

    with arithmetic_threads(1), torch.random.fork_rng([inputs.device] if inputs.is_cuda else []):
        own, other = copy.deepcopy(student).eval(), copy.deepcopy(asked or teacher)
        with torch.no_grad():
            plain = value(own).item()
            found = {
                "copy": value(copy.deepcopy(teacher).eval()).item(),
                "again": max(abs(value(own, draws=draws).item() - plain) for draws in range(1, 6)),
                "alone": value(own, inputs.split(1)).item() - plain,
                "shift": value(_Shifted(own)).item() - plain,
            }
        with torch.enable_grad():
            loss = value(own, other=other)
            if loss.requires_grad:
                loss.backward()
            sound = copy.deepcopy(student).eval()
            right_term(sound, copy.deepcopy(teacher), inputs, temperature).backward()
    wanted, to_student = _gradient(sound), _gradient(own)
    off = float((to_student - wanted).norm() / wanted.norm().clamp_min(1e-12))
    return found | {"to teacher": float(_gradient(other).norm()), "to student": float(to_student.norm()), "off": off}


def _gradient(model):
    """Of all parameters, float64 [P]; 0 where none came."""
    each = (torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters())
    return torch.cat([torch.zeros(0), *(one.flatten().cpu() for one in each)]).double()


def eight_runs(data: DataSet, teacher: nn.Module, *, epochs: int = 8) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Nine runs, "A" to "H" with a bug each and a right one: what they log, and what the probes say of their terms.

    Parameters
    ----------
    data, teacher, epochs
        As in `run`.

    Returns
    -------
    tables : dict of DataFrame
        Of `run`, by the name of the run.
    probes : DataFrame
        A row for each run: soft at first and at last (means over the first and the last epoch), and the first four of
        `probe`, on 50 pictures.

    Examples
    --------
    >>> from kdcourse.data import load
    >>> garments = load("fashion-mnist")
    >>> tables, probes = eight_runs(garments, fit_teacher(garments, examples=200, epochs=1), epochs=1)
    >>> list(tables) == list(probes.index) == [*"ABCDEFGH", "right"]
    True
    """
    tables, rows, batch = {}, {}, data.train[:PROBED].inputs
    student = mlp([batch.shape[1], 32, len(data.class_names)], seed=0)
    for name, bug in {**BUG_OF, "right": ""}.items():
        term = TERMS.get(bug, right_term)
        stored = Misaligned(copy.deepcopy(teacher), data.train[:TRAINED].inputs)
        asked = stored if bug == "cache misaligned" else None
        tables[name] = run(term, teacher, data, epochs=epochs, asked=asked)
        soft = tables[name]["soft"]
        ends = {"soft at first": soft.iloc[0], "soft at last": soft.iloc[-1]}
        found = probe(term, student, teacher, batch, asked=asked)
        rows[name] = ends | {one: found[one] for one in ("copy", "again", "alone", "shift")}
    return tables, pd.DataFrame(rows).T
