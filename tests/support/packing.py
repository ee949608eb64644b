"""Running the `minpack` command, and programs and trees to run it on."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from support.elfmaker import static_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCE = Path(__file__).parents[2] / "src"


def minpack(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """The finished command, which ended with `status`; without bars, as nothing is a terminal."""
    command = [sys.executable, "-m", "minpack", *map(str, arguments)]
    variables = os.environ if env is None else env
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=variables, timeout=300)
    assert done.returncode == status, f"minpack ended with {done.returncode}: {done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def packed(*arguments: str | Path, cwd: Path | None = None) -> dict[str, Any]:
    """The image in the document that ``minpack --json`` prints."""
    (image,) = json.loads(minpack(*arguments, "--json", cwd=cwd).stdout)["images"]
    assert isinstance(image, dict)
    return image


def write_program(path: Path, *, exit_code: int = 0, size: int = 0, machine: str = "x86_64") -> Path:
    """A static program that ends with `exit_code`, unlike any other: engines do not read a layer they know."""
    data = static_program(exit_code, machine, overlay=os.urandom(max(16, size)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)
    return path


class Seen(NamedTuple):
    """What a reader of an image makes of one path; `time` in whole seconds, -1 where it is not kept."""

    type: str
    mode: int
    uid: int
    gid: int
    time: int
    sha256: str
    link: str


_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


def seen_in_directory(root: Path) -> dict[str, Seen]:
    """Everything below a directory, by path; names that are not UTF-8 with surrogate escapes."""
    found: dict[str, Seen] = {}
    for directory, names, files in os.walk(os.fsencode(root)):
        for name in (*names, *files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            kind = _TYPES.get(stat.S_IFMT(status.st_mode), "special")
            data = Path(os.fsdecode(path)).read_bytes() if kind == "file" else b""
            link = os.fsdecode(os.readlink(path)) if kind == "symlink" else ""
            inside = os.fsdecode(path)[len(str(root)) :]
            found[inside] = _seen(kind, status.st_mode, status.st_uid, status.st_gid, int(status.st_mtime), data, link)
    return found


def seen_in_tar(stream: IO[bytes]) -> dict[str, Seen]:
    """Everything in a tar of a root file system, hard links as the files they are."""
    return dict(_seen_members(stream))


def _seen_members(stream: IO[bytes]) -> Iterator[tuple[str, Seen]]:
    with tarfile.open(fileobj=stream) as tar:
        for member in tar:
            kind = {member.isdir(): "directory", member.issym(): "symlink", member.isreg() or member.islnk(): "file"}
            found = tar.extractfile(member) if member.isreg() or member.islnk() else None
            link = member.linkname if member.issym() else ""
            data = found.read() if found is not None else b""
            yield (
                "/" + member.name.removeprefix("./").strip("/"),
                _seen(kind.get(True, "special"), member.mode, member.uid, member.gid, int(member.mtime), data, link),
            )


def seen_in_document(image: Mapping[str, Any], created: int) -> dict[str, Seen]:
    """What `minpack --json` says is in the image, hard links as the files they are."""
    return {
        item["path"]: Seen(
            "file" if item["type"] == "hardlink" else item["type"],
            int(item["mode"], 8),
            item["uid"],
            item["gid"],
            created,
            item["sha256"] or "",
            item["link"] if item["type"] == "symlink" else "",
        )
        for item in image["files"]
    }


def _seen(kind: str, mode: int, uid: int, gid: int, time: int, data: bytes, link: str) -> Seen:
    sha256 = hashlib.sha256(data).hexdigest() if kind == "file" else ""
    return Seen(kind, 0o777 if kind == "symlink" else stat.S_IMODE(mode), uid, gid, time, sha256, link)
