"""What a closure demands of the machine it runs on, and of its C library's age, beyond symbols."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.content import read_all, remembered
from minpack.elf.notes import read_notes
from minpack.ld.closure import Libc
from minpack.ld.constants import MAX_LOADER, MOST_LOADERS
from minpack.ld.symbol_cache import SymbolsOf, symbols_of
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.ld.closure import Closure

#: The names of the x86 levels in the order of their bits (x86-64 psABI, "Micro-Architecture Levels").
LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
#: The first that heeds DT_RELR (musl WHATSNEW, 1.2.4); those before ignore it, and the program crashes.
MUSL_WITH_RELR = (1, 2, 4)
_MUSL_VERSION = rb"\0([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})(?:-git-[^\0]*)?\0"


class Demands(NamedTuple):
    """What is demanded, with the path of the first object that demands the most.

    `isa` is one of `LEVELS`, or empty if no object says what it needs; glibc from 2.33 refuses to start on lesser
    CPUs. `kernel` is the oldest Linux (NT_GNU_ABI_TAG), None if none says. `problems` keep the program from running
    right. `passed_over` tells of notes that are wrong.
    """

    isa: str
    isa_by: str
    kernel: tuple[int, int, int] | None
    kernel_by: str
    problems: tuple[str, ...]
    passed_over: tuple[str, ...]


def demands(closure: Closure, symbols: SymbolsOf = symbols_of) -> Demands:
    """What the objects of the closure demand.

    :param symbols: gives the symbols of an object; called for musl before 1.2.4 alone.
    :raises MalformedElfError: a table of an object cannot be true.
    :raises InputError: the system could not read one.
    """
    mask, isa_by, kernel, kernel_by = 0, "", None, ""
    passed_over: list[str] = []
    for loaded in closure.objects:
        assert loaded.entry.content is not None, f"internal error: {loaded.path} has no content"
        notes = read_notes(loaded.entry.content, loaded.info)
        passed_over += (f"{loaded.path}: {problem}" for problem in notes.problems)
        # Bits above the known levels are none yet.
        needed = notes.isa_needed & (1 << len(LEVELS)) - 1
        if needed.bit_length() > mask.bit_length():
            mask, isa_by = needed, loaded.path
        if notes.kernel is not None and (kernel is None or notes.kernel > kernel):
            kernel, kernel_by = notes.kernel, loaded.path
    isa = LEVELS[mask.bit_length() - 1] if mask else ""
    return Demands(isa, isa_by, kernel, kernel_by, _relr_problems(closure, symbols), tuple(passed_over))


@remembered(MOST_LOADERS)
def musl_version(loader: Content) -> tuple[int, int, int] | None:
    """The version that a musl loader says it is (its string is read, nothing is run), or None if it has none.

    :raises InputError: it cannot be read.
    """
    found = re.search(_MUSL_VERSION, read_all(loader, MAX_LOADER))
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _relr_problems(closure: Closure, symbols: SymbolsOf) -> tuple[str, ...]:
    """Objects whose relative relocations the closure's musl does not do; under glibc a version need tells."""
    interpreter = closure.interpreter
    if closure.libc is not Libc.MUSL or interpreter is None or interpreter.entry.content is None:
        return ()
    version = musl_version(interpreter.entry.content)
    if version is None or version >= MUSL_WITH_RELR:
        return ()
    text = ".".join(str(part) for part in version)
    return tuple(
        f"{loaded.path} has DT_RELR relocations, which musl {text} ignores: build it with -Wl,-z,nopack-relative-relocs"
        for loaded in closure.objects
        if loaded is not interpreter and symbols(loaded).has_relr
    )
