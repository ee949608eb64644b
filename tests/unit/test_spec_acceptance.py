"""What an image must pass is said in a shell's words, exit codes, regular expressions and times."""

from __future__ import annotations

import subprocess

import pytest

from minpack.errors import BadValueError
from minpack.spec.acceptance import parse_arguments, parse_exit_code, parse_pattern, parse_seconds

LINES = (
    "",
    "--version",
    "a 'b c' d",
    'say "it\'s" \\"x\\"',
    "a\\ b ''",
    "  tab\tand\nline  ",
    "é '#' x#y",
    "'$HOME'",
)


@pytest.mark.parametrize("text", LINES)
def test_words_are_those_of_a_shell(text: str) -> None:
    """The same words as sh makes of a line that has nothing to expand."""
    script = f"for word in {' '.join(text.splitlines())}; do printf '%s\\0' \"$word\"; done"
    expected = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert parse_arguments(text) == tuple(expected.split("\0")[:-1])


@pytest.mark.parametrize(
    ("text", "reason"), [("it's", "quotation mark"), ('a "b', "quotation mark"), ("a\\", "backslash"), ("a\0b", "NUL")]
)
def test_what_no_shell_would_split(text: str, reason: str) -> None:
    """Is refused with what is wrong."""
    with pytest.raises(BadValueError, match=reason):
        parse_arguments(text)


@pytest.mark.parametrize(("text", "code"), [("0", 0), ("3", 3), ("255", 255), ("007", 7)])
def test_exit_codes(text: str, code: int) -> None:
    """Of a process, or a shell for a signal."""
    assert parse_exit_code(text) == code


@pytest.mark.parametrize("text", ["256", "-1", "x", "1.0", "\u0663", "0000"])
def test_what_is_no_exit_code(text: str) -> None:
    """Is refused."""
    with pytest.raises(BadValueError, match="exit code"):
        parse_exit_code(text)


@pytest.mark.parametrize("text", ["(", "*a", "[z-a]", "a{99999999999}", "x" * 1001, "(?P<1>a)"])
def test_what_is_no_regular_expression(text: str) -> None:
    """Is refused, and so is one that nobody would write."""
    with pytest.raises(BadValueError):
        parse_pattern(text)


def test_a_regular_expression_is_kept_as_it_is() -> None:
    """As values are text."""
    assert parse_pattern(r"^v\d+") == r"^v\d+"


@pytest.mark.parametrize(
    ("text", "seconds"), [("1", 1), ("0.5", 0.5), ("2s", 2), ("1.5s", 1.5), ("3m", 180), ("1h", 3600)]
)
def test_times(text: str, seconds: float) -> None:
    """In seconds, or with a unit."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["0", "-1", "1d", "", "m", "1.s", "1e9", "x"])
def test_what_is_no_time(text: str) -> None:
    """Is refused."""
    with pytest.raises(BadValueError, match="not a time"):
        parse_seconds(text)
