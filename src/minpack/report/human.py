"""Sizes and counts for people."""

from __future__ import annotations

UNITS = ("B", "kB", "MB", "GB", "TB")


def human(size: int) -> str:
    """A size in bytes with three digits and its decimal unit: ``9.94 MB``, ``192 B``."""
    if size < 1000:  # noqa: PLR2004
        return f"{size} B"
    value, unit = size / 1000, 1
    # What would be rounded to four digits takes the next unit.
    while value >= 999.5 and unit < len(UNITS) - 1:  # noqa: PLR2004
        value, unit = value / 1000, unit + 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0  # noqa: PLR2004
    return f"{value:.{digits}f} {UNITS[unit]}"


def growth(before: int, after: int) -> str:
    """By how much it is more or less: ``+1.20 kB``, ``-3 B``; ``0 B`` for nothing."""
    sign = "+" if after > before else "-" if after < before else ""
    return f"{sign}{human(abs(after - before))}"


def version_text(version: tuple[int, ...]) -> str:
    """As ``3.2.0``."""
    return ".".join(str(part) for part in version)


def counted(count: int, noun: str) -> str:
    """So many of something: ``1 file``, ``5,009 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
