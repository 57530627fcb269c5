"""The SpamAssassin mails: what is in the file, what must not be in it, and what the loader makes of it."""

import json
import lzma
import re
import sys
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.utils import murmurhash3_32

from kdcourse import data
from kdcourse.data import Split, load, spam_assassin

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import build_spam_assassin as builder  # noqa: E402

pytestmark = pytest.mark.slow  # the whole data sets

FOLDER = data.folder() / "spam-assassin"
GROUPS = {"easy-ham-1": 0, "easy-ham-2": 0, "hard-ham-1": 0, "spam-1": 1, "spam-2": 1}
SIZES = {"train": 3289, "validation": 1114, "test": 1159}
FIELDS = {"id", "group", "label", "split", "subject", "text", "length", "family"}


@pytest.fixture(scope="module")
def lines():
    """The file as it is, read without the package."""
    content = lzma.decompress((FOLDER / "mails.jsonl.xz").read_bytes()).decode("utf-8")
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture(scope="module")
def mails():
    return load("spam-assassin", features=256)


def everything(line):
    return f"{line['subject']}\n{line['text']}"


# ---- the file ----


def test_every_mail_is_whole_and_known(lines):
    assert len({line["id"] for line in lines}) == len(lines) == sum(SIZES.values())
    for line in lines:
        assert set(line) == FIELDS
        assert line["label"] == GROUPS[line["group"]]
        assert re.fullmatch(rf"{line['group']}/\d{{5}}", line["id"])
        assert line["subject"] or line["text"]
        assert len(line["text"]) <= 4000
        assert (len(line["text"]) == line["length"]) == (line["length"] <= 4000)
    assert Counter(line["split"] for line in lines) == SIZES


def test_the_datasheet_has_the_counts_of_the_file(lines):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    found = Counter((line["group"], line["split"]) for line in lines)
    for group in GROUPS:
        row = next(line for line in page.splitlines() if line.startswith(f"| {group} |"))
        assert [int(cell) for cell in row.split("|")[3:6]] == [found[group, split] for split in SIZES]
    assert f"{len(lines):,} e-mails" in page
    assert f"{sum(line['length'] > 4000 for line in lines)} texts were cut" in page


def test_enough_hard_ham_is_held_out(lines):
    held_out = Counter(line["split"] for line in lines if line["group"] == "hard-ham-1")
    assert min(held_out["test"], held_out["train"]) >= 90


def test_no_mail_is_in_two_splits(lines):
    """Neither as it is, nor with other digits, blanks, punctuation or marks of an answer, nor with another ending."""
    seen, letters_before = {}, set()
    for line in lines:
        subject = re.sub(r"^(?:\W*(?:re|fw|fwd|aw)\b\W)*", "", line["subject"].lower())
        letters = "".join(filter(str.isalpha, re.sub(r"_[a-z]+_", "", subject + line["text"].lower())))
        for what in (letters, (subject, line["text"].lower()[:200]), line["family"]):
            seen.setdefault(what, set()).add(line["split"])
        assert letters not in letters_before  # nor twice in one
        letters_before.add(letters)
    assert max(map(len, seen.values())) == 1


def test_few_held_out_mails_are_mostly_in_training_mails(lines):
    """By long lines, which the build does not use."""

    def long_lines(line):
        return {part.lstrip("> ").lower() for part in line["text"].split("\n") if len(part) >= 40}

    owners = Counter(part for line in lines for part in long_lines(line))
    known = {part for line in lines if line["split"] == "train" for part in long_lines(line)}
    held_out = [long_lines(line) for line in lines if line["split"] != "train"]
    held_out = [[part for part in found if owners[part] < 50] for found in held_out]  # 50 and more: a list's footer
    copied = [sum(part in known for part in found) > 0.5 * len(found) for found in held_out if len(found) >= 4]
    assert len(copied) > 1000
    assert np.mean(copied) < 0.05  # an eighth, if mails that quote another go anywhere


