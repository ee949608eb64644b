"""What options put into an image besides programs: files and trees of the host, directories, links."""

from __future__ import annotations

import os
import stat
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.content import DENIED, FileContent
from minpack.errors import InputError, UsageError, reason_of
from minpack.namedtuple import NamedTuple
from minpack.paths import PATH_MAX, ROOT, RootPath, normal
from minpack.rootfs.entry import Entry, Kind, directory, symlink
from minpack.rootfs.etc_files import User
from minpack.rootfs.modes import SPECIAL_BITS, for_group, normal_mode, tree_mode
from minpack.rootfs.tree import Claim, Precedence
from minpack.spec.values import AddedDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from minpack.content import Content
    from minpack.spec.image import ImageSpec, RunConfig
    from minpack.spec.values import Addition

_ROOT_OWNER = User(0, 0)


class PlaceKind(StrEnum):
    """What put an entry at its place."""

    PROGRAM = "program"
    ADDED = "added"
    #: A link of the base's that leads to the place.
    LINK = "link"
    #: A directory of the base's on the way to the place, to which all may write.
    SHARED = "shared"


#: What is the user's own.
YOURS = frozenset((PlaceKind.PROGRAM, PlaceKind.ADDED))


class Placed(NamedTuple):
    """An entry of the user's, or of the base's on the way to it, and why it is there.

    `claim` says how specific its mode and owner are; `source` is the host's path of it, and `host_mode` its mode there.
    """

    entry: Entry
    kind: PlaceKind
    why: str
    claim: Claim = Claim()
    source: str = ""
    host_mode: int | None = None


def additions(
    spec: ImageSpec, read: Mapping[tuple[str, RootPath], Content], left_out: frozenset[str]
) -> Iterator[Placed]:
    """What --add, --dir, --symlink, --volume and --workdir bring, at the paths they name.

    :param read: programs by their path and destination: one that is added to its own place is as it was read.
    :param left_out: what is not taken of directories that are added: paths of the host, absolute and without links.
    :raises InputError: a file to add cannot be read.
    :raises UsageError: a tree was given a mode that only one file can have.
    """
    for addition in spec.additions:
        if os.path.isdir(addition.source):
            yield from _added_tree(addition, spec, left_out)
        else:
            yield _added_file(addition, spec, read)
    for link in spec.links:
        option = f"--symlink {link}"
        yield Placed(symlink(link.path, link.target), PlaceKind.ADDED, option, Claim(option=option))
    yield from _directories(spec)


def host_file(path: str, advice: str = "check the path") -> FileContent:
    """The regular file at the host's `path`.

    :param advice: what to do where no such file.
    :raises InputError: there is none, or it cannot be opened.
    """
    return file_and_mode(path, advice)[0]


def file_and_mode(
    path: str, advice: str = "check the path", inside: str = "name a file in it"
) -> tuple[FileContent, int]:
    """The file at `path` and its mode on this host.

    :param inside: what to do where it is a directory.
    """
    if not path:
        raise InputError(path, "the name is empty", hint="is a shell variable unset?")
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(path, "it is a directory", hint=inside)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(path, "it is not a regular file")
        content = FileContent(path, status.st_size, mtime=status.st_mtime_ns)
        with content.open():
            return content, stat.S_IMODE(status.st_mode)
    except OSError as error:
        denied = DENIED if isinstance(error, PermissionError) else None
        hint = advice if isinstance(error, FileNotFoundError) else denied
        raise InputError(path, reason_of(error), hint=hint) from error
    except ValueError as error:
        raise InputError(path, "the name holds a NUL") from error


def normalize_mode(entry: Entry) -> Entry:
    """`entry` as root's, readable by all, executable if its owner could execute it.

    So an image does not depend on who unpacked the base, under which umask, and any user of it can load its libraries.
    """
    mode = {Kind.SYMLINK: 0o777, Kind.DIRECTORY: 0o755}.get(entry.kind) or normal_mode(entry.mode)
    return entry if entry[2:5] == (mode, 0, 0) else entry._replace(mode=mode, uid=0, gid=0)


def _added_file(addition: Addition, spec: ImageSpec, read: Mapping[tuple[str, RootPath], Content]) -> Placed:
    content, host_mode = file_and_mode(addition.source)
    mode = normal_mode(host_mode) if addition.mode is None else addition.mode
    owner = _owner_of(addition, spec)
    same = read.get((addition.source, addition.destination), content)
    entry = Entry(addition.destination, Kind.FILE, mode, owner.uid, owner.gid, same)
    claim = _added_claim(addition, spec, Precedence.STATED)
    return Placed(_usable(entry, spec.run), PlaceKind.ADDED, _why(addition), claim, addition.source, host_mode)


