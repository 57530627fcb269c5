"""Answer the questions of a quiz in a real browser, with the keyboard alone."""

from browser import tab_to


def option(question, right):
    """The index of the first option that is right, or wrong."""
    return [bool(answer.get("correct")) for answer in question.answers].index(right)


def number(question, right):
    """A text that is a right answer, or a wrong one, to a numeric question."""
    if not right:
        return "-12345.5"
    answer = next(answer for answer in question.answers if answer.get("correct"))
    return str(answer["value"] if answer["type"] == "value" else answer["range"][0])


def press_answer(page, questions, k, right, within="body", back=False):
    """Answer question `k`, from 0, from wherever the focus is before it; with `back`, from after it."""
    question = questions[k]
    form = f"{within} form:nth-of-type({k + 1})"
    if question.type == "numeric":
        tab_to(page, f"{form} input", back=back)
        page.keyboard.press("Control+A")
        page.keyboard.type(number(question, right))
    elif question.type == "multiple_choice":
        tab_to(page, f"{form} input", back=back)
        if page.locator(f"{form} :checked").count() == 0:
            page.keyboard.press("Space")
        at = page.locator(f"{form} input").evaluate_all("nodes => nodes.findIndex(node => node.checked)")
        for _ in range((option(question, right) - at) % len(question.answers)):
            page.keyboard.press("ArrowDown")
    else:
        for place, answer in enumerate(question.answers, 1):
            box = f"{form} label:nth-of-type({place}) input"
            tab_to(page, box, back=back and place == 1)
            if page.locator(box).is_checked() != (answer["correct"] == right):
                page.keyboard.press("Space")
    page.keyboard.press("Enter")
