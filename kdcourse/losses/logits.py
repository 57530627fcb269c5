"""Other losses on logits, and ensembles as teachers."""

import math
from collections.abc import Sequence

import torch

from kdcourse._arguments import bad_value
from kdcourse._arguments.logits import check_logits
from kdcourse.losses.arithmetic import _like, _per_example, _precise, soft_per_example, widen

__all__ = ["dist_loss", "dkd_loss", "ensemble_logits", "jsd_loss", "logit_mse"]


def jsd_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    beta: float = 0.5,
    temperature: float = 1.0,
) -> torch.Tensor:
    """The generalised Jensen-Shannon divergence, a loss function whose ends are the two directions of `kd_loss`.

    With teacher p, student q and m = βp + (1 − β)q it is T² · [β KL(p ‖ m) + (1 − β) KL(q ‖ m)] / (β(1 − β)). Without
    the divisor (Agarwal et al. 2023, section 2) it shrinks to 0 at both ends. With it, it is continuous there: the
    forward divergence at β = 0, the reverse one at 1, and four times the plain Jensen-Shannon divergence in the middle.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1; no gradient flows into the teacher's.
    labels : ignored
    beta : float
        The teacher's share of the mixture, in [0, 1].
    temperature : float or Tensor
        As in `kd_loss`.

    Returns
    -------
    Tensor
        One value per example, the logits' shape without axis 1; nats, times T². Of the student's dtype, but never less
        precise than float32.

    Examples
    --------
    >>> student, teacher = torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log()
    >>> [round(jsd_loss(student, teacher, beta=beta).item(), 4) for beta in (0, 0.001, 0.5, 0.999, 1)]
    [0.1308, 0.1308, 0.1353, 0.1438, 0.1438]
    """
    dtype = torch.promote_types(student_logits.dtype, torch.float32)
    if beta in (0, 1):
        (student, scale), (teacher, _) = (widen(logits, temperature) for logits in (student_logits, teacher_logits))
        return soft_per_example(student, teacher, scale, direction="reverse" if beta else "forward").to(dtype)
    # Towards the ends a divergence of the order β² is divided by β: that takes more than float32.
    student, teacher = (_precise(logits, True) for logits in (student_logits, teacher_logits.detach()))
    temperature = _like(temperature, student)
    log_q, log_p = ((logits / temperature).log_softmax(1) for logits in (student, teacher))
    log_p = log_p.clamp_min(torch.finfo(log_p.dtype).min)
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    mixed = beta * log_p.exp() * (log_p - log_m) + (1 - beta) * log_q.exp() * (log_q - log_m)
    return (_per_example(temperature) ** 2 * mixed.sum(1) / (beta * (1 - beta))).to(dtype)


def logit_mse(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, labels: torch.Tensor | None = None
) -> torch.Tensor:
    """The mean squared difference of the logits, a loss function (Ba and Caruana 2014; Kim et al. 2021).

    Both papers sum over the classes; this is their value divided by C. Twice `kd_loss` becomes the same at a high
    temperature, once both sides' logits have mean 0 (Hinton et al. 2015, section 2.1). It is the only loss here that
    sees a number added to all logits of an example.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1; finite. No gradient flows into the teacher's.
    labels : ignored

    Returns
    -------
    Tensor
        One value per example, the logits' shape without axis 1; squared logits.

    Examples
    --------
    >>> logit_mse(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, -1.0]]))  # (1 + 9) / 2
    tensor([5.])
    """
    student, teacher = (_precise(logits, False) for logits in (student_logits, teacher_logits.detach()))
    return (student - teacher).square().mean(1)


def dkd_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> torch.Tensor:
    """Decoupled distillation, T² · (α TCKD + β NCKD), a loss function (Zhao et al. 2022, section 3).

    TCKD is the divergence of the two probabilities "the label" and "any other class"; NCKD is the divergence among the
    other classes, each side renormalised without the label. `kd_loss` is TCKD + (1 − p) NCKD, with p the teacher's
    probability of the label: the surer the teacher, the less it tells of the other classes. Here β does not depend on
    p. The paper adds the cross-entropy, and lets this term grow from 0 in the first epochs.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1; no gradient flows into the teacher's. Minus infinity stands for
        a teacher's probability of zero; if all but the label have it, the others count as equally likely.
    labels : int64 Tensor
        The logits' shape without axis 1, in [0, C).
    alpha, beta : float
        Weights of the two terms.
    temperature : float or Tensor
        As in `kd_loss`.

    Returns
    -------
    Tensor
        One value per example, the logits' shape without axis 1; nats, times T².

    Examples
    --------
    >>> student, teacher = torch.zeros(1, 3), torch.tensor([[2.0, 1.0, 1.0]]).log()
    >>> label = torch.tensor([0])  # the teacher gives it 1/2, and as much to one of the others as to the other
    >>> dkd_loss(student, teacher, label, temperature=1), dkd_loss(student, teacher, label, alpha=0)
    (tensor([0.0589]), tensor([0.]))
    """
    others = torch.arange(student_logits.shape[1] - 1, device=labels.device)
    others = others.view(-1, *[1] * (labels.ndim - 1)).expand(*labels.shape[:1], -1, *labels.shape[1:])
    others = others + (others >= labels.unsqueeze(1))

    def parts(logits):
        """Logits of (the label, any other class), and those of each other class."""
        scaled = widen(logits, temperature)[0] / temperature
        scaled = scaled.clamp_min(torch.finfo(scaled.dtype).min)
        rest = scaled.gather(1, others)
        return torch.cat([scaled.gather(1, labels.unsqueeze(1)), rest.logsumexp(1, keepdim=True)], 1), rest

    (student, student_rest), (teacher, teacher_rest) = parts(student_logits), parts(teacher_logits)
    target = soft_per_example(student, teacher, 1.0)
    scale = _per_example(_like(temperature, student)) ** 2
    return scale * (alpha * target + beta * soft_per_example(student_rest, teacher_rest, 1.0))


