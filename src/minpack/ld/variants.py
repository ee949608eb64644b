"""Variants of libraries for better CPUs, which a loader on such a CPU would take first; the model passes them over.

glibc looks for them below ``glibc-hwcaps`` of each directory that it searches (ld.so(8), "glibc-hwcaps"), and before
2.37 in subdirectories of other names too, one in the other (elf/dl-hwcaps.c, _dl_important_hwcaps).
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.excerpt import listed
from minpack.ld.closure import FoundBy, Libc
from minpack.ld.constants import MAX_LOADER, glibc_constants
from minpack.namedtuple import NamedTuple
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.ld.closure import Closure, Considered, Edge

HWCAPS, TLS = "glibc-hwcaps", "tls"
#: The subdirectories before 2.37: ``tls``, the kernel's names of platforms, and glibc's of important features
#: (sysdeps/*/dl-procinfo.c and dl-procinfo.h, HWCAP_IMPORTANT; AT_PLATFORM of Linux).
_LEGACY = {
    "x86_64": "tls xeon_phi haswell avx512_1 x86_64",
    "x86": "tls i686 i586 i486 i386 sse2",
    "aarch64": "tls aarch64 atomics",
    "armhf": "tls v8l v7l v6l vfp neon",
    "armel": "tls v8l v7l v6l v5l v4l vfp neon",
    "ppc64": "tls power9 power8 power7 power6x power6 power5+ power5 power4 ppc970 cell-be altivec dfp",
    "ppc64v2": "tls power9 power8 altivec dfp",
    "ppc64le": "tls power9 power8 altivec dfp",
    "s390x": "tls z16 z15 z14 z13 zEC12 z196 z10 z9-109 z990 z900 zarch ldisp eimm dfp highgprs te vx",
    "sparc64": "tls ultra3 v9v2 v9v v9",
}
#: They are one in the other: ``tls``, the platform and at most two features.
DEEPEST = 4
#: The most subdirectories of a directory, and places in all, that are looked into.
MOST, MOST_LOOKS = 64, 100_000


class Variant(NamedTuple):
    """A file that is there for better CPUs and is not packed: `name` at `path`, which is below `subdirectory`.

    `instead_of` is the path of what the loader finds on every CPU, empty if that is nothing.
    """

    name: str
    path: str
    subdirectory: str
    instead_of: str


def find_variants(closure: Closure, walker: Walker, working_directory: str = "/") -> tuple[Variant, ...]:
    """The variants of the closure's libraries, in the order of their directories; musl knows none.

    :param working_directory: where relative directories start.
    :raises InputError: the interpreter cannot be read.
    """
    if closure.libc is not Libc.GLIBC or closure.interpreter is None or closure.interpreter.entry.content is None:
        return ()
    data = read_all(closure.interpreter.entry.content, MAX_LOADER)
    target = closure.program.info.target
    constants = glibc_constants(data, target)
    legacy = tuple(_LEGACY.get(target.name, TLS).split()) if constants.legacy else ()
    search = _Search(walker, constants.hwcaps, legacy, working_directory.rstrip("/"))
    edges = [*closure.edges, *(edge for audit in closure.audits for edge in audit.edges)]
    return tuple(dict.fromkeys(variant for edge in edges if edge.considered for variant in search.of(edge)))


class _Search:
    """The variants in one tree; each directory's subdirectories are looked for once."""

    def __init__(self, walker: Walker, hwcaps: tuple[str, ...], legacy: tuple[str, ...], start: str) -> None:
        self._walker = walker
        self._start = start
        self._hwcaps = hwcaps
        self._legacy = legacy
        self._known: dict[str, tuple[str, ...]] = {}
        self._known_places: dict[tuple[tuple[Considered, ...], str], tuple[tuple[str, str], ...]] = {}
        self._looks = count()

    def of(self, edge: Edge) -> Iterator[Variant]:
        """Those that would come before what answers to the edge's name, or do where nothing does."""
        for directory, inner in self._places(edge.considered, edge.path.rpartition("/")[0]):
            path = f"{directory}/{inner}/{edge.name}"
            if next(self._looks) > MOST_LOOKS:
                return
            # All others come behind what is in tls.
            in_tls = edge.path.startswith(f"{directory}/{TLS}/")
            if path == edge.path or (in_tls and not inner.startswith((f"{HWCAPS}/", f"{TLS}/"))):
                continue
            if self._walker.find_file(self._absolute(path)) is not None:
                yield Variant(edge.name, path, inner, edge.path)

    def _places(self, considered: tuple[Considered, ...], found_in: str) -> tuple[tuple[str, str], ...]:
        """The subdirectories of the directories, with those, that are looked into first; most libraries share them."""
        key = (considered, found_in)
        known = self._known_places.get(key)
        if known is None:
            directories = [place.directory for place in considered if place.rule not in (FoundBy.CACHE, FoundBy.PATH)]
            if found_in and any(place.rule is FoundBy.CACHE for place in considered):
                directories.append(found_in)
            if self._legacy:
                # It was looked into as part of the directory that it is in.
                directories = [directory.removesuffix(f"/{TLS}") for directory in directories]
            stripped = dict.fromkeys(directory.rstrip("/") for directory in directories)
            places = ((directory, inner) for directory in stripped for inner in self._subdirectories(directory))
            known = self._known_places[key] = tuple(places)
        return known

    def _subdirectories(self, directory: str) -> tuple[str, ...]:
        known = self._known.get(directory)
        if known is None:
            known = self._known[directory] = tuple(islice(self._look(directory), MOST))
        return known

    def _look(self, directory: str) -> Iterator[str]:
        if self._hwcaps and self._is_directory(f"{directory}/{HWCAPS}"):
            yield from (
                f"{HWCAPS}/{name}" for name in self._hwcaps if self._is_directory(f"{directory}/{HWCAPS}/{name}")
            )
        yield from self._look_legacy(directory, "", 0)

    def _look_legacy(self, directory: str, above: str, depth: int) -> Iterator[str]:
        """Of all that are one in the other the innermost first."""
        for name in self._legacy if depth < DEEPEST else ():
            inner = f"{above}/{name}" if above else name
            if name not in above.split("/") and self._is_directory(f"{directory}/{inner}"):
                yield from self._look_legacy(directory, inner, depth + 1)
                yield inner

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._start}/{path}"

    def _is_directory(self, path: str) -> bool:
        entry = self._walker.walk(self._absolute(path)).entry
        return entry is not None and entry.kind is Kind.DIRECTORY


def variants_note(variants: tuple[Variant, ...]) -> str | None:
    """One sentence about those of what is packed, or None."""
    found = [variant for variant in variants if variant.instead_of]
    if not found:
        return None
    names = listed((variant.path for variant in found), 3)
    return f"variants for newer CPUs are not packed: {names}; what is packed runs on every CPU"
