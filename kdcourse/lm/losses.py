"""The reverse divergence from tokens that the student has sampled: as a loss, and how noisy its gradient is.

The exact divergences are those of `kdcourse.losses`, `blended(direction="reverse")` and `jsd_loss`: each sums over the
vocabulary. The estimator here looks at one token, which is all that a teacher behind an interface may tell of itself.
"""

import torch

from kdcourse._arguments import integer
from kdcourse.losses import LossFunction


def sampled_reverse_loss(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """KL(student ‖ teacher) from one token each, a loss function; the labels must be samples of the student.

    Its value is log q − log p of the sampled token, whose mean is the divergence. Its gradient is that times the
    gradient of log q, a policy gradient (Williams 1992), whose mean is the gradient of the divergence. To differentiate
    the value itself would teach nothing: the gradient of log q is zero on average.

    Each token answers for itself alone, given those before it, as in on-policy distillation (Agarwal et al. 2023), and
    not for what it does to later ones.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1.
    labels : int64 Tensor
        The same shape without axis 1: drawn from the softmax of the student's logits.

    Returns
    -------
    Tensor
        The shape of the labels, natural-log units (nats); a single one may be negative.

    Examples
    --------
    >>> student, teacher = torch.zeros(2, 2), torch.tensor([[3.0, 1.0]]).log().repeat(2, 1)
    >>> sampled_reverse_loss(student, teacher, torch.tensor([0, 1]))  # log(2/3) and log(2); the divergence is 0.1438
    tensor([-0.4055,  0.6931])
    """
    log_student, log_teacher = (
        logits.log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1) for logits in (student_logits, teacher_logits)
    )
    reward = (log_student - log_teacher).detach()
    return reward + reward * (log_student - log_student.detach())


def gradient_noise(
    loss: LossFunction,
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    *,
    draws: int = 100,
    seed: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of a loss's gradient in the logits, over labels that are sampled from the student.

    Parameters
    ----------
    loss : function
        (student_logits, teacher_logits, labels) -> one value per example, such as `sampled_reverse_loss`.
    student_logits, teacher_logits : Tensor
        [B, C], or any shape with the classes on axis 1.
    draws : int
        Samples of each label, >= 2.
    seed : int
        Of the draws.

    Returns
    -------
    mean : Tensor
        The shape of the logits.
    variance : Tensor
        The shape of the logits without axis 1: of one draw, summed over the classes. 0 for a loss that does not look at
        the labels.

    Examples
    --------
    >>> from kdcourse.losses import blended
    >>> student, teacher = torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log()
    >>> [float(gradient_noise(loss, student, teacher)[1] > 0.01) for loss in (blended(), sampled_reverse_loss)]
    [0.0, 1.0]
    """
    draws = integer("draws", draws, at_least=2)
    generator = torch.Generator(device=student_logits.device).manual_seed(integer("seed", seed, at_least=0))
    probabilities = student_logits.detach().softmax(1).movedim(1, -1)
    labels = torch.multinomial(probabilities.flatten(0, -2), draws, replacement=True, generator=generator)
    labels = labels.T.unflatten(1, probabilities.shape[:-1])  # [draws, B, ...]
    repeated = student_logits.detach().expand(draws, *student_logits.shape).flatten(0, 1).requires_grad_()
    said = teacher_logits.expand(draws, *teacher_logits.shape).flatten(0, 1)
    (gradient,) = torch.autograd.grad(loss(repeated, said, labels.flatten(0, 1)).sum(), repeated)
    gradient = gradient.unflatten(0, (draws, -1))
    return gradient.mean(0), gradient.var(0).sum(1)
