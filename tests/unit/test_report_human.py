"""Results as text: sizes, groups, trees, and what to type next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.report.human import UNITS, human


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9994, "9.99 kB"),
        (9995, "10.0 kB"),
        (99949, "99.9 kB"),
        (99950, "100 kB"),
        (999499, "999 kB"),
        (999500, "1.00 MB"),
        (999950, "1.00 MB"),
        (9940000, "9.94 MB"),
        (18500000, "18.5 MB"),
        (10**12, "1.00 TB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    """Three digits and a decimal unit; what would be rounded to four takes the next unit."""
    assert human(size) == text


@given(st.integers(0, 10**15 - 10**12))
def test_sizes_are_right_and_short(size: int) -> None:
    """The text is never wider than nine characters, and never further off than half of its last digit."""
    number, unit = human(size).split(" ")
    scale = 1000 ** UNITS.index(unit)
    assert len(human(size)) <= 7
    digits = len(number.partition(".")[2])
    # A little more for the binary fractions that decimal ones are rounded from.
    assert abs(float(number) * scale - size) <= 0.5000001 * scale / 10**digits
    assert 1 <= float(number) < 1000 or unit == "B"


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_more_never_looks_like_less(first: int, second: int) -> None:
    """Of two sizes the larger one has the larger text."""

    def value(size: int) -> float:
        number, unit = human(size).split(" ")
        return float(number) * float(1000 ** UNITS.index(unit))

    assert value(min(first, second)) <= value(max(first, second))
