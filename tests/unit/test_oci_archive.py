"""Archives: their members, in what order and with which headers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from minpack.digest import Digest
from minpack.oci import mediatypes
from minpack.oci.archive import ArchiveSink
from minpack.oci.documents import Descriptor
from minpack.tar.write import MAX_OCTAL_SIZE, padding
from support.images import LOWER, UPPER, archive_bytes, blob_name, bytes_of, in_memory, parts_of, write_image
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path


def test_blobs_come_first_and_documents_last() -> None:
    """The members are the layers from the lowest up, configuration, manifest, and the three documents."""
    with in_memory() as out:
        image = write_image(ArchiveSink(out))
        parts = parts_of(bytes_of(out))
    digests = [*(layer.descriptor.digest for layer in image.layers), image.image_id, image.digest]
    names = [*(f"blobs/sha256/{digest.hex}" for digest in digests), "index.json", "manifest.json", "oci-layout"]
    assert list(parts) == names


def test_members_have_the_digests_they_are_named_after() -> None:
    """The name of every blob is the digest of its bytes."""
    for name, data in parts_of(archive_bytes()).items():
        assert not name.startswith("blobs/") or name == blob_name(data)


def test_members_are_roots_and_without_time() -> None:
    """Every member is a plain file of root's in ustar format, 0644, of 1970, without owner names."""
    archive = archive_bytes()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            assert member.isreg()
            assert (member.mode, member.uid, member.gid, member.mtime) == (0o644, 0, 0, 0)
            assert (member.uname, member.gname, member.pax_headers) == ("", "", {})
            assert archive[member.offset + 257 :][:8] == b"ustar\x0000"
            assert member.offset_data == member.offset + 512


def test_an_archive_ends_with_two_empty_blocks() -> None:
    """Behind the last member are 1024 zeros and nothing more."""
    archive = archive_bytes()
    assert archive.endswith(b'{"imageLayoutVersion":"1.0.0"}' + bytes(512 - 30 + 1024))
    assert len(archive) % 512 == 0


def test_layers_that_are_equal_are_stored_once() -> None:
    """A blob that two layers share is one member, and what comes after it is where it belongs."""
    archive = archive_bytes(layers=(LOWER, LOWER, UPPER))
    parts = parts_of(archive)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert len(tar.getnames()) == len(parts) == 2 + 2 + 3
    (item,) = json.loads(parts["manifest.json"])
    assert item["Layers"][0] == item["Layers"][1] != item["Layers"][2]
    assert set(item["Layers"]) <= parts.keys()


def test_dockers_manifest_names_blobs_and_tags() -> None:
    """`manifest.json` has one item: the configuration, the layers from the lowest up, and every full name."""
    with in_memory() as out:
        image = write_image(ArchiveSink(out), names=("app:1", "ghcr.io/me/app:2"))
        parts = parts_of(bytes_of(out))
    assert json.loads(parts["manifest.json"]) == [
        {
            "Config": f"blobs/sha256/{image.image_id.hex}",
            "RepoTags": ["docker.io/library/app:1", "ghcr.io/me/app:2"],
            "Layers": [f"blobs/sha256/{layer.descriptor.digest.hex}" for layer in image.layers],
        }
    ]


def test_without_names_there_are_no_tags() -> None:
    """An image without a name has null for tags, as `docker save` writes by ID, and one descriptor."""
    parts = parts_of(archive_bytes(names=()))
    assert json.loads(parts["manifest.json"])[0]["RepoTags"] is None
    (entry,) = json.loads(parts["index.json"])["manifests"]
    assert "annotations" not in entry


def test_an_archive_may_start_anywhere_in_a_file() -> None:
    """What is written before the archive stays as it is."""
    with in_memory() as out:
        out.write(b"before")
        write_image(ArchiveSink(out))
        assert bytes_of(out) == b"before" + archive_bytes()


@pytest.mark.tool
@pytest.mark.parametrize("size", [MAX_OCTAL_SIZE, MAX_OCTAL_SIZE + 1, 9 * 2**30 + 1])
def test_blobs_beyond_eight_gibibytes_are_read_by_tar(size: int, tmp_path: Path) -> None:
    """A blob's size, known only behind it, is right in its one header block, for GNU tar and Python."""
    digest = Digest(hashlib.sha256(b"big").hexdigest())
    with (tmp_path / "big.tar").open("w+b") as out:
        writer = ArchiveSink(out)
        writer.begin_blob()
        out.seek(size, os.SEEK_CUR)  # a hole
        writer.end_blob(Descriptor(mediatypes.LAYER, digest, size))
        end = out.tell()
        writer.begin_blob().write(b"small")
        writer.end_blob(Descriptor(mediatypes.LAYER, Digest.of(b"small"), 5))
        out.write(bytes(1024))
    assert end == 512 + size + len(padding(size))
    with tarfile.open(tmp_path / "big.tar") as opened:
        assert [(member.name, member.size) for member in opened] == [
            (f"blobs/sha256/{digest.hex}", size),
            (blob_name(b"small"), 5),
        ]
    command = [need_tool("tar"), "--numeric-owner", "-tvf", str(tmp_path / "big.tar")]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.split()[2] for line in listed] == [str(size), "5"]
