import base64
import struct

import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes

from kdcourse import plots
from kdcourse.data import DataSet, Split
from kdcourse.stats import compare


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook would be sent: a list of (data, metadata) or of HTML objects."""
    sent = []
    monkeypatch.setattr("kdcourse.plots.base._in_notebook", lambda: True)
    monkeypatch.setattr(
        "IPython.display.display", lambda value, raw=False, metadata=None: sent.append((value, metadata))
    )
    return sent


def tiny_data_set():
    generator = torch.Generator().manual_seed(0)
    parts = {
        name: Split(
            torch.tensor([0, 1, 2, 0, 1, 2]),
            torch.randn(6, 3, generator=generator),
            pixels=torch.randint(0, 255, (6, 784), generator=generator, dtype=torch.uint8),
        )
        for name in ("train", "validation", "test")
    }
    return DataSet("tiny", **parts, class_names=("hat", "sock", "glove"))


def alt_of(displayed):
    (bundle, metadata), (words, _) = displayed
    picture = base64.b64decode(bundle["image/png"])
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 300
    assert height > 100
    alt = metadata["image/png"]["alt"]
    assert alt in bundle["text/plain"]
    assert "<details>" in words.data
    return alt


def test_show_sends_the_words_with_the_picture_and_closes_it(displayed):
    import matplotlib.pyplot as plt

    fig, _ = plots.figure()
    plots.show(fig, "A rising line & a <b>tag</b>.")
    assert alt_of(displayed) == "A rising line & a <b>tag</b>."
    assert "A rising line &amp; a &lt;b&gt;tag&lt;/b&gt;." in displayed[1][0].data
    assert plt.get_fignums() == []


def test_a_figure_without_words_is_refused():
    import matplotlib.pyplot as plt

    fig, _ = plots.figure()
    for alt in ("", "  ", None):
        with pytest.raises(ValueError, match="alt must describe the figure"):
            plots.show(fig, alt)
    plt.close(fig)


def test_outside_of_a_notebook_the_words_are_printed(capsys):
    import matplotlib.pyplot as plt

    fig, _ = plots.figure()
    plots.show(fig, "A rising line.")
    assert capsys.readouterr().out == "[figure] A rising line.\n"
    assert plt.get_fignums() == []


def test_predictions_say_what_the_teacher_ranks_first(displayed):
    data_set = tiny_data_set()
    plots.predictions(data_set, [1], temperature=2.0, title="Socks are hard", split="test")
    logits = data_set.test.teacher_logits[1]
    first = data_set.class_names[int(logits.argmax())]
    share = torch.exp(logits[logits.argmax()] / 2) / torch.exp(logits / 2).sum()
    assert f"label sock, teacher: {first} {share:.2f}" in alt_of(displayed)


def test_pictures_name_their_labels(displayed):
    plots.pictures(tiny_data_set(), [2, 0])
    assert alt_of(displayed) == "2 pictures of 28 by 28 pixels, labelled glove, hat."


def test_gallery_shows_every_class(displayed):
    plots.gallery(tiny_data_set())
    assert "hat, sock, glove" in alt_of(displayed)


def test_intervals_name_every_group_and_arm_with_its_mean(displayed):
    table = pd.DataFrame(
        {"class": ["hat"] * 4 + ["sock"] * 4, "arm": ["a", "a", "b", "b"] * 2, "share": [0.1, 0.3, 0.5, 0.7] * 2}
    )
    plots.intervals(table, x="class", y="share", hue="arm", title="b is larger", percent=True, reference=("top", 0.9))
    alt = alt_of(displayed)
    assert alt.startswith("b is larger.")
    for part in ("hat, a: 20.0 %", "hat, b: 60.0 %", "sock, a: 20.0 %", "n = 2", "top: 90.0 %"):
        assert part in alt


def test_a_single_run_has_no_interval_and_is_refused_by_name(displayed):
    import matplotlib.pyplot as plt

    table = pd.DataFrame({"class": ["hat", "hat", "sock"], "arm": ["a", "a", "b"], "share": [0.1, 0.3, 0.5]})
    with pytest.raises(ValueError, match="b, sock: values must hold at least 2 values"):
        plots.intervals(table, x="class", y="share", hue="arm", title="alone")
    assert plt.get_fignums() == []


def test_a_group_may_lack_an_arm_which_is_in_the_key_all_the_same(displayed, monkeypatch):
    keys, legend = [], Axes.legend
    monkeypatch.setattr(Axes, "legend", lambda ax, **how: keys.append(legend(ax, **how)))
    table = pd.DataFrame(
        {"class": ["hat"] * 2 + ["sock"] * 4, "arm": ["a", "a", "a", "a", "b", "b"], "share": [0.1, 0.3] * 3}
    )
    plots.intervals(table, x="class", y="share", hue="arm", title="b has no hat")
    assert [text.get_text() for text in keys[0].get_texts()] == ["a", "b"]
    alt = alt_of(displayed)
    assert "sock, b: 0.2" in alt
    assert "hat, b" not in alt


def test_differences_say_mean_interval_and_verdict(displayed):
    result = compare([0.9, 0.8, 0.85], [0.5, 0.42, 0.44])
    plots.differences(
        {"big − small": result},
        title="big wins",
        xlabel="points",
        scale=100,
        margin=0.01,
        pairs={"big − small": [0.4, 0.38, 0.41]},
    )
    alt = alt_of(displayed)
    assert f"{100 * result.mean:+.2f}" in alt
    assert "n = 3, better" in alt


def test_matrix_carries_the_words_it_is_given(displayed):
    plots.matrix(
        torch.eye(2), ["hat", "sock"], title="no mix-ups", xlabel="said", ylabel="is", alt="Only the diagonal."
    )
    assert alt_of(displayed) == "no mix-ups. Only the diagonal."


def test_verdicts_are_counted_the_most_frequent_first():
    single = {"noise": [-0.1, 0.1, 0.0], "up": [0.1, 0.11, 0.12], "also up": [0.2, 0.21, 0.22]}
    results = {name: compare(a, [0.0, 0.0, 0.0]) for name, a in single.items()}
    assert plots.verdicts(results) == "better 2×, inconclusive 1×"
    assert plots.verdicts({}) == ""
