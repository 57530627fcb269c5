"""Batches of sequences of about one length, so that little of what is computed is padding."""

import torch

from kdcourse.data.cmudict import PAD


def bucketed(
    prefixes: torch.Tensor, targets: torch.Tensor, batch_size: int, order: torch.Generator
) -> list[torch.Tensor]:
    """Row numbers of every batch of an epoch: random, but of about one length, so that little of a batch is padding.

    The rows are shuffled, sorted by both lengths, cut, and the batches shuffled. Rows of the same lengths, of which
    there are thousands, meet others in every epoch.

    >>> prefixes, targets = torch.tensor([[5, 3], [7, 0], [4, 6]]), torch.tensor([[9, 2], [2, 0], [8, 2]])
    >>> [len(batch) for batch in bucketed(prefixes, targets, 3, torch.Generator())]
    [3]
    """
    rows = torch.randperm(len(prefixes), generator=order)
    length = (prefixes != PAD).sum(1) * (targets.shape[1] + 1) + (targets != PAD).sum(1)
    batches = rows[length[rows].argsort(stable=True)].split(batch_size)
    return [batches[k] for k in torch.randperm(len(batches), generator=order).tolist()]


def padding_share(prefixes: torch.Tensor, targets: torch.Tensor, batches: list[torch.Tensor]) -> float:
    """Share of what is computed in these batches that is padding.

    >>> prefixes, targets = torch.tensor([[5, 3], [7, 0]]), torch.tensor([[9, 2], [2, 0]])
    >>> padding_share(prefixes, targets, [torch.tensor([0, 1])])
    0.25
    """
    cells = real = 0
    for rows in batches:
        for part in (trimmed(prefixes[rows]), trimmed(targets[rows])):
            cells, real = cells + part.numel(), real + int((part != PAD).sum())
    return 1 - real / cells


def trimmed(rows: torch.Tensor) -> torch.Tensor:
    """[B, L] without the last columns, where all is padding.

    >>> trimmed(torch.tensor([[5, 3, 0], [7, 0, 0]])).tolist()
    [[5, 3], [7, 0]]
    """
    return rows[:, : max(1, int((rows != PAD).sum(1).max()))]
