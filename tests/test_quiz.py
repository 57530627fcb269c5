"""The files in `quizzes/`: complete, consistent, plain text, and giving nothing away; and that faults are seen."""

import copy
import functools
import json
import operator
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from sample_quiz import NAME, SAMPLE, write_course
from scipy.stats import binomtest, chisquare

from kdcourse import quiz

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(path for path in (ROOT / "quizzes").glob("*.json") if not path.stem.endswith(".schema"))
SCHEMAS = {path.name: json.loads(path.read_text("utf-8")) for path in (ROOT / "quizzes").glob("*.schema.json")}
REGISTRY = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
QUESTIONS = [question for name in quiz.names() for question in quiz.load(name).questions]
CHOICES = [question.answers for question in QUESTIONS if question.type == "multiple_choice"]
RIGHT = [[answer["correct"] for answer in answers].index(True) for answers in CHOICES]


def fault(stem, text):
    """What is wrong with the text of a file: what its schema says first, then what no schema can; "" if nothing is."""
    try:
        entries = json.loads(text, object_pairs_hook=each_once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        return str(error)
    schema = SCHEMAS.get(f"{stem}.schema.json", SCHEMAS["quiz.schema.json"])
    error = best_match(Draft202012Validator(schema, registry=REGISTRY).iter_errors(entries))
    return f"{error.json_path}: {error.message}" if error else next(beyond_schemas(entries), "")


def beyond_schemas(entries):
    names = Counter(entry.get("id", entry.get("term")).casefold() for entry in entries)
    yield from (f"{name}: stands {count} times" for name, count in names.items() if count > 1)
    for entry in entries:
        answers = entry.get("answers", [])
        shown = [answer["answer"] for answer in answers if "answer" in answer]
        ranges = [answer["range"] for answer in answers if "range" in answer]
        if len(set(shown)) < len(shown):
            yield f"{entry['id']}: two options are alike"
        yield from (f"{entry['id']}: {low} must be below {high}" for low, high in ranges if low >= high)
        strangers = set(entry.get("related", [])) - ({other.get("term") for other in entries} - {entry.get("term")})
        yield from (f"{entry['term']}: is related to {name}, which is no other entry" for name in strangers)


def each_once(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"a field stands twice in {pairs}")
    return dict(pairs)


def refuse(name):
    raise ValueError(f"{name} is not a number that JSON has")


# ---- what the course asks ----


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_has_no_fault(path):
    assert fault(path.stem, path.read_text(encoding="utf-8")) == ""


def test_no_id_stands_twice_in_all_files_and_no_name_of_a_term():
    ids = [question.id for question in QUESTIONS] + [card["id"] for card in quiz.cards()]
    terms = [name.casefold() for entry in quiz.glossary() for name in (entry["term"], *entry["also_known_as"])]
    assert [name for names in (ids, terms) for name, count in Counter(names).items() if count > 1] == []


def test_every_lesson_has_cards_and_they_ask():
    at = Counter(card["lesson"] for card in quiz.cards())
    few = [lesson for lesson, count in at.items() if (ROOT / f"notebooks/source/{lesson}.py").exists() and count < 4]
    assert (len(at) >= 6, few) == (True, [])  # a new lesson may wait for its cards
    asked = [(card["front"], card["follow_up"]) for card in quiz.cards()]
    assert [pair for pair in asked if not all("?" in text for text in pair)] == []
    assert len({text for pair in asked for text in pair}) == 2 * len(asked)


@pytest.mark.parametrize("name", quiz.names())
def test_a_quiz_of_a_lesson_asks_about_that_lesson_and_links_to_those_there_are(name):
    one = quiz.load(name)
    assert one.lesson in (None, name)
    assert one.lesson is None or {question.lesson for question in one.questions} == {name}
    for question in quiz.show(name).content["questions"]:
        assert ("href" in question) == (ROOT / "notebooks" / "source" / f"{question['lesson']}.py").exists()
        assert "href" not in question or (ROOT / "notebooks" / question["href"]).exists()


def test_the_position_of_the_right_option_gives_nothing_away():
    at = Counter(RIGHT)
    assert len(CHOICES) >= 20
    assert set(map(len, CHOICES)) == {4}
    assert chisquare([at[position] for position in range(4)]).pvalue > 0.1
    assert max(at.values()) <= 0.4 * len(CHOICES)


@pytest.mark.parametrize("extreme", [max, min])
def test_the_length_of_the_right_option_gives_nothing_away(extreme):
    lengths = [[len(answer["answer"]) for answer in answers] for answers in CHOICES]
    hits = sum(one[right] == extreme(one) for one, right in zip(lengths, RIGHT, strict=True))
    assert hits <= 0.45 * len(CHOICES)
    assert binomtest(hits, len(CHOICES), 1 / 4, alternative="greater").pvalue > 0.05


def test_every_answer_to_a_number_can_be_reached():
    for question in QUESTIONS:
        for answer in question.answers if question.type == "numeric" else ():
            low, high = answer.get("range") or [answer.get("value", -1e14)] * 2
            for number in (low, (low + high) / 2):
                assert quiz.grade(question, number).feedback == ((None, answer["feedback"]),)


# ---- faults are seen ----

CHOICE, NUMBER, *_ = SAMPLE
GONE = object()


def changed(entry, *path_and_value):
    """A copy of an entry with the value at the path set, or removed if it is GONE."""
    *parents, last, value = path_and_value
    entry = copy.deepcopy(entry)
    target = functools.reduce(operator.getitem, parents, entry)
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return entry


def test_sound_questions_have_no_fault():
    signs = changed(changed(CHOICE, "id", "signs"), "question", "If `a` < b, T < 4: is R & D worth $5 or $6?")
    rounded = changed(changed(NUMBER, "id", "rounded"), "precision", 2)
    assert fault("quiz", json.dumps([*SAMPLE, signs, rounded])) == ""


NOT_PLAIN = ["a\nb", "a\x1b[2J", "a\u200bb", "\ud800", "<script>alert(1)</script>", "a &lt; b", "Is `a right?"]
NOT_PLAIN += ["Is $x^2$ it?", r"Is \frac{1}{2} it?", r"\(x\)"]


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        (changed(CHOICE, "answers", 0, "feedback", GONE), "answers[0]: 'feedback' is a required"),
        (changed(CHOICE, "answers", 0, "feedback", " "), "answers[0].feedback: "),
        (changed(CHOICE, "answers", 0, "correct", True), "answers: Too many items"),
        (changed(CHOICE, "answers", 1, "correct", False), "answers: [{"),
        (changed(CHOICE, "answers", 0, "code", "1 + 1"), "answers[0]: Additional properties"),
        (changed(CHOICE, "answers", 0, "answer", "blue"), "two options are alike"),
        (changed(CHOICE, "answers", 0, "feedback", "<img src=x onerror=a()>"), "answers[0].feedback"),
        *((changed(CHOICE, "question", text), "question: ") for text in NOT_PLAIN),
        (changed(CHOICE, "lesson", "../01_a"), "lesson: "),
        (changed(CHOICE, "id", "__proto__"), "id: '__proto__'"),
        (changed(CHOICE, "type", "essay"), "type: 'essay'"),
        (changed(CHOICE, "precision", 2), "False schema does not allow 2"),
        (changed(NUMBER, "precision", 0), "precision: 0"),
        (changed(NUMBER, "answers", 2, GONE), "answers: [{"),
        (changed(NUMBER, "answers", 1, "range", [2, 1]), "sum: 2 must be below 1"),
        (changed(NUMBER, "answers", 0, "value", "0"), "answers[0].value: '0'"),
        (changed(NUMBER, "answers", 0, "value", 1e15), "answers[0].value: 1000000000000000.0"),
        (changed(NUMBER, "answers", 0, "type", "about"), "answers[0]: False schema does not allow 94"),
        (changed(NUMBER, "answers", 2, "correct", False), "answers[2]: False schema does not allow False"),
    ],
)
def test_a_fault_of_a_question_is_seen_where_it_is(entry, where):
    assert where in fault("quiz", json.dumps([entry]))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[{"id": "a",', "line 1"),
        ("{}", "not of type 'array'"),
        ('[{"id": "a", "correct": true, "correct": false}]', "a field stands twice"),
        ("[NaN]", "NaN is not a number"),
        ("[" * 100_000, "recursion"),
        (json.dumps([CHOICE, changed(CHOICE, "id", "Sky")]), "sky: stands 2 times"),
    ],
)
def test_a_fault_of_a_file_is_seen(text, what):
    assert what in fault("quiz", text)


