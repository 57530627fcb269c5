"""An explorer in a real browser, without a kernel: on a page of its own, or its functions called on our inputs."""

import json

from browser import tab_to, watched

from kdcourse._javascript import STATIC, bundle

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>explorer</title>
<link rel="icon" href="data:,">
<style>:root {{ color-scheme: light dark; }} body {{ background: Canvas; color: CanvasText; font-family: sans-serif; }}
{style}</style></head><body><main><h1>An explorer</h1><div id="here"></div></main>
<script type="module">
{script}
window.model = pageModel({state});
window.stop = explorer.render({{ model: window.model, el: document.getElementById("here") }});
</script></body></html>"""


def page_of(module, state):
    """The HTML of a page with an explorer, from its state in JSON."""
    style = (STATIC / "explorer.css").read_text(encoding="utf-8")
    script = bundle(module).replace("export default {", "const explorer = {")
    return PAGE.format(style=style, script=script, state=state.replace("<", "\\u003c"))


def open_explorer(context, explorer, path):
    """A page with the explorer as it stands in Python. Its `complaints` are those of `watched`."""
    path.write_text(page_of(explorer.module, json.dumps(explorer.state())), encoding="utf-8")
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.complaints = watched(page, path.as_uri())
    page.goto(path.as_uri())
    page.locator(".kdcourse-explorer > [role=group]").wait_for()
    return page


def call(page, module, name, inputs):
    """[what the exported function `name` of the module says to each list of arguments]; NaN and infinities survive."""
    script = """async ([source, name, inputs]) => {
        const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
        const module = await import(address);
        return inputs.map((given) => module[name](...given));
    }"""
    return page.evaluate(script, [bundle(module), name, inputs])


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
