"""Databases that C libraries and others read, taken from the base: minpack has none of them itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.elf.strings import find_strings
from minpack.needs.need import Need
from minpack.paths import RootPath, normal
from minpack.provision.places import DATABASES
from minpack.provision.values import ProvidedFiles, taken, taken_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minpack.base.walk import Walker
    from minpack.ld.closure import Closure

#: Of these needs one file is taken, the first that there is.
_FILES = (Need.SERVICES, Need.PROTOCOLS, Need.MIME)
#: The terminals that container runtimes and terminal programs name in TERM.
TERMINALS = (
    "ansi",
    "dumb",
    "linux",
    "screen",
    "screen-256color",
    "tmux",
    "tmux-256color",
    "vt100",
    "vt220",
    "xterm",
    "xterm-256color",
    "xterm-color",
)
LOCALES = normal("/usr/lib/locale")
#: Where the C library that looks for converters says so.
_GCONV = rb"(/.+/gconv)/gconv-modules\.cache"


def data(
    need: Need, base: Walker, closures: Sequence[Closure], locale: str | None, why: str
) -> tuple[ProvidedFiles, ...] | None:
    """The files of `need` that the base has, none where it has none; None for needs that have no such files."""
    if need in _FILES:
        found = (taken(base, path, need, why) for path in DATABASES[need].places)
        return next((files for files in found if files), ())
    makers: dict[Need, Callable[[], Iterator[ProvidedFiles]]] = {
        Need.TERMINFO: lambda: _terminals(base, why),
        Need.GCONV: lambda: _converters(base, closures, why),
        Need.LOCALE: lambda: _locale(base, locale or "C.UTF-8", why),
    }
    return tuple(makers[need]()) if need in makers else None


def _terminals(base: Walker, why: str) -> Iterator[ProvidedFiles]:
    """The descriptions of `TERMINALS`, each below the first letter of its name (term(5))."""
    for terminal in TERMINALS:
        for directory in DATABASES[Need.TERMINFO].places:
            found = taken(base, f"{directory}/{terminal[0]}/{terminal}", Need.TERMINFO, why)
            if found:
                yield from found
                break


def _converters(base: Walker, closures: Sequence[Closure], why: str) -> Iterator[ProvidedFiles]:
    """The converters of glibc, and the list of them (iconvconfig(8))."""
    for directory in gconv_directories(closures):
        yield from taken_tree(base, directory, Need.GCONV, why, "base")


def gconv_directories(closures: Sequence[Closure]) -> tuple[RootPath, ...]:
    """Where the C library of each closure looks for converters, by its own word."""
    found = []
    for closure in closures:
        for loaded in closure.objects:
            if (loaded.info.soname or "").startswith("libc.so.") and loaded.entry.content is not None:
                matches = find_strings(loaded.entry.content, loaded.info, rb"/gconv-modules\.cache", _GCONV)
                found += [normal(match[1].decode("utf-8", "surrogateescape")) for match in matches]
    return tuple(dict.fromkeys(found))


def _locale(base: Walker, locale: str, why: str) -> Iterator[ProvidedFiles]:
    """The directory of the locale's data, by its name as given or as glibc writes it (locale(7), ``C.utf8``)."""
    for name in (locale, glibc_name(locale)):
        files = tuple(taken_tree(base, normal(f"{LOCALES}/{name}"), Need.LOCALE, why, "base"))
        if files:
            yield from files
            return


def glibc_name(locale: str) -> str:
    """The locale's name with its codeset in glibc's form: lower case, without punctuation (`_nl_normalize_codeset`)."""
    name, dot, rest = locale.partition(".")
    codeset, at, modifier = rest.partition("@")
    plain = re.sub(r"[^a-z0-9]", "", codeset.lower())
    plain = f"iso{plain}" if plain.isdigit() else plain
    return f"{name}{dot}{plain}{at}{modifier}"
