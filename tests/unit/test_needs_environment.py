"""What variables of the image's environment ask for."""

from __future__ import annotations

import pytest

from minpack.needs.environment import locale_of, zone_of


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("CET", "CET"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("", None),
        ("UTC", None),
        ("UTC0", None),
        ("CET-1CEST,M3.5.0,M10.5.0/3", None),
        ("<+03>-3", None),
        ("/etc/localtime", None),
    ],
)
def test_tz_names_a_file_or_a_rule(value: str, zone: str | None) -> None:
    """As tzset(3) reads it."""
    assert zone_of({"TZ": value}) == zone
    assert zone_of({}) is None


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"LANG": "C.UTF-8"}, ("LANG", "C.UTF-8")),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, ("LC_ALL", "C.UTF-8")),
        ({"LANG": "C", "LC_CTYPE": "POSIX"}, None),
        ({"LANG": "../../etc"}, None),
        ({}, None),
    ],
)
def test_the_variable_that_counts_most_names_the_locale(env: dict[str, str], named: tuple[str, str] | None) -> None:
    """As locale(7) has it; C and POSIX are built into every C library."""
    assert locale_of(env) == named
