"""The files beside an output, and what they replace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from minpack.errors import OutputError
from minpack.host.overwrite import HostInput
from minpack.oci.documents import blob, canonical
from minpack.oci.image import Index, build_artifact
from minpack.output.beside import BesideFiles
from minpack.output.target import BesideFile
from support.images import built_index

if TYPE_CHECKING:
    from pathlib import Path

TYPE, MARK, KIND = "application/spdx+json", b'"SPDXID"', "an SBOM of that form (spdx)"
SBOM = {"SPDXID": "SPDXRef-DOCUMENT", "spdxVersion": "SPDX-2.3"}


def index(place: Path) -> Index:
    """An image with an SBOM of its own, and one of something else."""
    (built,) = built_index(place).images
    others = built.descriptor._replace(digest=built.config.descriptor.digest)
    about = [build_artifact(TYPE, [blob(TYPE, {"of": "another"})], {}, others)]
    about.append(build_artifact(TYPE, [blob(TYPE, SBOM)], {}, built.descriptor))
    return Index((built,), tuple(about))


def test_it_is_the_artifact_about_the_image(tmp_path: Path) -> None:
    """The same bytes."""
    path = str(tmp_path / "app.spdx.json")
    found = index(tmp_path)
    (target,) = BesideFiles([BesideFile(path, TYPE, "spdx", MARK, KIND)], ()).write(found)
    assert (tmp_path / "app.spdx.json").read_bytes() == canonical(SBOM)
    assert (target.format, target.path, target.digest, target.is_beside) == ("spdx", path, found.digest, True)


@pytest.mark.parametrize(
    "before", [b"", canonical(SBOM), json.dumps({"dataLicense": "CC0-1.0", **SBOM}, indent=2).encode()]
)
def test_another_sbom_is_replaced(tmp_path: Path, before: bytes) -> None:
    """Whoever made it, and an empty file."""
    (tmp_path / "x").write_bytes(before)
    BesideFiles([BesideFile(str(tmp_path / "x"), TYPE, "spdx", MARK, KIND)], ()).write(index(tmp_path))
    assert (tmp_path / "x").read_bytes() == canonical(SBOM)


def test_something_else_stays(tmp_path: Path) -> None:
    """Before anything is done; only --force replaces it."""
    (tmp_path / "x").write_text("buy milk")
    files = [BesideFile(str(tmp_path / "x"), TYPE, "spdx", MARK, KIND)]
    with pytest.raises(OutputError, match="the existing file is not an SBOM of that form"):
        BesideFiles(files, ())
    BesideFiles(files, (), force=True).write(index(tmp_path))
    assert (tmp_path / "x").read_bytes() == canonical(SBOM)


def test_an_input_stays(tmp_path: Path) -> None:
    """However it is forced."""
    (tmp_path / "x").write_bytes(canonical(SBOM))
    with pytest.raises(OutputError):
        BesideFiles(
            [BesideFile(str(tmp_path / "x"), TYPE, "spdx", MARK, KIND)],
            [HostInput(str(tmp_path / "x"), "the program")],
            force=True,
        )
