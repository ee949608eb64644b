"""Parsing option values: what each means, and that everything else is a usage error."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.cli.options import value_of
from minpack.errors import BadValueError, UsageError
from minpack.oci.reference import parse_reference
from minpack.paths import RootPath, parse_root_path
from minpack.rootfs.etc_files import User, parse_user
from minpack.spec.image import DEFAULT_PATH, RunConfig, unexpanded
from minpack.spec.owners import OwnerName, parse_owner
from minpack.spec.patterns import parse_pattern
from minpack.spec.values import (
    MAX_CREATED,
    PROGRAM_DIRECTORY,
    AddedDirectory,
    AddedLink,
    Addition,
    parse_addition,
    parse_days,
    parse_destination,
    parse_directory,
    parse_label,
    parse_link,
    parse_locale,
    parse_ports,
    parse_sha512,
    parse_signal,
    parse_size,
    parse_variable,
    parse_volume,
    parse_zone,
)
from minpack.target import parse_platform

if TYPE_CHECKING:
    from collections.abc import Callable

_PARSERS: dict[str, Callable[[str], object]] = {
    "--add": parse_addition,
    "--chown": parse_owner,
    "--exclude": parse_pattern,
    "--base-sha512": parse_sha512,
    "--dest": lambda text: parse_destination(text, ("app",)),
    "--dir": parse_directory,
    "--env": parse_variable,
    "--expose": parse_ports,
    "--label": parse_label,
    "--locale": parse_locale,
    "--max-size": parse_size,
    "--older-than": parse_days,
    "--tag": parse_reference,
    "--platform": parse_platform,
    "--user": parse_user,
    "--stop-signal": parse_signal,
    "--symlink": parse_link,
    "--tz": parse_zone,
    "--volume": parse_volume,
    "--workdir": parse_root_path,
}
#: As the command line asks them: their errors name the option.
PARSERS = {option: value_of(option, parse) for option, parse in _PARSERS.items()}


def test_a_value_does_not_know_its_option() -> None:
    """What it is of is said by whoever read it: the error alone shows the value, its hint without any option."""
    with pytest.raises(BadValueError) as caught:
        parse_addition("a.txt")
    alone, named = caught.value, caught.value.given_by("[image.web] add")
    assert str(alone) == "cannot use 'a.txt': it is not SRC:DST[:MODE[:USER[:GROUP]]]"
    assert alone.hint == "for example config.toml:/etc/myapp/"
    assert str(named) == "cannot use [image.web] add 'a.txt': it is not SRC:DST[:MODE[:USER[:GROUP]]]"
    assert named.hint == "for example [image.web] add config.toml:/etc/myapp/"


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
        ("/a:/b", Addition("/a", RootPath("/b"))),
        ("/a:/b:/c", Addition("/a:/b", RootPath("/c"))),
        ("a:0644:/c", Addition("a:0644", RootPath("/c"))),
        ("a:/b:0600", Addition("a", RootPath("/b"), 0o600)),
        ("a:/b/:4755", Addition("a", RootPath("/b/a"), 0o4755)),
        ("a:/b:01777", Addition("a", RootPath("/b"), 0o1777)),
        ("a:/b:0", Addition("a", RootPath("/b"), 0)),
        ("a:b:/c:600:1:2", Addition("a:b", RootPath("/c"), 0o600, User(1, 2))),
        ("/a:/b:600:0:0:/c:644:3:4", Addition("/a:/b:600:0:0", RootPath("/c"), 0o644, User(3, 4))),
        ("a:/b:0600:2147483647:0", Addition("a", RootPath("/b"), 0o600, User(2147483647, 0))),
        ("a:/b::1", Addition("a", RootPath("/b"), None, User(1, 1))),
        ("a:/b::1:2", Addition("a", RootPath("/b"), None, User(1, 2))),
        ("a:/b::nonroot", Addition("a", RootPath("/b"), None, OwnerName("nonroot"))),
        ("a:/b:0640:root:www-data", Addition("a", RootPath("/b"), 0o640, OwnerName("root", "www-data"))),
        ("a:/b:0640:7:www", Addition("a", RootPath("/b"), 0o640, OwnerName("7", "www"))),
    ],
)
def test_additions(text: str, expected: Addition) -> None:
    """The destination is the last part that is absolute; a slash at its end means into that directory."""
    assert parse_addition(text) == expected
    assert parse_addition(str(expected)) == expected
    assert parse_addition(str(expected).removeprefix("--add ")) == expected


@pytest.mark.parametrize(
    "text", ["", "a", "a:", ":/b", "a:b", "a:/../b", "a:/b:0644:1", "a:/b:0644:1:2:3", "a:/b::", "a:b:0644"]
)
def test_what_is_no_addition(text: str) -> None:
    """A source and an absolute destination are needed, and an owner is a user and a group."""
    with pytest.raises(UsageError):
        parse_addition(text)


@pytest.mark.parametrize("option", ["--add", "--dir"])
@pytest.mark.parametrize(
    ("rights", "named"),
    [
        ("", "''"),
        ("rwx", "'rwx'"),
        ("0o755", "'0o755'"),
        ("8", "'8'"),
        ("-1", "'-1'"),
        ("7_5_5", "'7_5_5'"),
        ("\u0667\u0665", "'\u0667\u0665'"),
        ("10000", "'10000'"),
        ("0000755", "'0000755'"),
        ("0644:m e:me", "'m e'"),
        ("0644::", "''"),
        ("0644:1:-1", "'-1'"),
        ("0644:1:2147483648", "'2147483648'"),
        ("0644: 1:1", "' 1'"),
    ],
)
def test_what_is_no_mode_or_owner(option: str, rights: str, named: str) -> None:
    """Digits alone are one, in their range; the error names the part that is none."""
    parse = PARSERS[option]
    with pytest.raises(UsageError, match=re.escape(f"{named} is not ")):
        parse(f"{'a:' if option == '--add' else ''}/b:{rights}")


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
        ("/data:0750:postgres", AddedDirectory(RootPath("/data"), 0o750, OwnerName("postgres"))),
        ("/data::5", AddedDirectory(RootPath("/data"), None, User(5, 5))),
    ],
)
def test_directories(text: str, expected: AddedDirectory) -> None:
    """The mode is octal, the owner a user and a group, by number or name."""
    assert parse_directory(text) == expected
    assert parse_directory(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "data",
        "/data:",
        "/data:8",
        "/data:0o755",
        "/data:7_5",
        "/data:+755",
        "/data:755:1:2147483648",
        "/data:17777",
        "/data:755:1",
        "/data:755:-1:1",
    ],
)
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
    assert parse_link(str(AddedLink(RootPath("/a"), "b:c"))) == AddedLink(RootPath("/a"), "b:c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080", ["8080/tcp"]),
        ("53/udp", ["53/udp"]),
        ("53/UDP", ["53/udp"]),
        ("0080", ["80/tcp"]),
        ("65535/sctp", ["65535/sctp"]),
        ("8000-8002/udp", ["8000/udp", "8001/udp", "8002/udp"]),
        ("8000-8000", ["8000/tcp"]),
        ("1-1000", [f"{port}/tcp" for port in range(1, 1001)]),
    ],
)
def test_ports(text: str, expected: list[str]) -> None:
    """A port has a protocol, tcp if none is given; a range means each port of it."""
    assert list(parse_ports(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "-1", "http", "80/", "80/icmp", "80/tcp/udp", "٨٠", "80-", "-", "1-2-3", "80-65536", "1-1001"],
)
def test_what_is_no_port(text: str) -> None:
    """Ports are 1 to 65535 in ASCII digits."""
    with pytest.raises(UsageError):
        parse_ports(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SIGTERM", "SIGTERM"), ("int", "SIGINT"), ("15", "15"), ("SIGRTMIN+3", "SIGRTMIN+3"), ("rtmax-1", "SIGRTMAX-1")],
)
def test_signals(text: str, expected: str) -> None:
    """Names get their SIG, numbers stay."""
    assert parse_signal(text) == expected


@pytest.mark.parametrize(
    "text", ["", "SIG", "SIGNAL", "0", "65", "TERM2", "RTMIN+16", "RTMAX-15", "RTMIN+0", "RTMIN+03", "-9", "15 "]
)
def test_what_is_no_signal(text: str) -> None:
    """Only signals that Linux has, by the names that Docker knows."""
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


@pytest.mark.parametrize("parse", [parse_variable, parse_label])
def test_pairs(parse: Callable[[str], tuple[str, str]]) -> None:
    """The first equals sign divides, and a value may be empty."""
    assert parse("A=b=c") == ("A", "b=c")
    assert parse("A=") == ("A", "")
    for text in ("A", "=b", "", "A\0=b"):
        with pytest.raises(UsageError):
            parse(text)


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


class Wrong(NamedTuple):
    """A value that is likely meant otherwise: the option, what is wrong with it, and the value that the hint has."""

    option: str
    text: str
    reason: str
    hint: str
    instead: str


#: The hint has `instead` behind the option, as it would be typed.
WRONG = [
    Wrong(
        "--env", "DEBUG", "it is not KEY=VALUE", "minpack takes no variable from this shell: write {}", "DEBUG=$DEBUG"
    ),
    Wrong("--env", "=x", "it is not KEY=VALUE", "for example {}", "name=value"),
    Wrong("--env", "KEY = x y", "'KEY ' has a space", "write {}", "KEY=x y"),
    Wrong("--env", "export KEY=x", "'export KEY' has a space", "write {}", "KEY=x"),
    Wrong("--label", "stable", "it is not KEY=VALUE", "for an empty value: {}", "stable="),
    Wrong("--label", "a\nb=c", "'a\\nb' has a space", "write {}", "b=c"),
    Wrong(
        "--expose",
        "8080:80",
        "it is not a port",
        "an image names the port that the program listens on: {}; docker run -p 8080:80 publishes it",
        "80",
    ),
    Wrong(
        "--expose",
        "127.0.0.1:8080:80/tcp",
        "it is not a port",
        "an image names the port that the program listens on: {}; docker run -p 127.0.0.1:8080:80/tcp publishes it",
        "80/tcp",
    ),
    Wrong("--expose", ":8080", "it is not a port", "an image names the port that the program listens on: {}", "8080"),
    Wrong("--expose", "80,443", "it is not a port", "one at a time: {} --expose 443", "80"),
    Wrong("--expose", "udp/53", "it is not a port", "write {}", "53/udp"),
    Wrong("--expose", "8010-8000", "the range ends before it begins", "write {}", "8000-8010"),
    Wrong(
        "--volume",
        "./data:/data",
        "a volume in an image has no path on the host",
        "an image names the path in it: {}; docker run -v ./data:/data mounts it",
        "/data",
    ),
    Wrong(
        "--volume",
        "/srv:/data:ro",
        "a volume in an image has no path on the host",
        "an image names the path in it: {}; docker run -v /srv:/data:ro mounts it",
        "/data",
    ),
    Wrong(
        "--symlink",
        "/bin/sh:busybox",
        "a path in the image must be absolute",
        "the target comes first, as in ln -s: {}",
        "busybox:/bin/sh",
    ),
    Wrong("--locale", "de-DE", "it is not a locale's name", "write {}", "de_DE.UTF-8"),
    Wrong("--base-sha512", f"sha512:{'AB' * 64}", "a SHA-512 has 128 hexadecimal digits", "write {}", "ab" * 64),
    Wrong("--older-than", "7d", "it is not a number of days", "write {}", "7"),
    Wrong(
        "--tag",
        "app:1.0+b5",
        "'1.0+b5' is not a tag",
        "a tag is made of letters, digits, '.', '_' and '-', up to 128 of them: write {}",
        "app:1.0-b5",
    ),
    Wrong(
        "--platform",
        "windows/amd64",
        "minpack makes images for Linux",
        "build the program for Linux, and give {}",
        "linux/amd64",
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.option} {wrong.text}")
def test_a_hint_works_when_it_is_followed(wrong: Wrong) -> None:
    """What looks right and is not is refused with what to type instead, which is taken."""
    with pytest.raises(UsageError) as caught:
        PARSERS[wrong.option](wrong.text)
    assert caught.value.reason == wrong.reason
    before, after = wrong.hint.split("{}")
    hint = caught.value.hint or ""
    assert hint.startswith(f"{before}{wrong.option} ")
    assert hint.endswith(after)
    typed = hint[len(before) : len(hint) - len(after)]
    assert shlex.split(typed) == [wrong.option, wrong.instead]
    PARSERS[wrong.option](wrong.instead)


@pytest.mark.parametrize(
    ("option", "text", "reason", "hint"),
    [
        (
            "--user",
            "1000:",
            "a part of it is empty",
            "is a shell variable unset? give numbers, for example 1000:1000",
        ),
        (
            "--user",
            "www-data",
            "'www-data' is not a number",
            "give numbers, for example 1000:1000 (id -u NAME prints yours)",
        ),
        ("--user", "1000.1000", "'1000.1000' is not a number", "give numbers, for example 1000:1000"),
        ("--workdir", "app/data", "a path in the image must be absolute", "begin it with a slash: /app/data"),
        ("--workdir", "./app", "a path in the image must be absolute", "begin it with a slash: /app"),
        ("--workdir", "~/app", "a path in the image must be absolute", "begin it with a slash: /data"),
        ("--workdir", "/app/../data", "a path in the image must not have '..' parts", "write /data"),
        ("--stop-signal", "0", "no such signal", "for example SIGTERM or SIGINT"),
        ("--stop-signal", "SIGRTMIN+20", "no such signal", "RTMIN+1 to RTMIN+15 and RTMAX-14 to RTMAX-1"),
        (
            "--base-sha512",
            "ab" * 32,
            "a SHA-512 has 128 hexadecimal digits",
            "this is a SHA-256: sha512sum FILE prints it",
        ),
        ("--expose", "http", "it is not a port", "for example 8080, 53/udp or 8000-8010"),
        ("--expose", "1-65535", "a range has at most 1000 ports", "name those it listens on"),
        ("--dir", "/data:1000:1000", "it is not PATH[:MODE[:USER[:GROUP]]]", "for example --dir /data:0750:1000:1000"),
    ],
)
def test_other_hints(option: str, text: str, reason: str, hint: str) -> None:
    """Where what was meant cannot be told, the hint says how it is written."""
    with pytest.raises(UsageError) as caught:
        PARSERS[option](text)
    assert caught.value.reason == reason
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("pair", "note"),
    [
        (
            ("PATH", "/opt/bin:$PATH"),
            "--env PATH has $PATH in it, which neither images nor engines expand: write --env PATH=/opt/bin:{}",
        ),
        (
            ("DATA", "${HOME}/x"),
            "--env DATA has ${HOME} in it, which neither images nor engines expand: write the value itself",
        ),
        (("PASSWORD", "pa$word"), ""),
        (("PRICE", "5$"), ""),
        (("PASSWORD", "a$$b"), ""),
        (("LD_LIBRARY_PATH", "$ORIGIN/../lib:${LIB}"), ""),
    ],
)
def test_variables_that_nobody_expands(pair: tuple[str, str], note: str) -> None:
    """A value that names another variable stays as it is written, and a note says what to write."""
    assert unexpanded(RunConfig(env=(pair,))) == ((note.replace("{}", DEFAULT_PATH),) if note else ())
