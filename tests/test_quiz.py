"""The files in `quizzes/`: complete, consistent, and giving nothing away; and the errors for files that are not."""

import copy
import json
import re
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from scipy.stats import binomtest, chisquare

from kdcourse import lessons, quiz
from kdcourse.quiz import content
from kdcourse.quiz.page import content as shown
from kdcourse.quiz.page import fragment

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(path for path in (ROOT / "quizzes").glob("*.json") if not path.stem.endswith(".schema"))
SCHEMAS = {path.stem.removesuffix(".schema"): path for path in (ROOT / "quizzes").glob("*.schema.json")}
QUESTIONS = [question for name in quiz.names() for question in quiz.load(name).questions]
CHOICES = [question for question in QUESTIONS if question.type == "multiple_choice"]


def valid(value, stem):
    schema = json.loads(SCHEMAS.get(stem, SCHEMAS["quiz"]).read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema).is_valid(value)


# ---- what is there ----


def test_the_quizzes_of_the_course_are_there():
    assert {"00_start_here", "01_soft_labels", "vocabulary", "final"} <= set(quiz.names())
    assert len(quiz.load("vocabulary").questions) == 5
    assert len(quiz.load("final").questions) == 15
    assert {"multiple_choice", "many_choice", "numeric"} == {question.type for question in QUESTIONS}


@pytest.mark.parametrize("path", SCHEMAS.values(), ids=lambda path: path.name)
def test_every_schema_is_one(path):
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_fits_its_schema(path):
    assert valid(json.loads(path.read_text(encoding="utf-8")), path.stem)


def test_ids_are_unique_over_all_files():
    ids = [question.id for question in QUESTIONS] + [card["id"] for card in quiz.cards()]
    assert [id for id, count in Counter(ids).items() if count > 1] == []


def test_a_quiz_of_a_lesson_asks_about_that_lesson():
    for name in quiz.names():
        one = quiz.load(name)
        assert one.lesson == (name if re.match(r"\d\d_", name) else None)
        if one.lesson:
            assert {question.lesson for question in one.questions} == {name}


@pytest.mark.parametrize("name", quiz.names())
def test_links_lead_to_the_lessons_that_exist(name):
    widget = quiz.show(name)
    for question in widget.content["questions"]:
        source = ROOT / "notebooks" / "source" / f"{question['lesson']}.py"
        assert ("href" in question) == source.exists()
        assert not source.exists() or (lessons.folder() / question["href"]).exists()


def test_the_glossary_holds_together():
    entries = quiz.glossary()
    terms = {entry["term"] for entry in entries}
    names = [entry["term"].casefold() for entry in entries]
    names += [name.casefold() for entry in entries for name in entry["also_known_as"]]
    assert {related for entry in entries for related in entry["related"]} <= terms
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_the_position_of_the_right_option_gives_nothing_away():
    at = Counter([answer["correct"] for answer in question.answers].index(True) for question in CHOICES)
    assert len(CHOICES) >= 20
    assert {len(question.answers) for question in CHOICES} == {4}
    assert chisquare([at[position] for position in range(4)]).pvalue > 0.1
    assert max(at.values()) <= 0.4 * len(CHOICES)


@pytest.mark.parametrize("extreme", [max, min])
def test_the_length_of_the_right_option_gives_nothing_away(extreme):
    hits = 0
    for question in CHOICES:
        lengths = [len(answer["answer"]) for answer in question.answers]
        hits += lengths[[answer["correct"] for answer in question.answers].index(True)] == extreme(lengths)
    assert hits <= 0.45 * len(CHOICES)
    assert binomtest(hits, len(CHOICES), 1 / 4, alternative="greater").pvalue > 0.05


@pytest.mark.parametrize("question", [q for q in QUESTIONS if q.type == "numeric"], ids=lambda question: question.id)
def test_every_answer_to_a_number_can_be_reached(question):
    for answer in question.answers:
        if answer["type"] == "range":
            for number in (answer["range"][0], sum(answer["range"]) / 2):
                assert quiz.grade(question, number).feedback == ((None, answer["feedback"]),)
        elif answer["type"] == "value":
            assert quiz.grade(question, answer["value"]).feedback == ((None, answer["feedback"]),)


# ---- files with a fault ----

