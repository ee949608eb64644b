"""How compressed archives of images begin, and others."""

from __future__ import annotations

import bz2
import gzip
import lzma
from typing import TYPE_CHECKING

import pytest
from zstandard import ZstdCompressor

from minpack.oci.begins import begins_as_image
from support.images import archive_bytes, archive_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": ZstdCompressor().compress,
}


@pytest.mark.parametrize("form", FORMS)
def test_compressed_archives(tmp_path: Path, form: str) -> None:
    """In every form that is unpacked; a root file system is none, nor is what is damaged."""
    pack = FORMS[form]
    for name, data, expected in (
        ("image", archive_bytes(), True),
        ("saved", archive_of({"a" * 64 + "/layer.tar": b"x", "manifest.json": b"[]"}), True),
        ("below", archive_of({"./": b"", "./manifest.json": b"[]"}), True),
        ("rootfs", archive_of({"./": b"", "./bin/sh": b"x"}), False),
        ("plain", archive_of({"bin/sh": b"x", "manifest.json": b"[]"}), False),
        ("text", b"manifest.json", False),
        ("nothing", b"", False),
    ):
        (tmp_path / name).write_bytes(pack(data))
        assert begins_as_image(str(tmp_path / name)) is expected, name
    (tmp_path / "cut").write_bytes(pack(archive_bytes())[:12])
    assert begins_as_image(str(tmp_path / "cut")) is False


def test_what_is_not_compressed(tmp_path: Path) -> None:
    """That is looked at as a whole elsewhere."""
    (tmp_path / "plain").write_bytes(archive_bytes())
    assert begins_as_image(str(tmp_path / "plain")) is None
    assert begins_as_image(str(tmp_path / "none")) is False
