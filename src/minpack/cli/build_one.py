"""Building one image of the file, as it is done in a worker: what comes in and goes out can be pickled."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from minpack._version import __version__
from minpack.base.open_bases import OpenBases
from minpack.build.fleet import ImageFailure, ImageResult, State, result_of
from minpack.build.unchanged import (
    BuildSums,
    find_unchanged,
    host_files,
    installed,
    is_settled,
    keep_built,
    record_name,
)
from minpack.cli.config import ReadyImage, pack_context
from minpack.cli.options import LOCK, selected
from minpack.cli.output import is_shared
from minpack.cli.pack import pack_given
from minpack.cli.settings import StoreSettings, now_ns, store_directory, umask
from minpack.cli.spec import named_images
from minpack.errors import MinpackError
from minpack.namedtuple import NamedTuple
from minpack.oci.layout import blob_path
from minpack.oci.shared_layout import listed_names
from minpack.output.target import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.build.pack import Packed
    from minpack.cli.output import WantedArtifacts


#: The options besides programs, bases and what is added, by the names that Python has for them, that name files of this
#: host which decide what an image is.
READ = ("ca_file", "keys", "sign", "registry_ca")


class Job(NamedTuple):
    """An image to build; `record` is the name of what is kept of it, empty where nothing is.

    `began` tells its build from others: it is when that began, by the clock of the machine where it did.
    """

    ready: ReadyImage
    record: str
    began: int


class _Build(NamedTuple):
    """What the images of one build that this process makes have in common."""

    began: int
    bases: OpenBases
    sums: BuildSums


#: The build that this process is at, if it is.
_builds: list[_Build] = []


def _build_of(began: int) -> _Build:
    """What is kept for the next image of the build; what was kept for another build is closed."""
    found = next((one for one in _builds if one.began == began), None)
    if found is not None:
        return found
    while _builds:
        _builds.pop().bases.close()
    # Times of files are by this machine's clock.
    found = _Build(began, OpenBases(), BuildSums(now_ns()))
    _builds.append(found)
    return found


def jobs_of(images: Iterable[ReadyImage]) -> list[Job]:
    """The job of each image."""
    began = now_ns()
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    which = installed(package, dict(_libraries()))
    return [_job(one, which, began) for one in images]


def _libraries() -> Iterator[tuple[str, str]]:
    """What minpack is installed with, each with its version: what compresses decides the bytes of an image too."""
    from importlib.metadata import requires, version  # noqa: PLC0415 - once for all images of a file

    for text in requires("minpack") or ():
        name = re.match(r"[A-Za-z0-9._-]+", text)
        if name is not None and "extra ==" not in text:
            yield name[0], version(name[0])


def _job(ready: ReadyImage, which: str, began: int) -> Job:
    given = ready.given
    sign = given.get("sign") or ""
    unkept = (given["push"], given["load"], given["dry_run"], given["no_cache"], given["debug"], given["traced"])
    kept = not (any(unkept) or sign.startswith("env:"))
    shown = {name: value for name, value in given.items() if name not in ("quiet", "verbose", "as_json", "summary")}
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    parts = (__version__, which, ready.name, sorted(shown.items()), epoch, umask(), os.getcwd())
    return Job(ready, record_name(*parts) if kept else "", began)


def unchanged(jobs: Iterable[Job]) -> Iterator[tuple[str, ImageResult]]:
    """The images that were built before and are as they were, by their names in the file."""
    listed: dict[str, dict[str, str]] = {}
    for job in jobs:
        sums = _build_of(job.began).sums
        found = find_unchanged(_store(job.ready), job.record, job.ready.name, sums) if job.record else None
        if found is not None and _is_listed(found, job.ready.given, listed):
            yield job.ready.name, found


def _is_listed(found: ImageResult, given: dict[str, Any], listed: dict[str, dict[str, str]]) -> bool:
    """Whether the layout that others are added to, if it is in one, still has the image under its names."""
    if not is_shared(given):
        return True
    directory = given["output"]
    if directory not in listed:
        listed[directory] = listed_names(directory)
    return all(listed[directory].get(name) == found.digest for name in found.references)


def _store(ready: ReadyImage) -> str | None:
    return store_directory(selected(StoreSettings, ready.given))


def pack_ready(job: Job) -> tuple[Packed, WantedArtifacts]:
    """The image of the job, built; what was written is recorded.

    :raises MinpackError: it cannot be.
    """
    build = _build_of(job.began)
    with pack_context(job.ready) as given:
        packed, artifacts = pack_given(given, job.ready.name, shared=is_shared(given), bases=build.bases)
        if job.record:
            _keep(job, given, packed, build.sums)
    return packed, artifacts


def build_image(job: Job) -> ImageResult:
    """What becomes of the image of the job; an error of minpack's is a result too."""
    name = job.ready.name
    job.ready.given["quiet"] = True
    try:
        return result_of(name, pack_ready(job)[0])
    except MinpackError as error:
        return failed(name, error)


def failed(name: str, error: MinpackError) -> ImageResult:
    """The result that an error is."""
    failure = ImageFailure(error.kind, error.message, error.hint, error.exit_code)
    return ImageResult(name, State.FAILED, failure=failure)


def _keep(job: Job, given: dict[str, Any], packed: Packed, sums: BuildSums) -> None:
    """Record what was built, if all that it was made of can be looked at again."""
    if not is_settled(packed, named_images(given), locked=given["locked"]):
        return
    result = result_of(job.ready.name, packed)
    files = (*named_files(given), *host_files(packed))
    keep_built(_store(job.ready), job.record, result, files, _written(given, packed), sums)


def named_files(given: dict[str, Any]) -> Iterator[str]:
    """The files and directories of this host that the options name, wherever they were given."""
    yield from given["programs"]
    yield from (one.source for one in given["additions"])
    yield from (one.path for one in named_images(given) if one.path is not None)
    yield from (given[name] for name in READ if given[name])
    if given["locked"]:
        yield given["lock"] or LOCK


def _written(given: dict[str, Any], packed: Packed) -> Iterator[str]:
    """The files that were written: of a layout that others are added to, those of the image."""
    written = packed.written
    assert written is not None, "internal error: nothing was written"
    if given["digest_file"] is not None:
        yield given["digest_file"]
    for output in written.outputs:
        if output.path is not None and not (is_shared(given) and output.format == Format.OCI):
            yield output.path
    if is_shared(given) and written.built is not None:
        for blob in written.built.blobs:
            yield os.path.join(given["output"], blob_path(blob.descriptor.digest))