OPTIONS = [
    {"answer": "Red", "correct": False, "feedback": "Not red."},
    {"answer": "Blue", "correct": True, "feedback": "Yes: blue."},
]
CHOICE = {"id": "sky", "lesson": "01_soft_labels", "question": "Which?", "type": "multiple_choice", "answers": OPTIONS}
NUMBER = {
    "id": "sum",
    "lesson": "01_soft_labels",
    "question": "How many?",
    "type": "numeric",
    "answers": [
        {"type": "range", "range": [1, 2], "correct": True, "feedback": "Yes."},
        {"type": "value", "value": 0, "correct": False, "feedback": "More."},
        {"type": "default", "feedback": "No."},
    ],
}


def changed(question, *changes):
    """A copy with `(path, value)` set, or removed where the value is None."""
    question = copy.deepcopy(question)
    for path, value in changes:
        *parents, last = path
        target = question
        for key in parents:
            target = target[key]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return question


def written(tmp_path, value):
    path = tmp_path / "colours.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_sound_questions_are_read(tmp_path):
    sound = [CHOICE, NUMBER, changed(CHOICE, (["id"], "both"), (["type"], "many_choice"))]
    sound.append(changed(NUMBER, (["id"], "rounded"), (["precision"], 2)))
    sound.append(changed(CHOICE, (["id"], "signs"), (["question"], "If `a` < b, T < 4: is R & D worth $5 or $6?")))
    found = content.read(written(tmp_path, sound))
    assert (found.name, found.title, found.lesson) == ("colours", "Colours", None)
    assert [question.id for question in found.questions] == ["sky", "sum", "both", "rounded", "signs"]
    assert found.questions[3].precision == 2
    assert valid(sound, "quiz")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (changed(CHOICE, (["answers", 0, "feedback"], None)), "question 'sky', answer 1: feedback is missing"),
        (changed(CHOICE, (["answers", 0, "feedback"], " ")), "question 'sky', answer 1: feedback must be a text"),
        (changed(CHOICE, (["answers", 0, "correct"], True)), "question 'sky': 2 answers are marked correct; only many"),
        (changed(CHOICE, (["answers", 1, "correct"], False)), "question 'sky': no answer is marked correct"),
        (changed(CHOICE, (["answers", 1, "correct"], "yes")), "answer 2: correct must be true or false, got 'yes'"),
        (changed(CHOICE, (["answers"], OPTIONS[1:])), "question 'sky': it must have two options or more"),
        (changed(CHOICE, (["answers"], [])), "question 'sky': answers must be a list that is not empty"),
        (changed(CHOICE, (["answers", 0], "Red")), "question 'sky', answer 1: must be an object"),
        (changed(CHOICE, (["answers", 0, "code"], "1 + 1")), "answer 1: there is no field 'code'"),
        (changed(CHOICE, (["question"], None)), "question 'sky': question is missing"),
        (changed(CHOICE, (["question"], "a\nb")), "question must be plain text on one line, but holds '\\n'"),
        (changed(CHOICE, (["question"], "a\x1b[2J")), "question must be plain text on one line, but holds '\\x1b'"),
        (changed(CHOICE, (["question"], "<script>alert(1)</script>")), "holds the HTML tag '<script>'"),
        (changed(CHOICE, (["answers", 0, "feedback"], "<img src=x onerror=a()>")), "holds the HTML tag '<img src=x on"),
        (changed(CHOICE, (["answers", 0, "answer"], "x</b")), "question 'sky', answer 1: answer must be plain text"),
        (changed(CHOICE, (["question"], "a &lt; b")), "holds the HTML entity '&lt;'"),
        (changed(CHOICE, (["lesson"], "soft labels")), "question 'sky': lesson must be a lesson's stem such as"),
        (changed(CHOICE, (["lesson"], "../01_a")), "question 'sky': lesson must be a lesson's stem such as"),
        (changed(CHOICE, (["id"], None)), "question 1: id is missing"),
        (changed(CHOICE, (["id"], "__proto__")), "question '__proto__': id must be letters and digits"),
        (changed(CHOICE, (["type"], "essay")), "type must be multiple_choice, many_choice or numeric, got 'essay'"),
        (changed(CHOICE, (["type"], ["numeric"])), "type must be multiple_choice, many_choice or numeric"),
        (changed(CHOICE, (["precision"], 2)), "question 'sky': there is no field 'precision'"),
        (changed(NUMBER, (["precision"], 0)), "question 'sum': precision must be a whole number from 1 to 15, got 0"),
        (changed(NUMBER, (["answers", 2], None)), "question 'sum': one answer must be of type default"),
        (changed(NUMBER, (["answers", 0, "range"], [1])), "question 'sum', answer 1: range must be two numbers"),
        (changed(NUMBER, (["answers", 1, "value"], "0")), "question 'sum', answer 2: value must be a number, got '0'"),
        (changed(NUMBER, (["answers", 1, "type"], "about")), "answer 2: type must be value, range or default"),
        (changed(NUMBER, (["answers", 1, "correct"], True)), "question 'sum': 2 answers are marked correct"),
        (changed(NUMBER, (["answers", 2, "correct"], True)), "answer 3: there is no field 'correct'"),
        ("a question", "question 1: must be an object with id, lesson, question"),
    ],
)
def test_a_fault_is_named_with_its_file_and_question(tmp_path, fault, message):
    with pytest.raises(quiz.QuizError, match=re.escape(message)) as raised:
        content.read(written(tmp_path, [fault]))
    assert str(raised.value).startswith("colours.json, question ")
    assert not valid([fault], "quiz")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (changed(CHOICE, (["question"], "Is `a right?")), "question 'sky': question has a backtick without a partner"),
        (changed(CHOICE, (["question"], "Is $x^2$ it?")), "holds TeX '$x^2$'"),
        (changed(CHOICE, (["question"], r"Is \frac{1}{2} it?")), "holds TeX"),
        (changed(CHOICE, (["answers", 0, "answer"], "Blue")), "two options or more, and no two alike"),
        (changed(NUMBER, (["answers", 0, "range"], [2, 1])), "range must be two numbers, the smaller one first"),
    ],
)
def test_faults_that_a_schema_cannot_see_are_named_too(tmp_path, fault, message):
    with pytest.raises(quiz.QuizError, match=re.escape(message)):
        content.read(written(tmp_path, [fault]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"id": "a",', r"colours\.json is not valid JSON: .*line 1"),
        ("", r"colours\.json is not valid JSON"),
        ("{}", r"colours\.json: must be a list of questions"),
        ("[]", r"colours\.json: must be a list of questions that is not empty"),
        ('[{"id": "a", "correct": true, "correct": false}]', r"the field 'correct' stands twice in one entry \('a'\)"),
        ("[NaN]", r"colours\.json is not valid JSON: NaN"),
        ("[" * 100_000, r"colours\.json is not valid JSON"),
        (json.dumps([CHOICE, CHOICE]), r"question 'sky': an earlier question has the same id"),
    ],
)
def test_a_file_that_is_no_quiz_is_named(tmp_path, text, message):
    with pytest.raises(quiz.QuizError, match=message):
        content.read(written(tmp_path, text))


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "colours.json"
    path.write_bytes(b'["\xff"]')
    with pytest.raises(quiz.QuizError, match="colours.json is not valid JSON"):
        content.read(path)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match="no quiz 'glossary'; there are 00_start_here, 01_soft_labels"):
        quiz.load("glossary")
    with pytest.raises(ValueError, match="no quiz '../quizzes/final'"):
        quiz.load("../quizzes/final")


def test_cards_and_glossary_are_read_as_strictly(tmp_path):
    card = quiz.cards()[0]
    with pytest.raises(quiz.QuizError, match=f"card '{card['id']}': back is missing"):
        quiz.cards(written(tmp_path, [changed(card, (["back"], None))]))
    entries = quiz.glossary()
    with pytest.raises(
        quiz.QuizError, match=f"entry '{entries[0]['term']}': related must name other entries, got 'ET'"
    ):
        quiz.glossary(written(tmp_path, [changed(entries[0], (["related"], ["ET"])), *entries[1:]]))
    with pytest.raises(quiz.QuizError, match="mistakes must be a list of texts, got 'none'"):
        quiz.glossary(written(tmp_path, [changed(entries[0], (["mistakes"], "none"))]))
    with pytest.raises(quiz.QuizError, match="an earlier entry has the same term"):
        quiz.glossary(written(tmp_path, [entries[0], entries[0]]))


def test_content_cannot_end_the_script_it_lies_in():
    one = shown(quiz.load("vocabulary"))
    one["questions"][0]["question"] = "</script><script>alert(1)</script><!--"
    made = fragment(one)
    assert made.count("<script") == made.count("</script>") == 2
    assert "<!--" not in made
