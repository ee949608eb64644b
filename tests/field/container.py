"""Running a program in a root file system, without an engine: as its image's user, and without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTER = Path(__file__).with_name("enter.py")
#: What a runtime sets where the image does not say (OCI image specification leaves it to the runtime; Docker's value).
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_SECONDS = 60


class Answer(NamedTuple):
    """What a run ended with: 128 and the signal's number where one ended it; -1 where it took too long."""

    status: int
    output: str


class Unpacked(NamedTuple):
    """An image's root file system and what its configuration says."""

    root: Path
    env: Mapping[str, str]
    user: str
    workdir: str
    entrypoint: tuple[str, ...]


def unpack(layout: Path, root: Path) -> Unpacked:
    """The one image of an OCI layout, its layers laid over each other in `root`."""
    manifest = _document(layout, json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])
    config = _document(layout, manifest["config"]["digest"])["config"]
    root.mkdir()
    for layer in manifest["layers"]:
        blob = _blob(layout, layer["digest"])
        subprocess.run(("tar", "-xpf", blob, "--numeric-owner", "-C", root), check=True)
    env = dict(text.split("=", 1) for text in config.get("Env", ()))
    return Unpacked(root, env, config["User"], config.get("WorkingDir") or "/", tuple(config["Entrypoint"]))


def run(image: Unpacked, args: tuple[str, ...], stdin: str = "") -> Answer:
    """What the entrypoint answers, started with `args`."""
    uid, _, gid = image.user.partition(":")
    unshare = ("unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child")
    env = json.dumps({"PATH": PATH, "HOME": _home(image, uid), **image.env})
    start = (sys.executable, "-I", str(ENTER), env, str(image.root), uid, gid or uid, image.workdir)
    command = (*unshare, *start, *image.entrypoint, *args)
    try:
        done = subprocess.run(
            command, input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=MAX_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return Answer(-1, (error.output or b"").decode("utf-8", "replace"))
    return Answer(done.returncode if done.returncode >= 0 else 128 - done.returncode, _text(done.stdout))


def _text(data: bytes) -> str:
    return data[: 1 << 20].decode("utf-8", "replace")


def _home(image: Unpacked, uid: str) -> str:
    passwd = image.root / "etc/passwd"
    lines = passwd.read_text().splitlines() if passwd.is_file() else []
    return next((line.split(":")[5] for line in lines if line.split(":")[2:3] == [uid]), "/")


def _document(layout: Path, digest: str) -> dict:  # type: ignore[type-arg]
    found: dict = json.loads(_blob(layout, digest).read_text())  # type: ignore[type-arg]
    return found


def _blob(layout: Path, digest: str) -> Path:
    algorithm, _, value = digest.partition(":")
    return layout / "blobs" / algorithm / value
