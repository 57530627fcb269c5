"""Draw the two pictures of the README that show students: unseen sneakers, and an audit.

    python tools/readme_pictures.py      # trains four students: seconds

Writes sneakers.svg and audit.svg into site/pictures/, and one for phones of each; then `python tools/build_readme.py`
puts their words into the README. The shares of all sneakers are those of the full run of omitted-class-is-learned.
"""

import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from kdcourse import claims, controls, data
from kdcourse.audit import audit
from kdcourse.audit.report import figure
from kdcourse.sweep import grid, sweep
from kdcourse.train import cosine

FOLDER = Path(__file__).resolve().parent.parent / "site" / "pictures"
SHOWN = 8
NAMES = {"ankle boot": "boot", "t-shirt/top": "T-shirt"}  # short ones
STYLE = """
.card{fill:#f6f8fa;stroke:#d0d7de}
text{fill:#1f2328}
.quiet{fill:#57606a}
.soft{fill:#0066a1}
.wrong{fill:#a34400}
@media (prefers-color-scheme: dark) {
.card{fill:#1b2028;stroke:#3d444d}
text{fill:#e8edf2}
.quiet{fill:#a8b3bf}
.soft{fill:#56B4E9}
.wrong{fill:#ff9a57}
}
"""


def students(garments):
    """What each of three students calls the first test sneakers, the bias of their sneaker output set on validation."""
    label, train = garments.class_index("sneaker"), garments.train
    unseen = replace(
        garments, train=train[(train.labels != label) & (train.teacher_logits.argmax(1) != label)][:10_000]
    )
    arms = [(controls.arg_max(unseen), 1), (unseen, 4), (garments.subset(10_000), 4)]
    return [_called(sweep(grid(width=128, temperature=T, lr=0.002), part, **HOW), garments, label) for part, T in arms]


HOW = {"epochs": 6, "batch_size": 250, "predictions": True, "progress": False}


def _called(table, garments, label):
    before, after = (table[f"{split}_logits"].iloc[0].copy() for split in ("validation", "test"))
    biases = np.arange(0, 20.1, 0.5)
    one, labels = np.eye(len(garments.class_names))[label], garments.validation.labels.numpy()
    bias = biases[np.argmax([((before + b * one).argmax(1) == labels).mean() for b in biases])]
    said = (after + bias * one).argmax(1)[garments.test.labels.numpy() == label]
    return [garments.class_names[k] for k in said[:SHOWN]]


ROWS = [
    ("Never shown a sneaker, taught", "by the teacher's first choices", "Never shown one, first choices", "wrong"),
    ("Never shown a sneaker, taught", "by the teacher's soft labels", "Never shown one, soft labels", "soft"),
    ("The ceiling: shown sneakers,", "taught by soft labels", "The ceiling: shown sneakers", "quiet"),
]
TITLE = "A student can name a garment", "that it was never shown"
BRIEF = "In every row, one number was set on", "validation pictures, sneakers among them."
NOTE = (
    "In every row, one number, the bias of the output for sneakers,",
    "was set on validation pictures, sneakers among them.",
)


def sneakers():
    """(for wide screens, for phones): the picture of the unseen sneakers, as SVG."""
    garments = data.load("fashion-mnist")
    said = students(garments)
    part = claims.part(claims.result("omitted-class-is-learned"), {"class": "sneaker"})
    shares = [part["arms"]["b"]["mean"], part["arms"]["a"]["mean"], part["beside"]["shown to it"]]
    shares = [f"{100 * share:.0f} %" for share in shares]
    own = garments.test.labels == garments.class_index("sneaker")
    shown = [_png(pixels) for pixels in garments.test.pixels[own][:SHOWN]]
    told = ". ".join(
        f"{first} {second}: {share} of all test sneakers named, of these {', '.join(words)}"
        for (first, second, *_), words, share in zip(ROWS, said, shares, strict=True)
    )
    about = f"{' '.join(TITLE)}. {SHOWN} test sneakers and what three students call them. {told}."
    return _wide(shown, said, shares, about), _narrow(shown, said, shares, about)


