"""Fetching what a lock names: from the store, its address, or where a distribution keeps what it has replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.mirrors import mirrored
from minpack.errors import DownloadError, LockedError, SumMismatchError
from minpack.namedtuple import NamedTuple
from minpack.store.fetch import SIZE_LIMIT, Wanted, fetch

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.net.network import Network
    from minpack.progress import Progress
    from minpack.store.fetch import Fetched
    from minpack.store.store import Store

#: So many bytes more than it should have are read of a file that was changed.
_MORE = 64 << 20
#: Every file that Debian's archive ever had, by its SHA-1 (snapshot.debian.org, API, "/file/<hash>").
SNAPSHOT = "https://snapshot.debian.org/file"
_GONE_HINT = "the server has replaced it: use another one with --mirror, or renew the lock with minpack update"
_CHANGED_HINT = "the mirror or a proxy changed the file: try another --mirror; minpack update renews the lock"


class LockedDownload(NamedTuple):
    """A download that a lock names; `what` is its kind and name in messages. `sha1` is for Debian's packages."""

    what: tuple[str, str]
    url: str
    sha256: str
    size: int
    sha1: str = ""


class LockedSource(NamedTuple):
    """Where what a lock names comes from; `lock` is what to call the lock."""

    lock: str
    options: BaseOptions
    store: Store
    progress: Progress
    debian: bool = False


def fetch_locked(download: LockedDownload, source: LockedSource) -> Fetched:
    """The download, whose bytes are those that the lock means.

    :raises LockedError: a server gave other bytes, or they are not as many as the lock says.
    :raises OfflineError: it is not in the store, and the network may not be used.
    :raises DownloadError: no server gives it.
    """
    address, network = mirrored(download.url, source.options, debian=source.debian)
    try:
        return _fetched(download, address, source, network)
    except DownloadError as error:
        if not error.is_gone:
            raise
        if not download.sha1:
            raise DownloadError(address, error.reason, _GONE_HINT, status=error.status) from error
        snapshot = f"{SNAPSHOT}/{download.sha1}"
        try:
            return _fetched(download, snapshot, source, source.options.network)
        except DownloadError as late:
            reason = f"{error.reason}; nor could {snapshot} be had: {late.reason}"
            raise DownloadError(address, reason, _GONE_HINT, status=error.status) from late


def _fetched(download: LockedDownload, address: str, source: LockedSource, network: Network) -> Fetched:
    # A file of another size is a difference too, and no failed download.
    limit = min(download.size + _MORE, SIZE_LIMIT)
    wanted = Wanted(address, "sha256", download.sha256, _CHANGED_HINT, limit=limit)
    kind, name = download.what
    try:
        fetched = fetch(wanted, source.store, network, source.progress)
    except SumMismatchError as error:
        sums = (f"sha256:{download.sha256}", f"sha256:{error.actual} from {address}")
        raise LockedError(source.lock, ((kind, name, *sums),), _CHANGED_HINT) from error
    size = fetched.blob.size
    if size != download.size:
        # Alpine's package database has it, and with it the image.
        fetched.blob.close()
        raise LockedError(source.lock, ((kind, name, f"{download.size} bytes", f"{size} bytes"),))
    return fetched
