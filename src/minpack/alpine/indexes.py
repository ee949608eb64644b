"""The index of a repository: out of the store while it is young, else fetched and verified; with a table to search.

The store keeps the index as it was fetched and the table made of it, both by their SHA-256, and a record that leads to
them from the repository's address, with the time of the fetch, the newest package's build time, and the key that
signed it. The record counts only while that key is trusted.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from minpack.apk.index import MAX_INDEX, verify_index
from minpack.apk.table import ApkTable, make_table, read_table
from minpack.content import RangeContent, read_all
from minpack.errors import DownloadError, OfflineError, PackageError, UntrustedPackageError
from minpack.namedtuple import NamedTuple
from minpack.progress import Named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.alpine.repositories import Repository
    from minpack.apk.signature import Key
    from minpack.net.network import Network
    from minpack.progress import Progress
    from minpack.store.store import Store

#: Seconds after which an index is fetched anew: apk's own ``--cache-max-age`` (apk(8)).
MAX_AGE = 4 * 60 * 60
_SCHEMA = "minpack.apk-index/1"
_SUM = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FetchContext(NamedTuple):
    """What it takes to get at repositories: where things are kept, how servers are reached, whom to trust, the time.

    `locked` and `current` are those of `minpack.base.options.PackageOptions`.
    """

    store: Store
    network: Network
    keys: tuple[Key, ...]
    now: int
    locked: bool
    temporary: str
    progress: Progress
    current: bool = False


class OpenIndex(NamedTuple):
    """A verified index, searchable. `fresh` says that it was fetched just now."""

    repository: Repository
    table: ApkTable
    fresh: bool
    notes: tuple[str, ...] = ()


def open_index(repository: Repository, access: FetchContext, *, refresh: bool = False) -> OpenIndex:
    """The index of `repository`.

    :param refresh: fetch it though a young one is kept.
    :raises OfflineError: none is kept, and the network may not be used.
    :raises DownloadError: none is kept, and the server did not give one.
    :raises UntrustedPackageError: no trusted key signed it.
    :raises PackageError: it is damaged; or older than one seen before, and that is refused.
    """
    record = access.store.record(_name(repository), _SCHEMA) or {}
    # An older index than one seen before may have been kept where that was no more than a note.
    replayed = access.locked and "own" in record and _number(record, "own") < _number(record, "built")
    if replayed and access.network.offline:
        raise _older(repository)
    kept = _kept(record, repository, access) if not replayed else None
    age = access.now - _number(record, "fetched")
    if kept is not None and (access.network.offline or (0 <= age < MAX_AGE and not refresh)):
        return OpenIndex(repository, kept, fresh=False)
    if access.network.offline:
        raise OfflineError(repository.index_url)
    try:
        return _fetched(repository, access, _number(record, "built"))
    except DownloadError as error:
        if kept is None or access.current:
            raise
        note = f"the index of {repository.label} is {_age(age)} old and could not be refreshed: {error.reason}"
        return OpenIndex(repository, kept, fresh=False, notes=(note,))


def _kept(record: Mapping[str, object], repository: Repository, access: FetchContext) -> ApkTable | None:
    """The table of the index that the record leads to, if a key that is trusted now signed it."""
    raw, table, signer = (str(record.get(key, "")) for key in ("sha256", "table", "signer"))
    if record.get("url") != repository.index_url:
        return None
    if signer in (key.fingerprint for key in access.keys):
        data = _blob(access.store, table)
        found = read_table(data) if data is not None else None
        if found is not None:
            return found
    # Another form of table, or other keys: the index itself is still good for both.
    data = _blob(access.store, raw)
    if data is None:
        return None
    try:
        return _verified(data, repository, access, _number(record, "fetched"), _number(record, "built"))[0]
    except PackageError:
        return None


def _blob(store: Store, sha256: str) -> bytes | None:
    """The bytes the store has by that sum."""
    if not _SUM.fullmatch(sha256):
        return None
    blob = store.find(sha256).blob
    if blob is None:
        return None
    with blob:
        return read_all(blob, MAX_INDEX * 4) if blob.size <= MAX_INDEX * 4 else None


def _fetched(repository: Repository, access: FetchContext, seen: int) -> OpenIndex:
    """The index as the server has it; `seen` is the build time of the newest package seen before."""
    from minpack.net.download import download  # noqa: PLC0415

    url = repository.index_url
    with access.store.draft() as part:
        progress = Named(access.progress, f"fetching the packages of {repository.label}")
        download(url, part, limit=MAX_INDEX, network=access.network, progress=progress)
        data = read_all(RangeContent(part.descriptor, 0, part.size, url), MAX_INDEX)
    table, built = _verified(data, repository, access, access.now, seen)
    if built >= seen:
        return OpenIndex(repository, table, fresh=True)
    note = (
        f"the index of {repository.label} is older than one seen before: the mirror is out of date, or cannot be"
        " trusted"
    )
    return OpenIndex(repository, table, fresh=True, notes=(note,))


def _verified(
    data: bytes, repository: Repository, access: FetchContext, fetched: int, seen: int
) -> tuple[ApkTable, int]:
    """The table of the index in `data` and the build time of its newest package, both kept.

    :raises UntrustedPackageError: no trusted key signed it; or that time is before `seen`, where that is refused.
    """
    what = f"index {repository.index_url}"
    index = verify_index(data, access.keys, what)
    records = tuple(index.records())
    table = make_table(records, what)
    built = max((record.built for record in records), default=0)
    if access.locked and built < seen:
        raise _older(repository)
    with access.store.put(data) as raw, access.store.put(table.data) as kept:
        values = {
            "url": repository.index_url,
            "sha256": raw.sha256,
            "table": kept.sha256,
            "signer": index.signed_by.fingerprint,
            "description": index.description[:200],
            "fetched": fetched,
            "built": max(built, seen),
            "own": built,
        }
        access.store.keep_record(_name(repository), _SCHEMA, values)
    return table, built


def _older(repository: Repository) -> UntrustedPackageError:
    return UntrustedPackageError(
        f"index {repository.index_url}",
        "it is older than one seen before: the mirror is out of date, or someone is replaying an old one",
        "use another --mirror, or wait until this one has caught up",
    )


def _name(repository: Repository) -> str:
    return f"apk-index-{hashlib.sha256(repository.index_url.encode()).hexdigest()}"


def _number(record: Mapping[str, object], key: str) -> int:
    value = record.get(key)
    return value if isinstance(value, int) and value >= 0 else 0


def _age(seconds: int) -> str:
    hours = max(seconds, 0) // 3600
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004
