"""The loss explorer: one example, the two terms of the blended loss, and what each asks of the student's logits."""

from collections.abc import Iterable

import numpy.typing as npt
import torch
import traitlets

from kdcourse import losses
from kdcourse.data import DataSet
from kdcourse.widgets._examples import chosen, rounded, split_with_teacher
from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._traits import Bounded, Flag, Logits, Place, Temperature


def blended_loss(
    data_set: DataSet,
    student_logits: torch.Tensor | npt.ArrayLike,
    examples: Iterable[int] = range(20),
    split: str = "validation",
    soft_weight: float | None = None,
    temperature: float = 1.0,
) -> "BlendedLoss":
    """A widget with the probabilities of teacher and student at a temperature to drag, and what the loss pulls at.

    Parameters
    ----------
    data_set : DataSet
        With teacher logits.
    student_logits : array_like
        [N, C], finite: what some student says about this split.
    examples : iterable of int
        Indices into the split that can be chosen.
    split : str
        "train", "validation" or "test".
    soft_weight : float, optional
        In [0, 1]: fixed. Without it there is a slider.
    temperature : float
        In [0.5, 32]: where its slider stands at first.

    Returns
    -------
    BlendedLoss

    Raises
    ------
    TypeError, ValueError
        The message names the argument.

    Notes
    -----
    The pull is minus the gradient with respect to the student's logits: soft_weight · T · (p_T − q_T) of the soft term,
    which is T² · KL (Hinton et al. 2015, section 2.1), and (1 − soft_weight) · (label − q_1) of the hard term. Without
    T² the soft part is divided by T². Its axis stays while T and the weight are dragged.

    Examples
    --------
    >>> from kdcourse.data import DataSet, Split
    >>> split = Split(torch.tensor([0, 1]), torch.tensor([[2.0, 0.0], [0.0, 0.0]]), inputs=torch.zeros(2, 4))
    >>> data_set = DataSet("tiny", split, split, split, class_names=("hat", "sock"))
    >>> explorer = blended_loss(data_set, torch.zeros(2, 2), examples=[0, 1])
    >>> explorer.soft_weight = 0  # labels alone: the cross-entropy of a student that says nothing is log 2
    >>> round(explorer.terms.total, 4)
    0.6931
    """
    part = split_with_teacher(data_set, split)
    student = torch.as_tensor(student_logits).detach().cpu().double()
    expected = [len(part), len(data_set.class_names)]
    if list(student.shape) != expected:
        raise ValueError(
            f"student_logits must be {expected}, one row per example of {split}, got shape {list(student.shape)}"
        )
    teacher, labels = part.teacher_logits.cpu().double(), part.labels.cpu().long()
    weight = 0.5 if soft_weight is None else soft_weight
    losses.blended_loss(student, teacher, labels, soft_weight=weight)  # for what it refuses
    offered = [
        {"index": k, "label": int(labels[k]), "teacher": rounded(teacher[k]), "student": rounded(student[k])}
        for k in chosen(examples, len(part))
    ]
    return BlendedLoss(
        class_names=list(data_set.class_names),
        examples=offered,
        logits=offered[0]["student"],
        fixed_weight=soft_weight is not None,
        soft_weight=weight,
        temperature=temperature,
    )


class BlendedLoss(Explorer):
    """What `blended_loss` returns.

    Attributes
    ----------
    example_number : int
        Place of the example among those that can be chosen, from 0.
    temperature : float
        In [0.5, 32].
    soft_weight : float
        In [0, 1].
    squared : bool
        Whether the soft term has its factor T².
    logits : list of float
        [C], the student's, as they stand; choosing an example makes them its own.
    """

    title = "The blended loss"
    lesson = "03_blended_loss"
    question = (
        "A student's logits, a teacher's, and a label. Move the soft weight from 0 to 1, and see where each part of "
        "the loss pulls every logit: to the right is up. On the first pictures teacher and label disagree: at which "
        "weight is the whole pull shortest, and does it reach zero? And what is left of the soft part without T²?"
    )
    opening = {"temperature": 4}  # at T = 1 the factor T² makes no difference

    class_names = traitlets.List().tag(sync=True)
    examples = traitlets.List().tag(sync=True)
    example_number = Place("examples").tag(sync=True)
    temperature = Temperature(1.0).tag(sync=True)
    soft_weight = Bounded(0.5, 0, 1).tag(sync=True)
    fixed_weight = Flag(False).tag(sync=True)
    squared = Flag(True).tag(sync=True)
    logits = Logits().tag(sync=True)

    @property
    def terms(self) -> losses.LossTerms:
        """Loss, soft term and hard term of the example, as numbers."""
        example = self.examples[self.example_number]
        student, teacher = (torch.tensor([each], dtype=torch.float64) for each in (self.logits, example["teacher"]))
        label = torch.tensor([example["label"]])
        _, soft, hard = losses.blended_loss(student, teacher, label, self.temperature, self.soft_weight)
        if not self.squared:
            soft = soft / self.temperature**2
        total = self.soft_weight * soft + (1 - self.soft_weight) * hard
        return losses.LossTerms(total.item(), soft.item(), hard.item())  # type: ignore[arg-type]

    @traitlets.observe("example_number")
    def _take_its_logits(self, _):
        self.logits = self.examples[self.example_number]["student"]
