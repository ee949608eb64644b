"""The bytes of an image are counted once, by the reason that its files are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.packing import packed, write_program

if TYPE_CHECKING:
    from pathlib import Path


def test_every_byte_has_one_reason(tmp_path: Path) -> None:
    """The largest first; a file with two names counts once, and a need has the option that leaves it out."""
    write_program(tmp_path / "app", size=5000)
    (tmp_path / "data").write_bytes(b"x" * 9000)
    (tmp_path / "again").hardlink_to(tmp_path / "data")
    added = ("--add", "data:/data", "--add", "again:/again", "--need", "certs")
    image = packed("./app", *added, "-o", "app.tar", cwd=tmp_path)
    reasons = image["reasons"]
    assert [one["size"] for one in reasons] == sorted((one["size"] for one in reasons), reverse=True)
    assert sum(one["size"] for one in reasons) == sum(one["size"] or 0 for one in image["files"])
    (certs,) = (one for one in reasons if one["reason"] == "need certs")
    assert (certs["option"], certs["files"]) == ("--no-need certs", 1)
    assert {"reason": "/usr/local/bin/app: the program", "files": 1, "option": None}.items() <= next(
        one for one in reasons if "app" in one["reason"]
    ).items()
