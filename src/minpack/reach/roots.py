"""What the configuration of an image asks for: what it starts, and every path that it has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.images.start import check_entrypoint, run_arguments
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, join
from minpack.plan.entrypoint import find_in_path
from minpack.reach.collect import is_shared_directory
from minpack.reach.model import AskedAs
from minpack.reach.names import is_program
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.images.settings import ImageSettings
    from minpack.images.start import StartCheck, Started
    from minpack.images.users import ImageUser
    from minpack.reach.collect import Collector
    from minpack.rootfs.entry import Entry

#: The image itself, where something is asked for by its configuration.
IMAGE = RootPath("")
#: Variables that name directories to search: what is found there is asked for by whoever searches.
_SEARCHED = re.compile(r"(?:.*_)?PATH|LD_.*|PWD|OLDPWD")
#: What a word of a command line, or of a shell's command, may be made of.
_WORD = re.compile(r"[^\s=,;|&<>()\"'`]+")
#: The users' lists, and what runtimes lay over or everybody reads.
_OF_USERS = ("/etc/passwd", "/etc/group")
_OF_SYSTEMS = (
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/alpine-release",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/etc/nsswitch.conf",
)


class Roots(NamedTuple):
    """What the image starts: first its entrypoint, then what that only starts; and its health check, if it has one.

    `named` are the executable files among its arguments, which whatever starts may start.
    """

    started: tuple[Started, ...]
    health: Started | None = None
    named: tuple[Entry, ...] = ()


def add_roots(collector: Collector, settings: ImageSettings, check: StartCheck, user: ImageUser) -> Roots:
    """Ask for what the configuration asks for."""
    started = check_entrypoint(check)
    by = _add_started(collector, check, started, "starts it")
    found = [started]
    if started.following:
        # The command of a shell.
        found.append(run_arguments(check, (started.following,)))
        _add_started(collector, check, found[-1], "starts it", by)
    arguments = (*settings.config.entrypoint, *settings.config.cmd)
    named = _add_arguments(collector, check, arguments[1:])
    arguments = _health_arguments(settings)
    health = run_arguments(check, arguments) if arguments else None
    if health is not None:
        _add_started(collector, check, health, "has it as its health check")
        _add_arguments(collector, check, arguments[1:])
    _add_variables(collector, settings)
    _add_directories(collector, settings, user)
    _add_skeleton(collector)
    starting = {entry.path for one in found for entry in one.files}
    return Roots(tuple(found), health, tuple(entry for entry in named if entry.path not in starting))


def _health_arguments(settings: ImageSettings) -> tuple[str, ...]:
    """What the health check calls; nothing if there is none."""
    health = settings.health
    if health is None:
        return ()
    return health.test[1:] if health.test[0] == "CMD" else (*health.shell, *health.test[1:])


def _add_started(
    collector: Collector, check: StartCheck, started: Started, text: str, by: RootPath = IMAGE
) -> RootPath:
    """The files that are started one by the other; each but the first by the one before, the last of which is given."""
    for name in started.names:
        path = name if "/" in name else find_in_path(check.start, name)
        if path is not None:
            absolute = path if path.startswith("/") else f"{check.start.config.workdir}/{path}"
            collector.add_trail(collector.tree.walk(absolute).trail, absolute, by)
    for entry in started.files:
        collector.add_entry(entry, AskedAs.PROGRAM, text, by)
        text, by = "starts it", entry.path
    return by


def _add_arguments(collector: Collector, check: StartCheck, arguments: Sequence[str]) -> list[Entry]:
    """The paths among the arguments, and programs by their names: many a program starts one (`timeout 5 app`).

    The executable files among them.
    """
    found = []
    for argument in arguments:
        for word in _WORD.findall(argument):
            text = f"has {word} among its arguments"
            named = find_in_path(check.start, word) if "/" not in word else None
            for path in (*_paths(word, check.start.config.workdir), *([named] if named is not None else [])):
                entry = collector.tree.find_file(RootPath(path))
                if entry is not None and entry.mode & 0o111 and is_program(entry):
                    collector.add_path(path, AskedAs.PROGRAM, text, IMAGE)
                    found.append(entry)
                else:
                    collector.add_whole(path, AskedAs.CONFIGURATION, text, IMAGE)
    return found


def _paths(word: str, workdir: str) -> Iterator[str]:
    """The paths that a word may be: absolute, behind a colon too, or of a file in the working directory."""
    for part in word.split(":"):
        if part.startswith("/"):
            yield part
        elif not part.startswith("-") and part not in ("", ".", ".."):
            yield f"{workdir.rstrip('/')}/{part}"


def _add_variables(collector: Collector, settings: ImageSettings) -> None:
    for name, value in settings.config.env:
        if _SEARCHED.fullmatch(name):
            continue
        for part in value.split(":"):
            if part.startswith("/") and part != ROOT:
                collector.add_whole(part, AskedAs.CONFIGURATION, f"sets {name} to it", IMAGE)


def _add_directories(collector: Collector, settings: ImageSettings, user: ImageUser) -> None:
    config = settings.config
    for path in config.volumes:
        collector.add_whole(path, AskedAs.CONFIGURATION, "has it as a volume", IMAGE)
    if config.workdir != ROOT:
        collector.add_whole(config.workdir, AskedAs.CONFIGURATION, "has it as its working directory", IMAGE)
    home = dict(config.env).get("HOME", user.home)
    if home.startswith("/") and home != ROOT:
        collector.add_whole(home, AskedAs.CONFIGURATION, "has it as its user's home directory", IMAGE)
    for path in _OF_USERS:
        collector.add_path(path, AskedAs.CONFIGURATION, "has its users in it", IMAGE)
    for path in _OF_SYSTEMS:
        collector.add_path(path, AskedAs.NEED, "has it as every system has", IMAGE)


def _add_skeleton(collector: Collector) -> None:
    """The directories that every system has, empty, and links that stand for some."""
    base = collector.tree.base
    for above in (ROOT, RootPath("/var"), RootPath("/run")):
        for name in base.listdir(above):
            entry = collector.tree.lstat(join(above, name))
            is_link = entry is not None and entry.kind is Kind.SYMLINK and _is_directory(collector, entry.path)
            if entry is not None and (is_link or (entry.kind is Kind.DIRECTORY and _is_of_system(entry.path))):
                collector.add_path(entry.path, AskedAs.DIRECTORY, "has it as every system has", IMAGE)


def _is_directory(collector: Collector, path: RootPath) -> bool:
    entry = collector.tree.walk(path).entry
    return entry is not None and entry.kind is Kind.DIRECTORY


def _is_of_system(path: RootPath) -> bool:
    return is_shared_directory(path)