def _added_tree(addition: Addition, spec: ImageSpec, left_out: frozenset[str]) -> Iterator[Placed]:
    """A directory with all that is in it but for what is left out."""
    if addition.mode is not None and addition.mode & SPECIAL_BITS:
        hint = "add the file by itself, or set the directory's mode with --dir"
        raise UsageError(
            "--add", str(addition), "set-ID and sticky bits apply to a single file, and this is a directory", hint
        )
    claim, why, owner = _added_claim(addition, spec, Precedence.TREE), _why(addition), _owner_of(addition, spec)
    for entry in _tree_of(addition, left_out):
        path = normal(addition.destination + entry.path)
        if len(path.encode("utf-8", "surrogateescape")) >= PATH_MAX:
            place = f"{addition.source}{entry.path[:100]}…"
            raise InputError(place, f"its path in the image would be longer than {PATH_MAX - 1} bytes")
        placed = _usable(_of_tree(entry, addition.mode, owner), spec.run)._replace(path=path, inode=None)
        # Of the directory that holds it all the mode says little: mktemp(1) makes 0700.
        host_mode = None if entry.kind is Kind.SYMLINK or entry.path == ROOT else entry.mode
        yield Placed(placed, PlaceKind.ADDED, why, claim, f"{addition.source.rstrip('/')}{entry.path}", host_mode)


def _tree_of(addition: Addition, left_out: frozenset[str]) -> Iterator[Entry]:
    """The host's directory that is added, by the paths in it, and all that is taken of it."""
    from minpack.base.directory import DirectoryBase, paths_below  # noqa: PLC0415 - for added directories alone
    from minpack.base.walk import tree_below  # noqa: PLC0415

    source = addition.source
    yield directory(ROOT)
    for path, entry in tree_below(DirectoryBase(source), ROOT, paths_below(source, left_out) | addition.without):
        if entry is None or entry.kind is Kind.SPECIAL:
            raise InputError(f"{source}{path}", "it is not a file, directory or symlink")
        if entry.content is not None and entry.size == 0:
            # What the kernel makes as it is read is empty by its size alone: opening it tells.
            with entry.content.open():
                pass
        yield entry


def _of_tree(entry: Entry, mode: int | None, owner: User) -> Entry:
    """`entry` with the mode and owner that it was given."""
    if mode is None or entry.kind is Kind.SYMLINK:
        return normalize_mode(entry)._replace(uid=owner.uid, gid=owner.gid)
    mode = tree_mode(mode, enters=entry.kind is Kind.DIRECTORY or bool(entry.mode & 0o100))
    return entry._replace(mode=mode, uid=owner.uid, gid=owner.gid)


def _owner_of(given: Addition | AddedDirectory, spec: ImageSpec) -> User:
    """Whom what was added belongs to: what is added to root, and a directory to the image's user, unless stated."""
    default = spec.run.user if isinstance(given, AddedDirectory) else spec.owner or _ROOT_OWNER
    owner = given.owner or default
    assert isinstance(owner, User), "internal error: an owner's name has no number yet"
    return owner


def _usable(entry: Entry, run: RunConfig) -> Entry:
    """`entry` as any user with group 0 may use it that the image's user may use, where that is wanted.

    What is root's stays closed: it is not root that the platform chooses another user for.
    """
    if not run.any_user or run.user.uid == 0 or (entry.uid, entry.gid) != (run.user.uid, run.user.gid):
        return entry
    return for_group(entry)


def _directories(spec: ImageSpec) -> Iterator[Placed]:
    """What --dir, --volume and --workdir make: the first two for the image's user."""
    user, shared = spec.run.user, for_group if spec.run.any_user else _as_it_is
    for wanted in spec.directories:
        owner = _owner_of(wanted, spec)
        entry = directory(wanted.path, 0o755 if wanted.mode is None else wanted.mode, owner.uid, owner.gid)
        claim = _claim(wanted, Precedence.STATED, Precedence.PURPOSE)
        entry = shared(entry) if wanted.owner is None else _usable(entry, spec.run)
        yield Placed(entry, PlaceKind.ADDED, f"--dir {wanted.path}", claim)
    # An engine makes what is missing root's, and the program could not write there.
    for path in spec.run.volumes:
        claim = Claim(Precedence.PURPOSE, Precedence.PURPOSE, f"--volume {path}")
        made = shared(directory(normal(path), 0o755, user.uid, user.gid))
        yield Placed(made, PlaceKind.ADDED, "--volume", claim)
    workdir = normal(spec.run.workdir)
    if workdir != ROOT:
        yield _workdir(spec.run, workdir)


def _as_it_is(entry: Entry) -> Entry:
    return entry


def _workdir(run: RunConfig, path: RootPath) -> Placed:
    """The working directory: the image's user need not write to it, but any user that a platform chooses may."""
    option = f"--workdir {path}"
    if not run.any_user:
        return Placed(directory(path), PlaceKind.ADDED, "--workdir", Claim(option=option))
    entry = for_group(directory(path, 0o755, run.user.uid, run.user.gid))
    claim = Claim(Precedence.PURPOSE, Precedence.PURPOSE, option)
    return Placed(entry, PlaceKind.ADDED, "--workdir", claim)


def _why(addition: Addition) -> str:
    return f"--add {addition.source}:{addition.destination}"


def _added_claim(given: Addition, spec: ImageSpec, stated: int) -> Claim:
    """As `_claim`, where an owner may be given for all additions."""
    claim = _claim(given, stated)
    return claim._replace(owner=Precedence.TREE) if given.owner is None and spec.owner is not None else claim


def _claim(given: Addition | AddedDirectory, stated: int, unstated: int = Precedence.DEFAULT) -> Claim:
    """How specifically an option says mode and owner: `stated` where it does, else `unstated`."""
    mode = unstated if given.mode is None else stated
    option = "--dir" if isinstance(given, AddedDirectory) else "--add"
    return Claim(mode, unstated if given.owner is None else stated, f"{option} {given}")
