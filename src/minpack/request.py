"""`Request`: what the user meant, with every default filled in."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.paths import ROOT, RootPath, normal, parse_root_path
from minpack.rootfs.etcfiles import DEFAULT_USER, User

if TYPE_CHECKING:
    from minpack.needs.need import Need
    from minpack.target import Platform

#: Where a program lies in its image unless --dest says otherwise.
PROGRAM_DIRECTORY = RootPath("/usr/local/bin")
#: What Docker sets where an image does not (oci defaults), set explicitly for every engine.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What system(3) and popen(3) start.
SHELL = "/bin/sh"
#: The last second of 9999: RFC 3339 has four digits for the year.
MAX_CREATED = 253402300799
MAX_MODE = 0o7777
MAX_PORT = 65535
#: The signals of Linux without ``SIG`` (signal(7), "Standard signals"; RTMIN and RTMAX may have a distance).
# Compiled when it is first used, as most runs do not.
_SIGNAL = (
    r"ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    r"|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(\+\d{1,2})?|RTMAX(-\d{1,2})?"
)
MAX_SIGNAL = 64


class Addition(NamedTuple):
    """A file or directory of the host and where it goes."""

    source: str
    destination: RootPath


class AddedDirectory(NamedTuple):
    """An empty directory; its owner is the image's user unless given."""

    path: RootPath
    mode: int = 0o755
    owner: User | None = None


class AddedLink(NamedTuple):
    """A symbolic link to `target`, as written."""

    path: RootPath
    target: str


class RunConfig(NamedTuple):
    """How the image says it is run; None and empty mean the default."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: User = DEFAULT_USER
    workdir: RootPath = RootPath("/")
    exposed: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    stop_signal: str = ""


class Check(StrEnum):
    """How much is proved of a program before it is packed."""

    NONE = "none"
    #: Every symbol the loader would look up at the start is found.
    LOAD = "load"


class Request(NamedTuple):
    """One image to make: of `programs`, host paths, the first being the entrypoint.

    A single program goes to `destination`, if there is one, others into `directory` under their own names.
    """

    programs: tuple[str, ...]
    platform: Platform | None = None
    destination: RootPath | None = None
    directory: RootPath = PROGRAM_DIRECTORY
    additions: tuple[Addition, ...] = ()
    directories: tuple[AddedDirectory, ...] = ()
    links: tuple[AddedLink, ...] = ()
    libraries: tuple[str, ...] = ()
    wanted: frozenset[Need] = frozenset()
    unwanted: frozenset[Need] = frozenset()
    zone: str | None = None
    ca_file: str | None = None
    locale: str | None = None
    run: RunConfig = RunConfig()
    created: int = 0
    compression: Compression = Compression.BALANCED
    single_layer: bool = False
    threads: int = 1
    check: Check = Check.LOAD
    #: Look for the callers of what speaks for a need.
    why: bool = False
    #: Leave symbol tables and debug sections out of the programs.
    strip: bool = False
    #: Packages of the base's distribution that go in whole.
    packages: tuple[str, ...] = ()


def parse_destination(text: str, programs: tuple[str, ...]) -> tuple[RootPath | None, RootPath]:
    """Where programs go, as `Request` has it: a path that ends with a slash is the directory they all go into.

    :raises UsageError: it is one file's place and there are several programs, or it is not absolute.
    """
    path = parse_root_path(text, "--dest")
    if text.endswith("/"):
        return None, path
    if len(programs) > 1:
        hint = f"end it with a slash to put all into one directory: --dest {text}/"
        raise UsageError("--dest", text, f"it is the place of one file, and there are {len(programs)} programs", hint)
    return path, PROGRAM_DIRECTORY


def parse_place(text: str, option: str) -> RootPath:
    """A path in the image other than the root.

    :raises UsageError: it is the root, or not absolute.
    """
    path = parse_root_path(text, option)
    if path == ROOT:
        raise UsageError(option, text, "the root of the image is always there")
    return path


def parse_addition(text: str) -> Addition:
    """``SRC:DST``; a DST that ends with a slash is the directory it goes into.

    :raises UsageError: there is no DST, or it is not absolute.
    """
    source, colon, destination = text.rpartition(":")
    if not colon or not source or not destination:
        raise UsageError("--add", text, "it is not SRC:DST", "as --add config.toml:/etc/myapp/")
    return Addition(source, _below(destination, source, "--add"))


def _below(destination: str, source: str, option: str) -> RootPath:
    """The path that `destination` is, or that `source` has in it if it ends with a slash."""
    path = parse_root_path(destination, option)
    name = source.rstrip("/").rpartition("/")[2]
    return normal(f"{path}/{name}") if destination.endswith("/") and name != ".." else path


def parse_directory(text: str) -> AddedDirectory:
    """``PATH[:MODE[:UID:GID]]``, MODE octal.

    :raises UsageError: it is not so.
    """
    path, *rest = text.split(":")
    if len(rest) not in (0, 1, 3):
        raise UsageError("--dir", text, "it is not PATH[:MODE[:UID:GID]]", "as --dir /data:0750:1000:1000")
    try:
        mode = int(rest[0], 8) if rest else 0o755
        owner = User(int(rest[1]), int(rest[2])) if len(rest) > 1 else None
    except ValueError as error:
        raise UsageError("--dir", text, "mode or owner is no number", "as --dir /data:0750:1000:1000") from error
    if not 0 <= mode <= MAX_MODE or (owner is not None and min(owner) < 0):
        raise UsageError("--dir", text, "mode or owner is out of range")
    return AddedDirectory(parse_place(path, "--dir"), mode, owner)


def parse_link(text: str) -> AddedLink:
    """``TARGET:PATH``, as `ln -s TARGET PATH`; a PATH that ends with a slash is the directory it goes into.

    :raises UsageError: a part is empty, or PATH is not absolute.
    """
    target, colon, path = text.rpartition(":")
    if not colon or not target or not path or "\0" in target:
        raise UsageError("--symlink", text, "it is not TARGET:PATH", "as --symlink busybox:/bin/sh")
    return AddedLink(parse_place(_below(path, target, "--symlink"), "--symlink"), target)


def parse_pair(text: str, option: str) -> tuple[str, str]:
    """``KEY=VALUE``.

    :raises UsageError: there is no key or no equals sign.
    """
    key, equals, value = text.partition("=")
    if not key or not equals or "\0" in text:
        raise UsageError(option, text, "it is not KEY=VALUE", f"as {option} name=value")
    return key, value


def parse_zone(text: str) -> str:
    """The name of a time zone, as ``Europe/Berlin``.

    :raises UsageError: it has a part that no zone's name has.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*", text):
        raise UsageError("--tz", text, "it is no time zone's name", "as Europe/Berlin")
    return text


