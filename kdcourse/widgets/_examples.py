"""The examples of a split that an explorer offers to choose from."""

from collections.abc import Iterable

from kdcourse._arguments import integer, one_of
from kdcourse.data import DataSet, Split


def split_with_teacher(data_set: DataSet, split: str) -> Split:
    """The split, once it is there and has its teacher's logits."""
    part = getattr(data_set, one_of("split", split, ["train", "validation", "test"]))
    if part.teacher_logits is None:
        raise ValueError(f"data_set.{split} must hold the teacher's logits, got None")
    return part


def chosen(examples: Iterable[int], size: int) -> list[int]:
    """The examples as a list of ints, once all of them exist."""
    indices = [integer("examples", index, at_least=0) for index in examples]
    if not indices or max(indices) >= size:
        raise ValueError(f"examples must be one or more indices in [0, {size}), got {indices}")
    return indices


def rounded(logits: Iterable[float]) -> list[float]:
    """Logits for JSON: four decimals are more than can be seen."""
    return [round(float(logit), 4) for logit in logits]
