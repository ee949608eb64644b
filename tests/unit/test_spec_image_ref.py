"""The IMAGE of a command is parsed once: a transport, a path, or a name of an engine or a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.errors import BadValueError
from minpack.spec.base_ref import ImageRef
from minpack.spec.image_ref import parse_image_ref

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker://alpine", ("docker", "docker.io/library/alpine:latest")),
        ("oci:dir:1.0", ("oci", "dir", "1.0")),
        ("oci-archive:a.tar", ("oci-archive", "a.tar")),
        ("docker-archive:a.tar:me/app:1", ("docker-archive", "a.tar", "me/app:1")),
        ("docker-daemon:app", ("docker-daemon", "app:latest")),
        ("./none", ("docker-archive", "./none")),
        ("none.tar.gz", ("docker-archive", "none.tar.gz")),
        ("app", ("", "app:latest")),
        ("ghcr.io/me/app:1", ("", "ghcr.io/me/app:1")),
        (f"app@{DIGEST}", ("", f"app@{DIGEST}")),
        (DIGEST, ("", DIGEST)),
    ],
)
def test_what_is_no_file_is_named(text: str, expected: tuple[str, ...]) -> None:
    """A bare word is a name too; a digest alone is an engine's."""
    assert parse_image_ref(text) == ImageRef(*expected)


def test_what_is_there_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is a layout, whatever else its name could mean."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "oci:x").write_bytes(b"")
    assert parse_image_ref("app") == ImageRef("oci", "app")
    assert parse_image_ref("oci:x") == ImageRef("docker-archive", "oci:x")


@pytest.mark.parametrize("text", ["", "a\0b", "dir:x", "App:1", "a:b:c"])
def test_what_names_no_image(text: str) -> None:
    """Nothing, what no file and no image may be called, a transport that is not read."""
    with pytest.raises(BadValueError):
        parse_image_ref(text)
