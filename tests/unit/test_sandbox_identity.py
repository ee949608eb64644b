"""Which numbers of users a sandbox has: all for root, those of /etc/subuid with its helper, else one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.sandbox.identity import Identity, identity_of

if TYPE_CHECKING:
    from pathlib import Path

USER = 54321


def test_root_needs_no_numbers() -> None:
    """It has them all."""
    assert identity_of(0) == Identity(mapped=False)
    assert identity_of(0).has_owners


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (f"other:1:65536\n{USER}:200000:65536\n", 200000),
        (f"{USER}:200000:65535\n", 200000),
        (f"{USER}:200000:100\n{USER}:400000:70000\n", 400000),
        (f"{USER}:200000:100\n", 0),
        ("other:200000:65536\n", 0),
        ("", 0),
        (f"{USER}:x:y\n", 0),
    ],
)
def test_further_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, first: int) -> None:
    """The first range that is large enough, in both files, if the helpers are there."""
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    files = (str(tmp_path / "subuid"), str(tmp_path / "subgid"))
    (tmp_path / "subuid").write_text(text)
    assert identity_of(USER, files) == Identity(mapped=True)
    (tmp_path / "subgid").write_text(text)
    assert identity_of(USER, files) == Identity(mapped=True, uids=first, gids=first)
    assert identity_of(USER, files).has_owners == bool(first)
    (tmp_path / "newgidmap").unlink()
    assert identity_of(USER, files) == Identity(mapped=True)
