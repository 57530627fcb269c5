"""The exercise `sequence_loss`: the mean over the tokens that are written, END among them."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule
from kdcourse.data.cmudict import END, PAD


def _over(real):
    """An answer: the mean of the values where `real(values, targets)` says so."""
    return lambda values, targets: values[real(values, targets)].mean()


def _sum(values, targets, axis=(0, 1)):
    return (values * (targets != PAD)).sum(axis)


def _without_end(values, targets):
    return (values * (targets > END)).sum()


def _per_word(values, targets):
    return _sum(values, targets, 1) / (targets != PAD).sum(1)


def _masked(values, targets):
    return values[targets != PAD].mean()


def _losses_and_targets(generator):
    """Words of several lengths with END behind each, but for one that was cut; a loss stands in padding, too."""
    words, longest = torch.randint(3, 7, (2,), generator=generator).tolist()
    lengths = torch.randint(1, longest + 1, (words, 1), generator=generator)
    lengths[:3, 0] = torch.tensor([longest + 1, 1, longest])  # of which the first has no END
    places = torch.arange(longest + 1)
    targets = torch.randint(3, 69, (words, longest + 1), generator=generator)
    targets = targets.masked_fill(places == lengths, END).masked_fill(places > lengths, PAD)
    values = 3 * torch.rand(targets.shape, generator=generator)
    return values * (torch.rand(targets.shape, generator=generator) > 0.2), targets


sequence_loss = Exercise(
    "sequence_loss",
    lesson="08_language_models",
    order=2,
    reference=_masked,
    inputs=_losses_and_targets,
    small=[
        (torch.tensor([[2.0, 0.0, 1.0, 5.0]]), torch.tensor([[49, 31, 2, 0]])),
        (torch.tensor([[2.0, 4.0, 3.0], [6.0, 1.0, 8.0]]), torch.tensor([[49, 31, 2], [41, 2, 0]])),
        (torch.tensor([[1.0, 3.0, 7.0, 0.5], [5.0, 2.0, 9.0, 8.0]]), torch.tensor([[49, 31, 50, 29], [41, 2, 0, 0]])),
    ],
    praise="Each token that was written weighs the same, END among them, and padding weighs nothing.",
    hints=[
        "Which tokens count? Those that are not padding: targets != 0 says it, one bool for each.",
        "END is 2, and it counts: whether to stop is the last thing that the student has to learn about a word.",
        "Add up the values that count over the whole batch, and divide by how many they are, not by rows or columns.",
        "mask = targets != 0; return (values * mask).sum() / mask.sum()",
    ],
    bugs={
        "padding counted": Bug(
            lambda values, targets: values.mean(),
            "Padding is in the mean. No one reads what a model says behind END: leave out where targets are 0.",
        ),
        "padding in the denominator": Bug(
            lambda values, targets: _sum(values, targets) / targets.numel(),
            "The sum leaves out padding, and the count does not. A batch with more padding would get a smaller loss: "
            "divide by the number of tokens that are not 0.",
        ),
        "END masked": Bug(
            _over(lambda values, targets: targets > END),
            "END is left out as if it were padding. Nothing would teach the student to stop. Only 0 is padding.",
            lambda values, targets: _without_end(values, targets) / (targets != PAD).sum(),
            lambda values, targets: _without_end(values, targets) / targets.numel(),
        ),
        "END masked, padding kept": Bug(
            _over(lambda values, targets: targets != END),
            "END is left out, and padding counts. It is the other way round: leave out 0, keep 2.",
        ),
        "mask inverted": Bug(
            _over(lambda values, targets: targets == PAD),
            "The mask is inverted: this is the mean over padding alone.",
            lambda values, targets: (values * (targets == PAD)).sum() / (targets != PAD).sum(),
        ),
        "mean over words": Bug(
            lambda values, targets: _per_word(values, targets).mean(),
            "You take a mean within each word, then one over words. A token of a short word then weighs more than one "
            "of a long word. Add up over the batch, and divide once.",
        ),
        "one value per word": Bug(
            _per_word,
            "That is one value for each word. One number is due: add up over the batch, and divide once.",
            lambda values, targets: _sum(values, targets, 1),
        ),
        "one value per token": Bug(
            lambda values, targets: values * (targets != PAD),
            "The mask is right, the mean is missing: that is still one value for each token.",
            lambda values, targets: values[targets != PAD],
        ),
        "sum": Bug(
            _sum,
            "That is the sum over the tokens. It grows with the batch and with the words in it, and so would the steps "
            "of training: divide by the number of tokens.",
        ),
        "divided by the words": Bug(
            lambda values, targets: _sum(values, targets) / len(values),
            "You divide by the number of words. A batch of long words then takes larger steps: divide by the number of "
            "tokens.",
        ),
        "divided by the columns": Bug(
            lambda values, targets: _sum(values, targets) / values.shape[1],
            "You divide by the number of columns, padding or not. Divide by the number of tokens that are not 0.",
        ),
        "masked by the values": Bug(
            _over(lambda values, targets: values != 0),
            "You mask where the values are 0. A token that is predicted with certainty has a loss of 0 and counts, and "
            "in padding anything may stand. The targets say where padding is.",
        ),
        "moved by one place": Bug(
            lambda values, targets: _masked(values[:, :-1], targets[:, 1:]),
            "Values and targets are aligned already: a value belongs to the target in its own place. You move them "
            "against each other, or drop a column.",
            lambda values, targets: _masked(values[:, 1:], targets[:, :-1]),
            lambda values, targets: _masked(values[:, 1:], targets[:, 1:]),
            lambda values, targets: _masked(values[:, :-1], targets[:, :-1]),
        ),
        "perplexity": Bug(
            lambda values, targets: _masked(values, targets).exp(),
            "That is the perplexity, exp of the mean, which reports quote. Training takes the mean itself.",
        ),
    },
    rules=[
        Rule(
            lambda mean, values, targets: mean.ndim > 0 or mean <= values[targets != PAD].max() + 1e-4,
            "A mean is never larger than the largest value in it. Is anything counted twice, or padding with it?",
        ),
    ],
)
