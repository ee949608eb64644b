"""What a program asks for and the image lacks, seen by running it once more under strace."""

from __future__ import annotations

import os
import re
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from minpack.errors import MinpackError, NotStartedError
from minpack.images.run import run_prepared
from minpack.sandbox.recording import Recording
from minpack.strace.access import Use
from minpack.strace.log import read_log
from minpack.strace.watch import watching

if TYPE_CHECKING:
    from minpack.images.run import PreparedRun
    from minpack.strace.access import TraceLog

#: What the kernel makes, and what loaders ask for wherever they run.
_OF_NO_IMAGE = re.compile(r"/(?:proc|sys|dev)(?:/|$)|/etc/ld\.so\.|/etc/ld-musl-")


def find_absent(prepared: PreparedRun, temporary: str) -> tuple[str, ...] | None:
    """The paths that the program opens or executes and does not find, in the order of their names.

    What it finds in another directory, as loaders and shells look for files, is not among them.

    :param temporary: the directory for strace's log.
    :return: None if it cannot be watched: strace is not installed, say, or may not look at other processes.
    """
    with TemporaryDirectory(prefix="minpack-", dir=temporary) as directory:
        log = os.path.join(directory, "strace.log")
        watched = prepared._replace(used=(*prepared.used, directory))
        try:
            with watching(log) as watch, Recording(0) as nowhere:
                run_prepared(watched, nowhere, watch)
        except NotStartedError:
            return None
        try:
            return absent_in(read_log(log, prepared.process.directory))
        except MinpackError:
            return None


def absent_in(log: TraceLog) -> tuple[str, ...]:
    """Those of a log."""
    used = [one for one in log.accesses if one.use in (Use.OPENED, Use.EXECUTED)]
    found = {one.path.rpartition("/")[2] for one in used if not one.error}
    return tuple(
        dict.fromkeys(
            one.path
            for one in used
            if one.error == "ENOENT" and one.path.rpartition("/")[2] not in found and not _OF_NO_IMAGE.match(one.path)
        )
    )
