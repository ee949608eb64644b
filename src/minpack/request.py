"""`Request`: what the user meant, with every default filled in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from minpack.errors import UsageError
from minpack.oci.compress import Compression
from minpack.paths import RootPath, normal, parse_root_path
from minpack.rootfs.etcfiles import DEFAULT_USER, User

if TYPE_CHECKING:
    from minpack.needs.need import Need
    from minpack.target import Platform

#: Where a program lies in its image unless --dest says otherwise.
PROGRAM_DIRECTORY = RootPath("/usr/local/bin")
#: What Docker sets where an image does not (oci defaults), set explicitly for every engine.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: The last second of 9999: RFC 3339 has four digits for the year.
MAX_CREATED = 253402300799


MAX_MODE = 0o7777


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


class Request(NamedTuple):
    """One image to make: of `programs`, host paths, the first being the entrypoint."""

    programs: tuple[str, ...]
    platform: Platform | None = None
    destination: RootPath | None = None
    additions: tuple[Addition, ...] = ()
    directories: tuple[AddedDirectory, ...] = ()
    links: tuple[AddedLink, ...] = ()
    wanted: frozenset[Need] = frozenset()
    unwanted: frozenset[Need] = frozenset()
    zone: str | None = None
    ca_file: str | None = None
    run: RunConfig = RunConfig()
    created: int = 0
    compression: Compression = Compression.BALANCED
    single_layer: bool = False
    threads: int = 1


def parse_addition(text: str) -> Addition:
    """``SRC:DST``; a DST that ends with a slash is the directory it goes into.

    :raises UsageError: there is no DST, or it is not absolute.
    """
    source, colon, destination = text.rpartition(":")
    if not colon or not source:
        raise UsageError("--add", text, "it has no destination", "write SRC:DST, as --add config.toml:/etc/myapp/")
    path = parse_root_path(destination, "--add")
    if destination.endswith("/"):
        path = normal(f"{path}/{source.rstrip('/').rpartition('/')[2]}")
    return Addition(source, path)


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
    return AddedDirectory(parse_root_path(path, "--dir"), mode, owner)


def parse_link(text: str) -> AddedLink:
    """``TARGET:PATH``, as `ln -s TARGET PATH`.

    :raises UsageError: a part is empty, or PATH is not absolute.
    """
    target, colon, path = text.rpartition(":")
    if not colon or not target or "\0" in target:
        raise UsageError("--symlink", text, "it is not TARGET:PATH", "as --symlink busybox:/bin/sh")
    return AddedLink(parse_root_path(path, "--symlink"), target)


def parse_pair(text: str, option: str) -> tuple[str, str]:
    """``KEY=VALUE``.

    :raises UsageError: there is no key or no equals sign.
    """
    key, equals, value = text.partition("=")
    if not key or not equals or "\0" in text:
        raise UsageError(option, text, "it is not KEY=VALUE")
    return key, value


def parse_zone(text: str) -> str:
    """The name of a time zone, as ``Europe/Berlin``.

    :raises UsageError: it has a part that no zone's name has.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*", text):
        raise UsageError("--tz", text, "it is no time zone's name", "as Europe/Berlin")
    return text


def parse_port(text: str) -> str:
    """A port as images have it: ``8080`` means ``8080/tcp`` (image-spec, config.md, "ExposedPorts").

    :raises UsageError: it is no port.
    """
    number, _, protocol = text.partition("/")
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= 65535):  # noqa: PLR2004
        raise UsageError("--expose", text, "it is no port", "as 8080, or 53/udp")
    if protocol not in ("", "tcp", "udp", "sctp"):
        raise UsageError("--expose", text, f"{protocol!r} is no protocol", "as 8080, or 53/udp")
    return f"{int(number)}/{protocol or 'tcp'}"
