"""Arguments, strings and descriptors of calls, as strace writes them."""

from __future__ import annotations

import time

import pytest

from minpack.strace.text import parse_descriptor, parse_pid, parse_string, split_call


@pytest.mark.parametrize(
    ("text", "arguments", "rest"),
    [
        ('AT_FDCWD, "a", O_RDONLY) = 3', ["AT_FDCWD", '"a"', "O_RDONLY"], " = 3"),
        (") = 0", [], " = 0"),
        ('"a, b) \\" c", 1) = 0', ['"a, b) \\" c"', "1"], " = 0"),
        ('"x", ["a", "b)"], 0x7f /* 3 vars, or ) */) = 0', ['"x"', '["a", "b)"]', "0x7f /* 3 vars, or ) */"], " = 0"),
        ('3</a, b) (c>, "", {st_mode=1, ...}, 0) = 0', ["3</a, b) (c>", '""', "{st_mode=1, ...}", "0"], " = 0"),
        ('3<TCP:[127.0.0.1:1->127.0.0.1:2]>, {a=f("x,y")}, 16) = 0', [
            "3<TCP:[127.0.0.1:1->127.0.0.1:2]>", '{a=f("x,y")}', "16",
        ], " = 0"),
        ("1</dev/null<char 1:3>>, 2) = 1", ["1</dev/null<char 1:3>>", "2"], " = 1"),
        ('"cut off"..., 9) = 0', ['"cut off"...', "9"], " = 0"),
    ],
)  # fmt: skip
def test_arguments_are_taken_apart(text: str, arguments: list[str], rest: str) -> None:
    """Whatever is in strings, comments, brackets and what -y adds separates nothing."""
    assert split_call(text) == (arguments, rest)


def test_a_call_that_is_cut_off_is_none() -> None:
    """Nothing is made of what does not end."""
    assert split_call('"a", [1, 2') is None
    assert split_call('"a') is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('"/a b"', "/a b"),
        (r'"\x2f\x61"', "/a"),
        (r'"\n\t\\\"\101\0012\74"', '\n\t\\"A\x012<'),
        (r'"\303\244"', "ä"),
        (r'"\377"', "\udcff"),
        ('""', ""),
        ('"cut"...', None),
        ("0x7ffd", None),
        ('"', None),
    ],
)
def test_strings_are_unescaped(text: str, path: str | None) -> None:
    """As C has them, octal and hexadecimal, into bytes; what was cut off is none."""
    assert parse_string(text) == path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AT_FDCWD", (None, "")),
        ("-100", (None, "")),
        ("AT_FDCWD</home/me>", (None, "/home/me")),
        (r"3<\x2f\x61>", (3, "/a")),
        (r"3</a\74b\76>", (3, "/a<b>")),
        ("3</dev/null<char 1:3>>", (3, "/dev/null")),
        ("4</tmp/x (deleted)>", (4, "/tmp/x")),
        ("4</tmp/x>(deleted)", (4, "/tmp/x")),
        ("5<socket:[12]>", (5, "")),
        ("0x7f", (-1, "")),
    ],
)
def test_descriptors_have_their_paths(text: str, found: tuple[int | None, str]) -> None:
    """What is no path of a file is none."""
    assert parse_descriptor(text) == found


def test_the_process_that_a_call_made_is_the_one_that_lines_begin_with() -> None:
    """In a namespace the call returns another number than strace has."""
    assert [parse_pid(text) for text in ("12", "7 /* 1234 in strace's PID NS */", "-1", "?", "")] == [12, 1234, 0, 0, 0]


@pytest.mark.parametrize("text", ['"\\"' * 30_000, "3<" * 40_000, "/*" * 40_000, "3<a>" * 20_000, "(" * 80_000])
def test_no_text_takes_long(text: str) -> None:
    """What opens strings and brackets again and again takes as long as any text of its length."""
    start = time.process_time()
    split_call(text)
    assert time.process_time() - start < 1
