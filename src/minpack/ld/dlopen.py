"""What a closure opens later, by dlopen(3) or by path.

Its files may say so themselves in notes; glibc and some others are known to; and strings hint at more. Nothing is
searched for or packed here. What a note or glibc names is sure, a string may be anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.notes import read_notes
from minpack.elf.strings import find_strings
from minpack.excerpt import shorten
from minpack.ld.closure import Libc
from minpack.ld.glibc_late import glibc_data, glibc_late
from minpack.ld.late import Importer, LateLibrary, Level
from minpack.ld.plugins import known_late
from minpack.ld.symbol_cache import SymbolsOf, symbols_of
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.ld.closure import Closure, LoadedObject

#: Functions that open a library by name: the C library's, and those of libraries that wrap it.
_OPENING = frozenset(
    b"dlopen dlmopen __libc_dlopen_mode g_module_open g_module_open_full PR_LoadLibrary PR_LoadLibraryWithFlags"
    b" apr_dso_load uv_dlopen krb5int_open_plugin lt_dlopen lt_dlopenext lt_dlopenadvise SDL_LoadObject"
    b" _ZN8QLibrary4loadEv _ZN8QLibrary7resolveEPKc _ZN13QPluginLoader4loadEv".split()
)
#: A plain name, or an absolute path, of a library.
_LIBRARY = rb"(?:/[\w.+@/-]*/)?\w[\w.+-]*\.so(?:\.[0-9]+)*"
_LIBRARY_END = rb"\.so(?:\.[0-9]{1,9}){0,9}\0|\.so\("
#: Nim's pragma `dynlib` (its manual, "Dynlib pragma for import"): of these endings the first that is there is opened;
#: without any the program ends. What stands before is the end of the string's header.
_ENDINGS = rb".?(lib[\w+-]{1,60}\.so)\(((?:\.[\d.]{1,20}|\|){1,40})\)"
#: More names in one file are no list of what it opens.
MAX_HINTS = 50
#: What of glibc is nearly empty since 2.34, as its functions are within libc (glibc NEWS): who opens one by name has no
#: other way to get them, and ends without.
_GLIBC_STUBS = frozenset(("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"))
NO_LIBRARIES = frozenset(("linux-vdso.so.1", "linux-gate.so.1"))


class Sure(NamedTuple):
    """What is sure to be opened later and is not in the closure, the highest level first.

    `names` are those of what is in it too, and of all other choices.
    """

    late: tuple[LateLibrary, ...]
    names: frozenset[str]


def find_late(closure: Closure, symbols: SymbolsOf = symbols_of) -> tuple[LateLibrary, ...]:
    """What the objects of the closure open later and is not in it, the highest level first.

    Required and recommended ones are named by the file itself, or opened by glibc for functions that are imported.
    Of a static program only its notes are looked at.

    :param symbols: gives the symbols of an object.
    :raises MalformedElfError: a table of an object cannot be true.
    :raises InputError: the system could not read one.
    """
    return with_hints(closure, find_sure(closure, symbols), symbols)


def find_sure(closure: Closure, symbols: SymbolsOf = symbols_of) -> Sure:
    """As `find_late`, without what strings alone tell: looking takes longer, and only stubs of glibc are sure by them.

    :raises MalformedElfError: as `find_late`.
    :raises InputError: as `find_late`.
    """
    found = list(_noted(closure))
    if closure.libc is Libc.GLIBC:
        found += glibc_late(_importers(closure, symbols))
    return Sure(_absent(closure, found), frozenset(name for late in found for name in late.sonames))


def with_hints(closure: Closure, sure: Sure, symbols: SymbolsOf) -> tuple[LateLibrary, ...]:
    """What `find_sure` found of the closure, and all the rest.

    :raises MalformedElfError: as `find_late`.
    :raises InputError: as `find_late`.
    """
    if closure.libc is None:
        return sure.late
    importers, found = _importers(closure, symbols), list(sure.late)
    if closure.libc is Libc.GLIBC:
        found += glibc_data(importers)
    found += known_late(closure)
    found += _named(closure, importers, sure.names.union(*(late.sonames for late in found)))
    return _absent(closure, found)


def _importers(closure: Closure, symbols: SymbolsOf) -> list[Importer]:
    return [Importer(loaded, symbols(loaded)) for loaded in closure.objects]


def _absent(closure: Closure, found: Sequence[LateLibrary]) -> tuple[LateLibrary, ...]:
    """Those that are not loaded from the start, each once, the highest level first."""
    loaded = _names(closure.objects)
    absent = [late for late in found if not late.sonames or late.sonames[0] not in loaded]
    return tuple(dict.fromkeys(sorted(absent, key=lambda late: late.level.rank)))


def _noted(closure: Closure) -> Iterator[LateLibrary]:
    """What the objects' own dlopen notes name."""
    for loaded in closure.objects:
        content = loaded.entry.content
        assert content is not None, f"internal error: {loaded.path} has no content"
        for entry in read_notes(content, loaded.info).dlopen:
            text = ": ".join(part for part in (entry.feature, entry.description) if part)
            why = "names it in its dlopen note" + (f" ({text})" if text else "")
            yield LateLibrary(entry.sonames, Level(entry.priority), loaded.path, why)


def _named(closure: Closure, importers: Sequence[Importer], known: frozenset[str]) -> Iterator[LateLibrary]:
    """Strings that look like libraries in the objects that can open one, but for those that are loaded anyway."""
    known = known | _names(closure.objects) | NO_LIBRARIES
    for user in importers:
        means = next((name for name in user.imports if name in _OPENING), None)
        content = user.loaded.entry.content
        if means is None or content is None:
            continue
        asked = {*user.loaded.info.needed, *(need.file for need in user.symbols.versions.needs)}
        matches = find_strings(content, user.loaded.info, _LIBRARY_END, _LIBRARY + b"|" + _ENDINGS)
        plain = [match[0].decode("ascii") for match in matches if match[1] is None]
        for text in [text for text in plain if text not in asked and text not in known][:MAX_HINTS]:
            why = f"has the string {text!r} and imports {means.decode()}"
            stub = text in _GLIBC_STUBS and closure.libc is Libc.GLIBC
            yield LateLibrary((text,), Level.RECOMMENDED if stub else Level.HINT, user.path, why)
        for match in [match for match in matches if match[1] is not None][:MAX_HINTS]:
            name, endings = match[1].decode("ascii"), match[2].decode("ascii")
            why = f"has the string {shorten(f'{name}({endings})')!r}, of which Nim opens the first that is there"
            names = tuple(dict.fromkeys(name + ending for ending in endings.split("|")))
            yield LateLibrary(names, Level.RECOMMENDED, user.path, why)


def _names(objects: Sequence[LoadedObject]) -> set[str]:
    """All that the objects are loaded as, and their sonames."""
    names: set[str] = set()
    for loaded in objects:
        names |= {loaded.name, loaded.path, loaded.entry.path, loaded.path.rpartition("/")[2], loaded.info.soname or ""}
    return names
