"""How figures are shown and told in words; runs, differences and pictures say their numbers."""

import base64
import struct

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from kdcourse import plots
from kdcourse.data import DataSet, Split
from kdcourse.stats import Comparison, compare


def test_show_sends_the_words_with_the_picture_and_closes_it(monkeypatch):
    sent = []
    monkeypatch.setattr("kdcourse.plots.base._in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda value, **options: sent.append((value, options)))
    fig, _ = plots.figure(4, 3)
    plots.show(fig, "A rising line & a <b>tag</b>.")
    (bundle, options), (words, _) = sent
    picture = base64.b64decode(bundle["image/png"])
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (8 * plots.DPI, 6 * plots.DPI)
    assert (options["metadata"]["image/png"]["width"], options["metadata"]["image/png"]["height"]) == (
        4 * plots.DPI,
        3 * plots.DPI,
    )
    assert options["metadata"]["image/png"]["alt"] == "A rising line & a <b>tag</b>."
    assert "<details>" in words.data
    assert "A rising line &amp; a &lt;b&gt;tag&lt;/b&gt;." in words.data
    assert plt.get_fignums() == []


def test_a_figure_without_words_is_refused():
    fig, _ = plots.figure()
    for alt in ("  ", None):
        with pytest.raises(ValueError, match="alt must describe the figure"):
            plots.show(fig, alt)
    plt.close(fig)


def test_strips_show_each_picture_over_its_name_and_say_all_of_them(drawn):
    pictures = {"noise": torch.arange(32.0).view(2, 16), "hats": torch.ones(2, 16)}
    plots.strips({name: (one, ["bag", "coat"]) for name, one in pictures.items()}, title="Noise is a bag")
    figure, words = drawn()
    assert words.endswith("noise: bag, coat; hats: bag, coat.")
    shown = [ax.images[0].get_array() for ax in figure.axes]
    assert [one.shape for one in shown] == [(4, 4)] * 4
    assert shown[1].flatten().tolist() == list(range(16, 32))
    assert [ax.get_xlabel() for ax in figure.axes] == ["bag", "coat"] * 2


def test_a_scatter_has_every_run_at_its_arms_place_and_the_mean_with_its_interval(drawn):
    arms = {"hats": (1.5, [10.0, 14.0]), "socks": (3.0, [1.0, 2.0, 6.0])}
    plots.scatter(arms, title="Hats win", xlabel="size", ylabel="right (%)")
    figure, words = drawn()
    (ax,) = figure.axes
    dots = {tuple(line.get_xdata()): tuple(line.get_ydata()) for line in ax.lines if line.get_marker() == "."}
    assert dots == {(x,) * len(runs): tuple(runs) for x, runs in arms.values()}
    assert "socks: at 3, 3 [-3.57, 9.57], n = 3" in words  # 3 ± 4.303 · √(7 / 3)


def test_arms_of_one_run_and_pictures_without_a_name_are_refused_before_a_figure_is_begun():
    before = plt.get_fignums()
    with pytest.raises(ValueError, match="hats: "):
        plots.scatter({"hats": (1, [2])}, title="", xlabel="", ylabel="")
    with pytest.raises(ValueError, match="zip"):
        plots.strips({"noise": (torch.zeros(2, 4), ["bag"])}, title="")
    assert plt.get_fignums() == before


def test_pictures_say_their_labels_and_what_the_teacher_ranks_first(drawn):
    generator = torch.Generator().manual_seed(0)
    split = Split(
        torch.tensor([0, 1, 2, 0, 1, 2]),
        torch.randn(6, 3, generator=generator),
        pixels=torch.randint(0, 255, (6, 784), generator=generator, dtype=torch.uint8),
    )
    data_set = DataSet("tiny", split, split, split, class_names=("hat", "sock", "glove"))
    plots.predictions(data_set, [1], (1.0, 2.0), title="Socks are hard", split="test")
    logits = data_set.test.teacher_logits[1]
    first = data_set.class_names[int(logits.argmax())]
    share = torch.exp(logits[logits.argmax()] / 2) / torch.exp(logits / 2).sum()
    assert f"label sock, T = 2: {first} {share:.2f}" in drawn()[1]
    plots.recognised(data_set, "sock", {"one": [1, 1, 0, 0, 0, 0], "both": torch.ones(6)}, title="Socks are found")
    assert drawn()[1].endswith("called so, one: 50% of 2; both: 100% of 2.")


def test_a_repair_is_told_arm_by_arm_with_its_ceiling(drawn):
    rows = [
        ("hat", "soft labels", 0.1, 0.6),
        ("hat", "soft labels", 0.1, 0.8),
        ("hat", "labels", 0, 0),
        ("hat", "labels", 0, 0),
    ]
    table = pd.DataFrame(rows, columns=["left out", "arm", "before", "after"])
    looks = {"group": "left out", "before": "before", "after": "after", "title": "Hats are found", "xlabel": "recall"}
    plots.repairs(table, **looks, ceiling={"hat": 0.9})
    fig, words = drawn()
    assert "hat, soft labels: 10.0 %, then 70.0 % [0.0, 100.0], n = 2" in words  # cut where no share can be
    assert "hat, labels: 0.0 %, then 0.0 % [0.0, 0.0], n = 2; ceiling 90.0 %" in words
    colours = {line.get_color() for line in fig.axes[0].get_lines()}
    assert {plots.COLOURS[0], plots.COLOURS[1]} <= colours


def test_marked_columns_are_framed(drawn):
    looks = {"title": "T", "xlabel": "x", "ylabel": "y", "alt": "two classes", "marked": ["b"]}
    plots.matrix([[0.9, 0.1], [0.3, 0.7]], ["a", "b"], **looks)
    ax = drawn()[0].axes[0]
    (((left, bottom), right, top),) = [
        (one.get_xy(), one.get_xy()[0] + one.get_width(), one.get_y() + one.get_height()) for one in ax.patches
    ]
    assert 0.5 < left < 1 < right < 1.5
    assert (bottom, top) == (-0.5, 1.5)


def intervals(arms, **options):
    """Of hats and of socks."""
    table = pd.DataFrame({"class": ["hat"] * 2 + ["sock"] * (len(arms) - 2), "arm": list(arms)})
    table["share"] = [0.1, 0.3, 0.5, 0.7][: len(arms)]
    plots.intervals(table, x="class", y="share", hue="arm", title="b is larger", **options)


def test_intervals_name_every_group_and_arm_with_its_mean_and_a_group_may_lack_an_arm(drawn):
    intervals("aabb", percent=True, reference=("top", 0.9))
    figure, alt = drawn()
    assert alt.startswith("b is larger.")
    for part in ("hat, a: 20.0 %", "sock, b: 60.0 %", "n = 2", "top: 90.0 %"):
        assert part in alt
    assert "hat, b" not in alt
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["top", "a", "b"]


def test_a_single_run_has_no_interval_and_is_refused_by_name():
    with pytest.raises(ValueError, match="b, sock: values must hold at least 2 values"):
        intervals("aab")
    assert plt.get_fignums() == []


def test_differences_say_mean_interval_and_verdict(drawn):
    result = compare([0.9, 0.8, 0.85], [0.5, 0.42, 0.44])
    pairs = {"big − small": [0.4, 0.38, 0.41]}
    plots.differences({"big − small": result}, title="big wins", xlabel="points", scale=100, margin=0.01, pairs=pairs)
    assert f"{100 * result.mean:+.2f} [" in drawn()[1]
    assert "n = 3, better" in drawn()[1]


@pytest.mark.parametrize(("unclear", "faces"), [(None, ["white", "black"]), ({"b"}, ["black", "white"])])
def test_a_difference_is_hollow_where_it_cannot_tell(drawn, unclear, faces):
    several = {"a": Comparison(0.0, -1.0, 1.0, 5, "inconclusive"), "b": Comparison(2.0, 1.0, 3.0, 5, "better")}
    plots.differences(several, title="b wins", xlabel="points", unclear=unclear)
    marks = [line for line in drawn()[0].axes[0].lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() for line in marks] == faces


@pytest.mark.parametrize("name", ["a", "equally misled, 50,000 pictures, all of them by the teacher"])
def test_a_title_is_wrapped_for_what_long_names_leave_of_the_figure(drawn, name):
    title = " ".join(["soft labels beat labels by -2 points"] * 4)
    plots.differences({name: Comparison(2.0, 1.0, 3.0, 5, "better")}, title=title, xlabel="points")
    figure, _ = drawn()
    figure.canvas.draw()
    (ax,) = figure.axes
    extent = ax._left_title.get_window_extent()
    assert figure.bbox.x0 <= extent.x0 < extent.x1 <= figure.bbox.x1
    assert extent.y1 <= figure.bbox.y1
    assert "−2" in ax.get_title(loc="left")


@pytest.mark.parametrize(
    ("counts", "said"), [([5, 5], "5 pairs"), ([9, 5], "5 or 9 pairs"), ([802, 707, 545], "545 to 802 pairs")]
)
def test_differences_say_of_how_many_pairs_they_are_the_mean(drawn, counts, said):
    several = {str(k): Comparison(0.0, -1.0, 1.0, n, "inconclusive") for k, n in enumerate(counts)}
    plots.differences(several, title="None wins", xlabel="points")
    assert drawn()[0].axes[0].get_xlabel() == f"points\nmean and 95 % interval of {said}"
