"""Building images on other machines: `minpack build --executor`."""

from __future__ import annotations

import os
import pickle
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from minpack.base.options import BaseKind
from minpack.cli.build_one import failed, named_files
from minpack.cli.config import located, pack_context
from minpack.cli.options import selected
from minpack.cli.pack import spec_of
from minpack.cli.registry import RegistryAccess, registry_options
from minpack.cli.settings import umask
from minpack.cli.spec import named_images
from minpack.cli.worker import RemoteBuild, RemoteJob, deciding_versions, steps_back
from minpack.cluster.executor import GROUP
from minpack.cluster.files import Lister
from minpack.cluster.transfer import Sender
from minpack.content import FileContent
from minpack.errors import ExecutorError, MinpackError, UsageError
from minpack.excerpt import listed
from minpack.program.bundles import data_beside, place_bundles
from minpack.program.read import read_programs
from minpack.registry.client import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from minpack.build.fleet import ImageResult
    from minpack.cli.build_one import Job
    from minpack.cli.config import ReadyImage
    from minpack.cluster.executor import Cluster, ExecutorRef
    from minpack.registry.repository import ImageRepository

#: What would be written on the machine of the worker, or is of this one alone: the option, and what to do instead.
_HERE_ALONE = {
    "output": ("--output", "leave it out: what workers build is pushed"),
    "load": ("--load", "leave it out: what workers build is pushed"),
    "digest_file": ("--digest-file", "leave it out: --json has the digests"),
    "sign": ("--sign", "the key stays here: sign what was pushed with minpack sign"),
    "traced": ("--trace", "run the program here: minpack trace --write puts what it opens into the file"),
    "debug": ("--debug", "build it without --executor"),
    "dry_run": ("--dry-run", "leave out --executor"),
}
_MOST_NAMED = 8


def check_remote(ready: Iterable[ReadyImage], executor: ExecutorRef) -> None:
    """Raise `UsageError` or `ConfigError` if one of the images cannot be built on other machines."""
    for one in ready:
        given = one.given
        with located(one.image):
            for name, (option, hint) in _HERE_ALONE.items():
                if given[name]:
                    shown = given[name] if isinstance(given[name], str) else ""
                    raise UsageError(option, shown, f"--executor builds {one.name} on another machine", hint)
            for base in named_images(given):
                if base.kind is BaseKind.DIRECTORY:
                    hint = "name a tarball of it, or an image"
                    raise UsageError("--base", base.text, "a directory is not sent to the workers of --executor", hint)
                if base.image is not None and not base.image.is_local and not base.is_pulled:
                    hint = "push it to a registry, or save it to a file"
                    raise UsageError("--base", base.text, "the workers of --executor have not this engine", hint)
        if not given["push"]:
            hint = "add --push: workers push what they build"
            raise UsageError("--executor", str(executor), f"{one.name} is not pushed", hint)
        if given["cache_write"] is None:
            hint = "add --cache-write REPOSITORY: files reach the workers through it"
            raise UsageError("--executor", str(executor), "no store is named that all machines have", hint)
        moved = next(_moved(given), None)
        if moved is not None:
            reason = f"the SBOM of {one.name} names {moved!r}, which is at another place there"
            hint = "name it by a path from the directory of the file of images"
            raise UsageError("--executor", str(executor), reason, hint)


def _moved(given: Mapping[str, Any]) -> Iterator[str]:
    """The paths that an SBOM names, if one is wanted, and that are other ones at a worker."""
    if given["sboms"] or given["sbom_in_image"]:
        for path in (*given["programs"], *(one.source for one in given["additions"])):
            if path.startswith("/") or steps_back(path):
                yield path


@contextmanager
def open_cluster(executor: ExecutorRef) -> Generator[Cluster]:
    """The cluster that is named.

    :raises UsageError: no package offers such an executor.
    :raises ExecutorError: it cannot be used.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - for clusters alone

    found = {one.name: one for one in entry_points(group=GROUP)}
    if executor.name not in found:
        known = listed(sorted(found), _MOST_NAMED) or "none"
        hint = f"known here: {known}; another comes with a package that has an entry point in {GROUP}"
        raise UsageError("--executor", str(executor), f"there is no executor {executor.name!r}", hint)
    try:
        opened = found[executor.name].load()
    except Exception as error:
        raise ExecutorError(str(executor), f"its package cannot be loaded: {error}", "install it again") from error
    with opened(executor.address) as cluster:
        yield cluster


def remote_jobs(jobs: Sequence[Job]) -> Iterator[RemoteJob | ImageResult]:
    """The jobs as workers take them, each when the files that it needs are in its repository.

    One that cannot be sent is the result that this is.
    """
    with ExitStack() as clients:
        senders = _Senders(clients)
        for job in jobs:
            try:
                yield _remote_job(job.ready, senders)
            except MinpackError as error:
                yield failed(job.ready.name, error)


class _Senders:
    """What sends files, one for each repository and way to reach it, as long as `clients` is open."""

    def __init__(self, clients: ExitStack) -> None:
        self.lister = Lister()
        self._clients = clients
        self._senders: dict[tuple[ImageRepository, RegistryAccess], Sender] = {}

    def sender(self, repository: ImageRepository, access: RegistryAccess) -> Sender:
        """What sends files to the repository."""
        key = (repository, access)
        if key not in self._senders:
            client = self._clients.enter_context(RegistryClient(registry_options(access)))
            self._senders[key] = Sender(client, repository)
        return self._senders[key]


def _remote_job(ready: ReadyImage, senders: _Senders) -> RemoteJob:
    with pack_context(ready) as given:
        directory = os.getcwd()
        # Without: it is at the worker that they are stripped.
        spec = spec_of(given)._replace(strip=False)
        programs = read_programs(spec)
        placed = [one.entry.content for one in place_bundles(spec, programs)]
        bundled = [one.where for one in placed if isinstance(one, FileContent)]
        files = senders.lister.list((*named_files(given), *bundled), directory, data_beside(programs))
        repository: ImageRepository = given["cache_write"]
        access = selected(RegistryAccess, given)._replace(offline=False)
        senders.sender(repository, access).send(files, senders.lister.contents)
    authorities = b""
    if given["registry_ca"]:
        with open(given["registry_ca"], "rb") as file:
            authorities = file.read()
    build = RemoteBuild(ready, files, repository, directory, umask(), authorities)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return RemoteJob(ready.name, deciding_versions(), epoch, pickle.dumps(build))


def lost_by_cluster(executor: ExecutorRef, _name: str, error: BaseException) -> MinpackError:
    """What to say of an image that the cluster gave up."""
    if isinstance(error, MinpackError):
        return error
    text = " ".join(str(error).split())
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    hint = (
        "look at the log of the workers, which need memory for the image and this version of minpack; then build again"
    )
    return ExecutorError(str(executor), f"it gave the image up: {reason}", hint)
