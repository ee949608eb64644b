"""Fetching a suite of Debian's archive: its signed release, and tables of its indexes, kept between runs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from minpack.catalog.debian import MIRROR, SECURITY_MIRROR
from minpack.content import FileReader
from minpack.deb.control import DAMAGED
from minpack.deb.release import read_release
from minpack.deb.table import DebTable
from minpack.deb.trust import MAX_SIGNED
from minpack.digest import Digest
from minpack.errors import (
    ArchiveError,
    DownloadError,
    OfflineError,
    PackageError,
    SumMismatchError,
    UntrustedPackageError,
)
from minpack.namedtuple import NamedTuple
from minpack.store.fetch import Wanted, fetch, find
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from minpack.deb.release import IndexFile, Release
    from minpack.net.network import Network
    from minpack.progress import Progress
    from minpack.store.blob import StoredBlob
    from minpack.store.store import Store

COMPONENT = "main"
_RELEASE_SCHEMA = "minpack.debian-release/1"
_TABLE_SCHEMA = "minpack.debian-table/2"
_BEHIND_HINT = "use another --mirror, or wait until this one has caught up"
_STALE_HINT = "the mirror is being updated or is inconsistent: try again later, or use another --mirror"


class Suite(NamedTuple):
    """A suite and the mirror it is on. One that is `optional` may be missing there."""

    mirror: str
    codename: str
    optional: bool = False

    @property
    def url(self) -> str:
        """The address of its directory."""
        return f"{self.mirror}/dists/{self.codename}"

    @property
    def is_security(self) -> bool:
        """Whether it has the security updates of a release."""
        return self.codename.endswith("-security")

    def __str__(self) -> str:
        return f"debian {self.codename}"


class SuiteContext(NamedTuple):
    """What fetching takes: where things are kept, how servers are reached, the day, the keys, and what to tell.

    With `refresh`, releases are fetched anew that were fetched the same day already. With `locked`, one is
    refused that is older than one seen before. With `current`, none is used that may not be the newest.
    """

    store: Store
    network: Network
    today: str
    keys: Mapping[str, bytes]
    progress: Progress
    refresh: bool = False
    locked: bool = False
    current: bool = False


class FetchedRelease(NamedTuple):
    """A verified release, and the SHA-256 of its file."""

    release: Release
    sha256: str
    notes: tuple[str, ...]


def suites_of(codename: str, mirror: str) -> tuple[Suite, ...]:
    """A release's own suite, its updates, and its security updates.

    :param mirror: a copy of Debian's archive; security updates are beside it, ``-security`` added to its address.
    """
    security = SECURITY_MIRROR if mirror == MIRROR else f"{mirror}-security"
    return (
        Suite(mirror, codename),
        Suite(mirror, f"{codename}-updates", optional=True),
        Suite(security, f"{codename}-security", optional=True),
    )


def fetch_release(suite: Suite, place: SuiteContext) -> FetchedRelease | None:
    """The suite's release: the one kept if it was fetched the same day, or if the network may not be used; else anew.

    If the server does not answer, the one kept is used, and a note says so. None if the suite is optional and not
    there; a lock is not written without one that was there before.

    :raises OfflineError: it is not kept, and the network may not be used.
    :raises DownloadError: the server did not give it.
    :raises UntrustedPackageError: no trusted key has signed it; or it is older than one seen before, where
        that is refused.
    :raises PackageError: it is no release, or that of another suite.
    """
    url = f"{suite.url}/InRelease"
    # What is signed does not depend on the mirror.
    name = f"debian-release-{suite.codename}"
    record = place.store.record(name, _RELEASE_SCHEMA) or {}
    absent = f"{place.today} {suite.url}"
    newest = str(record.get("newest", ""))
    must = not suite.optional or (place.locked and bool(newest))
    if not must and record.get("absent") == absent and not place.refresh:
        return None
    kept = _kept(record, place)
    fresh = record.get("day") == place.today and not place.refresh
    if kept is not None and (fresh or place.network.offline):
        return _fetched(suite, kept, place, newest)
    if place.network.offline:
        if not must:
            return None
        raise OfflineError(url)
    try:
        message = _download(url, place.network, optional=suite.optional)
    except DownloadError as error:
        if kept is None or place.current:
            raise
        note = f"{suite} is as it was on {record.get('day')}: {url} cannot be downloaded: {error.reason}"
        return _fetched(suite, kept, place, newest, note)
    if message is None and must:
        reason = f"it is not there, and one of {newest[:10]} was seen before: without it updates are lost"
        raise UntrustedPackageError(f"release {url}", reason, _BEHIND_HINT)
    if message is None:
        place.store.keep_record(name, _RELEASE_SCHEMA, {**record, "absent": absent})
        return None
    newest = max(_read(suite, message, place, url).date, newest)
    fetched = _fetched(suite, message, place, newest)
    with place.store.put(message) as blob:
        values = {"day": place.today, "sha256": blob.sha256, "newest": newest}
        place.store.keep_record(name, _RELEASE_SCHEMA, values)
    return fetched


def _fetched(suite: Suite, message: bytes, place: SuiteContext, newest: str, *notes: str) -> FetchedRelease:
    url = f"{suite.url}/InRelease"
    release = _read(suite, message, place, url)
    if place.locked and release.date < newest:
        raise UntrustedPackageError(
            f"release {url}",
            f"it is of {release.date[:10]}, and one of {newest[:10]} was seen before: the mirror is out of date,"
            f" or someone is replaying an old one",
            _BEHIND_HINT,
        )
    if place.current and release.valid_until and release.valid_until[:10] < place.today:
        reason = f"it was valid until {release.valid_until[:10]}: the mirror is behind"
        raise UntrustedPackageError(f"release {url}", reason, _BEHIND_HINT)
    notes += tuple(_age_notes(suite, release, newest, place.today))
    return FetchedRelease(release, Digest.of(message).hex, notes)


def _kept(record: Mapping[str, object], place: SuiteContext) -> bytes | None:
    """The message that a record leads to."""
    blob = find("sha256", str(record.get("sha256", "")), place.store).blob
    if blob is None:
        return None
    with blob, blob.open() as reader:
        return reader.read_at(0, min(blob.size, MAX_SIGNED))


def _age_notes(suite: Suite, release: Release, newest: str, today: str) -> Iterator[str]:
    if release.date < newest:
        yield (
            f"{suite.mirror} has an older release of {suite} ({release.date[:10]}) than was used before"
            f" ({newest[:10]}): it may lack security updates"
        )
    if release.valid_until and release.valid_until[:10] < today:
        yield (
            f"the release of {suite} on {suite.mirror} was valid until {release.valid_until[:10]}:"
            " it may lack security updates"
        )


def _download(url: str, network: Network, *, optional: bool) -> bytes | None:
    from minpack.net.download import read_document  # noqa: PLC0415

    try:
        return read_document(url, limit=MAX_SIGNED, network=network)
    except DownloadError as error:
        if optional and error.is_gone:
            return None
        raise


def _read(suite: Suite, message: bytes, place: SuiteContext, url: str) -> Release:
    release = read_release(message, place.keys, url)
    if release.codename != suite.codename:
        reason = f"it is the release of {release.codename!r}, and {suite.codename!r} was asked for"
        raise PackageError(url, reason, "use another --mirror")
    return release


class OpenTable(DebTable):
    """A table whose file is closed by `close`."""

    def __init__(self, blob: StoredBlob) -> None:
        super().__init__(FileReader(blob.fileno(), 0, blob.size, owned=False, where=blob.where), blob.size)
        self._blob = blob

    def close(self) -> None:
        """Close the file; once more does no harm."""
        self._blob.close()


def open_table(
    suite: Suite,
    index: IndexFile,
    unpacked: IndexFile | None,
    build: Callable[[Iterable[bytes], str], bytes],
    by_hash: bool,  # noqa: FBT001 - as the release has it
    place: SuiteContext,
) -> OpenTable:
    """The table that `build` makes of a suite's index: the one kept, else made of the index, which is fetched for it.

    :param unpacked: the same index without compression, where the release lists it; it says how large that is.
    :raises OfflineError: it is not kept, and the network may not be used.
    :raises DownloadError: the server did not give the index.
    :raises SumMismatchError: the index is not the one that the release names.
    :raises PackageError: it is damaged, or says what cannot be true.
    """
    name = f"debian-table-{index.sha256}"
    record = place.store.record(name, _TABLE_SCHEMA) or {}
    kept = find("sha256", str(record.get("sha256", "")), place.store).blob
    if kept is not None:
        table = OpenTable(kept)
        if table.valid:
            return table
        table.close()
    url = f"{suite.url}/{index.path}"
    # The index itself is not kept: the table has all that is ever asked for, and is half as large. Others may want it.
    shared = place.network.downloads is not None
    with (
        nullcontext(place.store) if shared else open_store(None) as store,
        _fetch_index(suite, index, by_hash, place, store) as blob,
    ):
        size = unpacked.size if unpacked is not None else None
        data = build(_reported(_pieces(blob, url, size), f"indexing {_name(suite, index)}", size, place.progress), url)
    table_blob = place.store.put(data)
    place.store.keep_record(name, _TABLE_SCHEMA, {"sha256": table_blob.sha256})
    return OpenTable(table_blob)


def _name(suite: Suite, index: IndexFile) -> str:
    """What people call an index, whose address may be its sum."""
    return f"the {'files' if '/Contents-' in f'/{index.path}' else 'packages'} of {suite}"


def _reported(pieces: Iterable[bytes], task: str, size: int | None, progress: Progress) -> Iterator[bytes]:
    """The pieces; `progress` is told of each, of `size` bytes in all."""
    done = 0
    for piece in pieces:
        done += len(piece)
        progress(task, done, size)
        yield piece


def _fetch_index(suite: Suite, index: IndexFile, by_hash: bool, place: SuiteContext, store: Store) -> StoredBlob:  # noqa: FBT001
    """The index, by its sum where the mirror has it so: its name may get other bytes at any time."""
    folder, _, _ = index.path.rpartition("/")
    plain = f"{suite.url}/{index.path}"
    for url in (*((f"{suite.url}/{folder}/by-hash/SHA256/{index.sha256}",) if by_hash else ()), plain):
        try:
            wanted = Wanted(url, "sha256", index.sha256, _STALE_HINT, index.size, name=_name(suite, index))
            return fetch(wanted, store, place.network, place.progress).blob
        except DownloadError as error:
            if url == plain or not error.is_gone:
                raise
        except SumMismatchError:
            if url == plain:
                raise
    raise AssertionError("internal error: no address of an index")


def _pieces(blob: StoredBlob, where: str, size: int | None) -> Iterator[bytes]:
    """The index without its compression, which is known by its first bytes."""
    from minpack.tar import members  # noqa: PLC0415
    from minpack.tar.decompress import limit_for  # noqa: PLC0415

    limit = size if size is not None else limit_for(blob.size)
    with blob.open() as reader:
        head = reader.read_at(0, len(members.XZ_MAGIC))
        form = members.xz_format() if head == members.XZ_MAGIC else members.gzip_format()
        try:
            for piece in members.decompressed(reader, form, where):
                limit -= len(piece)
                if limit < 0:
                    raise PackageError(where, "it unpacks to more bytes than the release says", DAMAGED)
                yield piece
        except ArchiveError as error:
            raise PackageError(where, error.reason, error.hint) from error
