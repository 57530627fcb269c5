"""Answer the questions of a quiz in a real browser, with the keyboard alone."""

from browser import tab_to
from sample_quiz import answer_to


def press_answer(page, questions, k, right, within="body", back=False):
    """Answer question `k`, from 0, from wherever the focus is before it; with `back`, from after it."""
    question, given = questions[k], answer_to(questions[k], right)
    form = f"{within} form:nth-of-type({k + 1})"
    if question.type == "numeric":
        tab_to(page, f"{form} input", back=back)
        page.keyboard.press("Control+A")
        page.keyboard.type(given)
    elif question.type == "multiple_choice":
        tab_to(page, f"{form} input", back=back)
        if page.locator(f"{form} :checked").count() == 0:
            page.keyboard.press("Space")
        at = page.locator(f"{form} input").evaluate_all("nodes => nodes.findIndex(node => node.checked)")
        for _ in range((given - at) % len(question.answers)):
            page.keyboard.press("ArrowDown")
    else:
        for place in range(len(question.answers)):
            box = f"{form} label:nth-of-type({place + 1}) input"
            tab_to(page, box, back=back and place == 0)
            if page.locator(box).is_checked() != (place in given):
                page.keyboard.press("Space")
    page.keyboard.press("Enter")
