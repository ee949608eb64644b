"""What users write about tools and containers is parsed once, and refused with what to write instead."""

from __future__ import annotations

import pytest

from minpack.errors import BadValueError
from minpack.spec.debug import AttachTarget, debug_tag, parse_attach, parse_tools


def test_tools_are_named_with_commas() -> None:
    """Each once, in their order."""
    assert parse_tools("strace, gdb,strace,libstdc++") == ("strace", "gdb", "libstdc++")


@pytest.mark.parametrize("text", ["", "a,,b", "so:libz.so.1", "../x", "a=1", "-x", "ä", ",".join(map(str, range(101)))])
def test_what_names_no_package_is_refused(text: str) -> None:
    """Names of libraries, versions and paths among them."""
    with pytest.raises(BadValueError):
        parse_tools(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web", AttachTarget("web")),
        ("my_app.1", AttachTarget("my_app.1")),
        ("0123456789ab", AttachTarget("0123456789ab")),
        ("pod/web/app", AttachTarget("app", "web")),
        ("prod/pod/web-7f.x/app", AttachTarget("app", "web-7f.x", "prod")),
    ],
)
def test_containers_are_of_an_engine_or_a_pod(text: str, target: AttachTarget) -> None:
    """By name or ID, and with a namespace."""
    assert parse_attach(text) == target


@pytest.mark.parametrize(
    "text",
    ["", "-x", "a b", "pod/web", "web/app", "pod/web/app/x/y", "pod//app", "pod/Web/app", "a/b/c", "ns;/pod/a/b"],
)
def test_what_names_no_container_is_refused(text: str) -> None:
    """An option of the engine's command among them."""
    with pytest.raises(BadValueError):
        parse_attach(text)


def test_tags_end_alike() -> None:
    """However long they are."""
    assert debug_tag("1.0") == "1.0-debug"
    assert len(debug_tag("x" * 128)) == 128
