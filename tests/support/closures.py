"""Closures made of given files, and symbols made of names, for what asks of a closure without a loader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.elf.symbols import SymbolReference, Symbols, read_symbols
from minpack.elf.versions import Versions
from minpack.ld.closure import Closure, FoundBy, Libc, LoadedObject
from minpack.paths import normal
from minpack.rootfs.entry import file
from support.elfmaker import library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOADER = "/lib/ld-linux-x86-64.so.2"


def loaded(path: str, data: bytes, found_by: FoundBy = FoundBy.DEFAULT) -> LoadedObject:
    """An object that was loaded by its file name."""
    entry = file(normal(path), BytesContent(data), 0o755)
    return LoadedObject(path.rpartition("/")[2], path, entry, read_elf(BytesContent(data)), found_by, "/app")


def closure_of(
    files: Mapping[str, bytes], libc: Libc | None = Libc.GLIBC, loader: bytes = library("ld-linux-x86-64.so.2")
) -> Closure:
    """The closure of the first of the files, in their order; without a C library it has no interpreter."""
    objects = [loaded(path, data) for path, data in files.items()]
    if libc is None:
        return Closure(objects[0], None, None, tuple(objects))
    interpreter = loaded(LOADER, loader, FoundBy.INTERPRETER)
    return Closure(objects[0], libc, interpreter, (*objects, interpreter))


def symbols(
    imports: Sequence[str] = (),
    *,
    weak: Sequence[str] = (),
    version: str = "GLIBC_2.2.5",
    defines: Sequence[str] = (),
    relr: bool = False,
) -> Symbols:
    """Symbols that import these names, some weakly, all of one version, and define versions."""
    references = tuple(
        SymbolReference(name.encode(), (2 if name in weak else 1) << 4 | 2, 0, 0, version, False, "jump", False)
        for name in (*imports, *weak)
    )
    versions = Versions((), frozenset(defines), {}, bool(defines))
    nothing = read_symbols(BytesContent(library()))
    found = {reference.name: reference for reference in references}
    return nothing._replace(references=references, imports=found, versions=versions, has_relr=relr)


def symbols_by(known: Mapping[str, Symbols]) -> Callable[[LoadedObject], Symbols]:
    """Symbols by the path of the object; those of others are none."""
    return lambda wanted: known.get(wanted.path, symbols())
