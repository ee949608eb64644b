"""Tokens in rpaths and needed names, replaced as each loader does."""

from __future__ import annotations

import pytest

from minpack.ld.tokens import expand_glibc, expand_musl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/lib", "/opt/lib"),
        ("$ORIGIN", "/app"),
        ("${ORIGIN}/lib", "/app/lib"),
        ("$ORIGIN/$LIB:$ORIGIN", "/app/lib64:/app"),
        ("$ORIGIN.d", "/app.d"),
        ("$ORIGIN-d", "/app-d"),
        ("$ORIGINd", "$ORIGINd"),
        ("$ORIGIN_", "$ORIGIN_"),
        ("$LIB64", "$LIB64"),
        ("${ORIGIN", "${ORIGIN"),
        ("${ORIGIN}d", "/appd"),
        ("$$ORIGIN", "$/app"),
        ("$", "$"),
        ("$HOME/$ORIGIN", "$HOME//app"),
        ("x/$PLATFORM", None),
        ("x/${PLATFORM}/y", None),
        ("x/$PLATFORMS", "x/$PLATFORMS"),
    ],
)
def test_glibc(text: str, expected: str | None) -> None:
    """Known names end where a word does, unknown ones stay, and the platform has no value."""
    assert expand_glibc(text, "/app", "lib64") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x/$PLATFORM", "x/aarch64"), ("${PLATFORM}/$LIB", "aarch64/lib64"), ("$PLATFORMS", "$PLATFORMS")],
)
def test_a_platform_of_all_machines(text: str, expected: str) -> None:
    """Where all CPUs have one name for it, it has a value."""
    assert expand_glibc(text, "/app", "lib64", "aarch64") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/lib", "/opt/lib"),
        ("$ORIGIN", "/app"),
        ("${ORIGIN}/lib:$ORIGIN/../x", "/app/lib:/app/../x"),
        ("$ORIGINd", "/appd"),
        ("${ORIGIN", None),
        ("$LIB", None),
        ("/opt:$ORIGIN:$LIB", None),
        ("$$ORIGIN", None),
        ("$", None),
    ],
)
def test_musl(text: str, expected: str | None) -> None:
    """Only the origin is known, whatever follows it; anything else in it undoes the whole text."""
    assert expand_musl(text, "/app") == expected


def test_musl_without_origin() -> None:
    """Where the origin is not known, a text with a token counts for nothing, and another as it is."""
    assert expand_musl("$ORIGIN/lib", None) is None
    assert expand_musl("/lib", None) == "/lib"


def test_a_token_in_a_value_stays() -> None:
    """What a token is replaced by is not looked at again."""
    assert expand_glibc("$ORIGIN/x", "/odd/$LIB", "lib64") == "/odd/$LIB/x"
    assert expand_musl("$ORIGIN/x", "/odd/$ORIGIN") == "/odd/$ORIGIN/x"
