"""The build attributes of an ARM file: the architecture that it was built for.

Format and values: "Addenda to, and Errata in, the ABI for the Arm Architecture" (ADDENDA32), "Build Attributes". No
loader reads them: what cannot be true counts as absent, and nothing is raised.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minpack.elf.sections import read_sections
from minpack.elf.segments import read_header
from minpack.elf.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.content import Content
    from minpack.elf.info import ElfInfo

#: Of a file without section headers.
PT_ARM_ATTRIBUTES = 0x70000003
SECTION = ".ARM.attributes"
#: Attributes take some fifty bytes.
MAX_SIZE = 1 << 16
FORMAT = b"A"
VENDOR = b"aeabi\0"
TAG_FILE = 1
TAG_CPU_RAW_NAME, TAG_CPU_NAME, TAG_CPU_ARCH, TAG_COMPATIBILITY = 4, 5, 6, 32
#: The architecture that Linux has a name for, by the values of Tag_CPU_arch: 0 is what was before ARMv4, then v4, v4T,
#: v5T, v5TE, v5TEJ; v6, v6KZ, v6T2, v6K; v7; v6-M and v6S-M; v7E-M; v8-A, v8-R, v8-M; from 18 on more of v8, then v9.
_VERSIONS = (5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 7, 6, 6, 7)
_NEWEST = 8


def arm_version(content: Content, info: ElfInfo) -> int:
    """The version of the ARM architecture that the file was built for, 5 for older ones; 0 if it does not say.

    :raises InputError: the system could not read it.
    """
    with content.open() as reader:
        window = Window(reader, content.size, content.where)
        header = read_header(window)
        section = read_sections(window, header).by_name.get(SECTION)
        if section is not None:
            data = window.peek(section.offset, min(section.size, MAX_SIZE))
        else:
            segment = next((one for one in info.segments if one.type == PT_ARM_ATTRIBUTES), None)
            data = window.peek(segment.offset, min(segment.file_size, MAX_SIZE)) if segment is not None else b""
    arch = max(_cpu_archs(data, ">I" if info.target.big_endian else "<I"), default=-1)
    return 0 if arch < 0 else _VERSIONS[arch] if arch < len(_VERSIONS) else _NEWEST


def _cpu_archs(data: bytes, word: str) -> Iterator[int]:
    """Every Tag_CPU_arch that holds for the file as a whole."""
    if data[:1] != FORMAT:
        return
    for vendor in _parts(data, 1, len(data), word, head=0):
        if data[vendor[0] + 4 :].startswith(VENDOR):
            for start, end in _parts(data, vendor[0] + 4 + len(VENDOR), vendor[1], word, head=1):
                if data[start] == TAG_FILE:
                    yield from _values(data[start + 5 : end])


def _parts(data: bytes, at: int, end: int, word: str, *, head: int) -> Iterator[tuple[int, int]]:
    """Start and end of each part between two offsets; its length, which counts all of it, is `head` bytes into it."""
    while at + head + 4 <= end:
        (size,) = struct.unpack_from(word, data, at + head)
        if size < head + 4 or at + size > end:
            return
        yield at, at + size
        at += size


def _values(data: bytes) -> Iterator[int]:
    """The values of Tag_CPU_arch among attributes: numbers (ULEB128) and strings that end with a NUL, by their tags."""
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        if tag not in (TAG_CPU_RAW_NAME, TAG_CPU_NAME) and (tag <= TAG_COMPATIBILITY or tag % 2 == 0):
            value, at = _number(data, at)
            if tag == TAG_CPU_ARCH:
                yield value
        if tag in (TAG_CPU_RAW_NAME, TAG_CPU_NAME) or tag == TAG_COMPATIBILITY or (tag > TAG_COMPATIBILITY and tag % 2):
            at = data.find(b"\0", at) + 1 or len(data)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The number at an offset, and the offset behind it."""
    value = shift = 0
    for byte in data[at : at + 10]:
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            break
    return value, at
