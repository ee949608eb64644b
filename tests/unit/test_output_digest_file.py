"""The file that gets a digest, and what it replaces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from minpack.digest import Digest
from minpack.errors import OutputError
from minpack.host.overwrite import HostInput
from minpack.output.digest_file import DigestFile, check_apart

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = Digest.of(b"x")


def test_it_holds_the_digest_alone(tmp_path: Path) -> None:
    """As podman writes it: without the end of a line."""
    DigestFile(str(tmp_path / "digest"), ()).write(DIGEST)
    assert (tmp_path / "digest").read_text() == str(DIGEST)


@pytest.mark.parametrize("before", ["", str(DIGEST), f"{Digest.of(b'y')}\n"])
def test_another_digest_is_replaced(tmp_path: Path, before: str) -> None:
    """And an empty file, as mktemp(1) makes it."""
    (tmp_path / "digest").write_text(before)
    DigestFile(str(tmp_path / "digest"), ()).write(DIGEST)
    assert (tmp_path / "digest").read_text() == str(DIGEST)


def test_something_else_stays(tmp_path: Path) -> None:
    """Before anything is done; only --force replaces it."""
    path = tmp_path / "notes"
    path.write_text("buy milk")
    with pytest.raises(OutputError, match="the existing file is not a digest"):
        DigestFile(str(path), ())
    assert path.read_text() == "buy milk"
    DigestFile(str(path), (), force=True).write(DIGEST)
    assert path.read_text() == str(DIGEST)


def test_an_input_stays_whatever_is_asked_for(tmp_path: Path) -> None:
    """Nor is a directory written to."""
    path = tmp_path / "app"
    path.write_text("")
    with pytest.raises(OutputError, match="it is a program") as caught:
        DigestFile(str(path), (HostInput(str(path), "a program"),), force=True)
    assert caught.value.hint == "choose another name with --digest-file"
    with pytest.raises(OutputError, match="it is a directory"):
        DigestFile(str(tmp_path), ())


def test_a_pipe_gets_it(tmp_path: Path) -> None:
    """As a shell's process substitution gives one."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    DigestFile(str(tmp_path / "pipe"), ()).write(DIGEST)
    assert os.read(reader, 100) == str(DIGEST).encode()
    os.close(reader)


def test_none_is_wanted() -> None:
    """Then nothing is written."""
    DigestFile(None, ()).write(DIGEST)


@pytest.mark.parametrize("output", ["app.tar", "./app.tar", "link"])
def test_it_does_not_take_the_place_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """Whether that is there already or not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("app.tar")
    check_apart("digest", output, None)
    with pytest.raises(OutputError, match="the image goes there"):
        check_apart("app.tar", output, None)


def test_it_does_not_follow_the_image_on_stdout(tmp_path: Path) -> None:
    """Nor replace what stdout was redirected to."""
    with (tmp_path / "app.tar").open("wb") as stdout:
        check_apart(str(tmp_path / "digest"), "-", stdout)
        for path in (str(tmp_path / "app.tar"), f"/dev/fd/{stdout.fileno()}"):
            with pytest.raises(OutputError, match="the image goes there"):
                check_apart(path, "-", stdout)
