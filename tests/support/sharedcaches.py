"""Machines that share a cache in a registry: each has a store of its own, and writes layers of the same entries."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from minpack.layers.cache import LayerOptions, setting_of, write_kept_layer
from minpack.net.network import Network
from minpack.oci.compression import Compression
from minpack.oci.mediatypes import MANIFEST
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.rootfs.entry import Entry, file
from minpack.shared.cache import SharedCache
from minpack.shared.options import CacheOptions
from minpack.shared.publish import write_cache
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from minpack.content import Content
    from minpack.shared.use import CacheUse
    from support.fakeregistry import FakeRegistry

NAME = "team/cache"
_WORDS = [hashlib.sha256(b"%d" % number).digest()[:9] for number in range(3000)]
_ROW = struct.Struct("<32sII")


def text(seed: int, size: int) -> bytes:
    """Bytes that compress somewhat, other ones for each seed."""
    chosen = random.Random(seed)  # noqa: S311 - what is wanted is the same again
    return b" ".join(chosen.choices(_WORDS, k=size // 8))[:size]


def layer_tag(registry: FakeRegistry) -> str:
    """The tag of the only layer of the cache."""
    (tag,) = (tag for tag in registry.tags(NAME) if tag.startswith("layer-"))
    return tag


def rewrite(registry: FakeRegistry, layer: bytes | None = None, table: bytes | None = None, **fields: Any) -> None:
    """Let all names of the layer stand for another one, or another table, with everything else in order."""
    document = registry.document(NAME, layer_tag(registry))
    for number, data in enumerate((layer, table)):
        if data is not None:
            digest = registry.keep(NAME, data)
            document["layers"][number] |= {"digest": digest, "size": len(data)}
    for key, value in fields.items():
        (document["layers"][0] if key in ("size", "mediaType") else document)[key] = value
    for tag in registry.tags(NAME):
        registry.keep_manifest(NAME, tag, MANIFEST, json.dumps(document).encode())


def gzip_member(data: bytes, header: bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\xff", crc: int | None = None) -> bytes:
    """A gzip member as another compressor makes it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    return header + body + struct.pack("<II", zlib.crc32(data) if crc is None else crc, len(data))


def unpacked(layer: bytes) -> bytes:
    """What any program makes of a layer of gzip members."""
    found, rest = b"", layer
    while rest:
        inflate = zlib.decompressobj(31)
        found += inflate.decompress(rest)
        rest = inflate.unused_data
    return found


def rows(table: bytes) -> list[list[Any]]:
    """The rows of a table of members."""
    return [list(row) for row in _ROW.iter_unpack(table)]


def of_rows(found: list[list[Any]]) -> bytes:
    """The table of these rows."""
    return b"".join(_ROW.pack(*row) for row in found)


def blob_of(registry: FakeRegistry, number: int) -> bytes:
    """The blob of that number of the only layer: the layer, then its table."""
    data = registry.blobs[NAME, registry.document(NAME, layer_tag(registry))["layers"][number]["digest"]]
    assert isinstance(data, bytes)
    return data


def recompressed(registry: FakeRegistry, sums: Container[bytes] | None = None) -> bytes:
    """The layer, as the cache has it from now on: members that hold bytes with these sums are another compressor's."""
    table, layer, at, changed = rows(blob_of(registry, 1)), blob_of(registry, 0), 0, b""
    for row in table:
        piece = layer[at : at + row[1]]
        at += row[1]
        if sums is None or row[0] in sums:
            piece = gzip_member(unpacked(piece))
            row[1] = len(piece)
        changed += piece
    rewrite(registry, changed, of_rows(table))
    return changed


def entries(*contents: Content) -> tuple[Entry, ...]:
    """A layer of files with these contents."""
    return tuple(file(RootPath(f"/{number}"), content, 0o755) for number, content in enumerate(contents))


def options(host: str, *, writes: bool = False, verify: bool = False) -> CacheOptions:
    """How the cache at `host` is used; what is tried again is not waited for."""
    registry = RegistryOptions(Network(pause=lambda _: None))
    one = ImageRepository(host, NAME)
    return CacheOptions(registry, () if writes else (one,), one if writes else None, verify)


class Done(NamedTuple):
    """The bytes of a layer as a machine wrote it, and what it had from the cache."""

    data: bytes
    use: CacheUse


class Machine(NamedTuple):
    """A machine: the directory of its store, None for none."""

    store: Path | None
    compression: Compression = Compression.BALANCED

    def write(self, what: tuple[Entry, ...], cache: CacheOptions | None) -> Done:
        """Write the layer of these entries, as `pack` does, and what it used to the cache."""
        out = io.BytesIO()
        with open_store(str(self.store) if self.store is not None else None) as store:
            if cache is None:
                write_kept_layer(what, out, store, LayerOptions(0, self.compression, 2, no_progress), "test")
                return Done(out.getvalue(), None)  # type: ignore[arg-type] # nobody asks for it
            with SharedCache(cache) as shared:
                how = LayerOptions(0, self.compression, 2, no_progress, shared=shared)
                layer = write_kept_layer(what, out, store, how, "test")
                assert layer.descriptor.digest.hex == hashlib.sha256(out.getvalue()).hexdigest()
                shared.note_layer(setting_of(self.compression), layer)
                return Done(out.getvalue(), write_cache(shared, store, no_progress))


def plain(what: tuple[Entry, ...], compression: Compression = Compression.BALANCED) -> bytes:
    """The layer as it is without any store and any cache."""
    return Machine(None, compression).write(what, None).data