@pytest.mark.parametrize(
    "pattern",
    [
        r"[A-Za-z0-9._]@[A-Za-z0-9]",  # an address
        r"\w ?@ ?\w+\.\w\w",
        r"mailto:\S",
        r"\w+ at \w+ dot (com|org|net|edu)\b",
        r"\w ?[(\[{]at[)\]}] ?\w",
        r"\d{7}",  # a number of any kind
        r"\(\d{3}\) ?\d{3}-\d{4}",  # a telephone number, as in America
        r"\b[2-9]\d\d[-. ][2-9]\d\d[-. ]\d{4}\b",
        r"(?<![\d.-])[2-9]\d\d-\d{4}\b(?!-)",
        r"\b1-8[0-9]{2}-[A-Z0-9]",
        r"\+[1-9]\d?[ .-]\(?\d+\)?[ .-]\d{3,}[ .-]?\d{2,}",  # as abroad
        r"\b0\d{3,4}[ -]\d{6}\b",
        r"\b\d{3}-\d{2}-\d{4}\b",  # a social security number
        r"://[^\s/]*[@:?]",  # a user, a port or a query in a web address
        r"://[^\s/]+/(?!_path_)[^\s]",  # or a path
        r"://\d+\.\d+\.\d+\.\d+",
        r"/home/\w+/",
        r"BEGIN PGP SIGNATURE(?=[^_]*END PGP)",
        r"\bspamassassin\.taint\.org|\bjmason\.org|\bnetnoteinc\.com",  # the collectors' hosts
        r"(?m)^SPAM: ",  # what a filter said
    ],
)
def test_nothing_that_leads_to_a_person_matches(lines, pattern):
    found = [(line["id"], match.group()) for line in lines for match in re.finditer(pattern, everything(line))]
    assert found == []


def test_masks_stand_where_something_was(lines):
    used = Counter(word for line in lines for word in re.findall(r"_[a-z]+_", everything(line)))
    for word, at_least in {"_email_": 5000, "_phone_": 800, "_path_": 9000, "_ip_": 200, "_image_": 3000}.items():
        assert used[word] >= at_least


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 6_000_000


# ---- the loader ----


def test_splits_have_their_sizes_types_and_texts(lines, mails):
    assert mails.class_names == ("ham", "spam")
    for name, size in SIZES.items():
        split, expected = getattr(mails, name), [line for line in lines if line["split"] == name]
        assert (split.inputs.dtype, split.inputs.shape) == (torch.float32, (size, 256))
        assert (split.labels.dtype, split.labels.shape) == (torch.int64, (size,))
        assert (split.teacher_logits.dtype, split.teacher_logits.shape) == (torch.float32, (size, 2))
        assert split.labels.tolist() == [line["label"] for line in expected]
        assert list(split.about.columns) == ["id", "group", "subject", "text", "length"]
        for column in split.about:
            assert split.about[column].tolist() == [line[column] for line in expected]
        assert split.about.index.tolist() == list(range(size))


def naive_features(text, size):
    """The docstring's words, one by one: log(1 + count) with the sign and at the place of each word's hash."""
    row = np.zeros(size)
    for word in re.findall(r"\b\w\w+\b", text.lower()):
        number = murmurhash3_32(word, seed=0)
        row[abs(number) % size] += 1 if number >= 0 else -1
    row = np.sign(row) * np.log1p(np.abs(row))
    return row * np.sqrt(size / max((row**2).sum(), 1e-30))


@pytest.mark.parametrize("size", [1, 256, 5000])
def test_features_are_signed_log_counts_of_hashed_words(lines, size):
    texts = [everything(line) for line in lines[:30]]
    inputs = spam_assassin.hashed_features(texts, size).numpy()
    np.testing.assert_allclose(inputs, [naive_features(text, size) for text in texts], rtol=1e-5, atol=1e-6)


