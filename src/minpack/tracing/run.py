"""One watched run of a program: in its image's namespaces with the whole base below it, or on this host."""

from __future__ import annotations

import os
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.overlay import OverlayBase
from minpack.base.walk import tree_below
from minpack.errors import InputError, NotStartedError, reason_of
from minpack.images.process import process_of
from minpack.images.run import PreparedRun, run_prepared
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, sort_key
from minpack.rootfs.entry import Kind
from minpack.rootfs.tree import with_hard_links
from minpack.strace.log import read_log
from minpack.strace.watch import run_watched, watching

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.entries import EntriesBase
    from minpack.base.options import BaseOptions
    from minpack.images.process import RunOptions
    from minpack.plan.model import Plan
    from minpack.rootfs.entry import Entry
    from minpack.sandbox.terminal import Terminal
    from minpack.sources.session import Session
    from minpack.strace.access import TraceLog

_LOG = "strace.log"


class Run(NamedTuple):
    """What a run left: its log, how it ended, and the user's home directory. `code` is None of a run made elsewhere."""

    log: TraceLog
    home: str
    code: int | None = None
    timed_out: bool = False


def run_in_image(
    plan: Plan,
    image: EntriesBase,
    session: Session,
    options: BaseOptions,
    run: RunOptions,
    terminal: Terminal | None,
) -> Run:
    """Run the program of a plan in its image's namespaces, where the base has what the image has not.

    :param image: the tree of the plan.
    :raises NotStartedError: it was not started, or cannot be watched.
    """
    process = process_of(plan.config, image, session.name, run)
    below, entries = _tree(plan, image, session)
    local = (session.ref.path,) if session.ref.path is not None else ()
    used = (*local, options.store or "/", options.temporary, sys.prefix, os.path.dirname(__file__))
    with TemporaryDirectory(prefix="minpack-", dir=options.temporary) as directory:
        log = os.path.join(directory, _LOG)
        prepared = PreparedRun(process._replace(below=below), entries, (*used, directory))
        try:
            with watching(log) as watch:
                ended = run_prepared(prepared, terminal, watch)
        except NotStartedError as error:
            # A program's own exit codes are not minpack's here.
            error.exit_code = 1
            raise
        home = dict(process.environment).get("HOME", "")
        return Run(read_log(log, process.directory), home, ended.code, ended.timed_out)


def _tree(plan: Plan, image: EntriesBase, session: Session) -> tuple[str, tuple[Entry, ...]]:
    """The directory that is seen below, empty for none, and all that is written."""
    if session.ref.kind is BaseKind.DIRECTORY:
        return os.path.realpath(session.ref.name), plan.all
    base = OverlayBase(image, session.tree().base)
    every = sorted((entry for _, entry in tree_below(base, ROOT) if entry is not None), key=lambda e: sort_key(e.path))
    return "", tuple(with_hard_links(entry for entry in every if entry.kind is not Kind.SPECIAL))


def run_on_host(program: str, run: RunOptions, environment: Mapping[str, str], options: BaseOptions) -> Run:
    """Run a program of this host where it is, as the user who runs this, in the working directory of `run`.

    :raises NotStartedError: it was not started, or cannot be watched.
    """
    variables = {**environment, **dict(run.env)}
    with TemporaryDirectory(prefix="minpack-", dir=options.temporary) as directory:
        log = os.path.join(directory, _LOG)
        try:
            code, timed_out = run_watched((os.path.abspath(program), *run.arguments), variables, log, run.seconds)
            found = read_log(log, run.workdir or "/")
        except OSError as error:
            raise NotStartedError(f"start {program!r}", reason_of(error), None, 1) from error
        except InputError as error:
            raise NotStartedError(f"watch {program!r}", "strace wrote nothing", None, 1) from error
        return Run(found, variables.get("HOME", ""), code, timed_out)
