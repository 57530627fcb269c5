"""An explorer on a page of its own, without a kernel: its picture for readers of a notebook, and its words beside it.

The picture is the explorer itself, in Chromium, light, 832 pixels wide. Benchmarks and tests use the same page.
"""

import base64
import io

import nbformat
from chromium import CHROMIUM, chromium
from PIL import Image

from kdcourse import lessons
from kdcourse._javascript import STATIC, bundle
from kdcourse.widgets._explorer import MIME, explorers

COLOURS = 64  # of a picture: few enough for 60 kB, and the accents keep their colours
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>explorer</title><style>
:root {{ color-scheme: light dark; }} body {{ background: Canvas; color: CanvasText; font-family: sans-serif; }}
h1 {{ height: 4rem; margin: 0; }} {style}
</style></head><body><main><h1>An explorer</h1><div id="here"></div></main></body></html>"""
# Takes away the one that is there. A module is imported once for a page.
MOUNT = """async ([dom, source, state]) => {
    window.modules ??= {};
    const load = (text) =>
        (window.modules[text] ??= import(URL.createObjectURL(new Blob([text], { type: "text/javascript" }))));
    const [{ pageModel }, { default: explorer }] = await Promise.all([dom, source].map(load));
    const place = Object.assign(document.createElement("div"), { id: "here" });
    window.stop?.();
    document.getElementById("here").replaceWith(place);
    window.model = pageModel(state);
    window.stop = explorer.render({ model: window.model, el: place });
}"""
PAINTED = """async () => {
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => image.decode()));
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
}"""


def empty_page(context):
    """A page into which `mount` puts explorers."""
    page = context.new_page()
    page.set_content(PAGE.format(style=(STATIC / "explorer.css").read_text(encoding="utf-8")))
    return page


def mount(page, name, state):
    """Put an explorer into the page in place of the one before, and wait until it shows what its state says."""
    page.evaluate(MOUNT, [bundle("dom"), bundle(name), state])
    settled(page)


def settled(page):
    """Wait until the explorer has computed what it shows."""
    page.locator("#here > [role=group]:not([aria-busy=true])").wait_for(state="attached")


def picture(browser, name, state):
    """(PNG, what it shows in words) of an explorer with this state.

    Every picture has a page of its own: where one was drawn over another, corners differ in a pixel or two.
    """
    with browser.new_context(viewport={"width": 880, "height": 1200}, color_scheme="light", offline=True) as context:
        page = empty_page(context)
        mount(page, name, {**state, **explorers()[name].pictured})
        page.evaluate(PAINTED)
        place = page.locator("#here")
        png, words = place.screenshot(animations="disabled"), place.get_attribute("data-alt")
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
    small = io.BytesIO()
    few.save(small, format="PNG", optimize=True)
    return small.getvalue(), words


def add_pictures(notebook):
    """Give every explorer that a notebook has stored its picture, with alternative text; returns the notebook.

    Raises SystemExit where there is no Chromium to take them in.
    """
    outputs = list(stored_in(notebook))
    if not outputs:
        return notebook
    if CHROMIUM is None:
        raise SystemExit("the pictures of the explorers are taken in Chromium, and there is none: apt install chromium")
    with chromium() as browser:
        for output in outputs:
            png, alt = picture(browser, output.data[MIME]["explorer"], output.data[MIME]["state"])
            output.data |= {"image/png": base64.b64encode(png).decode(), "text/plain": f"[explorer] {alt}"}
            output.metadata["image/png"] = {"alt": alt}
    return notebook


def stored_in(notebook):
    """The outputs of a notebook that hold an explorer."""
    return (output for cell in notebook.cells for output in cell.get("outputs", []) if MIME in output.get("data", {}))


def stored():
    """{name: state} of the last explorer of each kind that a lesson has stored: it has all of its controls."""
    found = {}
    for path in lessons.find():
        for output in stored_in(nbformat.read(path, as_version=4)):
            found[output.data[MIME]["explorer"]] = output.data[MIME]["state"]
    return found
