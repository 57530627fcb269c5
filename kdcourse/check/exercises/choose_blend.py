"""The exercise `choose_blend`."""

import torch

from kdcourse.check.core import Bug, Exercise, Rule


def _shortfalls(accuracy):
    """How far each cell lies behind the best one, block by block: [soft weights, temperatures, blocks]."""
    return accuracy.flatten(0, 1)[accuracy.mean(2).argmax()] - accuracy


def _standard_error(accuracy):
    return _shortfalls(accuracy).std(2) / accuracy.shape[2] ** 0.5


def _may_do_as_well(accuracy, margin, error=_standard_error, sign=-1):
    """[soft weights, temperatures]: whether a cell is not shown to be worse than the best one by more than the margin.

    With another `error` or `sign`, a mistake.
    """
    return _shortfalls(accuracy).mean(2) + sign * 2 * error(accuracy) <= margin


def _choice(may=_may_do_as_well, heaviest=True):
    """An answer: the largest soft weight that has a cell for which `may` holds, with the best temperature there."""

    def answer(soft_weights, temperatures, accuracy, margin):
        allowed = may(accuracy, margin)
        rows = allowed.any(1).nonzero().flatten()
        row = rows[-1] if heaviest else rows[0]
        column = torch.where(allowed[row], accuracy[row].mean(1), -torch.inf).argmax()
        return float(soft_weights[row]), float(temperatures[column])

    return answer


def _cell(place):
    """A mistake: one cell by its place in the flattened table, whatever the others do."""

    def answer(soft_weights, temperatures, accuracy, margin):
        row, column = divmod(int(place(accuracy)), len(temperatures))
        return float(soft_weights[row]), float(temperatures[column])

    return answer


def _places(soft_weights, temperatures, accuracy, margin):
    found = _choice()(soft_weights, temperatures, accuracy, margin)
    columns = zip((soft_weights, temperatures), found, strict=True)
    return [float((values == value).nonzero()) for values, value in columns]


def _unpaired(accuracy):
    """The standard error of a difference of two cells, as if they shared nothing."""
    own = accuracy.var(2) / accuracy.shape[2]
    return (own + own.flatten()[accuracy.mean(2).argmax()]).sqrt()


def _place_of(answer, soft_weights, temperatures):
    """(row, column) of an answer, or None where the table has no such cell."""
    if answer.shape != (2,):
        return None
    both = zip((soft_weights, temperatures), answer, strict=True)
    found = [(values - value).abs().lt(1e-4).nonzero().flatten() for values, value in both]
    return tuple(int(each[0]) for each in found) if all(map(len, found)) else None


def _is_a_cell(answer, soft_weights, temperatures, accuracy, margin):
    return _place_of(answer, soft_weights, temperatures) is not None


def _is_allowed(answer, soft_weights, temperatures, accuracy, margin):
    return bool(_may_do_as_well(accuracy.double(), margin)[_place_of(answer, soft_weights, temperatures)])


def _is_heaviest(answer, soft_weights, temperatures, accuracy, margin):
    row, _ = _place_of(answer, soft_weights, temperatures)
    return not _may_do_as_well(accuracy.double(), margin)[row + 1 :].any()


def _tables(generator):
    """Blocks differ by points, cells by less, and no cell lies where a rounding would decide."""
    while True:
        rows, columns, blocks = (
            int(torch.randint(*ends, (), generator=generator)) for ends in ((2, 5), (1, 4), (4, 9))
        )
        luck = 0.03 * torch.randn(blocks, generator=generator)
        cells = 0.006 * torch.randn(rows, columns, 1, generator=generator)
        noise = 0.003 * torch.randn(rows, columns, blocks, generator=generator)
        accuracy = ((0.75 + luck + cells + noise) * 1000).round() / 1000
        low = _shortfalls(accuracy).mean(2) - 2 * _standard_error(accuracy)
        if (low - 0.0025).abs().min() > 3e-4:
            return torch.linspace(0, 1, rows), torch.tensor([1.0, 4.0, 10.0])[:columns], accuracy.float(), 0.0025


def _at_one_temperature(*blocks):
    """A table of four soft weights, each a row of blocks, at T = 4."""
    return torch.tensor([0.0, 0.5, 0.9, 1.0]), torch.tensor([4.0]), torch.tensor(blocks)[:, None], 0.0025