def test_faults_of_cards_and_glossary_are_seen():
    card, (term, *others) = quiz.cards()[0], quiz.glossary()
    for field in ("back", "follow_up", "follow_up_back"):
        assert f"'{field}' is a required" in fault("interview", json.dumps([changed(card, field, GONE)]))
    assert "$[0].front" in fault("interview", json.dumps([changed(card, "front", "<b>")]))
    assert "related to ET" in fault("glossary", json.dumps([changed(term, "related", ["ET"]), *others]))
    assert "$[0].mistakes: 'none'" in fault("glossary", json.dumps([changed(term, "mistakes", "none"), *others]))
    assert "stands 2 times" in fault("glossary", json.dumps([term, *others, term]))


# ---- reading ----


def test_a_file_in_the_folder_is_a_quiz_and_nothing_else_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("KDCOURSE_COURSE", str(write_course(tmp_path)))
    assert quiz.names() == [NAME]
    one = quiz.load(NAME)
    assert (one.title, one.lesson) == ("07 Colours", NAME)
    assert [question.id for question in one.questions] == ["sky", "sum", "grass", "flag", "snow"]
    monkeypatch.syspath_prepend(ROOT / "tools")
    from site_pages import quiz_pages

    pages = quiz_pages({})
    assert set(pages) == {"quizzes/index.md", f"quizzes/{NAME}.md"}
    assert f'<a href="{NAME}.html">07 Colours</a>' in pages["quizzes/index.md"]


