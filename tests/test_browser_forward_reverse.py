"""The explorer of forward and reverse KL in a real browser: by keyboard, and the numbers that it shows."""

import re

import numpy as np
import pytest
from browser import needs_chromium
from explorer_page import model_value, press, said, set_model
from scipy.special import rel_entr

from kdcourse.widgets._explorer import explorers

pytestmark = needs_chromium
TWO = [["B"], ["AE"], ["NG", "N"], ["G", "JH"], ["ER"]]
THREE = [["K"], ["AA", "OW", "AH"], ["L"], ["AH", "AE"], ["B"]]
WORDS = [
    {"word": "banger", "pronunciations": TWO, "joint": [[0.55, 0.02], [0.04, 0.39]], "covered": 0.72},
    {"word": "colab", "pronunciations": THREE, "joint": [[0.3, 0.01], [0.3, 0.03], [0.06, 0.3]], "covered": 0.9},
]


def shares(page, place):
    """{label: (teacher, student)} of a table, in shares."""
    rows = page.locator("table").nth(place).locator("tbody tr").all_inner_texts()
    return {re.sub(r"\s+", " ", name).strip(): values for name, *values in map(cells, rows)}


def cells(row):
    name, *percentages = row.split("\t")
    return [name, *(float(text.strip().removesuffix(" %")) / 100 for text in percentages)]


def finding(page):
    return page.locator(".kdx-finding").inner_text()


def test_forward_and_reverse_by_keyboard_alone(show):
    page = show(explorers()["forward_reverse"](words=WORDS))
    # The product of the marginals, 0.57 · 0.41 and 0.43 · 0.59, where the teacher has 0.02 and 0.04.
    assert finding(page) == "Forward KL: 48.7 % made up, 0.0 % given up"
    assert said(page)[:3] == [
        "The teacher says banger as B AE NG G ER (55.0 %) and B AE N JH ER (39.0 %): NG goes with G (96.5 %) and N "
        "goes with JH (90.7 %). All else is 6.0 %.",
        "Of what the student says, 48.7 % the teacher seldom says, such as B AE N G ER (25.4 %).",
        "The student has given up nothing that the teacher says.",
    ]
    press(page, "input[type=range]", "End")
    assert model_value(page, "beta") == 1
    assert "reverse KL: " in page.locator("input[type=range]").get_attribute("aria-valuetext")
    assert finding(page).endswith(" % made up, 39.0 % given up")
    assert said(page)[2] == "The student has given up B AE N JH ER (39.0 %)."
    assert [*shares(page, 2)] == ["B AE NG G ER", "B AE N JH ER given up", "B AE N G ER", "B AE NG JH ER"]
    page.keyboard.press("ArrowLeft")
    assert (model_value(page, "beta"), finding(page)[:7]) == (0.98, "Between")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    assert model_value(page, "word_number") == 1
    assert "colab" in said(page)[0]
    assert "hold 90.0 % of what the teacher" in page.locator(".kdx-note").inner_text()
    assert page.complaints == []


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_shown_is_one_product_and_what_it_makes_up_and_gives_up(show, number):
    page = show(explorers()["forward_reverse"](words=WORDS, word_number=number))
    joint, phonemes = np.array(WORDS[number]["joint"]), WORDS[number]["pronunciations"]
    options = [part for part in phonemes if len(part) > 1]
    for beta in (0, 0.1, 0.5, 0.9, 1):
        set_model(page, beta=beta)
        alone = [np.array([shares(page, place)[name] for name in options[place]]) for place in (0, 1)]
        assert alone[0][:, 0] == pytest.approx(joint.sum(1), abs=6e-4)
        assert alone[1][:, 0] == pytest.approx(joint.sum(0), abs=6e-4)
        together, teacher, student = shares(page, 2), [], []
        for (i, j), share in np.ndenumerate(joint):
            whole = " ".join(part[0] if len(part) == 1 else part[(i, j)[part is options[1]]] for part in phonemes)
            [row] = [one for name, one in together.items() if name.startswith(whole)]
            assert row == pytest.approx([share, alone[0][i, 1] * alone[1][j, 1]], abs=2e-3)
            teacher.append(share)
            student.append(row[1])
        teacher, student = np.array(teacher), np.array(student)
        rare = teacher < 0.1
        lost = ~rare & (student < teacher / 10)
        made_up, given_up = map(float, re.findall(r"([\d.]+) %", finding(page)))
        assert made_up == pytest.approx(100 * student[rare].sum(), abs=0.3)
        assert given_up == pytest.approx(100 * teacher[lost].sum(), abs=0.1)
        forward = re.search(r"KL\(teacher ‖ student\) is ([\d.]+) nats", said(page)[3])[1]
        if student.min() > 0.01:  # the page's percentages have one decimal
            assert float(forward) == pytest.approx(rel_entr(teacher, student).sum(), abs=0.02)
