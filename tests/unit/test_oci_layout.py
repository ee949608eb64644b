"""Layout directories: their files, and the names in their index."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from minpack.oci.layout import LayoutSink
from support.images import LOWER, UPPER, archive_bytes, blob_name, parts_of, write_image

if TYPE_CHECKING:
    from pathlib import Path


def files_of(directory: Path) -> dict[str, bytes]:
    """The files below a directory, by name."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def layout(directory: Path, **image: Any) -> dict[str, bytes]:
    """The files of the layout of an image, made of the arguments of `write_image`."""
    with LayoutSink(str(directory)) as writer:
        write_image(writer, **image)
    return files_of(directory)


def test_a_layout_has_the_archives_files(tmp_path: Path) -> None:
    """A layout's files are the members of the archive of the same image, but for Docker's manifest."""
    parts = parts_of(archive_bytes())
    del parts["manifest.json"]
    assert layout(tmp_path) == parts


def test_blobs_are_named_after_their_digests(tmp_path: Path) -> None:
    """Every blob lies at its digest, equal ones once, and nothing half-written is left."""
    found = layout(tmp_path, layers=(LOWER, LOWER, UPPER))
    assert len(found) == 2 + 2 + 2
    for name, data in found.items():
        assert name in ("index.json", "oci-layout", blob_name(data))


@pytest.mark.parametrize(
    ("names", "references"),
    [
        ((), [None]),
        (("app:1",), ["1"]),
        (("app:1", "app:2"), ["1", "2"]),
        (("app:1", "me/app:1", "ghcr.io/me/app:1"), ["1", "me/app:1", "ghcr.io/me/app:1"]),
    ],
)
def test_every_name_is_one_entry_of_the_index(
    names: tuple[str, ...], references: list[str | None], tmp_path: Path
) -> None:
    """The index has the manifest once for each name, and no two entries have one reference."""
    entries = json.loads(layout(tmp_path, names=names)["index.json"])["manifests"]
    found = [entry.get("annotations", {}).get("org.opencontainers.image.ref.name") for entry in entries]
    assert found == references
    assert len({(entry["digest"], entry["size"]) for entry in entries}) == 1
    assert all(entry["platform"] == {"architecture": "amd64", "os": "linux"} for entry in entries)


def test_an_error_leaves_no_file_open(tmp_path: Path) -> None:
    """Leaving the writer's block by an error closes the file that was being written."""
    before = len(os.listdir("/dev/fd"))

    def fail() -> None:
        with LayoutSink(str(tmp_path)) as writer:
            writer.begin_blob().write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(os.listdir("/dev/fd")) == before
