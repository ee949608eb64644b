"""`minpack build`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from minpack.build.fleet import ImageResult, State, run_jobs
from minpack.cli.build_one import Job, build_image, failed, jobs_of, pack_ready, unchanged
from minpack.cli.build_places import refuse_one_name, refuse_one_place
from minpack.cli.config import NAMED_FILE, check_ready, file_option, profile_option, read_images, ready_images
from minpack.cli.executors import Workers, interruptible, lost, open_executor
from minpack.cli.options import FILLED, Command, Parsed, completed
from minpack.cli.pack import command as pack_command
from minpack.cli.pack import tell
from minpack.cli.settings import threads
from minpack.cli.summary import append_summary
from minpack.cli.terminal import counting, print_error, print_json, print_lines, print_notes, reporting, terminal_width
from minpack.config.model import CONFIG
from minpack.errors import UsageError
from minpack.excerpt import MOST_NOTES
from minpack.report.fleet import build_document, build_lines, count_line, note_lines
from minpack.spec.parallel import parse_jobs
from minpack.spec.shard import Shard, parse_shard

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from minpack.cluster.executor import ExecutorRef

#: Of one image alone: a login that would be asked for again for each, and an image to compare with.
_OF_ONE_PUSH = frozenset(("username", "password_stdin", "against"))


def _with_options_of_pack(command: click.Command) -> click.Command:
    """The command with all options of pack, which override what the file sets."""
    own = {one.name for one in command.params} | _OF_ONE_PUSH
    options = [one for one in pack_command.params if isinstance(one, click.Option)]
    command.params += [one for one in options if one.name not in own]
    return command


def _parse_executor(text: str) -> ExecutorRef:
    from minpack.cluster.executor import parse_executor  # noqa: PLC0415 - for clusters alone

    return parse_executor(text)


@_with_options_of_pack
@click.command("build", cls=Command, short_help=f"Build the images of {CONFIG}.")
@click.argument("names", metavar="[NAME]...", nargs=-1, type=FILLED, shell_complete=completed("image"))
@file_option
@profile_option
@click.option("-k", "--keep-going", is_flag=True, help="Build the other images even if one fails.")
@click.option(
    "-j",
    "--jobs",
    type=Parsed(parse_jobs),
    metavar="NUMBER",
    help="Number of images to build at once. Default: one per CPU.",
)
@click.option(
    "--shard",
    type=Parsed(parse_shard),
    metavar="NUMBER/TOTAL",
    help="Build only this part of the images (3/10 is the third of ten), to split the work between CI jobs.",
)
@click.option(
    "--executor",
    type=Parsed(_parse_executor),
    metavar="NAME://ADDRESS",
    help="Build on other machines, by a cluster such as dask://HOST:PORT; with --push and --cache-write.",
)
def command(names: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401 - the options above are its signature
    """Build the images in minpack.toml: all of them, or those that you name.

    \b
    minpack build                                all images
    minpack build web --push                     one image, pushed under its tags
    minpack build --profile release --keep-going
    minpack build --shard 3/10 --push            part 3 of 10, for CI

    An image is built again only if its settings, its input files or its output have changed. Options override the file
    for all images. After a failure, minpack finishes the images that it has begun and stops; with --keep-going it
    builds the rest too. The format of the file is described in docs/config.md.
    """  # noqa: D301 - click's mark for a block
    outer = click.get_current_context()
    path = given["file"] or CONFIG
    shard: Shard | None = given["shard"]
    if shard is not None and names:
        raise UsageError("--shard", str(shard), "images are named", "give only one of them: --shard divides all images")
    ready = ready_images(read_images(given, names, shard), outer)
    for one in ready:
        check_ready(one)
    refuse_one_place(ready, path)
    refuse_one_name(ready)
    ready = [one for one in ready if shard is None or shard.has(one.name)]
    if given["executor"] is not None:
        from minpack.cli.cluster import check_remote  # noqa: PLC0415 - for clusters alone

        check_remote(ready, given["executor"])
    jobs = jobs_of(ready)
    _tell_place(outer, given)
    known = dict(unchanged(jobs))
    if len(jobs) == 1 and not known and not (given["as_json"] or given["executor"]):
        return _build_alone(jobs[0])
    built = iter(_build_all([job for job in jobs if job.ready.name not in known], given))
    return _tell([known.get(job.ready.name) or next(built) for job in jobs], given, path)


def _tell_place(context: click.Context, given: dict[str, Any]) -> None:
    """Say what paths are relative to, where that is not the directory of whoever reads them."""
    named = context.meta.get(NAMED_FILE) or ""
    directory = os.path.dirname(named)
    if directory and os.path.normpath(directory) != ".":
        print_notes(
            [f"paths are relative to {directory}, the directory of {named}"], quiet=given["quiet"] or given["as_json"]
        )


def _build_alone(job: Job) -> int:
    """Build one image, and tell of it as pack does."""
    packed, artifacts = pack_ready(job)
    tell(packed, artifacts, job.ready.given)
    return 0


def _build_all(jobs: Sequence[Job], given: dict[str, Any]) -> list[ImageResult]:
    """Build images side by side, and print what fails as soon as it does."""
    results = {number: ImageResult(job.ready.name, State.SKIPPED) for number, job in enumerate(jobs)}
    if not jobs:
        return []
    told = list[str | None]()
    with _workers(jobs, given) as workers, counting("images", len(jobs), quiet=given["quiet"]) as display:
        run = partial(run_jobs, keep_going=given["keep_going"], waiting=display.show)
        for number, found in run(workers.executor, workers.function, workers.jobs, workers.most):
            name = jobs[number].ready.name
            results[number] = found if isinstance(found, ImageResult) else failed(name, workers.lost(name, found))
            if results[number].failure is not None:
                display.clear()
                _print_failure(results[number], told)
            display.advance(failed=not results[number].is_whole)
    return list(results.values())


@contextmanager
def _workers(jobs: Sequence[Job], given: dict[str, Any]) -> Generator[Workers]:
    """What builds the images: processes of this machine, or the cluster that is named."""
    named: ExecutorRef | None = given["executor"]
    if named is None:
        count = min(given["jobs"] or threads(), len(jobs))
        with open_executor(count) as executor:
            yield Workers(executor, interruptible(build_image), jobs, count, lost)
        return
    from minpack.cli.cluster import lost_by_cluster, open_cluster, remote_jobs  # noqa: PLC0415 - for clusters alone
    from minpack.cli.worker import build_at_worker  # noqa: PLC0415 - as above

    with open_cluster(named) as cluster:
        count = given["jobs"] or cluster.workers
        yield Workers(cluster.executor, build_at_worker, remote_jobs(jobs), count, partial(lost_by_cluster, named))


def _print_failure(result: ImageResult, told: list[str | None]) -> None:
    """Print why an image failed; the hint of many only once.

    :param told: the hints of those that were printed before.
    """
    failure = result.failure
    assert failure is not None, "internal error: it did not fail"
    if len(told) < MOST_NOTES:
        print_error(f"{result.name}: {failure.message}", failure.hint if failure.hint not in told else None)
    elif len(told) == MOST_NOTES:
        print_error("other images that fail are only counted from here on", "--json says why each did")
    told.append(failure.hint)


def _tell(results: Sequence[ImageResult], given: dict[str, Any], path: str) -> int:
    """Print what became of the images, and the exit code of that: the one that all failures have, else 1."""
    codes = {one.failure.exit_code for one in results if one.failure is not None}
    shard = given["shard"]
    with reporting(count_line(results)):
        if given["summary"] is not None:
            from minpack.report.markdown import build_summary  # noqa: PLC0415 - for --summary alone

            append_summary(given["summary"], build_summary(results, shard))
        if given["as_json"]:
            print_json(build_document(path, results, shard))
        elif given["quiet"]:
            print_lines(_pushed(results), whole=True)
        else:
            print_notes(note_lines(results), quiet=False)
            width = terminal_width(sys.stdout) if sys.stdout.isatty() else 0
            print_lines(build_lines(results, width) if results else [f"no image of {path} is in shard {shard}"])
    return codes.pop() if len(codes) == 1 else min(len(codes), 1)


def _pushed(results: Sequence[ImageResult]) -> list[str]:
    """What a quiet run prints of images that were pushed or loaded, as for one."""
    outputs = [output for one in results for output in one.outputs if output.path is None]
    names = (
        f"{(one.reference or '').rpartition(':')[0]}@{one.digest}" if one.format == "registry" else one.reference
        for one in outputs
    )
    return list(dict.fromkeys(name for name in names if name))
