"""Challenges of servers, as RFC 9110 allows them to be written and as nobody should."""

from __future__ import annotations

import time

import pytest

from minpack.registry.challenge import parse_challenges


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push repository:c:pull"',
            [
                (
                    "bearer",
                    {"realm": "https://a/t", "service": "s", "scope": "repository:a/b:pull,push repository:c:pull"},
                )
            ],
        ),
        ("bearer REALM = x ,  Service=y", [("bearer", {"realm": "x", "service": "y"})]),
        ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Negotiate YIIabc==, Basic realm="a \\"q\\", b"', [("negotiate", {}), ("basic", {"realm": 'a "q", b'})]),
        (
            'Basic realm="x", Bearer realm="y", error="e"',
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "error": "e"})],
        ),
        ('Basic realm="first", realm="second"', [("basic", {"realm": "first"})]),
        ("Basic", [("basic", {})]),
        ("", []),
        ('"""', []),
        (", ,", []),
    ],
)
def test_challenges_are_told_apart(header: str, wanted: list[tuple[str, dict[str, str]]]) -> None:
    """Several in one header, each with its parameters."""
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(header)] == wanted


def test_scopes_are_a_list() -> None:
    """A blank is between them (RFC 6749, 3.3)."""
    (one,) = parse_challenges('Bearer scope="a:b:pull  c:d:push"')
    assert one.scopes == ("a:b:pull", "c:d:push")
    assert parse_challenges("Basic")[0].scopes == ()


@pytest.mark.parametrize(
    "header", ['a="' * 100_000, '"\\' * 100_000, "a " * 100_000, "=" * 100_000, 'Bearer x="' + "\\" * 99_999]
)
def test_nonsense_takes_no_time(header: str) -> None:
    """Whatever a server sends is read within a bound."""
    began = time.process_time()
    assert len(parse_challenges(header)) <= 20
    assert time.process_time() - began < 1