def test_inputs_of_a_split_are_those_of_its_subjects_and_texts(lines, mails):
    for name in SIZES:
        expected = [naive_features(everything(line), 256) for line in lines if line["split"] == name][-20:]
        np.testing.assert_allclose(getattr(mails, name).inputs[-20:].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_text_without_words_is_a_row_of_zeros():
    assert spam_assassin.hashed_features(["", "a ! ?"], 8).tolist() == [[0.0] * 8] * 2
    assert spam_assassin.hashed_features([], 8).shape == (0, 8)


def test_features_of_no_sense_are_refused():
    for features in (0, True):
        with pytest.raises(ValueError, match=f"features must be an integer >= 1, got {features!r}"):
            load("spam-assassin", features=features)
    with pytest.raises(ValueError, match=r"size must be an integer >= 1, got 2\.5"):
        spam_assassin.hashed_features(["one"], 2.5)
    with pytest.raises(TypeError, match="texts must be a list of strings, got the one string 'buy now'"):
        spam_assassin.hashed_features("buy now", 8)
    with pytest.raises(TypeError, match="features must be an option of 'fashion-mnist', which has none"):
        load("fashion-mnist", features=64)


# ---- what is known of an example goes where the example goes ----


def test_about_is_picked_with_its_rows(mails):
    split = mails.test
    odd = torch.arange(len(split)) % 2 == 1
    for index in (slice(3, 40, 7), torch.tensor([5, 0, 5]), odd, np.array([9, 2]), [4, 1], slice(0, 0)):
        part, rows = split[index], np.arange(len(split))[index.numpy() if torch.is_tensor(index) else index]
        assert part.about["id"].tolist() == [split.about["id"][row] for row in rows]
        assert part.about.index.tolist() == list(range(len(rows)))
        assert torch.equal(part.inputs, split.inputs[torch.as_tensor(rows)])


def test_a_subset_and_a_missing_class_keep_about(mails):
    assert mails.subset(50).train.about["id"].tolist() == mails.train.about["id"][:50].tolist()
    assert set(mails.without("spam").train.about["group"]) == {"easy-ham-1", "easy-ham-2", "hard-ham-1"}


def test_about_stays_in_a_mirror_does_not_change_the_fingerprint_and_may_be_left_out():
    labels, pixels = torch.tensor([0, 1]), torch.zeros(2, 784, dtype=torch.uint8)
    bare, told = Split(labels, pixels=pixels), Split(labels, pixels=pixels, about=pd.DataFrame({"k": ["a", "b"]}))
    assert bare.about is bare[:1].about is None
    assert told[1:].about["k"].tolist() == ["b"]
    assert told.flipped().about["k"].tolist() == ["a", "b"]
    assert told.fingerprint() == bare.fingerprint()
    with pytest.raises(ValueError, match="about must have one row per label, got 3 for 2"):
        Split(labels, pixels=pixels, about=pd.DataFrame({"k": [1, 2, 3]}))


# ---- the teacher ----


@pytest.fixture(scope="module")
def stored_logits():
    return load_file(FOLDER / "teacher-logits.safetensors")


@pytest.mark.parametrize("name", SIZES)
def test_log_probabilities_are_probabilities_and_belong_to_their_mails(lines, mails, stored_logits, name):
    assert stored_logits[name].dtype == np.float16
    stored = stored_logits[name].astype(np.float64)
    labels = np.array([line["label"] for line in lines if line["split"] == name])
    np.testing.assert_allclose(np.exp(stored).sum(1), 1, atol=2e-3)  # float16 holds 11 bits
    np.testing.assert_array_equal(getattr(mails, name).teacher_logits.numpy(), stored.astype(np.float32))
    assert (stored.argmax(1) == labels).mean() > 0.97
    assert (np.roll(stored, 1, axis=0).argmax(1) == labels).mean() < 0.8  # one row off is not half as right


def test_a_mail_that_is_plainly_spam_has_the_teachers_word_for_it(lines, stored_logits):
    held_out = [line for line in lines if line["split"] == "test"]
    said = stored_logits["test"]
    loud = [k for k, line in enumerate(held_out) if "click here" in line["text"].lower() and "$" in line["text"]]
    quiet = [k for k, line in enumerate(held_out) if " wrote:\n" in line["text"] and "$" not in line["text"]]
    assert min(len(loud), len(quiet)) >= 20
    assert np.mean(said[loud].argmax(1)) > 0.7
    assert np.mean(said[quiet].argmax(1)) < 0.05


def test_what_the_teacher_says_of_training_mails_is_no_better_than_of_new_ones(mails):
    """Out of fold: seen mails would be all right, and sure."""

    def nll(split):
        return torch.nn.functional.cross_entropy(split.teacher_logits, split.labels).item()

    assert 0.6 * nll(mails.validation) < nll(mails.train) < 1.6 * nll(mails.validation)


def test_hard_ham_is_hard_for_the_teacher_and_the_rest_is_not(mails):
    right = (mails.test.teacher_logits.argmax(1) == mails.test.labels).numpy()
    hard = (mails.test.about["group"] == "hard-ham-1").to_numpy()
    assert 0.8 < right[hard].mean() < 0.97 < right[~hard].mean()


def test_the_teacher_is_as_large_as_its_card_says(mails):
    card = (FOLDER / "teacher-card.md").read_text(encoding="utf-8")
    assert f"| Parameters | {mails.teacher_parameters:,}: " in card
    assert mails.teacher_parameters > 100_000
    alone = load("spam-assassin", with_teacher=False)
    assert alone.teacher_parameters is None
    assert alone.test.inputs.shape == (SIZES["test"], 4096)  # so many unless told otherwise


def test_the_card_has_the_accuracy_of_every_group(lines, stored_logits):
    card = (FOLDER / "teacher-card.md").read_text(encoding="utf-8")
    held_out = [line for line in lines if line["split"] == "test"]
    right = stored_logits["test"].argmax(1) == [line["label"] for line in held_out]
    for group in GROUPS:
        chosen = right[[line["group"] == group for line in held_out]]
        assert f"| {group} | {len(chosen)} | {100 * chosen.mean():.1f}% |" in card


# ---- how it is built ----


def raw_mail(subject, text, html=None):
    message = EmailMessage()
    message["From"], message["Subject"] = "Ann <ann@example.net>", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return bytes(message)


@pytest.fixture
def corpus(tmp_path):
    """Twelve different mails in every group; in easy-ham-1 a copy, a near copy, an answer, and two with one opening."""
    words = [a + b for a in ("do", "re", "mi", "fa", "so") for b in ("la", "ti", "lu", "pe")]
    generator = np.random.default_rng(7)

    def prose(length):
        return " ".join(generator.choice(words, length))

    def add(group, number, subject, text):
        (tmp_path / group / f"{number:05}.0f.txt").write_bytes(raw_mail(subject, text))

    for group in GROUPS:
        (tmp_path / group).mkdir()
        for k in range(12):
            add(group, k, f"{group} mail", prose(40))
    first = builder.body_text(builder.email.message_from_bytes((tmp_path / "easy-ham-1/00000.0f.txt").read_bytes()))
    add("easy-ham-1", 12, "Re: easy-ham-1 mail", first.upper())
    long, opening = prose(400), prose(60)
    add("easy-ham-1", 13, "long", long)
    add("easy-ham-1", 14, "long", f"{long} fati")
    add("easy-ham-1", 15, "Re: easy-ham-1 mail", f"{first} {prose(400)}")
    add("easy-ham-1", 16, "news", f"{opening} {prose(400)}")
    add("easy-ham-1", 17, "news", f"{opening} {prose(400)}")
    return tmp_path


def test_building_twice_gives_the_same_bytes(corpus):
    first, second = (builder.compress(builder.build(corpus)[0]) for _ in range(2))
    assert first == second
    kept = [json.loads(line) for line in lzma.decompress(first).decode().splitlines()]
    assert all(set(entry) == FIELDS for entry in kept)
    assert {entry["split"] for entry in kept} == set(SIZES)


def test_copies_are_left_out_and_relatives_stay_together(corpus):
    records, report = builder.build(corpus)
    kept = {entry["id"].removeprefix("easy-ham-1/"): entry for entry in records}
    assert len(kept) == 12 * 5 + 4
    assert not {"00012", "00014"} & set(kept)
    assert report["left out"] == {"same words": 1, "nearly the same": 1}
    for one, other in [("00000", "00015"), ("00016", "00017")]:  # an answer; the same opening
        for name in ("family", "split"):
            assert kept[one][name] == kept[other][name]
    assert len({kept[number]["family"] for number in ("00000", "00013", "00016")}) == 3


def test_a_mail_that_somebody_wants_removed_is_left_out(corpus, monkeypatch):
    monkeypatch.setattr(builder, "REMOVED", frozenset({"spam-2/00003"}))
    records, report = builder.build(corpus)
    assert "spam-2/00003" not in {entry["id"] for entry in records}
    assert report["left out"]["removed on request"] == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ann.lee+x@mail.example.co.uk now", "write to _email_ now"),
        ("mailto:ann@host?subject=stop it", "_email_ it"),
        ("ann (at) host (dot) org or ann at host dot org", "_email_ or _email_"),
        ("call (732) 751-1457 or 1-888-557-5744", "call _phone_ or _phone_"),
        ("call +353 1 473 53 73, +44 (0)20 7493 5922", "call _phone_ , _phone_"),
        ("Fax: 01702 530200. Tel: 555-1234", "Fax _phone_ . Tel _phone_"),
        ("http://ann:pw@www.Host.com:81/~ann/a.cgi?id=7 x", "http://www.host.com/_path_ x"),
        ("see www.host.com/u/ann and http://10.1.2.3/x", "see www.host.com/_path_ and http://_ip_/_path_"),
        ("http://host.com?q=1 http://host.com", "http://host.com/_path_ http://host.com"),
        ("in /home/ann/x from 10.20.30.40", "in /home/ _user_ /x from _ip_"),
        ("key 4d3c2b1a0f9e8d7c no 12345678", "key _id_ no _number_"),
        ("Dear zzzz, on 2002-08-22 at 18:19:03 for $1,500", "Dear _name_ , on 2002-08-22 at 18:19:03 for $1,500"),
        ("begin 644 a.exe\nM1234\nend", "_attachment_"),
        ("-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----", "_signature_"),
        ("ann @ host.org", "_email_"),
        ("by dogma.slashnull.org, example.sourceforge.net", "by _host_ , _host_"),
        ("at 415 863\n5459", "at _phone_"),
        ("at 1-800-BUY-NOW", "at _phone_"),
        ("at (04) 747 0943", "at _phone_"),
        ("at 085 22 333", "at _phone_"),
        ("at 12 345 67 89 01", "at _phone_"),
        ("at 5 5 5 1 2 3 4", "at _phone_"),
        ("at 44 (717) 245-1690", "at _phone_"),
        ("version 2.4.18 of 1999, 50% of 30 days", "version 2.4.18 of 1999, 50% of 30 days"),
    ],
)
def test_masks_take_what_leads_to_a_person_and_leave_the_rest(text, expected):
    assert builder.tidy(builder.mask(text, Counter())) == expected


