"""What a router gains: what is drawn, against the table; and the words say all of it."""

import numpy as np
import pandas as pd
import pytest
from figures import assert_nothing_is_cut_off, bars

from kdcourse import plots
from kdcourse.ship import Cascade


def table():
    draws = np.random.default_rng(0)
    labels, hard = draws.integers(3, size=200), np.arange(200) % 4 == 0
    student, teacher = (draws.dirichlet([0.5] * 3, size=200) for _ in range(2))
    thresholds = {0: 0.0, 0.5: float(np.median(student.max(1))), 1: np.inf}
    found = {
        (name, budget): Cascade(at).evaluate(
            student, teacher, labels, slices={"hard": hard, "kind": np.array(["sock", "hat"])[labels % 2]}
        )
        for name in ("mails", "glosses")
        for budget, at in thresholds.items()
    }
    return pd.concat(found, names=["data", "budget"])


def test_each_slice_has_its_accuracy_over_the_share_of_all_and_a_line_of_chance(drawn):
    found = table()
    plots.routes(found, title="Asking pays")
    figure, alt = drawn()
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["mails", "glosses"]
    for ax in figure.axes:
        shown = bars(ax)
        assert list(shown) == ["all", "hard", "kind = hat", "kind = sock"]
        for label, key in [("all", ("all", "")), ("hard", ("hard", True)), ("kind = sock", ("kind", "sock"))]:
            for budget, (x, mean, low, high) in zip((0, 0.5, 1), shown[label], strict=True):
                row = found.loc[("mails", budget, *key)]
                assert x == pytest.approx(100 * budget)
                wanted = row[["accuracy", "accuracy_low", "accuracy_high"]].astype(float)
                assert [mean, low, high] == pytest.approx(100 * wanted.to_numpy())
        ends = [list(line.get_ydata()) for line in ax.lines if line.get_linestyle() == "--"]
        assert ends[0] == pytest.approx([bar[1] for bar in (shown["all"][0], shown["all"][-1])])
        assert len(ends) == 4
    assert alt.startswith("Asking pays. ")
    assert alt.count("at random, from") == 2 * 4
    assert_nothing_is_cut_off(figure)


def test_a_table_without_budgets_is_refused():
    with pytest.raises(ValueError, match=r"levels data, budget, slice and value, got \['data', 'slice', 'value'\]"):
        plots.routes(table().droplevel("budget"), title="")
