"""What a program was built from, as was recorded in it: Go's modules, or the crates that cargo-auditable lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.binary import open_binary
from minpack.needs.findings import Module
from minpack.needs.golang.buildinfo import read_build_info

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.needs.binary import Binary

#: Sections that tell of Go or of Rust; a file without sections is searched.
_GO, _RUST = (".go.buildinfo", ".note.go.buildid", ".gopclntab"), ".dep-v0"
_GO_VERSION = re.compile(r"go(\d[0-9A-Za-z.]*)")
#: What Go calls a module that was built where it lies, and no version.
_UNVERSIONED = ("", "(devel)")


class BuiltFrom(NamedTuple):
    """What is recorded in a program. `language` is ``Go`` or ``Rust``; `main` is the Go module that it is of, if any.

    `version` is that of the toolchain, as ``1.26.8``; empty where it is not recorded.
    """

    language: str
    version: str
    main: Module
    modules: tuple[Module, ...]


def read_built_from(content: Content, info: ElfInfo, path: str) -> BuiltFrom | None:
    """What the program or library at the image's `path` was built from; None if nothing is recorded.

    :raises InputError: it cannot be read.
    """
    with open_binary(content, info, path) as binary:
        if binary.section(*_GO) is not None or not binary.sections.by_name:
            found = _go(binary)
            if found is not None:
                return found
        return _rust(binary) if binary.section(_RUST) is not None else None


def _go(binary: Binary) -> BuiltFrom | None:
    build = read_build_info(binary)
    if build is None:
        return None
    version = _GO_VERSION.match(build.version)
    main = build.main._replace(version="") if build.main.version in _UNVERSIONED else build.main
    # Those that are replaced by a directory have no version, and are no module that anybody else has.
    modules = tuple(sorted({one for one in build.modules if one.name and one.version not in _UNVERSIONED}))
    return BuiltFrom("Go", version[1] if version is not None else "", main, modules)


def _rust(binary: Binary) -> BuiltFrom | None:
    from minpack.needs.rust import audited_crates  # noqa: PLC0415 - for few programs

    crates = audited_crates(binary)
    return BuiltFrom("Rust", "", Module("", ""), tuple(sorted(crates))) if crates else None
