"""Running a finished image here, without an engine."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.errors import NotStartedError
from minpack.images.process import process_of
from minpack.images.tree import open_tree
from minpack.namedtuple import NamedTuple
from minpack.oci.config import read_config
from minpack.paths import ROOT, sort_key
from minpack.progress import no_progress
from minpack.rootfs.directory import write_directory
from minpack.rootfs.entry import Kind
from minpack.rootfs.tree import with_hard_links
from minpack.sandbox.run import exit_code, run_program
from minpack.sandbox.values import SandboxError

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.images.process import RunOptions
    from minpack.rootfs.entry import Entry
    from minpack.sandbox.recording import Recording
    from minpack.sandbox.terminal import Terminal
    from minpack.sandbox.values import Ended, ProcessSpec, Watch

_NAMESPACES_HINT = "let users make user namespaces (sysctl, AppArmor, seccomp), or run it as root"
_LIMITS_HINT = "allow more: sysctl user.max_user_namespaces, user.max_mnt_namespaces and the like"
_ROOT_HINT = "root lacks CAP_SYS_ADMIN here: in a container, give it that (docker run --privileged)"


class PreparedRun(NamedTuple):
    """What runs, and the tree that it runs in; `used` are paths of this host that the tree is read from.

    `notes` are what the user should know.
    """

    process: ProcessSpec
    entries: tuple[Entry, ...]
    used: tuple[str, ...]
    notes: tuple[str, ...] = ()


@contextmanager
def prepared_run(found: FoundImage, options: BaseOptions, run: RunOptions) -> Generator[PreparedRun]:
    """The program of an image, which can be run until the block is left.

    :param found: an image of one platform.
    :raises EntrypointError: the image names no program, or no user that there is.
    :raises MinpackError: its layers cannot be read.
    """
    image = found.built.images[0]
    with open_tree(image, found.name, options) as base:
        every = sorted(
            (entry for _, entry in tree_below(base, ROOT) if entry is not None), key=lambda e: sort_key(e.path)
        )
        kept = [entry for entry in every if entry.kind is not Kind.SPECIAL]
        # Those in /dev are not seen anyway.
        special = sum(entry.kind is Kind.SPECIAL and not entry.path.startswith("/dev/") for entry in every)
        notes = (f"{special} device nodes, sockets or FIFOs were left out",) if special else ()
        process = process_of(read_config(image, found.name), base, found.name, run)
        local = (found.ref.name,) if found.ref.is_local else ()
        # Modules are loaded from the last two.
        used = (*local, options.store or "/", options.temporary, sys.prefix, os.path.dirname(__file__))
        yield PreparedRun(process, tuple(with_hard_links(kept)), used, notes)


def run_prepared(
    prepared: PreparedRun, streams: Terminal | Recording | None = None, watch: Watch | None = None
) -> Ended:
    """Run the program, and wait for it; nothing of what it wrote is left.

    :param watch: is told which process becomes the program before it does.

    :raises NotStartedError: it could not be started; `exit_code` is the one that runtimes have for that.
    """

    def write(place: str, owners: bool) -> None:  # noqa: FBT001 - the sandbox calls it
        write_directory(prepared.entries, place, mtime=0, owners=owners, progress=no_progress)

    try:
        return run_program(prepared.process, write, prepared.used, streams, watch)
    except SandboxError as error:
        raise _refusal(error, prepared.process) from error


def _refusal(error: SandboxError, spec: ProcessSpec) -> NotStartedError:
    """What a user is told of it."""
    reason = error.text or (os.strerror(error.number).lower() if error.number else "it failed")
    if error.step == "start":
        hint: str | None = "minpack check says what the image lacks"
        if error.number == errno.EPERM:
            hint = None
        if error.number == errno.ENOEXEC:
            hint = "it may be for another architecture: install qemu-user-static (binfmt_misc)"
        return NotStartedError(f"start {spec.arguments[0]!r}", reason, hint, exit_code(error))
    hint = None
    if "namespace" in error.step and error.number in (errno.ENOSPC, errno.EUSERS):
        # What the kernel means by that (unshare(2)).
        reason, hint = "there may be no more of them", _LIMITS_HINT
    elif "namespace" in error.step and error.number in (errno.EPERM, errno.EACCES):
        hint = _NAMESPACES_HINT if os.geteuid() else _ROOT_HINT
    return NotStartedError(error.step, reason, hint, exit_code(error))
