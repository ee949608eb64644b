"""Files of layers that are compressed here, whose gzip members a shared cache has in other layers.

A member is known by the SHA-256 of what it holds. Which layers of a cache have members of a certain layer is asked by
a few of those sums, the smallest: two layers that share much share some of them (MinHash, Broder 1997). So a few
requests find them, however many files there are, and nobody keeps a list that two writers would change at once.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from minpack.content import FileReader
from minpack.errors import InputError, StoreError
from minpack.namedtuple import NamedTuple
from minpack.oci.compress import OWN_MEMBERS, gzip_member
from minpack.registry.jobs import Jobs
from minpack.rootfs.entry import Kind
from minpack.shared.members import LEAST_MEMBER, GzipMember, MemberError, inflated, read_table
from minpack.shared.names import MEMBERS, block_tag
from minpack.shared.verify import refuse_other_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol

    from minpack.content import Content
    from minpack.digest import Writable
    from minpack.oci.compress import CompressedFile, FileCache, KeptFile, ReadyMember
    from minpack.oci.documents import Descriptor
    from minpack.rootfs.entry import Entry
    from minpack.shared.names import LayerSetting
    from minpack.shared.remote import CacheArtifact, RemoteCache
    from minpack.store.part import Part

    class LocalFiles(FileCache, Protocol):
        """The files of layers that are kept here."""

        def keep(self, layer: Descriptor) -> None:
            """The layer that was written is in the store now."""


#: By so many members a layer is found; a registry may bound the number of tags.
ANCHORS = 4
#: More bytes than any table has; a row is for at least as many bytes of a layer.
_MOST_TABLE = 16 << 20
_ROW = 40
#: What lies between two wanted members is fetched along with them if it is no more, in bytes; and the most at once.
_GAP, _MOST_RANGE = 64 << 10, 8 << 20
#: Requests at one time.
AT_ONCE = 4


def anchors_of(sums: Iterable[tuple[bytes, int]]) -> list[bytes]:
    """The sums that a layer is found by, of those of its members, each with how many bytes it holds."""
    return sorted({one for one, holds in sums if holds >= OWN_MEMBERS})[:ANCHORS]


def block_sums(content: Content, block_size: int) -> list[tuple[bytes, int]]:
    """The SHA-256 of each block that has a gzip member of its own, and how many bytes it has.

    :raises InputError: it cannot be read.
    """
    buffer = memoryview(bytearray(min(block_size, content.size)))
    found = []
    with content.open() as reader:
        for at in range(0, content.size, block_size):
            size = reader.readinto_at(buffer, at)
            found.append((hashlib.sha256(buffer[:size]).digest(), size))
    return found


class _Place(NamedTuple):
    """Where in a cache a member is: in the layer `blob`."""

    blob: Descriptor
    member: GzipMember


class _Taken(NamedTuple):
    """A file whose members lie in `part`, each from its offset on."""

    path: str
    members: tuple[tuple[int, GzipMember], ...]


class SharedFiles:
    """The files of one layer, from the store or from a shared cache; see `minpack.oci.compress.FileCache`.

    Leave its ``with`` block to close what was fetched.

    :param verify: compress again what is taken, and compare.
    """

    def __init__(self, local: LocalFiles, setting: LayerSetting, *, verify: bool) -> None:
        self._local = local
        self._setting = setting
        self._verify = verify
        self._taken: dict[int, _Taken] = {}
        self._part: Part | None = None
        #: The cache that files were taken from; empty while none was.
        self._cache = ""
        #: How many files were taken from the cache, and the bytes of all that need not be compressed.
        self.files = self.known = 0

    @property
    def origin(self) -> str:
        """The cache that alone says how files that were taken are compressed; empty if none does."""
        return self._cache if self.files and not self._verify else ""

    def fetch(self, entries: Sequence[Entry], remotes: Iterable[RemoteCache], draft: Callable[[], Part]) -> None:
        """Fetch the members of files that the store does not have, from the first cache that has any.

        :param draft: gives an empty file to fill.
        """
        contents = {
            id(entry.content): (entry.path, entry.content)
            for entry in entries
            if entry.kind is Kind.FILE and entry.content is not None and entry.size >= OWN_MEMBERS
        }
        # What cannot be read is told where it is packed.
        with suppress(InputError, StoreError):
            wanted = {
                key: (str(path), block_sums(content, self._setting.block_size))
                for key, (path, content) in contents.items()
                if self._local.find(content) is None
            }
            for remote in remotes:
                if wanted and self._fetch_from(remote, wanted, draft):
                    self._cache = str(remote)
                    return

    def find(self, content: Content) -> KeptFile | None:
        """The members of a file, from the store if it has some."""
        kept: KeptFile | None = self._local.find(content)
        taken = self._taken.get(id(content))
        if kept is None and taken is not None and self._part is not None:
            kept = _TakenFile(self._part, taken, self._setting, self._cache if self._verify else "")
        return _CountedFile(kept, content.size, self) if kept is not None else None

    def ready(self, _content: Content) -> Sequence[ReadyMember]:
        """Nothing is made before its turn."""
        return ()

    def note(self, content: Content, compressed: CompressedFile) -> None:
        """See `FileCache.note`."""
        self._local.note(content, compressed)

    def keep(self, layer: Descriptor) -> None:
        """See `LocalFiles.keep`."""
        self._local.keep(layer)

    def __enter__(self) -> SharedFiles:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._part is not None:
            self._part.close()

    def _fetch_from(
        self, remote: RemoteCache, wanted: dict[int, tuple[str, list[tuple[bytes, int]]]], draft: Callable[[], Part]
    ) -> bool:
        """Fetch what the cache has; whether that is a file at least."""
        places = _places(remote, [one for _, sums in wanted.values() for one in sums], self._setting)
        found = {
            key: (path, [places[one] for one in sums])
            for key, (path, sums) in wanted.items()
            if all(one in places for one in sums)
        }
        if not found:
            return False
        self._part = draft()
        at = _fetch_members(remote, {place for _, row in found.values() for place in row}, self._part)
        for key, (path, row) in found.items():
            if all(place in at for place in row):
                self._taken[key] = _Taken(path, tuple((at[place], place.member) for place in row))
        return bool(self._taken)


def _places(
    remote: RemoteCache, sums: Sequence[tuple[bytes, int]], setting: LayerSetting
) -> dict[tuple[bytes, int], _Place]:
    """Where the cache has members with these sums."""
    found: list[CacheArtifact] = []

    def ask(tag: str) -> None:
        artifact = remote.artifact(tag)
        if artifact is not None:
            found.append(artifact)

    _at_once([partial(ask, block_tag(setting, one)) for one in anchors_of(sums)])
    wanted, places = set(sums), dict[tuple[bytes, int], _Place]()
    for layer, table in {artifact.blobs[:2] for artifact in found if len(artifact.blobs) > 1}:
        for member in _table(remote, layer, table, setting):
            if (member.sum, member.holds) in wanted:
                places.setdefault((member.sum, member.holds), _Place(layer, member))
    return places


def _table(remote: RemoteCache, layer: Descriptor, table: Descriptor, setting: LayerSetting) -> tuple[GzipMember, ...]:
    """The members of a layer of the cache; none if what says it cannot be true."""
    most = min(_MOST_TABLE, _ROW * (layer.size // LEAST_MEMBER))
    data = remote.read(table, most) if table.media_type == MEMBERS else None
    if data is None:
        return ()
    try:
        return read_table(data, layer.size, setting.block_size)
    except MemberError as error:
        remote.refuse(str(table.digest), str(error))
        return ()


def _fetch_members(remote: RemoteCache, places: Iterable[_Place], part: Part) -> dict[_Place, int]:
    """Fetch the members into `part`; where each is in it."""
    jobs, at, found = [], 0, dict[_Place, int]()

    def fetch(blob: Descriptor, start: int, size: int, to: int, row: Sequence[_Place]) -> None:
        data = remote.read_range(blob, start, size)
        if data is not None:
            part.write(data, to)
            found.update((place, to + place.member.at - start) for place in row)

    for row in _ranges(places):
        start, end = row[0].member.at, row[-1].member.at + row[-1].member.size
        jobs.append(partial(fetch, row[0].blob, start, end - start, at, row))
        at += end - start
    _at_once(jobs)
    return found


def _ranges(places: Iterable[_Place]) -> list[list[_Place]]:
    """The members in rows, each of which is fetched at once."""
    rows: list[list[_Place]] = []
    for place in sorted(places, key=lambda one: (one.blob.digest, one.member.at)):
        if rows and rows[-1][0].blob.digest == place.blob.digest:
            first, last = rows[-1][0].member, rows[-1][-1].member
            gap, whole = place.member.at - last.at - last.size, place.member.at + place.member.size - first.at
            if gap <= _GAP and whole <= _MOST_RANGE:
                rows[-1].append(place)
                continue
        rows.append([place])
    return rows


def _at_once(tasks: Sequence[Callable[[], None]]) -> None:
    """Do them, a few at one time."""
    with Jobs(AT_ONCE) as jobs:
        for task in tasks:
            jobs.add(task)
        jobs.wait(lambda: None)


class _TakenFile:
    """A file from a shared cache; see `minpack.oci.compress.KeptFile`.

    :param verify: the cache, if what it has is to be compressed again and compared.
    """

    def __init__(self, part: Part, taken: _Taken, setting: LayerSetting, verify: str) -> None:
        self._part = part
        self._taken = taken
        self._setting = setting
        self._verify = verify

    def is_of(self, content: Content) -> bool:
        """Whether the members hold what `content` has now.

        :raises SumMismatchError: they do, in another form than minpack's, which is to be verified.
        """
        at = 0
        with content.open() as reader:
            for start, member in self._taken.members:
                data = self._read(start, member.size)
                try:
                    held = inflated(data, member.holds)
                except MemberError:
                    return False
                if len(held) != member.holds or reader.read_at(at, member.holds) != held:
                    return False
                at += len(held)
                if self._verify:
                    again = gzip_member(held, self._setting.compression)
                    sums = (hashlib.sha256(one).hexdigest() for one in (again, data))
                    refuse_other_form(self._verify, self._taken.path, *sums)
        return at == content.size

    def copy_to(self, out: Writable) -> None:
        """Write the members to `out`."""
        for start, member in self._taken.members:
            out.write(self._read(start, member.size))

    def _read(self, start: int, size: int) -> bytes:
        return FileReader(self._part.descriptor, start, size, owned=False).read_at(0, size)


class _CountedFile:
    """A kept file that is counted when it is used."""

    def __init__(self, kept: KeptFile, size: int, files: SharedFiles) -> None:
        self._kept = kept
        self._size = size
        self._files = files

    def is_of(self, content: Content) -> bool:
        """See `KeptFile.is_of`."""
        return self._kept.is_of(content)

    def copy_to(self, out: Writable) -> None:
        """See `KeptFile.copy_to`."""
        self._kept.copy_to(out)
        self._files.known += self._size
        self._files.files += isinstance(self._kept, _TakenFile)
