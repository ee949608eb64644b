"""What is kept under which tag: a name follows from what is sought, so one request shows whether it is there.

    layer-<64 digits>        a layer: the SHA-256 of its diff ID and of how it is compressed
    block-<64 digits>        a layer that has a certain gzip member, likewise
    download-<64 digits>     downloads of one run, one of which is known by another sum than SHA-256
    downloads-<64 digits>    the same, by all that they are: whoever has all of them has nothing to write

All are artifacts of one type. The layers' first blob is the layer, its second the table of its gzip members; each
download is a blob, annotated with what it is known by.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.namedtuple import NamedTuple
from minpack.oci.compress import GZIP_LEVELS, block_size_of, made_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.digest import Digest
    from minpack.oci.compression import Compression

#: Another one when what is kept is kept in another way.
SCHEMA = "minpack.cache/1"
ARTIFACT = "application/vnd.minpack.cache.v1"
MEMBERS = "application/vnd.minpack.cache.members.v1"
DOWNLOAD = "application/octet-stream"
#: The annotation of a download that says what it is known by.
KEY = "dev.minpack.cache.key"
#: A download that is known by its SHA-256 is asked for as a blob.
SHA256 = "sha256:"


class LayerSetting(NamedTuple):
    """How layers are compressed, with all that decides what a tar becomes."""

    compression: Compression
    text: str

    @property
    def is_gzip(self) -> bool:
        """Whether a layer is a row of gzip members."""
        return self.compression in GZIP_LEVELS

    @property
    def block_size(self) -> int:
        """The most bytes that a member holds."""
        return block_size_of(self.compression)


def layer_setting(schema: str, compression: Compression) -> LayerSetting:
    """The setting; `schema` is the version of how entries become a layer."""
    return LayerSetting(compression, f"{schema} {__version__} {made_by(compression)}")


def layer_tag(setting: LayerSetting, diff_id: Digest) -> str:
    """The tag of a layer."""
    return _tag("layer", setting.text, diff_id.hex)


def block_tag(setting: LayerSetting, block: bytes) -> str:
    """The tag of a layer with a member that holds bytes of that SHA-256."""
    return _tag("block", setting.text, block.hex())


def download_tag(key: str) -> str:
    """The tag of downloads with the one that is known by `key`."""
    return _tag("download", key)


def downloads_tag(known: Iterable[tuple[str, str]]) -> str:
    """The tag of downloads, each of a key and a SHA-256."""
    return _tag("downloads", *(part for one in sorted(known) for part in one))


def _tag(kind: str, *parts: str) -> str:
    text = "\0".join((SCHEMA, kind, *parts))
    return f"{kind}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
