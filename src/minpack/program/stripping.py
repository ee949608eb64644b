"""Symbol tables and debug sections of the user's files other than programs: what they weigh, and files without them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.content import FileContent, JoinedContent
from minpack.elf.format import MAGIC
from minpack.elf.info import ElfKind
from minpack.elf.read import read_elf
from minpack.elf.strip import Weight, stripped, weigh
from minpack.errors import ElfError
from minpack.namedtuple import NamedTuple
from minpack.program.additions import PlaceKind
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.paths import RootPath
    from minpack.program.additions import Placed


class AddedSymbols(NamedTuple):
    """What symbol tables and debug sections have in an added file on the host; if `stripped`, it is packed without."""

    path: RootPath
    weight: Weight
    stripped: bool


def strip_added(placed: Iterable[Placed]) -> Iterator[Placed]:
    """The same with added libraries and programs without symbol tables and debug sections.

    What a linker reads, and what is damaged, stays as it is.

    :raises InputError: the system could not read a file.
    """
    for item in placed:
        content, entry = item.entry.content, item.entry
        info = _loadable(content) if item.kind is PlaceKind.ADDED and entry.kind is Kind.FILE else None
        if info is None or content is None:
            yield item
        else:
            yield item._replace(entry=entry._replace(content=stripped(content, info)))


def added_symbols(placed: Sequence[Placed], loaded: frozenset[RootPath]) -> tuple[AddedSymbols, ...]:
    """What there is of them in added files that were stripped, and in those that a program loads.

    :param loaded: the paths of what programs load.
    :raises InputError: the system could not read a file.
    """
    found = []
    for item in placed:
        content = item.entry.content
        if item.kind is not PlaceKind.ADDED or content is None:
            continue
        is_stripped = isinstance(content, JoinedContent)
        if is_stripped or item.entry.path in loaded:
            original = content.source if isinstance(content, JoinedContent) else content
            info = _loadable(original)
            weight = weigh(original, info) if info is not None else Weight(0, 0)
            found += [AddedSymbols(item.entry.path, weight, is_stripped)] if any(weight) else []
    return tuple(found)


def _loadable(content: Content | None) -> ElfInfo | None:
    """What is known of a library or a program of the host; None for anything else."""
    if not isinstance(content, FileContent) or content.size < len(MAGIC):
        return None
    with content.open() as reader:
        if reader.read_at(0, len(MAGIC)) != MAGIC:
            return None
    with suppress(ElfError):
        info = read_elf(content)
        return info if info.kind.is_program or info.kind is ElfKind.LIBRARY else None
    return None
