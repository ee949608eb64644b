"""What is around the program: directories, volumes, the health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.images.finding import Finding, Severity
from minpack.images.start import run_arguments
from minpack.plan.permissions import may_reach
from minpack.rootfs.access import EXECUTE, WRITE
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.images.settings import ImageSettings
    from minpack.images.start import StartCheck
    from minpack.rootfs.etc_files import User

_MODES = "change its mode or owner, or the image's user"


def check_workdir(path: str, tree: Walker, user: User) -> Iterator[Finding]:
    """Whether the program can start in its working directory, which engines make where nothing is.

    runc goes there before it becomes the image's user, and other runtimes after (`libcontainer/init_linux.go`).
    """
    if not path.startswith("/"):
        return
    walk = tree.walk(path)
    blocking = _not_a_directory(tree, path)
    if blocking:
        reason = "it is not a directory" if blocking == path else f"{blocking} is not a directory"
        yield Finding("workdir", Severity.ERROR, path, reason, "choose another working directory")
    elif walk.entry is not None and not may_reach(walk, user, EXECUTE):
        reason = f"{user} may not enter it (mode {walk.entry.mode:04o}): not every runtime starts it there"
        yield Finding("workdir", Severity.WARNING, path, reason, _MODES)


def check_volumes(paths: tuple[str, ...], tree: Walker, user: User) -> Iterator[Finding]:
    """Whether each volume can be mounted, and the program write to it: what it is in the image it is at first."""
    for path in paths:
        blocking = _not_a_directory(tree, path)
        if blocking:
            reason = f"{'it' if blocking == path else blocking} is not a directory, and nothing can be mounted there"
            yield Finding("volume", Severity.ERROR, path, reason, "choose another path for the volume")
            continue
        entry = tree.walk(path).entry
        if entry is None and user.uid:
            reason = f"it is not in the image, so engines make it root's and {user} cannot write to it"
            yield Finding("volume", Severity.WARNING, path, reason, f"put a directory there that belongs to {user}")
        elif entry is not None and not may_reach(tree.walk(path), user, WRITE):
            reason = f"{user} cannot write to it (mode {entry.mode:04o}, {entry.uid}:{entry.gid})"
            yield Finding("volume", Severity.WARNING, path, reason, _MODES)


def _not_a_directory(tree: Walker, path: str) -> str:
    """The path, or the first part of it, that is something else than a directory; empty if none is."""
    parts = [part for part in path.split("/") if part]
    for count in range(1, len(parts) + 1):
        above = "/" + "/".join(parts[:count])
        entry = tree.walk(above).entry
        if entry is not None and entry.kind is not Kind.DIRECTORY:
            return path if count == len(parts) else above
    return ""


def check_health(settings: ImageSettings, check: StartCheck) -> Iterator[Finding]:
    """Whether the health check can be run: a container starts without, and is never well."""
    health = settings.health
    if health is None:
        return
    arguments = health.arguments
    if not arguments or not arguments[-1]:
        yield Finding(
            "health-check", Severity.WARNING, "Healthcheck", "it names no program", "name one, or leave it out"
        )
        return
    for finding in run_arguments(check, arguments).findings:
        reason = f"the health check cannot be run: {finding.reason}"
        yield Finding("health-check", Severity.WARNING, finding.path, reason, finding.hint)