choose_blend = Exercise(
    "choose_blend",
    lesson="03_blended_loss",
    order=3,
    reference=_choice(),
    inputs=_tables,
    small=[
        _at_one_temperature([0.698, 0.764], [0.692, 0.766], [0.687, 0.759], [0.671, 0.75]),
        _at_one_temperature([0.707, 0.748], [0.727, 0.776], [0.737, 0.775], [0.724, 0.763]),
        _at_one_temperature([0.762, 0.761], [0.786, 0.78], [0.777, 0.778], [0.759, 0.758]),
        _at_one_temperature([0.768, 0.744], [0.749, 0.728], [0.752, 0.727], [0.767, 0.744]),
    ],
    open_ended=True,
    praise="Where the table leaves you free, you lean on the teacher; where it does not, you do as it says.",
    hints=[
        "Which cell has the highest mean over the blocks? Take each cell's shortfall from it, block by block.",
        "A mean shortfall has a standard error: its standard deviation over the blocks, divided by √(blocks).",
        "A cell may do as well if mean − 2 · standard error ≤ margin. Take the last row that has such a cell.",
        "short = accuracy.flatten(0, 1)[accuracy.mean(2).argmax()] - accuracy; "
        "may = short.mean(2) - 2 * short.std(2) / blocks**0.5 <= margin; rows = may.any(1).nonzero()",
    ],
    bugs={
        "the best cell": Bug(
            _cell(lambda accuracy: accuracy.mean(2).argmax()),
            "That is the cell with the highest mean. Others may do as well: luck alone puts one of them first. Your "
            "colleague wants the largest soft weight among these.",
        ),
        "the best single block": Bug(
            _cell(lambda accuracy: accuracy.amax(2).argmax()),
            "You look at each cell's best block: that is the luck of one block. Compare means over the blocks.",
        ),
        "always the teacher": Bug(
            _cell(lambda accuracy: accuracy[:-1].numel() // accuracy.shape[2] + accuracy[-1].mean(1).argmax()),
            "That is the largest soft weight, whatever the table says. Here it is shown to be worse by more than "
            "margin: this teacher cannot stand alone.",
        ),
        "no interval": Bug(
            _choice(lambda accuracy, margin: _shortfalls(accuracy).mean(2) <= margin),
            "You compare the mean shortfall with margin. A mean over few blocks is uncertain: a cell is out only where "
            "mean − 2 standard errors is above margin.",
        ),
        "the wrong end": Bug(
            _choice(lambda accuracy, margin: _may_do_as_well(accuracy, margin, sign=1)),
            "You keep the cells that are shown to be near the best: mean + 2 standard errors. Those that are not shown "
            "to be far from it may do as well.",
        ),
        "unpaired": Bug(
            _choice(lambda accuracy, margin: _may_do_as_well(accuracy, margin, error=_unpaired)),
            "Your standard error adds the spreads of two cells. The cells share their blocks: take the difference in "
            "each block first, and then its spread, which is far smaller.",
        ),
        "a standard deviation": Bug(
            _choice(lambda accuracy, margin: _may_do_as_well(accuracy, margin, error=lambda a: _shortfalls(a).std(2))),
            "You use the standard deviation of the shortfalls. Their mean has the standard error: divide by √(blocks).",
        ),
        "no margin": Bug(
            _choice(lambda accuracy, margin: _may_do_as_well(accuracy, 0.0)),
            "You keep only cells that may equal the best one. Worse by up to margin does not matter to your colleague.",
        ),
        "the smallest soft weight": Bug(
            _choice(heaviest=False),
            "You take the smallest soft weight that may do as well: that leans on the wrong labels. Take the largest.",
        ),
        "places": Bug(_places, "Those are places in the table. Return the soft weight and the temperature there."),
        "exchanged": Bug(
            lambda *case: _choice()(*case)[::-1], "The temperature stands first. Return the soft weight first."
        ),
    },
    rules=[
        Rule(_is_a_cell, "Return one soft weight and one temperature of the table, in this order."),
        Rule(_is_allowed, "This cell is shown to be worse than the best one by more than margin."),
        Rule(
            _is_heaviest,
            "A larger soft weight has a cell that may do as well. The labels are wrong: lean on the teacher where the "
            "table leaves you free.",
        ),
    ],
)
