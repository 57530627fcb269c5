"""What the tests of figures share: the figure that was drawn, with its words, and what can be read off it."""

import re

import matplotlib.pyplot as plt
import numpy as np


def capture(monkeypatch):
    """For a fixture: a function that gives the figure that was drawn last, and its alternative text."""
    figures, sent, close = [], [], plt.close
    monkeypatch.setattr("matplotlib.pyplot.close", figures.append)
    monkeypatch.setattr("kdcourse.plots.base._in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda value, raw=False, metadata=None: sent.append(metadata))
    yield lambda: (figures[-1], sent[-2]["image/png"]["alt"])
    for figure in figures:
        close(figure)


def bars(ax):
    """{label: [(x, mean, low, high)]} of the error bars in a figure."""
    found = {}
    for container in ax.containers:
        line, _, (segments,) = container.lines
        ends = [segment[:, 1] for segment in segments.get_segments()]
        found[container.get_label()] = [(x, y, *end) for (x, y), end in zip(line.get_xydata(), ends, strict=True)]
    return found


def numbers(text):
    found = re.findall(r"-?\d[\d,]*\.?\d*", text.replace("−", "-"))
    return np.array([float(number.replace(",", "")) for number in found])


def title_of(ax):
    return ax.get_title(loc="left").replace("\n", " ")


def assert_nothing_is_cut_off(figure):
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert -0.02 <= box.x0 < box.x1 <= width + 0.02
    assert -0.02 <= box.y0 < box.y1 <= height + 0.02


def assert_styles_differ(ax):
    styles = [(c.lines[0].get_marker(), c.lines[0].get_color()) for c in ax.containers]
    assert len({marker for marker, _ in styles}) == len({colour for _, colour in styles}) == len(styles)
