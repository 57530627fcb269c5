"""Tasks and teachers of one's own: columns and labels go by their names, rows stay together, or an error says why."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from torch import nn

from kdcourse.bring import SPLITS, bring, own_task
from kdcourse.data import DataSet, Split

NAMES = ("spam", "ham", "eggs")  # neither sorted nor in the order of a table


def numbers(n=90, columns=3):
    """Inputs [n, columns] as float64, and labels 0, 1, 2, 0, ..."""
    return np.random.default_rng(0).normal(size=(n, columns)), np.arange(n) % 3


def task(names=NAMES):
    return own_task(*numbers(), names)


def probabilities(split):
    """The example with the i-th label has 0.7 for that class, and different numbers for the others."""
    return np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])[split.labels]


def tables(data, make):
    return {name: make(probabilities(getattr(data, name))) for name in SPLITS}


def assert_taught(taught):
    for name in SPLITS:
        split = getattr(taught, name)
        assert torch.allclose(split.teacher_logits.exp().double(), torch.from_numpy(probabilities(split)), atol=1e-6)


# ---- tables ----


@pytest.mark.parametrize("form", ["DataFrame", "CSV"])
@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (NAMES, ["eggs", "spam", "ham"]),
        (NAMES, ["2", "0", "1"]),
        (NAMES, [2, 0, 1]),
        (("7", "3", "5"), [5, 7, 3]),
        (("1", "2", "0"), ["0", "1", "2"]),
    ],
    ids=["names", "places as text", "places", "names as numbers", "names that could be places"],
)
def test_columns_of_a_table_go_by_name_in_memory_as_in_a_file(tmp_path, form, names, columns):
    data = task(names)
    order = [2, 0, 1]  # the classes of these columns

    def make(table):
        frame = pd.DataFrame(table[:, order], columns=columns)
        return frame.assign(note=1.0) if columns[0] in names else frame  # beside names, other columns may stand

    given = tables(data, make)
    if form == "CSV":
        for name, frame in given.items():
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        given = {name: tmp_path / f"{name}.csv" for name in SPLITS}
    assert_taught(bring(data, given))


@pytest.mark.parametrize("make", [np.array, torch.tensor, np.ndarray.tolist, pd.DataFrame])
def test_a_table_without_names_goes_by_place(make):
    data = task()
    assert_taught(bring(data, tables(data, make)))


@pytest.mark.parametrize("form", ["DataFrame", "CSV"])
@pytest.mark.parametrize("columns", [["p", "q", "r"], ["spam", "ham", "egg"], [1, 2, 3]])
def test_columns_that_are_not_the_classes_are_refused(tmp_path, form, columns):
    data = task()
    given = tables(data, lambda table: pd.DataFrame(table, columns=columns))
    if form == "CSV":
        given["validation"].to_csv(tmp_path / "own.csv", index=False)
        given |= tables(data, np.array) | {"validation": tmp_path / "own.csv"}
    split = "validation" if form == "CSV" else "train"
    message = (
        rf"^teacher\['{split}'\] must have a column for each class, \['spam', 'ham', 'eggs'\], or columns 0 to 2, "
        + re.escape(f"got columns {[*map(str, columns)]}")
    )
    with pytest.raises(ValueError, match=message):
        bring(data, given)


def test_a_file_without_a_header_is_told_so(tmp_path):
    data = task()
    np.savetxt(tmp_path / "bare.csv", probabilities(data.train), delimiter=",", fmt="%.2f")
    bare = {"train": tmp_path / "bare.csv"}
    with pytest.raises(ValueError, match=r"^teacher\['train'\] must .*: the file needs a header, its first row holds"):
        bring(data, tables(data, np.array) | bare)
    (tmp_path / "bare.csv").write_text("a,b,c\n1,0,0\n")
    with pytest.raises(ValueError, match="'c'\\]$"):
        bring(data, tables(data, np.array) | bare)


@pytest.mark.parametrize("table", [{"spam": 1}, [["a", "b", "c"]], pd.DataFrame({name: ["x"] for name in NAMES})])
def test_a_table_of_other_things_than_numbers_is_refused_by_name(table):
    data = task()
    with pytest.raises(ValueError, match=r"^teacher\['test'\] must hold probabilities: "):
        bring(data, tables(data, np.array) | {"test": table})


def test_a_table_on_the_tape_is_taken_as_it_is():
    data = task()
    assert_taught(bring(data, tables(data, lambda table: torch.tensor(table, requires_grad=True))))


def test_a_frame_brings_no_warning_and_stays_as_it_is():
    data = task()
    frames = tables(data, lambda table: pd.DataFrame(table, columns=list(NAMES)))
    before = frames["train"].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.set_warn_always(True)  # otherwise this warning comes once in a process
        try:
            bring(data, frames)
        finally:
            torch.set_warn_always(False)
    pd.testing.assert_frame_equal(frames["train"], before)


def test_a_dict_with_other_keys_says_which():
    data = task()
    given = tables(data, np.array)
    given["val"] = given.pop("validation")
    with pytest.raises(TypeError, match=r"got a dict: missing \['validation'\], unknown \['val'\]"):
        bring(data, given)


# ---- modules ----


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(3, 2), r"must give logits \[54, 3\] for train, one per class, got \[54, 2\]"),
        (nn.Unflatten(1, (3, 1)), r"must give logits \[54, 3\] for train, .* got \[54, 3, 1\]"),
        (nn.Linear(4, 3), r"must have an answer for the train inputs, torch.float32 of shape \[54, 3\]: mat1 and mat2"),
        (nn.LSTM(3, 3), "must have an answer for the train inputs, .*: the model must return logits"),
        (nn.Linear(3, 3).double(), "must have an answer for the train inputs, .*: mat1 and mat2 must have the same"),
        (nn.Softmax(1), r"must give logits, got rows that sum to 1 \(probabilities\): leave out the softmax"),
    ],
)
def test_a_module_that_does_not_fit_is_named_with_the_split(module, message):
    with pytest.raises(ValueError, match="^teacher " + message):
        bring(task(), module)


def test_logits_that_could_be_taken_for_probabilities_are_not():
    data = task()
    softmax = data.train.inputs.softmax(1)
    above = softmax.clone()
    above[-1] += 0.001  # one row does not sum to 1
    below = softmax + torch.tensor([[-1.0, 0.5, 0.5]])  # all sum to 1, some are negative
    for logits in (above, below, softmax.log()):
        assert torch.equal(_said(logits), logits)
    few = data.train.inputs[:10].softmax(1)  # so few may be chance
    assert torch.equal(_said(few), few)


def _said(logits):
    """What `bring` makes of a module that says just this."""
    part = Split(torch.zeros(len(logits), dtype=torch.long), inputs=logits)
    return bring(DataSet("said", part, part, part, NAMES), nn.Identity()).train.teacher_logits


# ---- objects with predict_proba ----


@pytest.mark.parametrize("by_name", [False, True], ids=["indices", "names"])
def test_a_classifier_is_asked_about_each_split_and_its_classes_are_put_in_order(by_name):
    data = task()
    labels = data.train.labels.numpy()
    model = LogisticRegression().fit(data.train.inputs.numpy(), np.array(NAMES)[labels] if by_name else labels)
    taught = bring(data, model)
    assert taught.teacher_parameters is None
    for name in SPLITS:
        said = model.predict_proba(getattr(data, name).inputs.numpy())
        expected = said[:, [list(model.classes_).index(one) for one in (NAMES if by_name else range(3))]]
        np.testing.assert_allclose(getattr(taught, name).teacher_logits.exp(), expected, rtol=1e-5)
    assert list(model.classes_) == (sorted(NAMES) if by_name else [0, 1, 2])


class Own:
    """Not of scikit-learn: it has no classes_ unless some are given."""

    def __init__(self, said, **attributes):
        self.said = said
        vars(self).update(attributes)

    def predict_proba(self, inputs):
        assert isinstance(inputs, np.ndarray)
        return np.tile(self.said, (len(inputs), 1))


def test_classes_are_indices_first_and_may_be_absent():
    said = np.array([0.7, 0.2, 0.1])
    swapped = ("1", "2", "0")
    for model in (Own(said), Own(said, classes_=[0, 1, 2])):
        assert bring(task(swapped), model).test.teacher_logits.exp()[0].tolist() == pytest.approx(said.tolist())
    by_text = bring(task(swapped), Own(said, classes_=["0", "1", "2"]))
    assert by_text.test.teacher_logits.exp()[0].tolist() == pytest.approx([0.2, 0.1, 0.7])


@pytest.mark.parametrize("classes", [[0, 2, 1], ["eggs", "ham"], ["a", "ham", "spam"], [0, 1]])
def test_classes_that_are_not_those_of_the_data_are_refused(classes):
    message = r"^teacher must have classes_ 0 to 2 or the class names \['spam', 'ham', 'eggs'\], got "
    with pytest.raises(ValueError, match=message + re.escape(str([str(one) for one in classes]))):
        bring(task(), Own(np.ones(3) / 3, classes_=classes))


def test_a_classifier_that_cannot_answer_is_named_with_the_split():
    data = task()
    inputs, labels = data.train.inputs.numpy(), data.train.labels.numpy()
    for model, problem in [
        (LogisticRegression(), "not fitted"),
        (LogisticRegression().fit(inputs[:, :2], labels), "X has 3 features"),
        (Own(np.ones(2) / 2), r"Shape of passed values is \(54, 2\)"),
    ]:
        with pytest.raises(ValueError, match=f"^teacher must have an answer for the train inputs, .*{problem}"):
            bring(data, model)


# ---- a task of one's own ----


def by_input(data, inputs):
    """{row of `inputs`: class name}, read from the splits."""
    mean, deviation = data.standardised
    place = {tuple(row): k for k, row in enumerate(((torch.tensor(inputs) - mean) / deviation).float().tolist())}
    rows = [(row, label) for name in SPLITS for row, label in _rows(getattr(data, name))]
    return {place[tuple(row)]: data.class_names[label] for row, label in rows}


def _rows(split):
    return zip(split.inputs.tolist(), split.labels.tolist(), strict=True)


@pytest.mark.parametrize("names", [None, ("ham", "spam", "eggs"), np.array(["spam", "eggs", "ham"])])
def test_names_of_labels_that_are_text_are_their_order(names):
    inputs, labels = numbers()
    text = np.array(NAMES)[labels]
    data = own_task(inputs, text, names)
    assert data.class_names == (("eggs", "ham", "spam") if names is None else tuple(names))
    assert all(type(name) is str for name in data.class_names)
    assert by_input(data, inputs) == dict(enumerate(text.tolist()))


def test_numbers_that_are_named_by_themselves_are_ordered_and_by_others_renamed():
    inputs, labels = numbers()
    ordered, renamed = own_task(inputs, labels, ("2", "0", "1")), own_task(inputs, labels, NAMES)
    assert by_input(ordered, inputs) == {k: str(label) for k, label in enumerate(labels)}
    assert by_input(renamed, inputs) == {k: NAMES[label] for k, label in enumerate(labels)}
    assert torch.equal(ordered.train.inputs, renamed.train.inputs)  # the order of the classes does not move the cut
    assert own_task(inputs, labels.astype(float)).class_names == ("0", "1", "2")


def test_the_names_of_scikit_learn_come_as_they_are():
    wine = load_wine()
    assert own_task(wine.data, wine.target, wine.target_names).class_names == ("class_0", "class_1", "class_2")


@pytest.mark.parametrize(
    ("labels", "names", "error", "message"),
    [
        (
            "text",
            ("x", "y", "z"),
            ValueError,
            r"must be the labels \['eggs', 'ham', 'spam'\] in the order .* got \['x'",
        ),
        ("text", ("ham", "spam"), ValueError, r"must be 3 different names, .* got \['ham', 'spam'\]"),
        ("numbers", ("x", "y"), ValueError, "must be 3 different names, one for each of .*'0', '1', '2'"),
        ("numbers", ("x", "y", "y"), ValueError, "must be 3 different names"),
        ("numbers", (), ValueError, r"must be 3 different names, .* got \[\]"),
        ("numbers", "xyz", TypeError, "must be a sequence of names in an order, got 'xyz'"),
        ("numbers", {"x", "y", "z"}, TypeError, "must be a sequence of names in an order, got set"),
    ],
)
def test_names_that_do_not_fit_the_labels_are_refused(labels, names, error, message):
    inputs, classes = numbers()
    with pytest.raises(error, match="^class_names " + message):
        own_task(inputs, classes if labels == "numbers" else np.array(NAMES)[classes], names)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.arange(89) % 3, ValueError, "must have one row per input, got 89 for 90 inputs"),
        (np.arange(90)[:, None] % 3, ValueError, r"must be \[N\], one per example, got shape \[90, 1\]"),
        ([0.0, 1.0, np.nan] * 30, ValueError, "must be there for every example, got nan in row 2"),
        (["a", None, "b"] * 30, ValueError, "must be there for every example, got .* in row 1"),
        (pd.Series([1, 2, None] * 30, dtype="Int64"), ValueError, "must be there .* in row 2"),
        ([0.0, 1.5, 1.0] * 30, ValueError, "must be classes, strings or whole numbers, got 1.5 in row 1"),
        ([0.0, np.inf, 1.0] * 30, ValueError, "must be classes, strings or whole numbers, got inf in row 1"),
        (np.array([0, "a", 1] * 30, object), TypeError, "must all be strings or all be whole numbers"),
    ],
)
def test_what_are_no_labels_is_refused(labels, error, message):
    with pytest.raises(error, match="^labels " + message):
        own_task(numbers()[0], labels)


FRAME = pd.DataFrame(numbers()[0], columns=["age", "fare", "deck"])


def spoiled(value):
    inputs = numbers()[0]
    inputs[4, 1] = value
    return inputs


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (spoiled(np.nan), ValueError, "must be finite, got nan in column 1, row 4"),
        (torch.tensor(spoiled(-np.inf)), ValueError, "must be finite, got -inf in column 1, row 4"),
        (pd.DataFrame(spoiled(np.nan), columns=FRAME.columns), ValueError, "got nan in column 'fare', row 4"),
        (FRAME.assign(deck=pd.array([1, 2, None] * 30, "Int64")), ValueError, "got nan in column 'deck', row 2"),
        (FRAME.assign(deck=["A", "B", "C"] * 30), TypeError, "must be numbers, got 'A' in column 'deck'"),
        (FRAME.assign(deck=["1", "2", "3"] * 30), TypeError, "must be numbers, got '1' in column 'deck'"),
        (FRAME.assign(deck=pd.Categorical(["A", "B", "C"] * 30)), TypeError, "got 'A' in column 'deck'"),
        (FRAME.assign(deck=pd.Timestamp("2026-01-01")), TypeError, "must be numbers, got Timestamp.* in column 'deck'"),
        ([[1.0, "A"]] * 90, TypeError, "must be numbers, got .* in column"),
        (np.array([[1.0, "A"]] * 90, object), TypeError, "must be numbers, got 'A' in column 1"),
        (numbers()[0][:, 0], ValueError, r"must be numbers \[N, D\], got ndarray of float64 of shape \[90\]"),
    ],
)
def test_inputs_that_are_no_finite_numbers_are_refused_with_their_column(inputs, error, message):
    with pytest.raises(error, match="^inputs .*" + message):
        own_task(inputs, numbers()[1])


def test_numbers_of_every_kind_can_be_columns():
    _, labels = numbers()
    kinds = {"flag": [True, False, True] * 30, "count": pd.array([1, 2, 3] * 30, "Int64")}
    kinds |= {"kind": pd.Categorical([1, 2, 3] * 30), "mixed": pd.Series([1, 2.5, 3] * 30, dtype=object)}
    data = own_task(FRAME.assign(**kinds), labels)
    assert data.train.inputs.shape == (54, 7)
    assert torch.allclose(data.train.inputs.std(0, correction=0), torch.ones(7), atol=1e-5)


def test_a_timestamp_in_milliseconds_keeps_its_digits():
    seconds = np.arange(90.0)
    inputs = np.stack([1_767_225_600_000 + 1000 * seconds, np.full(90, 0.1)], 1)
    data = own_task(inputs, numbers()[1])
    train = data.train.inputs[:, 0].double()
    assert len(train.unique()) == 54
    steps = train.sort().values.diff() * data.standardised[1][0] / 1000
    assert torch.allclose(steps, steps.round(), atol=1e-4)
    assert train.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert data.test.inputs[:, 1].abs().max() < 1e-6  # a constant says nothing, its rounding neither


def test_raw_rows_become_the_inputs_that_a_student_has_seen():
    wine = load_wine()
    data = bring(own_task(wine.data, wine.target), nn.Linear(13, 3))
    mean, deviation = data.standardised
    raw = {tuple(row) for row in ((torch.tensor(wine.data) - mean) / deviation).float().tolist()}
    assert all(tuple(row) in raw for name in SPLITS for row in getattr(data, name).inputs.tolist())
    assert mean.dtype == deviation.dtype == torch.float64
    assert DataSet("bare", data.train, data.validation, data.test, NAMES).standardised is None


@pytest.mark.parametrize("form", ["frame", "mapping"])
def test_what_is_known_of_each_example_is_cut_with_the_rows_and_stays_with_a_teacher(form):
    inputs, labels = numbers()
    about = pd.DataFrame({"row": np.arange(90), "site": ["north", "south"] * 45}, index=np.arange(90)[::-1])
    given = about if form == "frame" else {"row": torch.arange(90), "site": about["site"]}
    data = bring(own_task(inputs, labels, about=given), nn.Linear(3, 3))
    mean, deviation = data.standardised
    for name in SPLITS:
        split = getattr(data, name)
        assert split.about.index.tolist() == list(range(len(split)))
        rows = split.about["row"].to_numpy()
        assert torch.equal(split.inputs, ((torch.tensor(inputs[rows]) - mean) / deviation).float())
        assert split.labels.tolist() == labels[rows].tolist()
        assert split.about["site"].tolist() == [["north", "south"][row % 2] for row in rows]
    assert own_task(inputs, labels).train.about is None


@pytest.mark.parametrize(
    ("about", "error", "message"),
    [
        ({"site": ["north"] * 89}, ValueError, r"about\['site'\] must have one row per input, got shape \[89\] for 90"),
        ({"site": "north"}, ValueError, r"about\['site'\] must have one row per input"),
        (FRAME[:5], ValueError, "about must have one row per input, got 5 for 90"),
        (["north"] * 90, TypeError, "about must be a DataFrame or a mapping of columns, got list"),
    ],
)
def test_what_does_not_belong_to_the_rows_is_refused(about, error, message):
    with pytest.raises(error, match=f"^{message}"):
        own_task(*numbers(), about=about)
