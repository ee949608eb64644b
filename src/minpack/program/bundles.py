"""Libraries that lie beside a program on this host, where its ``$ORIGIN`` leads: they are packed in the same relation.

What wheels, SDKs and build trees have is found so before any base or package is asked: it was linked to just that.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.errors import ElfError, InputError
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple
from minpack.needs.binary import open_binary
from minpack.paths import RootPath, normal
from minpack.program.additions import Placed, PlaceKind, file_and_mode
from minpack.rootfs.entry import Entry, Kind
from minpack.rootfs.modes import normal_mode
from minpack.rootfs.tree import Claim

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Sequence

    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.program.read import Program
    from minpack.spec.image import ImageSpec

_ORIGIN = re.compile(r"\$(?:ORIGIN(?![A-Za-z0-9_])|\{ORIGIN\})")
#: Where a system has the libraries of all its programs: what lies there is no bundle.
_OF_SYSTEM = re.compile(r"/(?:usr/)?lib(?:32|64|x32)?(?:/[^/]*-linux-[^/]*)?")
#: The C library's own, which must be of one version with the loader: the base's.
_OF_LIBC = re.compile(
    r"ld-.*|lib(?:c|m|dl|rt|util|pthread|resolv|nsl|anl|BrokenLocale|thread_db)\.(?:so|musl).*|libnss_.*"
)
#: The most libraries of one bundle.
MAX_LIBRARIES = 2000
MOST_NAMED = 3
_NAME = rb"(?:share|lib|libexec)/[A-Za-z0-9][\x21-\x24\x26-\x2e\x30-\x7e]*(?=[/\0])"
#: Whole texts that programs join to the directory they lie in, as sbcl does, or to the one above, as CMake does.
_FROM_PROGRAM = re.compile(rb"\.\./(?<=\0\.\./)" + _NAME)
_FROM_ABOVE = re.compile(rb"/(?<=\0/)" + _NAME)
MAX_DATA = 200
#: Directories that all programs share.
_SHARED = re.compile(
    rb"share/(?:doc|man|info|locale|zoneinfo|applications|icons|pixmaps)|lib/(?:[^/]*-linux-.*|pkgconfig)"
)
#: Directories of which nobody means all.
_BROAD = frozenset(("/", "/usr", "/usr/local", "/opt", "/home", "/root", "/var"))


class Library(NamedTuple):
    """A library at the host's `path`, and its path from the program's directory."""

    path: str
    relative: str


def place_bundles(spec: ImageSpec, programs: Iterable[Program]) -> Iterator[Placed]:
    """The libraries beside programs, at the same places beside them in the image.

    None is there that an option adds too, nor for a program that is packed where it lies.

    :raises InputError: a library cannot be read.
    """
    for program in programs:
        home = os.path.dirname(os.path.realpath(program.path))
        above = os.path.dirname(program.destination)
        if not _looks_beside(program.info) or above == home:
            continue
        for library in _bundle(program.info, home):
            path = normal(f"{above}/{library.relative}")
            if library.relative.split("/").count("..") <= above.count("/") and not _is_added(spec, path):
                content, mode = file_and_mode(library.path)
                entry = Entry(path, Kind.FILE, normal_mode(mode), 0, 0, content)
                why = f"beside {program.path}"
                yield Placed(entry, PlaceKind.ADDED, why, Claim(option=why), library.path, mode)


def bundle_notes(programs: Iterable[Program], placed: Sequence[Placed]) -> Iterator[str]:
    """A note for each program with a bundle: what is packed of it, and how more of it would be."""
    for program in programs:
        why = f"beside {program.path}"
        found = [item.entry.path for item in placed if item.why == why]
        if found:
            home, above = os.path.dirname(os.path.realpath(program.path)), os.path.dirname(program.destination)
            around, there = os.path.dirname(home), os.path.dirname(above)
            more = "" if around in _BROAD else f"; --add {around}:{there} adds everything around it"
            yield f"packed from next to {program.path}: {listed(found, MOST_NAMED)}{more}"


def data_notes(programs: Iterable[Program], packed: Container[str], told: Collection[str]) -> Iterator[str]:
    """A note for each dynamic program that names data which lies beside it on this host, and the image has not.

    :param packed: the paths of the image.
    :param told: the paths of the base that are told with the place where the program finds them.
    :raises InputError: a program cannot be read.
    """
    for program in programs:
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(program.path)))
        there = os.path.dirname(os.path.dirname(program.destination))
        if program.info.interpreter is None or prefix in {there, "/", ""}:
            continue
        texts = _data_of(program)
        found = [
            name
            for name in sorted(texts)
            if os.path.exists(f"{prefix}/{name}") and f"{there}/{name}" not in packed
            if not any(f"{path}/".endswith(f"/{name}/") for path in told)
        ]
        if found:
            options = " ".join(f"--add {prefix}/{name}:{there}/{name}" for name in found[:MOST_NAMED])
            yield f"{program.path} may look next to itself for {listed(found, MOST_NAMED)}: {options}"


def data_beside(programs: Iterable[Program]) -> Iterator[str]:
    """The paths of this host that `data_notes` may name.

    :raises InputError: a program cannot be read.
    """
    for program in programs:
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(program.path)))
        if program.info.interpreter is not None and prefix not in {"/", ""}:
            paths = (f"{prefix}/{name}" for name in sorted(_data_of(program)))
            yield from (path for path in paths if os.path.exists(path))


def names_beside(content: Content, info: ElfInfo, path: str) -> frozenset[str]:
    """What a program's texts name from its own place, as below the directory above: ``lib/sbcl`` for ``../lib/sbcl/``.

    Without what all programs share.
    """
    with open_binary(content, info, path) as binary:
        return _own_names(text.removeprefix(b"../") for text in binary.matches(_FROM_PROGRAM, MAX_DATA))


def _data_of(program: Program) -> frozenset[str]:
    """What the program's texts name below the directory above its own, but for what all programs share."""
    with open_binary(program.content, program.info, program.destination) as binary:
        # An absolute path, if that is there.
        above = _own_names(text[1:] for text in binary.matches(_FROM_ABOVE, MAX_DATA) if not os.path.lexists(text))
    return above | names_beside(program.content, program.info, program.destination)


