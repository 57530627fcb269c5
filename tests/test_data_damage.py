"""Damaged, missing or forged data files: each is named, with the way to get it back, and nothing is half loaded."""

import hashlib
import json
import lzma

import pytest

from kdcourse import data
from kdcourse.train import load_teacher

pytestmark = pytest.mark.slow  # the whole data sets, again and again

TEACHER = ["fashion-mnist/teacher.safetensors", "fashion-mnist/teacher-logits.safetensors"]
MAILS = ["spam-assassin/mails.jsonl.xz", "spam-assassin/teacher-logits.safetensors"]


def flip_one_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE = {  # what is done -> (how, what is said of it)
    "half": (lambda content: content[: len(content) // 2], "truncated"),
    "a byte less": (lambda content: content[:-1], "truncated"),
    "empty": (lambda content: b"", "truncated"),
    "a byte more": (lambda content: content + b"\0", "altered"),
    "another bit": (flip_one_bit, "altered: its SHA-256"),
}


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


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["fashion-mnist/train-3.png", *TEACHER, MAILS[0]])
def test_verify_names_a_damaged_file(copy, name, damage):
    how, word = DAMAGE[damage]
    replace(copy / name, how((copy / name).read_bytes()))
    with pytest.raises(data.DataError, match=rf"{name} is {word}.*git checkout -- .*{name}"):
        data.verify()


@pytest.mark.parametrize("damage", ["half", "another bit"])
@pytest.mark.parametrize("name", ["fashion-mnist/labels.safetensors", "fashion-mnist/test.png", *TEACHER, *MAILS])
def test_load_refuses_a_damaged_file_by_name(copy, name, damage):
    how, word = DAMAGE[damage]
    replace(copy / name, how((copy / name).read_bytes()))
    call = load_teacher if name == TEACHER[0] else data.load
    with pytest.raises(data.DataError, match=f"{name} is {word}.*git checkout"):
        call(name.partition("/")[0])


@pytest.mark.parametrize(
    "name", ["fashion-mnist/labels.safetensors", "fashion-mnist/validation.png", TEACHER[1], *MAILS]
)
def test_a_missing_file_is_named_by_load_and_verify(copy, name):
    (copy / name).unlink()
    for call in (data.verify, lambda: data.load(name.partition("/")[0])):
        with pytest.raises(data.DataError, match=f"{name} is missing.*git checkout -- .*{name}"):
            call()


def test_without_the_teacher_its_files_are_not_needed(copy):
    for name in (*TEACHER, MAILS[1]):
        (copy / name).unlink()
    for name in ("fashion-mnist", "spam-assassin"):
        alone = data.load(name, with_teacher=False)
        assert [split.teacher_logits for split in (alone.train, alone.validation, alone.test)] == [None] * 3


def test_a_teacher_of_other_mails_is_refused(copy):
    content = lzma.compress(lzma.decompress((copy / MAILS[0]).read_bytes()), preset=0)
    replace(copy / MAILS[0], content)
    entries = json.loads((copy / "checksums.json").read_text())
    entries[MAILS[0]] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    replace(copy / "checksums.json", json.dumps(entries).encode())
    with pytest.raises(data.DataError, match=r"teacher-logits\.safetensors was made for other mails"):
        data.load("spam-assassin", features=16)


def test_a_folder_in_the_place_of_a_file_counts_as_missing(copy):
    (copy / "fashion-mnist/test.png").unlink()
    (copy / "fashion-mnist/test.png").mkdir()
    with pytest.raises(data.DataError, match=r"test\.png is missing"):
        data.verify()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnist", "$"),
        ("cmudict", r": its teacher is a language model, lm\.load_teacher\(\)$"),
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


BROKEN = [None, b"", b'{"fashion-mnist/test.png": {"bytes": 40', b"\xff\xfe\x00", b"[]", b"{}"]
BROKEN += [b'{"fashion-mnist/test.png": %s}' % entry for entry in (b"null", b'{"bytes": 4074311}', b'"0a982a82"')]


@pytest.mark.parametrize("content", BROKEN)
def test_missing_or_broken_checksums_are_named_by_load_and_verify(copy, content):
    (copy / "checksums.json").unlink()
    if content is not None:
        (copy / "checksums.json").write_bytes(content)
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
