"""What is packed today is what was written down, byte by byte; `make golden` writes it down anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from golden.cases import CASES, HERE, written_down
from minpack.oci.validate import validate_archive

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("tree.txt", "config.json", "digest.txt")


@pytest.mark.parametrize("name", CASES)
def test_images_are_as_written_down(name: str, tmp_path: Path) -> None:
    """The tree, then the configuration, then the digests are those in the files; the archive keeps all rules."""
    found = written_down(CASES[name], tmp_path)
    assert tuple(found) == FILES
    for file, text in found.items():
        assert text == (HERE / name / file).read_text("utf-8"), f"{name}/{file}: see `make golden`"
    assert validate_archive(str(tmp_path / "image.tar")) == ()


def test_nothing_else_is_written_down() -> None:
    """No file is left of a case that is no more."""
    assert {path.parent.name for path in HERE.glob("*/*.txt")} == set(CASES)
