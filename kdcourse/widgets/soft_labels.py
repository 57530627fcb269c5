"""The soft-label explorer: choose a picture, drag the temperature, watch the teacher's probabilities."""

from kdcourse.losses import soften
from kdcourse.plots import COLOURS
from kdcourse.widgets._figure import render, reused_figure


def soft_labels(data_set, examples=range(20), split="test"):
    """A widget with a picture, its label, and the teacher's probabilities at a temperature that can be dragged.

    examples  indices into the split that can be chosen
    returns   an ipywidgets box; `.children[0]` chooses the picture, `.children[1]` the temperature
    """
    import ipywidgets

    part, names = getattr(data_set, split), data_set.class_names
    picture = ipywidgets.Dropdown(
        options=[(f"{index}: {names[int(part.labels[index])]}", index) for index in examples],
        description="picture",
    )
    temperature = ipywidgets.FloatLogSlider(
        value=1.0, base=2, min=-1, max=5, step=0.1, description="T", readout_format=".1f"
    )
    image = ipywidgets.Image(format="png")

    # One figure, made once and then only updated, so that a move of the slider need not build a new one.
    fig, (left, right) = reused_figure(7.0, 3.0, ncols=2, width_ratios=[1, 1.6])
    side = int(part.inputs.shape[1] ** 0.5)
    shown = left.imshow(part.inputs[0].view(side, side).numpy(), cmap="gray_r")
    left.axis("off")
    bars = right.barh(names, [0.0] * len(names))
    right.set_xlim(0, 1)
    right.set_xlabel("teacher's probability")
    right.invert_yaxis()

    def draw(_=None):
        index, label = picture.value, int(part.labels[picture.value])
        pixels = part.inputs[index].view(side, side).numpy()
        shown.set_data(pixels)
        shown.set_clim(float(pixels.min()), float(pixels.max()))
        left.set_title(f"label: {names[label]}", fontsize=11)
        probabilities = soften(part.teacher_logits[index : index + 1], temperature.value)[0].tolist()
        for number, (bar, probability) in enumerate(zip(bars, probabilities, strict=True)):
            bar.set_width(probability)
            bar.set_color(COLOURS[1] if number == label else COLOURS[0])
        right.set_title(f"T = {temperature.value:.1f}", fontsize=11)
        image.value = render(fig)

    picture.observe(draw, names="value")
    temperature.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([picture, temperature, image])
