"""The step-through explorer: distillation from the data to the result, on a toy problem trained in the browser."""

import traitlets

from kdcourse.widgets._explorer import Explorer
from kdcourse.widgets._traits import Bounded, Flag, Temperature, Whole

STAGES = 7
TRANSFER_SIZES = 10, 200


def distillation_steps(
    seed: int = 0, *, temperature: float = 2.0, soft_weight: float = 0.9, transfer_size: int = 40
) -> "DistillationSteps":
    """A widget that shows distillation step by step, on points in the plane: from the data to the result.

    Nothing moves before its Play is pressed. Teacher and students are trained in the browser, in a second or less.

    Parameters
    ----------
    seed : int
        Of the data and of the networks' starts, in [0, 99999].
    temperature : float
        Of the soft labels, in [0.5, 32].
    soft_weight : float
        Of T² · KL in the distilled student's loss, in [0, 1]; cross-entropy has the rest.
    transfer_size : int
        Points that the students learn from, in [10, 200]; the teacher learns from 600.

    Returns
    -------
    DistillationSteps

    Raises
    ------
    TypeError, ValueError
        The message names the argument.

    Examples
    --------
    >>> explorer = distillation_steps(seed=1, temperature=4)
    >>> explorer.stage = 7
    >>> explorer.accuracies  # the browser adds what it has measured
    {}
    """
    return DistillationSteps(seed=seed, temperature=temperature, soft_weight=soft_weight, transfer_size=transfer_size)


class DistillationSteps(Explorer):
    """What `distillation_steps` returns. The browser adds what it has measured, and nobody else can set that.

    Attributes
    ----------
    stage : int
        1 the data, 2 train the teacher, 3 run the teacher, 4 soften, 5 match, 6 add cross-entropy and train, 7 result.
        A stage that is set shows what it ends with; the same seed and settings end the same.
    playing : bool
        True moves from stage to stage; False is a pause.
    seed, temperature, soft_weight, transfer_size
        As in `distillation_steps`.
    point : int
        Of the transfer set, whose numbers are shown, from 0.
    speed : float
        Of playing, in [0.25, 8].
    accuracies : dict
        Measured: of "teacher", "hard" and "distilled", in [0, 1], each as soon as that network is trained.
    differences, difference_seeds : list
        Measured: distilled minus hard, in points, of every seed that was trained at the present settings; those seeds.
    """

    title = "Distillation, step by step"
    lesson = "00_start_here"
    question = (
        "Points in a plane, three classes. A teacher learns from many points; two students learn from the same few, "
        "one from their labels and one from what the teacher says about them. Press *Next step* and watch what flows. "
        "At the end, one seed proves nothing: train ten more. With how many points can eleven seeds no longer tell?"
    )
    pictured = {"stage": STAGES}

    seed = Whole(0, 0, 99_999).tag(sync=True)
    temperature = Temperature(2.0).tag(sync=True)
    soft_weight = Bounded(0.9, 0.0, 1.0).tag(sync=True)
    transfer_size = Whole(40, *TRANSFER_SIZES).tag(sync=True)
    # At first one of which the teacher of seed 0 is unsure: a soft label of 1.00, 0.00, 0.00 shows little.
    point = Whole(5, 0, TRANSFER_SIZES[1] - 1).tag(sync=True)
    speed = Bounded(1.0, 0.25, 8.0).tag(sync=True)
    stage = Whole(1, 1, STAGES).tag(sync=True)
    playing = Flag(False).tag(sync=True)
    accuracies = traitlets.Dict(read_only=True).tag(sync=True)
    differences = traitlets.List(read_only=True).tag(sync=True)
    difference_seeds = traitlets.List(read_only=True).tag(sync=True)

    @traitlets.validate("point")
    def _is_in_the_transfer_set(self, proposal):
        point = proposal["value"]
        if point >= self.transfer_size:
            raise ValueError(f"point must be in [0, {self.transfer_size}), got {point}")
        return point

    # Before the new value reaches the browser, not after: what the browser then measures must not be wiped out.
    @traitlets.validate("seed", "temperature", "soft_weight", "transfer_size")
    def _forget_what_was_measured(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        if value != getattr(self, name):
            self.set_trait("accuracies", {})
            if name != "seed":
                self.set_trait("differences", [])
                self.set_trait("difference_seeds", [])
        return value

    @traitlets.observe("transfer_size")
    def _stay_in_the_transfer_set(self, _):
        self.point = min(self.point, self.transfer_size - 1)
