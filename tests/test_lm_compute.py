"""What a teacher's answers take on disk, against arrays that are really packed."""

import numpy as np
import pytest

from kdcourse.lm import bytes_per_token


def packed(vocabulary, kept, exact, coefficients):
    """Bytes of ids as bits, numbers as float16 and coefficients as float32."""
    ids = np.random.default_rng(0).integers(vocabulary, size=kept)
    width = len(f"{vocabulary - 1:b}")
    bits = [int(bit) for one in ids for bit in f"{one:0{width}b}"]
    return np.packbits(bits).nbytes + np.zeros(exact, np.float16).nbytes + np.zeros(coefficients, np.float32).nbytes


@pytest.mark.parametrize("vocabulary", [2, 69, 65_536, 65_537, 151_936])
@pytest.mark.parametrize(("kept", "exact", "coefficients"), [(1, 1, 0), (2, 0, 3), (2, 2, 0)])
def test_bytes_are_those_of_packed_arrays(vocabulary, kept, exact, coefficients):
    given = {"exact": exact, "coefficients": coefficients}
    assert bytes_per_token(vocabulary, kept, **given) == packed(vocabulary, kept, **given)
    assert bytes_per_token(vocabulary) == np.zeros(vocabulary, np.float16).nbytes


def test_distillkits_own_figures():
    # Its README of 2025: "around 114 bytes" and "~300", which are those of ids of 16 bits.
    assert bytes_per_token(2**16, 50, exact=1, coefficients=3) == 114
    assert bytes_per_token(2**16, 128, exact=16, coefficients=6) == pytest.approx(300, rel=0.05)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vocabulary": 1}, "vocabulary must be an integer >= 2, got 1"),
        ({"vocabulary": 9, "kept": 0}, "kept must be an integer >= 1, got 0"),
        ({"vocabulary": 9, "kept": 10}, "kept must be at most 9, got 10"),
        ({"vocabulary": 9, "kept": 3, "exact": 4}, "exact must be at most 3, got 4"),
        ({"vocabulary": 9, "coefficients": 0.5}, "coefficients must be an integer >= 0, got 0.5"),
    ],
)
def test_what_is_no_count_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        bytes_per_token(**given)