def _own_names(names: Iterable[bytes]) -> frozenset[str]:
    return frozenset(name.decode() for name in names if not _SHARED.fullmatch(name))


def _looks_beside(info: ElfInfo) -> bool:
    return info.interpreter is not None and bool(_ORIGIN.search(f"{info.rpath or ''}:{info.runpath or ''}"))


def _is_added(spec: ImageSpec, path: RootPath) -> bool:
    return any(f"{path}/".startswith(f"{one.destination}/") for one in spec.additions)


def _bundle(info: ElfInfo, home: str) -> Iterator[Library]:
    """What the program needs that lies where ``$ORIGIN`` leads, and what that needs there."""
    todo: list[tuple[ElfInfo, tuple[str, ...]]] = [(info, _beside(info, home))]
    own = todo[0][1]
    seen: set[str] = set()
    while todo:
        one, directories = todo.pop()
        for name in one.needed:
            path = next((p for d in directories if os.path.isfile(p := os.path.normpath(f"{d}/{name}"))), None)
            if path is None or path in seen or "/" in name or _OF_LIBC.fullmatch(name) or len(seen) >= MAX_LIBRARIES:
                continue
            seen.add(path)
            found = _library(path, info)
            if found is not None:
                yield Library(path, os.path.relpath(path, home))
                # What is found by an rpath searches there too, and what a runpath finds mostly lies with the others.
                todo.append((found, (*_beside(found, os.path.dirname(path)), *own)))


def _beside(info: ElfInfo, home: str) -> tuple[str, ...]:
    """The directories that ``$ORIGIN`` leads to from `home`."""
    paths = f"{info.rpath or ''}:{info.runpath or ''}".split(":")
    found = (os.path.normpath(_ORIGIN.sub(lambda _: home, path)) for path in paths if _ORIGIN.search(path))
    return tuple(path for path in dict.fromkeys(found) if not _OF_SYSTEM.fullmatch(os.path.realpath(path)))


def _library(path: str, program: ElfInfo) -> ElfInfo | None:
    """What the library says of itself, if it is one for the program's architecture."""
    try:
        content, _ = file_and_mode(path)
        info = read_elf(content, path)
    except (ElfError, InputError):
        return None
    return info if info.kind is ElfKind.LIBRARY and info.target == program.target else None
