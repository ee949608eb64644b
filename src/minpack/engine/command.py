"""Loading an image into an engine by its own command: podman, and containerd by `ctr`."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import IO, TYPE_CHECKING

from minpack.errors import EngineError
from minpack.excerpt import shorten
from minpack.namedtuple import NamedTuple
from minpack.progress import tell

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from minpack.progress import Progress

#: Seconds that a question takes at most, and loading by itself; there is a second more for each so many bytes.
_ANSWER, _LOAD, _RATE = 30.0, 600.0, 1_000_000
#: More of what a command says is not shown.
_LONGEST_REASON = 300
_HINT = "check the engine ({command} info), or write a file with -o and load it later"
#: Where podman's service listens, of root and of a user (podman-system-service(1)).
_SOCKETS = ("{XDG_RUNTIME_DIR}/podman/podman.sock", "/run/podman/podman.sock")


class CommandLoad(NamedTuple):
    """An image archive, read from its start: `name` is in full, `ids` are what an engine may know its image by."""

    file: IO[bytes]
    size: int
    name: str
    ids: Collection[str]


def podman_host(environment: Mapping[str, str]) -> str:
    """The address at which podman's service answers as Docker's engine does; empty if it does not run."""
    given = environment.get("CONTAINER_HOST", "")
    if given:
        return given
    paths = (path.replace("{XDG_RUNTIME_DIR}", environment.get("XDG_RUNTIME_DIR", "/nonexistent")) for path in _SOCKETS)
    return next((f"unix://{path}" for path in paths if os.access(path, os.R_OK | os.W_OK)), "")


def has_podman(environment: Mapping[str, str]) -> bool:
    """Whether there is a podman to load into."""
    return bool(podman_host(environment)) or shutil.which("podman") is not None


def load_by_podman(archive: CommandLoad, progress: Progress) -> str:
    """Load the archive by podman's command, and the id of the image that has its name then.

    :raises EngineError: podman is not there or refuses the image, or its name means another one.
    """
    command = _command("podman", "podman")
    _load([command, "load", "--quiet"], "podman", archive, progress)
    found = _said([command, "image", "inspect", "--format", "{{.Id}}", archive.name], "podman", archive.name)
    return _known(f"sha256:{found.removeprefix('sha256:')}", "podman", archive)


def load_by_ctr(archive: CommandLoad, environment: Mapping[str, str], progress: Progress) -> str:
    """Load the archive into containerd by `ctr`, and the digest of the image that has its name then.

    :raises EngineError: containerd is not there or refuses the image, or its name means another one.
    """
    address, namespace = environment.get("CONTAINERD_ADDRESS", ""), environment.get("CONTAINERD_NAMESPACE", "")
    chosen = (*(("--address", address) if address else ()), *(("--namespace", namespace) if namespace else ()))
    command = [_command("ctr", "containerd"), *chosen, "images"]
    _load([*command, "import", "-"], "containerd", archive, progress)
    lines = _said([*command, "list", f"name=={archive.name}"], "containerd", archive.name).splitlines()
    words = next((line.split() for line in lines if line.startswith(f"{archive.name} ")), [])
    return _known(next((word for word in words if word.startswith("sha256:")), ""), "containerd", archive)


def _command(name: str, engine: str) -> str:
    path = shutil.which(name)
    if path is None:
        hint = "install it, choose another --engine, or write a file with -o and load it later"
        raise EngineError(f"load into {engine}", f"there is no command {name}", hint)
    return path


def _load(command: Sequence[str], engine: str, archive: CommandLoad, progress: Progress) -> None:
    tell(progress, f"loading into {engine}")
    archive.file.flush()
    os.lseek(archive.file.fileno(), 0, os.SEEK_SET)
    _run(command, engine, archive.name, _LOAD + archive.size / _RATE, archive.file)


def _said(command: Sequence[str], engine: str, name: str) -> str:
    return _run(command, engine, name, _ANSWER, None).decode("utf-8", "replace").strip()


def _run(command: Sequence[str], engine: str, name: str, seconds: float, given: IO[bytes] | None) -> bytes:
    """What a command prints.

    :raises EngineError: it fails, or takes longer.
    """
    verb, hint = f"load {name!r} into {engine}", _HINT.replace("{command}", os.path.basename(command[0]))
    try:
        source = given if given is not None else subprocess.DEVNULL
        done = subprocess.run(command, stdin=source, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineError(verb, f"it has not answered within {seconds:.0f} seconds", hint) from error
    except OSError as error:
        raise EngineError(verb, str(error.strerror), hint) from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise EngineError(verb, shorten(lines[-1].removeprefix("Error: "), _LONGEST_REASON), hint)
    return done.stdout


def _known(found: str, engine: str, archive: CommandLoad) -> str:
    if found not in archive.ids:
        verb = f"load {archive.name!r} into {engine}"
        raise EngineError(verb, f"it has another image by that name afterwards ({found or 'none'})", _LOST)
    return found


_LOST = "write a file with -o, and load it with the engine's own command"
