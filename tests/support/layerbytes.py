"""The layer of a fixed input in every setting. As a program it prints their digests, wherever Python runs."""

from __future__ import annotations

import hashlib
import io
import json
import platform
from typing import TYPE_CHECKING

from minpack.content import BytesContent
from minpack.oci.compression import Compression
from minpack.oci.layer import write_layer
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import file

if TYPE_CHECKING:
    from minpack.oci.layer import Layer


def made(size: int) -> bytes:
    """Bytes that are the same everywhere, and compress a little."""
    words = [hashlib.sha256(b"%d" % number).digest() * 2 for number in range(997)]
    return b"".join(words[number * number % 997] for number in range(size // 64 + 1))[:size]


DATA = made(2_500_000)
#: What every release makes of `DATA`: it changes only with the versions of deflate and zstandard, or on purpose.
DIGESTS = {
    Compression.NONE: "19ab711a58e9e12b180f2ae73e88e533ae3c060bae36614536603d3cf0d0c058",
    Compression.BALANCED: "169ddc96b6083c7008aaf418aedfb3288ab998c438c9ce3e2aad3372cc11fe2e",
    Compression.SMALL: "8dc367e3b289eba6de083f17e1fba7215014a4c53e8c7863156407fe1470fb7d",
    Compression.ZSTD: "f9ba4b1c4e6c34ddbb76b56891862d6e08c67f486b5b99749459193672fd1101",
    Compression.ZSTD_SMALL: "116083620fd4a246f1086dd4ed375cd341b38e956b925aba6881671872597e21",
}


def packed(data: bytes, compression: Compression, threads: int = 1) -> tuple[bytes, Layer]:
    """The layer of one file that holds `data`."""
    out = io.BytesIO()
    layer = write_layer(
        [file(RootPath("/data"), BytesContent(data))],
        out,
        mtime=0,
        compression=compression,
        threads=threads,
        progress=no_progress,
        comment="test",
    )
    return out.getvalue(), layer


def digests() -> dict[str, str]:
    """The SHA-256 of the layer of `DATA` in each setting."""
    return {str(setting): hashlib.sha256(packed(DATA, setting, 2)[0]).hexdigest() for setting in Compression}


if __name__ == "__main__":
    print(json.dumps({"machine": platform.machine(), "digests": digests()}))
