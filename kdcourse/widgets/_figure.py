"""What the widgets with a picture share: a figure that is made once and then only updated, and the words beside it."""

import html
import io

from kdcourse.plots import figure


def reused_figure(width, height, **options):
    """(figure, axes) as `plots.figure` makes them, but closed: no cell shows it, and `render` still draws it."""
    import matplotlib.pyplot as plt

    fig, axes = figure(width, height, **options)
    plt.close(fig)
    return fig, axes


def render(fig):
    """The figure as the bytes of a PNG, for `ipywidgets.Image`."""
    rendered = io.BytesIO()
    fig.savefig(rendered, format="png", dpi=90)
    return rendered.getvalue()


def paragraphs(*lines):
    """The lines as HTML, escaped, for `ipywidgets.HTML`: an Image widget has no alternative text."""
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)


def plain(number):
    """A number >= 0 for people: three significant digits, no exponent, commas between thousands."""
    from numpy import format_float_positional

    if number >= 999.5 or number < 1e-9:
        return f"{number:,.0f}"
    return format_float_positional(number, precision=3, unique=False, fractional=False, trim="-")
