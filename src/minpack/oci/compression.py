"""`Compression`: how a layer is stored."""

from __future__ import annotations

from enum import StrEnum

from minpack.oci import mediatypes


class Compression(StrEnum):
    """How a layer is stored; `oci.compress` does it."""

    NONE = "none"
    #: gzip by libdeflate, level 6.
    BALANCED = "balanced"
    #: gzip by libdeflate, level 12.
    SMALL = "small"
    ZSTD = "zstd"
    ZSTD_SMALL = "zstd-small"

    @property
    def media_type(self) -> str:
        """The media type of a layer stored so."""
        if self is Compression.NONE:
            return mediatypes.LAYER
        return mediatypes.LAYER_ZSTD if self.startswith("zstd") else mediatypes.LAYER_GZIP