def _wide(shown, said, shares, about):
    parts = [f'<text x="20" y="36" font-size="19" font-weight="600">{" ".join(TITLE)}</text>']
    for y, words in [(82, "named right"), (100, "of all sneakers")]:
        parts.append(f'<text x="920" y="{y}" text-anchor="end" class="quiet" font-size="14">{words}</text>')
    parts += [f'<image href="{one}" x="{282 + 68 * k}" y="58" width="52" height="52"/>' for k, one in enumerate(shown)]
    for row, ((first, second, _, style), words, share) in enumerate(zip(ROWS, said, shares, strict=True)):
        y = 146 + 58 * row
        parts.append(f'<text x="20" y="{y}">{first}</text><text x="20" y="{y + 19}">{second}</text>')
        for k, word in enumerate(words):
            look = style if word == "sneaker" else "wrong"
            parts.append(f'<text x="{308 + 68 * k}" y="{y + 9}" class="{look}" {SMALL}>{NAMES.get(word, word)}</text>')
        parts.append(f'<text x="920" y="{y + 14}" class="{style}" {LARGE}>{share}</text>')
    parts.append(f'<text x="20" y="320" class="quiet" font-size="14">{" ".join(NOTE)}</text>')
    return _svg(940, 340, about, parts)


def _narrow(shown, said, shares, about):
    parts = [
        f'<text x="12" y="{28 + 22 * k}" font-size="18" font-weight="600">{one}</text>' for k, one in enumerate(TITLE)
    ]
    parts += [f'<image href="{one}" x="{12 + 40 * k}" y="64" width="36" height="36"/>' for k, one in enumerate(shown)]
    for row, ((*_, label, style), words, share) in enumerate(zip(ROWS, said, shares, strict=True)):
        y = 128 + 56 * row
        parts.append(f'<text x="12" y="{y}" font-size="15">{label}</text>')
        parts.append(f'<text x="328" y="{y}" class="{style}" text-anchor="end" font-size="19">{share}</text>')
        for k, word in enumerate(words):
            mark, look = ("✓", style) if word == "sneaker" else ("✗", "wrong")
            parts.append(f'<text x="{30 + 40 * k}" y="{y + 22}" class="{look}" {SMALL}>{mark}</text>')
    parts += [
        f'<text x="12" y="{294 + 16 * k}" class="quiet" font-size="11">{one}</text>' for k, one in enumerate(BRIEF)
    ]
    return _svg(340, 322, about, parts)


SMALL, LARGE = 'text-anchor="middle" font-size="14"', 'text-anchor="end" font-size="26" font-weight="700"'


def _svg(width, height, about, parts):
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    fonts = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{fonts}" font-size="16">
<title>{html.escape(" ".join(TITLE))}</title>
<desc>{html.escape(about)}</desc>
<style>{STYLE}</style>
<rect class="card" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10"/>
<g style="image-rendering:pixelated">
{"".join(parts)}
</g>
</svg>
"""


def _png(pixels):
    picture = io.BytesIO()
    Image.fromarray(255 - pixels.reshape(28, 28).numpy()).save(picture, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"


def gaps():
    """(for wide screens, for phones): an audit of a student of 64 hidden units, by class. It passes on average."""
    garments = data.load("fashion-mnist")
    settings = grid(width=64, temperature=4, lr=0.003)
    how = HOW | {"epochs": 10, "batch_size": 128, "schedule": cosine}
    logits = sweep(settings, garments, **how)["test_logits"].iloc[0]
    test, names = garments.test, np.array(garments.class_names)
    right = names[test.labels.numpy()]
    teacher, student = (names[answers.argmax(1)] for answers in (test.teacher_logits.numpy(), logits))
    report = audit(right, teacher, student, {"garment": right}, max_gap=0.1)
    return tuple(_matplotlib(*figure.picture(report, width=width)) for width in (8.6, 4.2))


def _matplotlib(fig, about):
    picture = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "kdcourse"}):
        fig.savefig(picture, format="svg", facecolor="white", metadata={"Date": None})
    head, root, body = re.split(r"(<svg.*?>)", picture.getvalue(), maxsplit=1, flags=re.S)
    dark = "<style>@media (prefers-color-scheme: dark) {svg {filter: invert(.92) hue-rotate(180deg)}}</style>"
    return f"{head}{root}\n<desc>{html.escape(about)}</desc>{dark}{body}"


def main():
    for name, drawn in [("sneakers", sneakers()), ("audit", gaps())]:
        for form, one in zip(("", "-narrow"), drawn, strict=True):
            (FOLDER / f"{name}{form}.svg").write_text(one, encoding="utf-8")


if __name__ == "__main__":
    main()
