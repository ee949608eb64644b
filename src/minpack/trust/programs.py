"""Programs as components of an SBOM, and what they were built from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.errors import ElfError
from minpack.needs.modules import read_built_from
from minpack.paths import name
from minpack.trust.components import Component, ComponentKind
from minpack.trust.purl import module_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.needs.modules import BuiltFrom
    from minpack.paths import RootPath

MAGIC = b"\x7fELF"
_WITH_CODE = (ElfKind.DYNAMIC, ElfKind.STATIC, ElfKind.STATIC_PIE, ElfKind.LIBRARY)


def read_modules(content: Content, path: RootPath, info: ElfInfo | None = None) -> BuiltFrom | None:
    """What the file at the image's `path` was built from; None if it is no program or library, or nothing is recorded.

    :param info: of a file that is known to be an ELF file.
    :raises InputError: it cannot be read.
    """
    if info is None and not _is_elf(content):
        return None
    try:
        info = info or read_elf(content)
        return read_built_from(content, info, path) if info.kind in _WITH_CODE else None
    except ElfError:
        # A file may be damaged and be in an image all the same.
        return None


def _is_elf(content: Content) -> bool:
    with content.open() as reader:
        return reader.read_at(0, len(MAGIC)) == MAGIC


def program_component(path: RootPath, built: BuiltFrom | None) -> Component:
    """The program at `path`: it is its own module, of which the version may not be known."""
    if built is None:
        return Component(ComponentKind.PROGRAM, name(path), place=path)
    return Component(
        ComponentKind.PROGRAM,
        name(path),
        built.main.version,
        url=module_url(ComponentKind.GO_MODULE, *built.main) if built.main.name else "",
        toolchain=f"{built.language} {built.version}" if built.version else "",
        place=path,
    )


def module_components(built: BuiltFrom | None) -> Iterator[Component]:
    """The modules and crates in a program, and Go's standard library, which has the version of the toolchain."""
    if built is None:
        return
    kind = ComponentKind.GO_MODULE if built.language == "Go" else ComponentKind.CRATE
    own = (("stdlib", built.version),) if kind is ComponentKind.GO_MODULE and built.version else ()
    for named, version in (*own, *built.modules):
        yield Component(kind, named, version, url=module_url(kind, named, version))