def dist_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    labels: torch.Tensor | None = None,
    *,
    beta: float = 1.0,
    gamma: float = 1.0,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Correlations in place of a divergence, β inter + γ intra, a loss function (DIST; Huang et al. 2022).

    The inter-class term is 1 − r of an example's probabilities over the classes, the intra-class term 1 − r of a
    class's probabilities over the batch, both with Pearson's r between student and teacher: a student may be more or
    less sure than its teacher. The intra-class term is about a batch. Every example gets its share, so that the mean
    over the batch is the paper's mean over classes. Where a side is constant, r counts as 0. As in the paper there is
    no factor T²; the authors' code has it (hunto/image_classification_sota, issue 19).

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1; no gradient flows into the teacher's. The batch is axis 0 of
        two, and all that is behind axis 1 of more: each student's examples in [M, C, B], the places of each sequence in
        [B, C, L].
    labels : ignored
    beta, gamma : float
        Weights of the two terms.
    temperature : float
        As in `kd_loss`.

    Returns
    -------
    Tensor
        One value per example, the logits' shape without axis 1; no unit. Only means over a batch lie in [0, 2(β + γ)].

    Examples
    --------
    >>> teacher = torch.tensor([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 2.0]])
    >>> [round(abs(dist_loss(student, teacher).mean().item()), 4) for student in (teacher, teacher + 5, -teacher)]
    [0.0, 0.0, 3.7342]
    """
    student, teacher = (
        (widen(logits, temperature)[0] / temperature).log_softmax(1) for logits in (student_logits, teacher_logits)
    )
    teacher = teacher.detach()
    inter = 1 - _correlated(student, teacher, [1]).sum(1)
    batch = [0] if student.ndim == 2 else [*range(2, student.ndim)]
    count = math.prod(student.shape[axis] for axis in batch)
    intra = 1 - count * _correlated(student, teacher, batch).mean(1)
    return beta * inter + gamma * intra


def _correlated(log_first, log_second, axes):
    """What each place adds to Pearson's correlation of two probabilities over some axes, whose sum over them is r."""
    return _standardised(log_first, axes) * _standardised(log_second, axes)


def _standardised(log_values, axes):
    """Centred and of length 1 over some axes; 0, and without a gradient, where all that is left is rounding."""
    smallest = torch.finfo(log_values.dtype).min
    # No correlation depends on a factor. Divided by their largest, values that are all tiny do not become 0.
    values = (log_values - log_values.detach().amax(axes, keepdim=True).clamp_min(smallest)).exp()
    centred = values - values.mean(axes, keepdim=True)
    length, whole = (torch.linalg.vector_norm(each, dim=axes, keepdim=True) for each in (centred, values))
    return centred / length.masked_fill(length <= 4 * torch.finfo(values.dtype).eps * whole, torch.inf)


def ensemble_logits(logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """Logits of several teachers together: the logarithm of the mean of their probabilities.

    It is the log-sum-exp of the members' log-probabilities, less log K: no probability has to be represented, so none
    is rounded to 0. A mean of the logits themselves would be the geometric mean of the probabilities.

    Parameters
    ----------
    logits : sequence of Tensors
        [N, C] each, or any shape with the classes on axis 1; minus infinity stands for probability zero.

    Returns
    -------
    Tensor
        The shape of one member; log-probabilities, in float32 at least.

    Raises
    ------
    TypeError, ValueError
        If there is no member, or one does not fit.

    Examples
    --------
    >>> ensemble_logits([torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[1.0, 1.0]]).log()]).exp()
    tensor([[0.6250, 0.3750]])
    """
    members = [check_logits(f"logits[{k}]", member, allow_minus_infinity=True) for k, member in enumerate(logits)]
    if not members:
        raise bad_value("logits", "must hold at least one member, got none")
    for k, member in enumerate(members):
        if member.shape != members[0].shape:
            came = f"{list(member.shape)} and {list(members[0].shape)}"
            raise bad_value(f"logits[{k}]", f"must have the shape of the first member, got {came}")
    log_probabilities = torch.stack([_precise(member, False).log_softmax(1) for member in members])
    return log_probabilities.logsumexp(0) - math.log(len(members))
