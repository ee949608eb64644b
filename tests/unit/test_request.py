"""Parsing option values: what each means, and that everything else is a usage error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.errors import UsageError
from minpack.paths import RootPath
from minpack.request import (
    MAX_CREATED,
    PROGRAM_DIRECTORY,
    AddedDirectory,
    AddedLink,
    Addition,
    parse_addition,
    parse_destination,
    parse_directory,
    parse_link,
    parse_pair,
    parse_place,
    parse_port,
    parse_sha512,
    parse_signal,
    parse_zone,
)
from minpack.rootfs.etcfiles import User

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS: dict[str, Callable[[str], object]] = {
    "--add": parse_addition,
    "--base-sha512": parse_sha512,
    "--dest": lambda text: parse_destination(text, ("app",)),
    "--dir": parse_directory,
    "--env": lambda text: parse_pair(text, "--env"),
    "--expose": parse_port,
    "--stop-signal": parse_signal,
    "--symlink": parse_link,
    "--tz": parse_zone,
    "--volume": lambda text: parse_place(text, "--volume"),
}


@pytest.mark.parametrize("option", PARSERS)
@given(text=st.text(max_size=30) | st.text("/:.=-+0123456789aA\0\udc80", max_size=12))
def test_any_text_is_parsed_or_a_usage_error(option: str, text: str) -> None:
    """No value makes a parser fail in any other way, and its error names the option."""
    said = ""
    try:
        PARSERS[option](text)
    except UsageError as error:
        said = error.message
    assert not said or said.startswith(f"cannot use {option}")


@pytest.mark.parametrize("option", ["--dir", "--expose", "--stop-signal"])
def test_endless_numbers_are_refused(option: str) -> None:
    """Numbers of more digits than the interpreter converts are out of range as any other."""
    digits = "9" * 5000
    for text in (digits, f"/data:{digits}", f"/data:0755:{digits}:1"):
        with pytest.raises(UsageError):
            PARSERS[option](text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:/b", Addition("a", RootPath("/b"))),
        ("dir/a.txt:/etc/", Addition("dir/a.txt", RootPath("/etc/a.txt"))),
        ("dir/:/srv/", Addition("dir/", RootPath("/srv/dir"))),
        ("a:/", Addition("a", RootPath("/a"))),
        (".:/srv/", Addition(".", RootPath("/srv"))),
        ("..:/srv/", Addition("..", RootPath("/srv"))),
        ("a:b:/c", Addition("a:b", RootPath("/c"))),
    ],
)
def test_additions(text: str, expected: Addition) -> None:
    """The last colon divides, and a slash at the end means into that directory."""
    assert parse_addition(text) == expected


@pytest.mark.parametrize("text", ["", "a", "a:", ":/b", "a:b", "a:/../b"])
def test_what_is_no_addition(text: str) -> None:
    """A source and an absolute destination are needed."""
    with pytest.raises(UsageError):
        parse_addition(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/app", (RootPath("/app"), PROGRAM_DIRECTORY)),
        ("/opt/bin/", (None, RootPath("/opt/bin"))),
        ("/", (None, RootPath("/"))),
    ],
)
def test_destinations(text: str, expected: tuple[RootPath | None, RootPath]) -> None:
    """A path is one program's, one that ends with a slash the directory of all."""
    assert parse_destination(text, ("app",)) == expected


def test_a_destination_of_several_programs_is_a_directory() -> None:
    """Two programs cannot have one place."""
    assert parse_destination("/bin/", ("a", "b")) == (None, RootPath("/bin"))
    with pytest.raises(UsageError, match="there are 2 programs"):
        parse_destination("/bin/a", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", AddedDirectory(RootPath("/data"))),
        ("/data:0750", AddedDirectory(RootPath("/data"), 0o750)),
        ("/data:1777:0:0", AddedDirectory(RootPath("/data"), 0o1777, User(0, 0))),
    ],
)
def test_directories(text: str, expected: AddedDirectory) -> None:
    """The mode is octal, the owner two numbers."""
    assert parse_directory(text) == expected


@pytest.mark.parametrize("text", ["/", "data", "/data:", "/data:8", "/data:17777", "/data:755:1", "/data:755:-1:1"])
def test_what_is_no_directory(text: str) -> None:
    """The root is there anyway; modes and owners have their ranges."""
    with pytest.raises(UsageError):
        parse_directory(text)


def test_links() -> None:
    """As for ln(1), the target comes first, and is as written."""
    assert parse_link("busybox:/bin/sh") == AddedLink(RootPath("/bin/sh"), "busybox")
    assert parse_link("../lib/a.so:/usr/lib/") == AddedLink(RootPath("/usr/lib/a.so"), "../lib/a.so")
    for text in ("a:/", ":/a", "a", "a:"):
        if text != "a:/":
            with pytest.raises(UsageError):
                parse_link(text)
    assert parse_link("a:/") == AddedLink(RootPath("/a"), "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8080", "8080/tcp"), ("53/udp", "53/udp"), ("0080", "80/tcp"), ("65535/sctp", "65535/sctp")],
)
def test_ports(text: str, expected: str) -> None:
    """A port has a protocol, tcp if none is given."""
    assert parse_port(text) == expected


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "http", "80/", "80/icmp", "80/tcp/udp", "٨٠"])
def test_what_is_no_port(text: str) -> None:
    """Ports are 1 to 65535 in ASCII digits."""
    with pytest.raises(UsageError):
        parse_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SIGTERM", "SIGTERM"), ("int", "SIGINT"), ("15", "15"), ("SIGRTMIN+3", "SIGRTMIN+3"), ("rtmax-1", "SIGRTMAX-1")],
)
def test_signals(text: str, expected: str) -> None:
    """Names get their SIG, numbers stay."""
    assert parse_signal(text) == expected


@pytest.mark.parametrize("text", ["", "SIG", "SIGNAL", "0", "65", "TERM2", "RTMIN+100", "-9", "15 "])
def test_what_is_no_signal(text: str) -> None:
    """Only signals that Linux has."""
    with pytest.raises(UsageError):
        parse_signal(text)


@pytest.mark.parametrize("text", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1", "GMT0"])
def test_zones(text: str) -> None:
    """Names as the time zone database has them."""
    assert parse_zone(text) == text


@pytest.mark.parametrize("text", ["", "/etc/localtime", "../x", "Europe/../x", "Europe//Berlin", "a\n", ".", "Europe/"])
def test_what_is_no_zone(text: str) -> None:
    """No path leads out of the database."""
    with pytest.raises(UsageError):
        parse_zone(text)


def test_pairs() -> None:
    """The first equals sign divides, and a value may be empty."""
    assert parse_pair("A=b=c", "--env") == ("A", "b=c")
    assert parse_pair("A=", "--env") == ("A", "")
    for text in ("A", "=b", "", "A\0=b"):
        with pytest.raises(UsageError):
            parse_pair(text, "--env")


def test_sums() -> None:
    """A SHA-512 is 128 hexadecimal digits of either case."""
    assert parse_sha512("AB" * 64) == "ab" * 64
    for text in ("", "ab", "g" * 128, "a" * 127, "a" * 129):
        with pytest.raises(UsageError):
            parse_sha512(text)


def test_the_last_moment_that_documents_can_name() -> None:
    """RFC 3339 has four digits for the year."""
    from minpack.oci.documents import timestamp

    assert timestamp(MAX_CREATED) == "9999-12-31T23:59:59Z"