def test_html_becomes_what_a_reader_sees():
    page = "<html><head><style>p {}</style><script>var a;</script></head><body><p>Buy&nbsp;<b>n</b>ow<br>or"
    page += "<img alt='ad'><a href='http://shop.example/x'>here</a><!-- bayes --></p></body>"
    assert builder.tidy(builder.html_text(page)) == "Buy now\nor _image_ ad http://shop.example/x here"


def test_the_plain_part_is_read_if_it_says_anything():
    parse = builder.email.message_from_bytes
    plain, page = "word " * 40, "<p>page of several words</p>"
    assert "page" not in builder.body_text(parse(raw_mail("s", plain, page)))
    assert "page of several" in builder.body_text(parse(raw_mail("s", "HTML only", page)))


def test_encoded_words_and_charsets_are_decoded():
    parse = builder.email.message_from_bytes
    assert builder.subject_text(parse(b"Subject: =?ISO-8859-1?Q?J=F8rgen?= =?utf-8?B?w6k=?=\n\n")) == "Jørgené"
    head = b"Content-Type: text/plain; charset=%s\n\n"
    for charset, content in [(b"iso-8859-1", b"\xe9"), (b"no-such", b"\xc3\xa9"), (b"utf-8", b"\xe9")]:
        assert builder.body_text(parse(head % charset + content)) == "é"


def test_a_filters_verdict_is_taken_out():
    text = "one\nSPAM: 9.9 hits\n> SPAM: Start\ntwo"
    assert builder.without_verdict(text) == "one\ntwo"
    assert builder.without_verdict("*****SPAM***** no SPAM: here") == " no SPAM: here"
