"""The build information that Go's linker writes: toolchain, modules and settings.

Format: Go's `debug/buildinfo` and `runtime/debug` (`ParseBuildInfo`).
"""

from __future__ import annotations

import re
import struct
from itertools import islice
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.findings import Module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.needs.binary import Binary

MAGIC = b"\xff Go buildinf:"
ALIGN = 16
HEADER = 32
#: Flags: the byte order of pointers, up to Go 1.17; strings behind the header, from 1.18 on.
BIG_ENDIAN, INLINE = 1, 2
#: Both are longer than any that was seen: versions have tens of bytes, module lists of large programs 100 kB.
MAX_VERSION = 512
MAX_MODULES = 2 << 20
#: The most places of which each may be where it begins.
MAX_CANDIDATES = 1000
#: Sections that Go's linker alone makes: the table of functions, whatever kind of program it is, and its own ID.
TABLES = (".gopclntab", ".data.rel.ro.gopclntab")
_SECTIONS = (".note.go.buildid", *TABLES)
#: Sentinels that Go lays around the list (`cmd/go/internal/modload`, `infoStart`).
SENTINEL = 16
#: The settings of programs that all CPUs of their architecture run; of ARM, the image's label tells what others need.
_FOR_ALL = {"GOAMD64": "v1", "GOARM64": "v8.0", "GOPPC64": "power8", "GORISCV64": "rva20u64"}
_VERSION = r"(?:go\d|devel )[ -~]*"


class BuildInfo(NamedTuple):
    """What a Go program says of how it was built; all but `version` may be empty.

    `package` is the import path of its main package, `main` the module of that. Replaced modules are not among
    `modules`, what replaces them is. `settings` are those of ``go version -m``.
    """

    version: str
    package: str = ""
    main: Module = Module("", "")
    modules: tuple[Module, ...] = ()
    settings: Mapping[str, str] = {}

    @property
    def cpus(self) -> str:
        """The setting that says which CPUs alone run the program, as ``GOAMD64=v3``; empty if all do."""
        told = ((name, self.settings.get(name, least), least) for name, least in _FOR_ALL.items())
        return next((f"{name}={value}" for name, value, least in told if value != least), "")

    @property
    def minor(self) -> int:
        """21 for Go 1.21.x; a high number where the version does not tell."""
        match = re.match(r"(?:go|devel go)1\.(\d{1,4})", self.version)
        return int(match[1]) if match else 9999


def read_go_build(binary: Binary) -> BuildInfo | None:
    """What a Go program says of how it was built, which may be nothing; None if Go did not build it."""
    marked = BuildInfo("") if binary.section(*_SECTIONS) is not None else None
    return read_build_info(binary) or marked


def read_build_info(binary: Binary) -> BuildInfo | None:
    """The program's build information, if it has any that can be true."""
    for offset in islice(_candidates(binary), MAX_CANDIDATES):
        header = binary.window.peek(offset, HEADER)
        if len(header) < HEADER:
            continue
        texts = _inline(binary, offset) if header[15] & INLINE else _pointed(binary, header)
        if texts is not None:
            return _parsed(*texts)
    return None


def _candidates(binary: Binary) -> Iterator[int]:
    """Where it may begin: in its section, else at the start of the data, where the linker lays it.

    Of files without section headers all is searched.
    """
    section = binary.section(".go.buildinfo")
    if section is not None:
        yield section.offset
        return
    yield from binary.find(MAGIC, binary.segments(writable=True), align=ALIGN)
    if not binary.sections.by_name:
        yield from binary.find(MAGIC, binary.segments(writable=False), align=ALIGN)


def _inline(binary: Binary, offset: int) -> tuple[str, str] | None:
    """Version and modules behind the header, each after its length."""
    version, after = _counted(binary, offset + HEADER, MAX_VERSION)
    if version is None or not re.fullmatch(_VERSION, _text(version)):
        return None
    modules, _ = _counted(binary, after, MAX_MODULES)
    return _text(version), _text(_bare(modules or b""))


def _counted(binary: Binary, offset: int, limit: int) -> tuple[bytes | None, int]:
    """The bytes behind their length, which is a varint, and where they end; None if they cannot be true."""
    length = shift = 0
    for byte in binary.window.peek(offset, 10):
        length |= (byte & 0x7F) << shift
        shift, offset = shift + 7, offset + 1
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            break
    data = binary.window.peek(offset, length) if length <= limit else b""
    return (data, offset + length) if len(data) == length else (None, offset)


def _pointed(binary: Binary, header: bytes) -> tuple[str, str] | None:
    """Version and modules by the addresses of two Go strings, each an address and a length."""
    pointer = header[14]
    form = {4: "I", 8: "Q"}.get(pointer)
    if form is None:
        return None
    order = ">" if header[15] & BIG_ENDIAN else "<"
    texts = []
    for index, limit in enumerate((MAX_VERSION, MAX_MODULES)):
        (address,) = struct.unpack_from(order + form, header, 16 + index * pointer)
        offset = binary.offset_of(address)
        head = binary.window.peek(offset, 2 * pointer) if offset is not None else b""
        where, length = struct.unpack(f"{order}2{form}", head) if len(head) == 2 * pointer else (0, 0)
        at = binary.offset_of(where) if length <= limit else None
        texts.append(binary.window.peek(at, length) if at is not None else b"")
        if not re.fullmatch(_VERSION, _text(texts[0])):
            return None
    return _text(texts[0]), _text(_bare(texts[1]))


def _bare(modules: bytes) -> bytes:
    """The list without its sentinels."""
    whole = len(modules) > 2 * SENTINEL and modules[-SENTINEL - 1 : -SENTINEL] == b"\n"
    return modules[SENTINEL:-SENTINEL] if whole else b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _parsed(version: str, text: str) -> BuildInfo:
    """The lines of `text`: a word, a tab, and what it says (`runtime/debug.ParseBuildInfo`)."""
    package, main = "", Module("", "")
    modules: list[Module] = []
    settings: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.partition("\t")
        parts = rest.split("\t")
        if word == "path":
            package = rest
        elif word == "mod":
            main = Module(parts[0], parts[1] if len(parts) > 1 else "")
        elif word == "dep":
            modules.append(Module(parts[0], parts[1] if len(parts) > 1 else ""))
        elif word == "=>" and modules:
            modules[-1] = Module(parts[0], parts[1] if len(parts) > 1 else "")
        elif word == "build":
            key, _, value = rest.partition("=")
            settings[key] = value.strip('"')
    return BuildInfo(version, package, main, tuple(modules), settings)