@pytest.mark.parametrize("content", [b'[{"id": "a",', b"[1]", b"3", b'[{"id": "a"}]', b'["\xff"]', b'[{"answer": 1}]'])
def test_a_file_that_is_no_quiz_is_named(tmp_path, monkeypatch, content):
    (write_course(tmp_path) / "quizzes" / "mine.json").write_bytes(content)
    monkeypatch.setenv("KDCOURSE_COURSE", str(tmp_path))
    with pytest.raises(quiz.QuizError, match=r"mine\.json (is not valid JSON|does not fit quiz\.schema\.json): "):
        quiz.load("mine")


def test_what_is_not_there_is_said_with_what_is(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no quiz '../quizzes/final'; there are .*01_soft_labels, "):
        quiz.load("../quizzes/final")
    (tmp_path / "quizzes").mkdir()
    monkeypatch.setenv("KDCOURSE_COURSE", str(tmp_path))
    for ask in (quiz.glossary, quiz.cards, lambda: quiz.load("final")):
        with pytest.raises(ValueError, match="clone the course and run this in its folder"):
            ask()


def test_cards_come_lesson_by_lesson_and_may_be_of_one(tmp_path, monkeypatch):
    lessons = ["02_b", "01_a", "02_b", "012_c"]
    cards = [{"id": str(k), "lesson": lesson} for k, lesson in enumerate(lessons)]
    monkeypatch.setenv("KDCOURSE_COURSE", str(write_course(tmp_path, interview=cards)))

    def ids(*lesson):
        return "".join(card["id"] for card in quiz.cards(*lesson))

    assert [ids(), ids("02"), ids("02_b"), ids("01")] == ["3102", "02", "02", "1"]
    with pytest.raises(ValueError, match="no flashcards of a lesson '0'; there are of 012_c, 01_a, 02_b"):
        quiz.cards("0")


def test_reading_a_quiz_needs_neither_torch_nor_widgets():
    code = "import sys; from kdcourse import quiz; quiz.to_html('final'); "
    code += "print('torch' in sys.modules, 'anywidget' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