def parse_locale(text: str) -> str:
    """The name of a locale, as ``de_DE.UTF-8`` or ``C.UTF-8`` (locale(7)).

    :raises UsageError: it has a part that no locale's name has.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9-]+)?(@[A-Za-z0-9]+)?", text):
        raise UsageError("--locale", text, "it is no locale's name", "as C.UTF-8 or de_DE.UTF-8")
    return text


def parse_port(text: str) -> str:
    """A port as images have it: ``8080`` means ``8080/tcp`` (image-spec, config.md, "ExposedPorts").

    :raises UsageError: it is no port.
    """
    number, slash, protocol = text.partition("/")
    if not (
        number.isascii() and number.isdigit() and len(number) <= len(str(MAX_PORT)) and 0 < int(number) <= MAX_PORT
    ):
        raise UsageError("--expose", text, "it is no port", "as 8080, or 53/udp")
    if slash and protocol not in ("tcp", "udp", "sctp"):
        raise UsageError("--expose", text, f"{protocol!r} is no protocol that images know", "as 8080, or 53/udp")
    return f"{int(number)}/{protocol or 'tcp'}"


def parse_signal(text: str) -> str:
    """A signal as images have it: ``TERM`` means ``SIGTERM``, numbers stay (image-spec, config.md, "StopSignal").

    :raises UsageError: Linux has no such signal.
    """
    name = text.upper().removeprefix("SIG")
    if re.fullmatch(_SIGNAL, name, re.ASCII):
        return f"SIG{name}"
    if text.isascii() and text.isdigit() and len(text) < len("100") and 0 < int(text) <= MAX_SIGNAL:
        return text
    raise UsageError("--stop-signal", text, "there is no such signal", "as SIGTERM, SIGINT or SIGRTMIN+3")


def parse_size(text: str) -> int:
    """A number of bytes; ``500MB`` has decimal units, ``500MiB`` binary ones.

    :raises UsageError: it is no size.
    """
    found = re.fullmatch(r"(\d{1,12}) ?(?:([kKMGT]?)(i?)B?)", text, re.ASCII)
    if found is None:
        raise UsageError("--max-size", text, "it is no size", "as 500MB, 2GB or 512MiB")
    number, unit, binary = found.groups()
    return int(number) * int((1024 if binary else 1000) ** " KMGT".index(unit.upper() or " "))


def parse_sha512(text: str) -> str:
    """A SHA-512 in lower-case hexadecimal digits.

    :raises UsageError: it is none.
    """
    if not re.fullmatch(r"[0-9a-f]{128}", text.lower(), re.ASCII):
        raise UsageError("--base-sha512", text, "a SHA-512 has 128 hexadecimal digits")
    return text.lower()
