"""Fetching a file whose sum is known: from the store, else from a server, verified either way."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from minpack.errors import OfflineError, SumMismatchError
from minpack.namedtuple import NamedTuple
from minpack.progress import Named, no_progress
from minpack.store.store import Found
from minpack.store.turn import Turn

if TYPE_CHECKING:
    from minpack.net.download import Request
    from minpack.net.network import Network
    from minpack.progress import Progress
    from minpack.store.blob import StoredBlob
    from minpack.store.part import Part
    from minpack.store.store import Store

#: More bytes than any base or package has.
SIZE_LIMIT = 4 << 30

#: Of the name of a file, which whoever wrote the address chose, no more is told.
_LONGEST_NAME = 60

_SPELLED = {"sha256": "SHA-256", "sha512": "SHA-512"}

_SUM_SCHEMA = "minpack.sum/1"
_PART_SCHEMA = "minpack.part/1"


class Wanted(NamedTuple):
    """A file to fetch, and how to know it: by `algorithm` (``sha512`` or ``sha256``) and its sum `hex`.

    `size` is in bytes, None if it is not known; `hint` is for who gets other bytes. `name` is what people call it where
    the last part of its address says nothing to them. `fixed` is true of an address that means the same bytes for ever.
    """

    url: str
    algorithm: str
    hex: str
    hint: str
    size: int | None = None
    limit: int = SIZE_LIMIT
    name: str = ""
    fixed: bool = False


class Fetched(NamedTuple):
    """The verified bytes, which the receiver closes, and what there is to tell."""

    blob: StoredBlob
    notes: tuple[str, ...] = ()


def fetch(
    wanted: Wanted, store: Store, network: Network, progress: Progress = no_progress, request: Request | None = None
) -> Fetched:
    """The file `wanted`. It is kept in `store` if that can be written.

    Processes that want the same file at the same time download it once.

    :param request: makes the requests, see `download`.
    :raises OfflineError: it is not in the store, and the network may not be used.
    :raises DownloadError: the server did not give it.
    :raises SumMismatchError: the server gave other bytes; they are not kept.
    :raises StoreError: the disk is full or broken.
    """
    found = find(wanted.algorithm, wanted.hex, store)
    if found.blob is not None:
        return Fetched(_noted(wanted, found.blob, network))
    if network.offline:
        raise OfflineError(wanted.url)
    name = wanted.name or wanted.url.rpartition("/")[2][:_LONGEST_NAME]
    progress = Named(progress, f"fetching {name}") if wanted.name else progress
    with store.part(_key(wanted), Turn(name, network, progress)) as part:
        # Another process may have brought it while this one waited for its turn.
        again = find(wanted.algorithm, wanted.hex, store)
        blob = again.blob or _shared(wanted, store, network, progress)
        blob = blob or _bring(wanted, part, store, network, progress, request)
    _noted(wanted, blob, network)
    notes = (found.note, f"the download was not cached: {store.problem}" if store.problem else "")
    return Fetched(blob, tuple(note for note in notes if note))


def find(algorithm: str, hexadecimal: str, store: Store) -> Found:
    """What the store has of the file whose sum by `algorithm` is `hexadecimal`; the caller closes it."""
    if algorithm != "sha256":
        # Blobs go by SHA-256; a record leads to them from other sums.
        record = store.record(f"{algorithm}-{hexadecimal}", _SUM_SCHEMA) or {}
        hexadecimal = str(record.get("sha256"))
    return store.find(hexadecimal) if re.fullmatch("[0-9a-f]{64}", hexadecimal) else Found(None)


def _noted(wanted: Wanted, blob: StoredBlob, network: Network) -> StoredBlob:
    """The blob, which shared caches may want to know of."""
    if network.downloads is not None:
        network.downloads.note(_shared_key(wanted), blob.sha256)
    return blob


def _shared(wanted: Wanted, store: Store, network: Network, progress: Progress) -> StoredBlob | None:
    """The file from a shared cache, verified and kept; None if none has it."""
    if network.downloads is None:
        return None
    with store.draft() as part:
        limit = wanted.limit if wanted.size is None else wanted.size
        if not network.downloads.bring(_shared_key(wanted), part, limit, progress):
            return None
        if part.sum(wanted.algorithm) != wanted.hex:
            network.downloads.refuse(_shared_key(wanted), f"its {_SPELLED[wanted.algorithm]} differs")
            return None
        return _keep(wanted, part, store)


def _shared_key(wanted: Wanted) -> str:
    return f"{wanted.algorithm}:{wanted.hex}"


def _keep(wanted: Wanted, part: Part, store: Store) -> StoredBlob:
    """The verified download as a blob, found by its sum from now on."""
    sha256 = part.sum("sha256")
    if wanted.algorithm != "sha256":
        store.keep_record(f"{wanted.algorithm}-{wanted.hex}", _SUM_SCHEMA, {"sha256": sha256})
    return part.keep(sha256)


def _bring(
    wanted: Wanted, part: Part, store: Store, network: Network, progress: Progress, request: Request | None
) -> StoredBlob:
    """Download into `part`, going on with what an earlier run left in it."""
    from minpack.net.download import download  # noqa: PLC0415

    name = f"part-{_key(wanted)}"
    resumption = store.record(name, _PART_SCHEMA) or {}
    # A second round is for bytes that were damaged since they were left behind.
    for again in (False, True):
        validator = "" if again else str(resumption.get("validator", ""))
        start = part.size if validator or (wanted.fixed and not again) else 0
        if start == 0:
            part.clear()
        if start == 0 or part.sum(wanted.algorithm) != wanted.hex:
            download(
                wanted.url,
                part,
                limit=wanted.limit if wanted.size is None else wanted.size,
                network=network,
                size=wanted.size,
                start=start,
                validator=validator,
                remember=lambda value: store.keep_record(name, _PART_SCHEMA, {"validator": value}),
                progress=progress,
                request=request,
                fixed=wanted.fixed,
            )
        actual = part.sum(wanted.algorithm)
        if actual == wanted.hex or start == 0:
            break
    store.drop_record(name)
    if actual != wanted.hex:
        part.clear()
        raise SumMismatchError(wanted.url, _SPELLED[wanted.algorithm], wanted.hex, actual, wanted.hint)
    return _keep(wanted, part, store)


def _key(wanted: Wanted) -> str:
    return hashlib.sha256(f"{wanted.url}\n{wanted.hex}".encode()).hexdigest()
