"""An explorer in a real browser, without a kernel: one page for a module's tests, or its functions on our inputs."""

import sys
from contextlib import contextmanager
from pathlib import Path

from browser import tab_to, watched

from kdcourse._javascript import bundle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from explorer_pictures import empty_page, mount, stored  # noqa: E402, F401


@contextmanager
def shower(browser):
    """A function that shows an explorer as it stands in Python, or (name, state), on the one page that there is.

    Its options are color_scheme, reduced_motion and viewport. The page's `complaints` are those of `watched`.
    """
    with browser.new_context(offline=True) as context:
        page = empty_page(context)
        page.set_default_timeout(30_000)
        page.complaints = watched(page)

        def shown(explorer, *, color_scheme="light", reduced_motion="no-preference", viewport=(1280, 720)):
            page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
            page.set_viewport_size({"width": viewport[0], "height": viewport[1]})
            page.complaints.clear()
            mount(page, *(explorer if isinstance(explorer, tuple) else (explorer.module, explorer.state())))
            return page

        yield shown


def in_module(page, module, script, *inputs):
    """What a function in JavaScript says whose first argument is this module of static/."""
    load = "URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))"
    code = f"async ([source, ...inputs]) => ({script})(await import({load}), ...inputs)"
    return page.evaluate(code, [bundle(module), *inputs])


def call(page, module, name, inputs):
    """[what the exported function `name` of the module says to each list of arguments]; NaN and infinities survive."""
    every = "(module, name, inputs) => inputs.map((given) => module[name](...given))"
    return in_module(page, module, every, name, inputs)


def model_value(page, name):
    return page.evaluate("name => window.model.get(name)", name)


def set_model(page, **values):
    """What a kernel does when a trait is set in Python."""
    page.evaluate("values => Object.entries(values).forEach((pair) => window.model.set(...pair))", values)


def said(page):
    return page.locator(".kdx-words p").all_inner_texts()


def press(page, selector, *keys):
    """Go to a control with Tab, and press keys there."""
    tab_to(page, selector)
    for key in keys:
        page.keyboard.press(key)
