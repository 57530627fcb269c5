"""Losses on what is inside of a network, for models that need not be ours: layers are named, as `named_modules` has it.

A teacher is asked once for its logits and the outputs of layers. `FeatureMatch` wraps a student so that `distill`
trains it on both: everything that the loss needs stands side by side in one tensor [B, C + features], the student's in
what the wrapped student returns, the teacher's where `distill` takes its logits.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from kdcourse import train
from kdcourse._arguments import bad_type, bad_value, integer, not_negative
from kdcourse._examples import Examples, drawing_from, home_of, logits_of
from kdcourse.losses import LossFunction, blended

_KD = blended()


class TeacherFeatures(NamedTuple):
    """What `teacher_features` returns: logits [N, C], and features {layer: [N, channels, ...]}."""

    logits: torch.Tensor
    features: dict[str, torch.Tensor]


def teacher_features(
    teacher: nn.Module,
    inputs: Any,
    layers: Sequence[str],
    *,
    channel_axis: int = 1,
    batch_size: int | None = None,
    device: str = "auto",
) -> TeacherFeatures:
    """Logits and the outputs of layers for every input, in eval mode; the teacher is left as it was found.

    Parameters
    ----------
    teacher, inputs, batch_size, device
        As in `train.teacher_logits`; logits [B, C].
    layers : sequence of str
        Names of modules in the teacher. Each must give a tensor with one row per input, or a tuple that begins with
        one.
    channel_axis : int
        Where the layers have their channels: 1 as in convolutions, -1 as in transformers [B, L, channels].

    Returns
    -------
    TeacherFeatures
        float32, on the CPU; row i is row i of the inputs. The channels are on axis 1, wherever they were.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for a layer that does not exist, with the names that do.

    Examples
    --------
    >>> teacher = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))
    >>> said = teacher_features(teacher, torch.randn(4, 2), ["1"], device="cpu")
    >>> said.logits.shape, said.features["1"].shape
    (torch.Size([4, 3]), torch.Size([4, 5]))
    """
    both = _SideBySide(teacher, layers, channel_axis, "teacher")
    said = train.teacher_logits(both, inputs, batch_size=batch_size, device=device)
    logits, *features = _parts(said, both.shapes)
    return TeacherFeatures(logits, dict(zip(layers, features, strict=True)))


class FeatureMatch(nn.Module):
    """A student that `distill` trains on the teacher's logits and on the features of layers at once.

    In training it returns the logits and, behind them, the features, [B, C + features]; in eval mode minus infinity
    stands behind the logits, so that `validation` and `accuracy` see the student alone. The student is trained in
    place: it is what one keeps. No hook stays on it.

    Parameters
    ----------
    student : nn.Module
        As in `train.distill`; logits [B, C].
    inputs : Tensor, dict of Tensors, DataLoader or list of batches
        As in `train.distill`; one is asked about, for the sizes.
    said : TeacherFeatures
        Of the same inputs.
    layers : dict
        From a layer's name in the student to one of the teacher's.
    feature_loss : function
        (student_features, teacher_features) -> [B], such as `losses.hint_loss`. Its values are added over the layers.
    weight : float
        Of the feature loss, >= 0.
    soft : function, optional
        The loss function for the logits, such as `losses.blended(4.0)` (at T = 1); None: the features alone.
    regressor : bool
        Lead the student's features to the teacher's shape: average pooling to its height and width, and a 1 × 1
        convolution to its channels (Romero et al. 2015 use a larger one). It is trained along, and not kept.
        `attention_loss` and `relation_loss` need none.
    channel_axis : int
        Of the student's layers; see `teacher_features`.
    seed : int
        Of the regressor.

    Attributes
    ----------
    teacher_logits : Tensor
        [N, C + features], for `distill`.
    student : nn.Module

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for a layer that does not exist, with the names that do.

    Examples
    --------
    >>> from kdcourse.losses import hint_loss
    >>> teacher = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))
    >>> student = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> inputs = torch.randn(8, 2)
    >>> said = teacher_features(teacher, inputs, ["1"], device="cpu")
    >>> match = FeatureMatch(student, inputs, said, {"1": "1"}, hint_loss, weight=0.5)
    >>> history = train.distill(
    ...     match, inputs, match.teacher_logits, loss=match.loss, epochs=2, device="cpu", progress=False
    ... )
    >>> student(inputs).shape
    torch.Size([8, 3])
    """

    def __init__(
        self,
        student: nn.Module,
        inputs: Any,
        said: TeacherFeatures,
        layers: Mapping[str, str],
        feature_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        *,
        weight: float = 1.0,
        soft: LossFunction | None = _KD,
        regressor: bool = True,
        channel_axis: int = 1,
        seed: int = 0,
    ):
        super().__init__()
        for layer in layers.values():
            if layer not in said.features:
                raise bad_value("layers", f"must lead to features in said ({', '.join(said.features)}), got {layer!r}")
        seed = integer("seed", seed, at_least=0)
        self.student, self.feature_loss, self.soft = student, feature_loss, soft
        self.weight = not_negative("weight", weight)
        asked = _SideBySide(student, layers, channel_axis, "student")
        one, *_ = next(Examples(inputs).batches(torch.arange(1), 1))
        train.teacher_logits(asked, one, device="cpu")
        self._answers = asked.answers
        theirs = [said.logits, *(said.features[layer] for layer in layers.values())]
        self._theirs, self._own = [part.shape[1:] for part in theirs], asked.shapes
        with drawing_from(seed, torch.device("cpu")):
            self.regressors = nn.ModuleList(map(_regressor, self._own[1:], self._theirs[1:]) if regressor else [])
        self.regressors.to(home_of(student))
        if regressor:
            self._own = [self._own[0], *self._theirs[1:]]
        self._width = max(sum(map(math.prod, shapes)) for shapes in (self._own, self._theirs))
        self.teacher_logits = _side_by_side(theirs, self._width)

    def forward(self, *inputs: torch.Tensor, **fields: torch.Tensor) -> torch.Tensor:
        """[B, C + features]."""
        if not self.training:
            logits = logits_of(self.student, fields or inputs[0])
            return F.pad(logits, (0, self._width - logits.shape[1]), value=-torch.inf)
        logits, *features = self._answers(inputs, fields)
        if self.regressors:
            features = [regressor(part) for regressor, part in zip(self.regressors, features, strict=True)]
        return _side_by_side([logits, *features], self._width)

    def loss(
        self, student_logits: torch.Tensor, teacher_logits: torch.Tensor, labels: torch.Tensor | None
    ) -> torch.Tensor:
        """The loss function for `distill`: soft(...) + weight · feature_loss(...), one value per example."""
        logits, *own = _parts(student_logits, self._own)
        said, *theirs = _parts(teacher_logits, self._theirs)
        features = self.weight * torch.stack(list(map(self.feature_loss, own, theirs))).sum(0)
        return features if self.soft is None else self.soft(logits, said, labels) + features


class _SideBySide(nn.Module):
    """A model that returns its logits and, behind them, the outputs of some of its layers."""

    def __init__(self, model, layers, channel_axis, role):
        super().__init__()
        if not isinstance(model, nn.Module):
            raise bad_type(role, f"must be an nn.Module, got {type(model).__name__}")
        names = [name for name, _ in model.named_modules() if name]
        for layer in layers:
            if layer not in names:
                raise bad_value("layers", f"must name modules of the {role} ({', '.join(names)}), got {layer!r}")
        self.model, self.layers, self.channel_axis, self.role = model, list(layers), channel_axis, role
        self.shapes: list[torch.Size] = []  # of one example: its logits, then each layer's output

    def answers(self, inputs, fields):
        """[logits, output of the first layer, ...] of a batch, channels on axis 1."""
        with _heard(self.model, self.layers) as heard:
            logits = logits_of(self.model, fields or inputs[0])
        if logits.ndim != 2:
            raise bad_value(self.role, f"must return logits [B, C], got {list(logits.shape)}")
        for layer in self.layers:
            output = heard.get(layer)
            if not isinstance(output, torch.Tensor) or output.ndim < 2 or len(output) != len(logits):
                came = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
                raise bad_value("layers", f"must give a tensor with a row per input, got {came} from {layer!r}")
        return [logits, *(heard[layer].movedim(self.channel_axis, 1) for layer in self.layers)]

    def forward(self, *inputs, **fields):
        parts = self.answers(inputs, fields)
        self.shapes = [part.shape[1:] for part in parts]
        return _side_by_side(parts)


def _regressor(own, wanted):
    """From features of one shape to another: averaged over places, then a 1 × 1 convolution."""
    match len(own), len(wanted):
        case 1, 1:
            return nn.Linear(own[0], wanted[0])
        case 2, 2 if own[1] == wanted[1]:
            return nn.Conv1d(own[0], wanted[0], 1)
        case 3, 1:
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(own[0], wanted[0]))
        case 3, 3:
            return nn.Sequential(nn.AdaptiveAvgPool2d(wanted[1:]), nn.Conv2d(own[0], wanted[0], 1))
    raise bad_value("regressor", f"must be False for features {list(own)} and {list(wanted)}: none joins these shapes")


@contextlib.contextmanager
def _heard(model, layers):
    """{layer: what it put out last}, filled while the model is asked inside a `with`."""
    heard, hooks = {}, []

    def listen(name):
        def hear(module, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            # A copy: the module that comes next, a ReLU for example, may write into it.
            heard[name] = output.clone() if isinstance(output, torch.Tensor) else output

        hooks.append(model.get_submodule(name).register_forward_hook(hear))

    try:
        for layer in layers:
            listen(layer)
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _side_by_side(parts, width=0):
    rows = torch.cat([part.flatten(1) for part in parts], 1)
    return F.pad(rows, (0, max(width - rows.shape[1], 0)))


def _parts(rows, shapes):
    sizes = [math.prod(shape) for shape in shapes]
    pieces = rows[:, : sum(sizes)].split(sizes, 1)
    return [piece.reshape(-1, *shape) for piece, shape in zip(pieces, shapes, strict=True)]
