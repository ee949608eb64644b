"""The dynamic section of one file, read as the loaders read it: through addresses, up to DT_NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import DT_NULL, DT_STRTAB, PT_DYNAMIC
from minpack.elf.segments import extent_at

if TYPE_CHECKING:
    from minpack.elf.info import Segment
    from minpack.elf.segments import Header
    from minpack.elf.window import Window

#: More tags has no real file: the largest seen have a few hundred.
MAX_TAGS = 65536
#: The bytes first read for a string, and the most that one string and all strings of a file have.
PIECE = 512
MAX_STRING = 1 << 20
MAX_STRINGS = 4 << 20


class Dynamic:
    """The tags of a file, and the strings they name; without a dynamic section there are none."""

    def __init__(self, window: Window, header: Header, segments: tuple[Segment, ...]) -> None:
        self._window = window
        self._header = header
        self._segments = segments
        self._start = 0
        self._table: tuple[int, int] | None = None
        self._named = 0
        #: Tag and value of each entry, without DT_NULL.
        self.tags: tuple[tuple[int, int], ...] = self._read()
        #: The last value of each tag: loaders let it win (glibc `elf/get-dynamic-info.h`, musl `decode_vec`).
        self.last: dict[int, int] = dict(self.tags)

    def string(self, wanted: int) -> str | None:
        """The string that the last such tag names, or None.

        :raises MalformedElfError: it names none.
        """
        at = self.last.get(wanted)
        return None if at is None else self._string((wanted, at))

    def strings(self, wanted: int) -> tuple[str, ...]:
        """The strings that all such tags name, in order.

        :raises MalformedElfError: one names none.
        """
        if wanted not in self.last:
            return ()
        return tuple([self._string(tag) for tag in self.tags if tag[0] == wanted])

    def mixed(self, *wanted: int) -> tuple[tuple[int, str], ...]:
        """All tags of several kinds with the strings they name, in order.

        :raises MalformedElfError: one names none.
        """
        return tuple([(tag[0], self._string(tag)) for tag in self.tags if tag[0] in wanted])

    def offset_of(self, wanted: int) -> int:
        """The offset of the last such entry, and without one of the whole section."""
        value = self.last.get(wanted)
        return self._start if value is None else self._at((wanted, value))

    def _read(self) -> tuple[tuple[int, int], ...]:
        # Of several the last counts, for both loaders: each sees it again (glibc `elf/dl-load.c`, musl `map_library`).
        index = max((n for n, s in enumerate(self._segments) if s.type == PT_DYNAMIC), default=None)
        if index is None:
            return ()
        segment, said_at = self._segments[index], self._header.at_segment(index)
        form = self._header.layout.tag
        self._start, room = extent_at(segment.vaddr, self._segments) or (segment.offset, segment.file_size)
        count = min(segment.file_size, room) // form.size
        if count == 0:
            return ()
        if count > MAX_TAGS:
            raise self._window.error(said_at, f"a dynamic section of {count} entries is too long")
        data = self._window.read(self._start, count * form.size, "the dynamic section", said_at)
        entries = tuple(form.iter_unpack(data))
        end = next((n for n, (tag, _) in enumerate(entries) if tag == DT_NULL), count)
        return entries[:end]

    def _at(self, tag: tuple[int, int]) -> int:
        """The offset of the entry `tag`."""
        return self._start + self._header.layout.tag.size * self.tags.index(tag)

    def _strings(self, tag: tuple[int, int]) -> tuple[int, int]:
        """Offset and size of the string table.

        It reaches to the end of its segment: no loader looks at DT_STRSZ (glibc `elf/dl-load.c`, musl `decode_dyn`).
        """
        if self._table is None:
            address = self.last.get(DT_STRTAB)
            if address is None:
                raise self._window.error(self._at(tag), "a name is given and there is no string table")
            self._table = extent_at(address, self._segments)
            if self._table is None:
                at = self._at((DT_STRTAB, address))
                raise self._window.error(at, f"the string table at address {address:#x} is in no segment")
        return self._table

    def _string(self, tag: tuple[int, int]) -> str:
        offset, room = self._table or self._strings(tag)
        offset, room = offset + tag[1], room - tag[1]
        if room <= 0:
            raise self._window.error(self._at(tag), "a name is beyond the string table")
        size, end = PIECE, -1
        while end < 0:
            data = self._window.read(offset, min(size, room), "the string table", self._start)
            end = data.find(b"\0")
            if end < 0 and size >= min(room, MAX_STRING):
                raise self._window.error(self._at(tag), f"a name has no end within {len(data)} bytes")
            size = min(size * 8, MAX_STRING)
        self._named += end
        if self._named > MAX_STRINGS:
            raise self._window.error(self._at(tag), f"all names together have more than {MAX_STRINGS} bytes")
        return data[:end].decode("utf-8", "surrogateescape")
