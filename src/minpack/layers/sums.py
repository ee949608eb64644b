"""The sums of the files of layers, kept by the layers' diff IDs: a diff ID fixes every file's bytes, so its sums too.

Without them, the files of a layer that is found by its key would be read for nothing else, and those of one that is
found by its mark hashed twice more, beside the tar.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.errors import StoreError
from minpack.namedtuple import NamedTuple
from minpack.oci.layer import sums_of
from minpack.paths import RootPath
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from minpack.digest import Digest
    from minpack.rootfs.entry import Entry
    from minpack.store.store import Store

    #: Paths with sums in hexadecimal, as a `Layer` has them.
    _Sums: TypeAlias = tuple[tuple[RootPath, str], ...]

SCHEMA = "minpack.layer-sums/1"
#: More than the record of a layer of 150,000 files takes; of one with more, the sums are computed each time.
MOST_BYTES = 16 << 20
_BYTES = {"sha256": 32, "sha1": 20}


class KeptSums(NamedTuple):
    """The sums of a layer's files: SHA-256, and SHA-1 if that was asked for."""

    sha256: _Sums
    sha1: _Sums


def kept_sums(store: Store, diff_id: Digest, entries: Sequence[Entry], *, sha1: bool) -> KeptSums | None:
    """What is kept for the layer of `entries`, which has that diff ID; None if there is none, or it is damaged."""
    record = store.record(_name(diff_id), SCHEMA, MOST_BYTES)
    # Nothing else ties what a record says to the layer that is looked for.
    if record is None or record.get("diff_id") != diff_id.hex:
        return None
    first = _read(record, "sha256", entries)
    second = _read(record, "sha1", entries) if sha1 else ()
    return KeptSums(first, second) if first is not None and second is not None else None


def keep_sums(store: Store, diff_id: Digest, entries: Sequence[Entry], sums: KeptSums, *, sha1: bool) -> None:
    """Keep the sums of the layer of `entries`, unless the same or more are kept; nothing if the store cannot take them.

    :param sha1: whether there is the SHA-1 as well.
    """
    if kept_sums(store, diff_id, entries, sha1=sha1) is not None:
        return
    values = {"diff_id": diff_id.hex, "sha256": _joined(sums.sha256, entries)}
    if sha1:
        values["sha1"] = _joined(sums.sha1, entries)
    with suppress(StoreError):
        store.keep_record(_name(diff_id), SCHEMA, values, MOST_BYTES)


def file_sums(store: Store, diff_id: Digest, entries: Sequence[Entry], *, sha1: bool) -> KeptSums:
    """The sums of the files of the layer of `entries`, which has that diff ID: kept, or computed and kept then.

    :raises ChangedInputError: a file is shorter than when it was planned.
    """
    kept = kept_sums(store, diff_id, entries, sha1=sha1)
    if kept is not None:
        return kept
    sums = KeptSums(sums_of(entries), sums_of(entries, "sha1") if sha1 else ())
    keep_sums(store, diff_id, entries, sums, sha1=sha1)
    return sums


def _name(diff_id: Digest) -> str:
    return f"layer-sums-{diff_id.hex}"


def _joined(sums: _Sums, entries: Sequence[Entry]) -> str:
    """The sums of the files in the order of the tar: their paths are in the tar, and links have those of files."""
    known = dict(sums)
    return "".join(known[entry.path] for entry in entries if _has_bytes(entry))


def _read(record: Mapping[str, object], algorithm: str, entries: Sequence[Entry]) -> _Sums | None:
    """The sums that the record has; None if it has not one for each file."""
    size = _BYTES[algorithm]
    try:
        data = bytes.fromhex(str(record[algorithm]))
    except (KeyError, ValueError):
        return None
    if len(data) != size * sum(map(_has_bytes, entries)):
        return None
    sums: dict[RootPath, str] = {}
    at = 0
    for entry in entries:
        if _has_bytes(entry):
            sums[entry.path] = data[at : at + size].hex()
            at += size
        elif entry.kind is Kind.HARDLINK:
            sums[entry.path] = sums[RootPath(entry.link)]
    return tuple(sums.items())


def _has_bytes(entry: Entry) -> bool:
    return entry.kind is Kind.FILE and entry.content is not None
