"""What kept layers are called: by all that their bytes depend on, or by what most likely tells them apart."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.content import key_of, sum_of
from minpack.oci.compress import OWN_MEMBERS, made_by
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.content import Content
    from minpack.oci.compression import Compression
    from minpack.rootfs.entry import Entry

#: Another one when the same entries and setting give other bytes than before, in tar/write.py or oci/compress.py.
SCHEMA = "minpack.layer/4"
#: Of how many files bytes go into the mark, the largest first, and how many from the start, the middle and the end.
_MARKED_FILES = 32
_MARKED_BYTES = 4096
#: Of layers with more small files without a key the sums of these are not asked for: it takes as long as the tar does.
MOST_SUMMED = 256


def contents_of(entries: Sequence[Entry]) -> list[Content]:
    """Those of the files."""
    return [entry.content for entry in entries if entry.content is not None]


def layer_key(entries: Sequence[Entry], compression: Compression, mtime: int) -> str:
    """The name of the record of the one layer that can be made so; empty where only reading tells which that is."""
    return _key_by(
        entries, compression, mtime, [key_of(entry.content) if entry.content is not None else None for entry in entries]
    )


def summed_key(entries: Sequence[Entry], compression: Compression, mtime: int, sums: Mapping[Content, str]) -> str:
    """The same where files have been read: by what they were compressed from, and small ones by their sums.

    Empty where large ones are not known, or many small ones would have to be read.
    """
    contents = [one for one in contents_of(entries) if not key_of(one)]
    small = [one for one in contents if one.size < OWN_MEMBERS]
    if len(small) > MOST_SUMMED or any(one not in sums for one in contents if one.size >= OWN_MEMBERS):
        return ""
    known = {one: f"blocks:{sums[one]}" if one.size >= OWN_MEMBERS else f"sha256:{sum_of(one)}" for one in contents}
    keys = [known.get(one) or key_of(one) if (one := entry.content) is not None else None for entry in entries]
    return _key_by(entries, compression, mtime, keys)


def _key_by(entries: Sequence[Entry], compression: Compression, mtime: int, keys: Sequence[str | None]) -> str:
    return (
        "" if "" in keys else f"layer-key-{hashlib.sha256(_described(entries, compression, mtime, keys)).hexdigest()}"
    )


def _described(entries: Sequence[Entry], compression: Compression, mtime: int, keys: Sequence[str | None]) -> bytes:
    """All that the layer's bytes depend on but for the contents, of which there are the `keys`: no two alike."""
    import json  # noqa: PLC0415 - where nothing is kept there is nothing to look for

    rows = [
        (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.link, entry.capability.hex(), key)
        for entry, key in zip(entries, keys, strict=True)
    ]
    values = (SCHEMA, __version__, made_by(compression), mtime, rows)
    # Half characters stand for bytes that are not UTF-8. As they are, two of them are not taken for one whole.
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")


def layer_mark(entries: Sequence[Entry], compression: Compression, mtime: int) -> str:
    """The name of the record of layers that are most likely the same."""
    mark = hashlib.sha256(_described(entries, compression, mtime, [None] * len(entries)))
    files = (entry.content for entry in entries if entry.kind is Kind.FILE and entry.content is not None)
    for content in sorted(files, key=lambda content: -content.size)[:_MARKED_FILES]:
        with content.open() as reader:
            for at in (0, content.size // 2, content.size - _MARKED_BYTES):
                mark.update(reader.read_at(max(at, 0), _MARKED_BYTES))
    return f"layer-mark-{mark.hexdigest()}"
