"""What glibc opens by itself when a program calls certain of its functions; musl opens nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.elf.strings import find_strings
from minpack.ld.late import Importer, LateLibrary, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STB_WEAK = 2
#: Since then the services files and dns are within libc (glibc NEWS, 2.34).
NSS_IN_LIBC = (2, 34)
#: glibc ends the process if it cannot unwind the stack for these; backtrace just finds nothing (misc/unwind-link.c).
_ABORTING = (b"pthread_exit", b"pthread_cancel", b"thrd_exit")
_UNWINDING = (*_ABORTING, b"backtrace", b"__backtrace")
#: Functions of the name service switch (nsswitch.conf(5)); the first group asks for hosts.
_NSS = (
    rb"(getaddrinfo|getnameinfo|gethostby\w+)|get(pw|gr|sp|sg)(ent|nam|uid|gid)(_r)?|getgrouplist|initgroups|innetgr"
    rb"|get(host|net|serv|proto|rpc|alias)(by\w+|ent(_r)?)|[gs]etnetgrent(_r)?|ether_(ntohost|hostton)"
)


def glibc_late(importers: Sequence[Importer]) -> Iterator[LateLibrary]:
    """The libraries that the C library among the objects opens for the functions that the others import."""
    version = _version(_libc(importers))
    if version is None:
        return
    yield from _unwinder(importers)
    if version < NSS_IN_LIBC:
        yield from _name_services(importers, "{}.{}".format(*version))


def glibc_data(importers: Sequence[Importer]) -> Iterator[LateLibrary]:
    """What else the C library opens for such functions: hints alone.

    :raises InputError: the C library cannot be read.
    """
    libc = _libc(importers)
    if libc is not None and _version(libc) is not None:
        yield from _data(libc, importers)


def _libc(importers: Sequence[Importer]) -> Importer | None:
    return next((i for i in importers if (i.loaded.info.soname or "").startswith("libc.so.")), None)


def _version(libc: Importer | None) -> tuple[int, int] | None:
    """The newest version of glibc that the library defines names of, or None if it is no glibc."""
    defined = libc.symbols.versions.defined if libc is not None else ()
    numbers = [name.removeprefix("GLIBC_").split(".") for name in defined if name.startswith("GLIBC_")]
    known = ((int(n[0]), int(n[1])) for n in numbers if len(n) > 1 and all(part.isdecimal() for part in n))
    return max(known, default=None)


def _unwinder(importers: Sequence[Importer]) -> Iterator[LateLibrary]:
    """libgcc_s, at the highest level that a call of it justifies.

    A library may import what its user never calls. A weak import mostly asks whether there are threads at all
    (gnulib, lib/glthread).
    """
    found = []
    for position, importer in enumerate(importers):
        for name in _UNWINDING:
            if not _imports(importer, name):
                continue
            then = "aborts" if name in _ABORTING else "finds nothing"
            weak = importer.imports[name].info >> 4 == STB_WEAK
            level = Level.RECOMMENDED if not weak else Level.HINT
            if position == 0 and name in _ABORTING and not weak:
                level = Level.REQUIRED
            why = f"imports {name.decode()}, which {then} without it" + (" (weakly)" if weak else "")
            found.append(LateLibrary(("libgcc_s.so.1",), level, importer.path, why))
    yield from sorted(found, key=lambda late: late.level.rank)[:1]


def _name_services(importers: Sequence[Importer], version: str) -> Iterator[LateLibrary]:
    """The services of minpack's own nsswitch.conf: files for all, dns for hosts."""
    for soname, group in (("libnss_files.so.2", 0), ("libnss_dns.so.2", 1)):
        for importer in importers:
            matches = (re.fullmatch(_NSS, name) for name in importer.imports if _imports(importer, name))
            match = next((m for m in matches if m is not None and m[group] is not None), None)
            if match is not None:
                why = f"imports {match[0].decode()}, which glibc {version} answers through it (nsswitch.conf)"
                yield LateLibrary((soname,), Level.RECOMMENDED, importer.path, why)
                break


def _data(libc: Importer, importers: Sequence[Importer]) -> Iterator[LateLibrary]:
    """Files that libc reads for a function, where it says it looks for them."""
    user = _first(importers, b"getaddrinfo")
    if user is not None:
        why = "imports getaddrinfo, which needs it for host names that are not ASCII"
        yield LateLibrary(("libidn2.so.0",), Level.HINT, user.path, why)
    user = _first(importers, b"iconv_open")
    if user is not None:
        why = "imports iconv_open, which without it knows only ASCII, UTF-8, UCS-2 and UCS-4"
        yield LateLibrary((), Level.HINT, user.path, why, _said(libc, rb"(/.+/gconv)/gconv-modules\.cache"))
    user = _first(importers[:1], b"setlocale", b"newlocale")
    if user is not None:
        why = "imports setlocale or newlocale, which know only C and POSIX without it"
        yield LateLibrary((), Level.HINT, user.path, why, _said(libc, rb"(/.+)/locale-archive"))


def _first(importers: Sequence[Importer], *names: bytes) -> Importer | None:
    return next((i for i in importers if any(_imports(i, name) for name in names)), None)


def _imports(importer: Importer, name: bytes) -> bool:
    """Whether it imports the name from glibc, which gives all its names versions, or from anywhere."""
    reference = importer.imports.get(name)
    return reference is not None and (not reference.version or reference.version.startswith("GLIBC_"))


def _said(libc: Importer, pattern: bytes) -> tuple[str, ...]:
    """The directories of libc's strings that end as `pattern` does behind its group."""
    content = libc.loaded.entry.content
    assert content is not None, f"internal error: {libc.path} has no content"
    matches = find_strings(content, libc.loaded.info, pattern.partition(b")")[2], pattern)
    return tuple(match[1].decode("utf-8", "surrogateescape") for match in matches)
