"""Traits of the explorers that check what they are given, from Python and from the browser alike."""

import math
from typing import Any

import traitlets

from kdcourse._arguments import describe, integer, number


class Bounded(traitlets.Float):
    """A finite number from `low` to `high`. Raises ValueError, or TypeError for no number, that names the trait."""

    def __init__(self, default: float, low: float, high: float, **options: Any) -> None:
        self.low, self.high = low, high
        super().__init__(default, **options)

    def validate(self, owner: Any, value: Any) -> float:
        value = number(str(self.name), value)
        if not self.low <= value <= self.high:  # NaN is not
            raise ValueError(f"{self.name} must be in [{self.low:g}, {self.high:g}], got {value}")
        return value


class Temperature(Bounded):
    """A number from 0.5 to 32."""

    def __init__(self, default: float, **options: Any) -> None:
        super().__init__(default, 0.5, 32.0, **options)


class Whole(traitlets.Int):
    """An integer from `low` to `high`. Raises ValueError that names the trait."""

    def __init__(self, default: int, low: int, high: int, **options: Any) -> None:
        self.low, self.high = low, high
        super().__init__(default, **options)

    def validate(self, owner: Any, value: Any) -> int:
        value = integer(str(self.name), value, at_least=self.low)
        if value > self.high:
            raise ValueError(f"{self.name} must be in [{self.low}, {self.high}], got {value}")
        return value


class Place(traitlets.Int):
    """The place of one of the owner's `among`, from 0. Raises ValueError that names the trait."""

    def __init__(self, among: str, **options: Any) -> None:
        self.among = among
        super().__init__(0, **options)

    def validate(self, owner: Any, value: Any) -> int:
        value, count = integer(str(self.name), value, at_least=0), len(getattr(owner, self.among))
        if value >= count > 0:  # there are none yet while an explorer is made from its state
            raise ValueError(f"{self.name} must be in [0, {count}), got {value}")
        return value


class Flag(traitlets.Bool):
    """True or False. Raises TypeError that names the trait."""

    def validate(self, owner: Any, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{self.name} must be True or False, got {describe(value)}")
        return value


class Logits(traitlets.List):
    """One finite number for each of the owner's `class_names`. Raises TypeError or ValueError that names the trait."""

    def validate(self, owner: Any, value: Any) -> list[float]:
        if not hasattr(value, "__iter__"):
            raise TypeError(f"{self.name} must be a list of numbers, got {value!r}")
        values = [number(str(self.name), one) for one in value]
        classes = len(owner.class_names)
        if classes and len(values) != classes:
            raise ValueError(f"{self.name} must hold {classes} numbers, one for each class, got {len(values)}")
        if not all(map(math.isfinite, values)):
            raise ValueError(f"{self.name} must be finite, got {values}")
        return values
