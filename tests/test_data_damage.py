"""Damaged, missing or forged data files: each is named, with the way to get it back, and nothing is half loaded."""

import json

import pytest

from kdcourse import data
from kdcourse.train import load_teacher

pytestmark = pytest.mark.slow  # the whole data sets, again and again

TEACHER = ["fashion-mnist/teacher.safetensors", "fashion-mnist/teacher-logits.safetensors"]


def truncate(content):
    return content[: len(content) // 2]


def lose_one_byte(content):
    return content[:-1]


def flip_one_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def append(content):
    return content + b"\0"


def empty(content):
    return b""


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of `data/`, by links, that the package reads from."""
    original = data.folder()
    for path in original.rglob("*"):
        if path.is_file():
            link = tmp_path / path.relative_to(original)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(path)
    monkeypatch.setenv("KDCOURSE_DATA", str(tmp_path))
    return tmp_path


def replace(path, content):
    path.unlink()
    path.write_bytes(content)


def test_the_copy_is_whole(copy):
    assert data.folder() == copy
    assert "fashion-mnist/test.png" in data.verify()
    assert data.checked("fashion-mnist/test.png") == copy / "fashion-mnist/test.png"


@pytest.mark.parametrize("damage", [truncate, lose_one_byte, flip_one_bit, append, empty])
@pytest.mark.parametrize("name", ["fashion-mnist/labels.safetensors", "fashion-mnist/train-3.png", *TEACHER])
def test_verify_names_a_damaged_file(copy, name, damage):
    replace(copy / name, damage((copy / name).read_bytes()))
    word = {append: "altered", flip_one_bit: "altered: its SHA-256"}.get(damage, "truncated")
    with pytest.raises(data.DataError, match=rf"{name} is {word}.*git checkout -- .*{name}"):
        data.verify()


@pytest.mark.parametrize("damage", [truncate, flip_one_bit])
@pytest.mark.parametrize("name", ["labels.safetensors", "test.png", "teacher-logits.safetensors"])
def test_load_refuses_a_damaged_file_by_name(copy, name, damage):
    path = copy / "fashion-mnist" / name
    replace(path, damage(path.read_bytes()))
    with pytest.raises(data.DataError, match=f"{name} is (truncated|altered).*git checkout"):
        data.load("fashion-mnist")


@pytest.mark.parametrize("name", ["labels.safetensors", "validation.png", "teacher-logits.safetensors"])
def test_a_missing_file_is_named_by_load_and_verify(copy, name):
    (copy / "fashion-mnist" / name).unlink()
    for call in (data.verify, lambda: data.load("fashion-mnist")):
        with pytest.raises(data.DataError, match=f"{name} is missing.*git checkout -- .*{name}"):
            call()


def test_a_folder_in_the_place_of_a_file_counts_as_missing(copy):
    (copy / "fashion-mnist/test.png").unlink()
    (copy / "fashion-mnist/test.png").mkdir()
    with pytest.raises(data.DataError, match=r"test\.png is missing"):
        data.verify()


def test_without_the_teacher_its_files_are_not_needed(copy):
    for name in TEACHER:
        (copy / name).unlink()
    assert len(data.load("fashion-mnist", with_teacher=False).test) == 10_000


@pytest.mark.parametrize("damage", [truncate, flip_one_bit])
def test_a_damaged_teacher_is_refused(copy, damage):
    path = copy / "fashion-mnist/teacher.safetensors"
    replace(path, damage(path.read_bytes()))
    with pytest.raises(data.DataError, match=r"teacher\.safetensors is .*git checkout"):
        load_teacher("fashion-mnist")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnist-of-nobody", "$"),
        ("", "$"),
        ("spam-assassin", r": its teacher ships as logits, load\('spam-assassin'\)\.train\.teacher_logits$"),
    ],
)
def test_a_teacher_that_does_not_ship_is_refused_and_nobody_is_sent_to_get_it_back(name, hint):
    with pytest.raises(ValueError, match=f"name must be one of 'fashion-mnist', got '{name}'{hint}"):
        load_teacher(name)


def test_a_file_that_nobody_recorded_cannot_be_got_back(copy):
    with pytest.raises(data.DataError, match="nothing.png is missing, and no file of the course's") as caught:
        data.checked("fashion-mnist/nothing.png")
    assert "git checkout" not in str(caught.value)
    (copy / "fashion-mnist/nothing.png").write_bytes(b"something")
    with pytest.raises(data.DataError, match=r"nothing.png is not listed in checksums.json.*git checkout"):
        data.checked("fashion-mnist/nothing.png")


def test_missing_checksums_are_named(copy):
    (copy / "checksums.json").unlink()
    for call in (data.verify, lambda: data.load("fashion-mnist")):
        with pytest.raises(data.DataError, match=r"checksums\.json is missing.*git checkout -- .*checksums\.json"):
            call()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"fashion-mnist/test.png": {"bytes": 40',
        b"\xff\xfe\x00",
        b"<html>404</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"fashion-mnist/test.png": null}',
        b'{"fashion-mnist/test.png": {}}',
        b'{"fashion-mnist/test.png": {"bytes": 4074311}}',
        b'{"fashion-mnist/test.png": "0a982a82"}',
    ],
)
def test_broken_checksums_are_named_by_load_and_verify(copy, content):
    replace(copy / "checksums.json", content)
    for call in (data.verify, lambda: data.load("fashion-mnist")):
        with pytest.raises(data.DataError, match=r"checksums\.json.*git checkout -- .*checksums\.json"):
            call()


def test_a_file_that_is_not_listed_is_not_trusted(copy):
    entries = json.loads((copy / "checksums.json").read_text())
    entries.pop("fashion-mnist/labels.safetensors")
    replace(copy / "checksums.json", json.dumps(entries).encode())
    with pytest.raises(data.DataError, match=r"labels\.safetensors is not listed in checksums\.json.*git checkout"):
        data.load("fashion-mnist", with_teacher=False)


def test_an_empty_variable_means_the_shipped_folder(monkeypatch):
    monkeypatch.setenv("KDCOURSE_DATA", "")
    assert data.folder().name == "data"
    assert (data.folder() / "checksums.json").is_file()
