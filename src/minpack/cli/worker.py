"""Building one image for another machine: what runs where the worker of a cluster is.

Each image is built by a process of its own: a worker may have several threads, and the working directory, the umask
and the environment are those of a process. The files that the image is made of lie below a temporary directory, at the
paths that they have on the machine that asks for it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.build.fleet import ImageResult
    from minpack.cli.config import ReadyImage
    from minpack.cluster.files import SentFile
    from minpack.errors import MinpackError
    from minpack.registry.repository import ImageRepository
    from minpack.spec.base_ref import BaseRef

#: What decides the bytes of an image besides its files.
_DECIDING = ("minpack", "certifi", "deflate", "lief", "tzdata", "zstandard")
_EPOCH = "SOURCE_DATE_EPOCH"
#: Bytes of the number that says how many follow, and of what a process printed so many that are told.
_LENGTH, _MOST_TOLD = 8, 2000


class RemoteJob(NamedTuple):
    """An image for a worker: `data` is a `RemoteBuild`, which the same version of minpack alone can read.

    `versions` are those that decide its bytes, `epoch` is SOURCE_DATE_EPOCH, empty where it is not set.
    """

    name: str
    versions: tuple[tuple[str, str], ...]
    epoch: str
    data: bytes


class RemoteBuild(NamedTuple):
    """An image, the files that it is made of, and the repository that has their bytes.

    `directory` is what paths are relative to, `authorities` what --registry-ca names.
    """

    ready: ReadyImage
    files: tuple[SentFile, ...]
    repository: ImageRepository
    directory: str
    umask: int
    authorities: bytes


class _LostProcessError(Exception):
    """The process that built the image did not come to its end."""


def deciding_versions() -> tuple[tuple[str, str], ...]:
    """The versions, on this machine, of what decides the bytes of an image."""
    from importlib.metadata import version  # noqa: PLC0415 - for other machines alone

    return tuple((name, version(name)) for name in _DECIDING)


def build_at_worker(job: RemoteJob | ImageResult) -> ImageResult:
    """What becomes of the image of the job; a result is what became of one that could not be sent."""
    if not isinstance(job, RemoteJob):
        return job
    here = deciding_versions()
    if here != job.versions:
        from minpack.cli.build_one import failed  # noqa: PLC0415 - for this alone

        return failed(job.name, _other_versions(dict(here), dict(job.versions)))
    variables = {key: value for key, value in os.environ.items() if key != _EPOCH}
    if job.epoch:
        variables[_EPOCH] = job.epoch
    return _run(job.data, variables)


def _other_versions(here: dict[str, str], wanted: dict[str, str]) -> MinpackError:
    from minpack.errors import ExecutorError  # noqa: PLC0415 - as above

    differing = {name: version for name, version in wanted.items() if here[name] != version}
    told = ", ".join(f"{name} {here[name]} and not {version}" for name, version in differing.items())
    install = " ".join(f"{name}=={version}" for name, version in differing.items())
    return ExecutorError(f"the worker {os.uname().nodename}", f"it has {told}", f"install there: pip install {install}")


def _run(data: bytes, variables: dict[str, str]) -> ImageResult:
    """What a process makes of a `RemoteBuild`; it ends when this one does.

    :raises _LostProcessError: it came to no end, as where memory is short.
    """
    import tempfile  # noqa: PLC0415 - at workers alone

    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            # Without the working directory among the places of modules.
            [sys.executable, "-P", "-m", "minpack.cli.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            env=variables,
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None, "internal error: a process without pipes"  # noqa: PT018
        try:
            # Its end of the pipe stays open: by that the process knows that this one lives.
            process.stdin.write(len(data).to_bytes(_LENGTH, "big") + data)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # How it ended is told below.
        answer = process.stdout.read()
        code = process.wait()
        if code or not answer:
            told.seek(max(0, told.seek(0, os.SEEK_END) - _MOST_TOLD))
            said = told.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise _LostProcessError(
                f"the process that built it ended with {code}: {said}" if said else f"it ended with {code}"
            )
    result: ImageResult = pickle.loads(answer)  # noqa: S301 - of our own process
    return result


def main() -> int:
    """Build the image that stdin names, and write what became of it to stdout."""
    from threading import Thread  # noqa: PLC0415 - in this process alone

    from minpack.cli.signals import Stopped, heed_signals  # noqa: PLC0415 - as above

    answer = os.dup(1)
    # What else is printed is not the answer.
    os.dup2(2, 1)
    heed_signals()
    pipe = sys.stdin.buffer
    data = pipe.read(int.from_bytes(pipe.read(_LENGTH), "big"))
    Thread(target=_end_with_worker, daemon=True).start()
    try:
        result = _build(pickle.loads(data))  # noqa: S301 - of the machine whose work this one does
    except Stopped as stopped:
        return stopped.exit_code
    with os.fdopen(answer, "wb") as file:
        file.write(pickle.dumps(result))
    return 0


def _end_with_worker() -> None:
    """Wait until the worker is gone, and end by way of all that removes what is half-written."""
    import signal  # noqa: PLC0415 - in this process alone
    import time  # noqa: PLC0415 - as above

    # Nothing follows. Of an object of Python's it would hold the lock, which the interpreter wants when it ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    # What waits for a server may not heed it.
    time.sleep(5.0)
    os._exit(1)


def _build(build: RemoteBuild) -> ImageResult:
    """What becomes of the image, with the paths that it has on the machine that asks for it."""
    import tempfile  # noqa: PLC0415 - in this process alone

    from minpack.cli.build_one import Job, build_image, failed  # noqa: PLC0415 - as above
    from minpack.cli.settings import now_ns  # noqa: PLC0415 - as above
    from minpack.errors import MinpackError  # noqa: PLC0415 - as above

    os.umask(build.umask)
    with tempfile.TemporaryDirectory(prefix="minpack-") as temporary:
        below = os.path.realpath(temporary)
        directory = below + build.directory
        os.makedirs(directory)
        os.chdir(directory)
        ready = build.ready._replace(given=_moved(build.ready.given, below))
        try:
            _place(build, ready.given, below)
            result = build_image(Job(ready, "", now_ns()))
        except MinpackError as error:
            result = failed(ready.name, error)
        finally:
            os.chdir("/")
    return _as_there(result, below)


def _place(build: RemoteBuild, given: dict[str, Any], below: str) -> None:
    """Have the image's files below a directory.

    :raises MinpackError: one cannot be had, or written.
    """
    import tempfile  # noqa: PLC0415 - in this process alone

    from minpack.cli.options import selected  # noqa: PLC0415 - in this process alone
    from minpack.cli.registry import RegistryAccess, registry_options  # noqa: PLC0415 - as above
    from minpack.cli.settings import StoreSettings, store_directory  # noqa: PLC0415 - as above
    from minpack.cluster.transfer import place_files  # noqa: PLC0415 - as above
    from minpack.errors import ExecutorError, reason_of  # noqa: PLC0415 - as above
    from minpack.registry.client import RegistryClient  # noqa: PLC0415 - as above
    from minpack.store.store import open_store  # noqa: PLC0415 - as above

    with tempfile.NamedTemporaryFile(prefix="minpack-") as authorities:
        # What a registry is asked with cannot come from it.
        authorities.write(build.authorities)
        authorities.flush()
        file = authorities.name if given["registry_ca"] else None
        options = registry_options(selected(RegistryAccess, given)._replace(offline=False, registry_ca=file))
        with RegistryClient(options) as client, open_store(store_directory(selected(StoreSettings, given))) as store:
            try:
                place_files(build.files, below, client, build.repository, store)
            except OSError as error:
                reason = f"the files of the image cannot be written there: {reason_of(error)}"
                hint = "give the directory of its temporary files (TMPDIR) space; then build again"
                raise ExecutorError(f"the worker {os.uname().nodename}", reason, hint) from error


def _moved(given: dict[str, Any], below: str) -> dict[str, Any]:
    """The options with paths of this host below a directory; relative ones are so already."""
    single = {name: _path(given[name], below) for name in ("ca_file", "keys", "lock", "registry_ca") if given[name]}
    return {
        **given,
        **single,
        "programs": tuple(_path(one, below) for one in given["programs"]),
        "additions": tuple(one._replace(source=_path(one.source, below)) for one in given["additions"]),
        "base": tuple((platform, _base(one, below)) for platform, one in given["base"]),
        "on": _base(given["on"], below) if given["on"] is not None else None,
    }


def steps_back(path: str) -> bool:
    """Whether it leads into a directory and back out, as ``a/../b``."""
    parts = path.split("/")
    return any(part == ".." and before not in ("..", ".", "") for before, part in pairwise(parts))


def _path(path: str, below: str) -> str:
    """A path: without the steps back that lead through links on the machine that it is of."""
    moved = os.path.normpath(path) if steps_back(path) else path
    # Two slashes at the start are one on Linux.
    return f"{below}/{moved.lstrip('/')}" if moved.startswith("/") else moved


def _base(base: BaseRef, below: str) -> BaseRef:
    if base.path is None:
        return base
    image = base.image
    if image is None:
        return base._replace(name=_path(base.name, below))
    moved = image._replace(name=_path(image.name, below))
    return base._replace(image=moved, name=str(moved) if base.name == str(image) else moved.name)


def _as_there(result: ImageResult, below: str) -> ImageResult:
    """The result with the paths that files have on the machine that asked for it."""
    failure = result.failure
    if failure is not None:
        hint = failure.hint.replace(below, "") if failure.hint is not None else None
        failure = failure._replace(message=failure.message.replace(below, ""), hint=hint)
    return result._replace(notes=tuple(_texts(result.notes, below)), failure=failure)


def _texts(texts: tuple[str, ...], below: str) -> Iterator[str]:
    yield from (text.replace(below, "") for text in texts)


if __name__ == "__main__":
    # By its own name: what is pickled here is read where the module has that.
    from minpack.cli.worker import main as run

    sys.exit(run())
