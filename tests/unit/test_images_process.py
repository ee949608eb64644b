"""The process that an image means is the one that Docker starts; see `test_run_image` for what runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.entries import base_of
from minpack.content import BytesContent
from minpack.errors import EntrypointError
from minpack.images.process import RunOptions, process_of
from minpack.oci.documents import ImageConfig
from minpack.paths import RootPath
from minpack.rootfs.entry import Entry, Kind
from minpack.spec.image import DEFAULT_PATH
from minpack.target import Platform

if TYPE_CHECKING:
    from minpack.sandbox.values import ProcessSpec

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:2000:an app:/home/app:/bin/sh\nx:x:no:1::/:\n"
GROUP = b"root:x:0:\nstaff:x:50:app,other\naudio:x:29:root,app\nbroken:x:z:app\n"
FILES = {"/etc/passwd": PASSWD, "/etc/group": GROUP}


def process(config: dict[str, Any], files: dict[str, bytes] = FILES, **options: Any) -> ProcessSpec:
    """The process of an image with this configuration and these files."""
    entries = [Entry(RootPath(path), Kind.FILE, 0o644, content=BytesContent(data)) for path, data in files.items()]
    image = ImageConfig(Platform("linux", "amd64"), **{"entrypoint": ("/app",), **config})
    return process_of(image, base_of("image", entries), "image", RunOptions(**options))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0, (0, 29), "/root")),
        ("root", (0, 0, (0, 29), "/root")),
        ("0", (0, 0, (0, 29), "/root")),
        ("app", (1000, 2000, (2000, 50, 29), "/home/app")),
        ("1000", (1000, 2000, (2000, 50, 29), "/home/app")),
        ("1000:7", (1000, 7, (7,), "/home/app")),
        ("app:staff", (1000, 50, (50,), "/home/app")),
        ("65532", (65532, 0, (0,), "/")),
        ("65532:65533", (65532, 65533, (65533,), "/")),
    ],
)
def test_users(text: str, expected: tuple[object, ...]) -> None:
    """By name and number, with the groups that they are in where none is named, as runc has it."""
    found = process({"user": text})
    assert (found.uid, found.gid, found.groups, dict(found.environment)["HOME"]) == expected


def test_an_image_without_users() -> None:
    """Numbers are what they are."""
    found = process({"user": "7"}, {})
    assert (found.uid, found.gid, found.groups) == (7, 0, (0,))
    assert process({}, {}).uid == 0


@pytest.mark.parametrize("text", ["nobody", "app:none", "-1", "99999999999"])
def test_users_that_there_are_not(text: str) -> None:
    """A name that the image's files do not have."""
    with pytest.raises(EntrypointError, match=r"is not in /etc/|highest number"):
        process({"user": text})


def test_arguments_and_variables() -> None:
    """What follows the image takes the place of its command; later variables win, and HOME is the user's at last."""
    config = {"cmd": ("a",), "env": (("PATH", "/x"), ("A", "1"), ("A", "2")), "workdir": "/w"}
    found = process(config)
    assert found.arguments == ("/app", "a")
    assert found.environment == (("PATH", "/x"), ("HOSTNAME", "minpack"), ("A", "2"), ("HOME", "/root"))
    assert found.directory == "/w"
    found = process(config, arguments=("b", "c"), env=(("A", "3"), ("HOME", "/h")), workdir="/v", terminal="xterm")
    assert found.arguments == ("/app", "b", "c")
    assert dict(found.environment) == {"PATH": "/x", "HOSTNAME": "minpack", "TERM": "xterm", "A": "3", "HOME": "/h"}
    assert found.directory == "/v"
    assert dict(process({}).environment)["PATH"] == DEFAULT_PATH
    with pytest.raises(EntrypointError, match="it names no program"):
        process({"entrypoint": ()})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("", 15), ("SIGINT", 2), ("9", 9), ("SIGNONE", 15), ("999", 15), ("SIG_DFL", 15)),
        *(("SIGRTMIN", signal.SIGRTMIN), ("SIGRTMIN+3", signal.SIGRTMIN + 3), ("SIGRTMAX-1", signal.SIGRTMAX - 1)),
    ],
)
def test_signals(text: str, number: int) -> None:
    """By name, by number, and those of real time by their distance; what there is not is SIGTERM."""
    assert process({"stop_signal": text}).stop_signal == number
