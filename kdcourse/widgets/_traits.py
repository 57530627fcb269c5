"""Traits of the explorers that check what they are given, from Python and from the browser alike."""

import math

import traitlets

from kdcourse._arguments import number

TEMPERATURES = 0.5, 32.0


class Bounded(traitlets.Float):
    """A finite number from `low` to `high`. Raises ValueError, or TypeError for no number, that names the trait."""

    def __init__(self, default, low, high, **options):
        self.low, self.high = low, high
        super().__init__(default, **options)

    def validate(self, owner, value):
        value = number(self.name, value)
        if not self.low <= value <= self.high:  # NaN is not
            raise ValueError(f"{self.name} must be in [{self.low:g}, {self.high:g}], got {value}")
        return value


class Temperature(Bounded):
    def __init__(self, default, **options):
        super().__init__(default, *TEMPERATURES, **options)


class Logits(traitlets.List):
    """One finite number for each of the owner's `class_names`."""

    def validate(self, owner, value):
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise TypeError(f"{self.name} must be a list of numbers, got {value!r}")
        values = [number(self.name, one) for one in value]
        classes = len(owner.class_names)
        if len(values) != classes:
            raise ValueError(f"{self.name} must hold {classes} numbers, one for each class, got {len(values)}")
        if not all(map(math.isfinite, values)):
            raise ValueError(f"{self.name} must be finite, got {values}")
        return values
