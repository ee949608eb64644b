"""What a tarball's members make when they are unpacked one after another: entries by path.

Refused is what could leave the root or is unpacked differently by different
programs: ``..`` and absolute names, members below what is no directory (a
symlink, say), one name for two things, hard links to what is not there.
Symlinks may name anything: they are followed in the root only, by `base.walk.Walker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import RangeContent
from minpack.paths import NAME_MAX, PATH_MAX, ROOT, RootPath, ancestors, parent
from minpack.rootfs.entry import Entry, Kind, directory
from minpack.tar.read import Member, damaged, read_members

if TYPE_CHECKING:
    from minpack.errors import ArchiveError

#: More than any root file system has: each costs memory, and compresses to almost nothing.
MAX_ENTRIES = 500_000
#: The most characters of all paths together.
MAX_PATHS = 64 * 1024 * 1024
_REMAKE = "minpack unpacks only what every program unpacks alike; make the tarball again with tar"


def index_of(tar: RangeContent, name: str) -> tuple[dict[RootPath, Entry], set[RootPath]]:
    """The entries of an uncompressed tar by path, and the paths of the directories it only implies.

    Hard links are files that share content and `inode` with the member they name.

    :param name: what to call the tar in errors.
    :raises ArchiveError: it is damaged, has no members, or holds what is refused.
    """
    index = _Index(tar, name)
    for member in read_members(tar, name):
        index.add(member)
    if not index.places:
        raise damaged(name, 0, "", "it is empty: a tar without members")
    return index.entries, index.implied


class _Index:
    """The entries so far."""

    def __init__(self, tar: RangeContent, name: str) -> None:
        self._tar = tar
        self._name = name
        self._characters = 0
        self.entries = {ROOT: directory(ROOT)}
        self.implied = {ROOT}
        #: Where in the tar the member is that made an entry.
        self.places: dict[RootPath, int] = {}

    def add(self, member: Member) -> None:
        path = self._path(member, member.name)
        known = self.entries.get(path)
        if known is not None:
            self._check_repeated(member, path, known)
        self._add_parents(member, path)
        self.entries[path] = self._entry(member, path)
        self.places[path] = member.at
        self.implied.discard(path)
        self._characters += len(path)
        if len(self.entries) > MAX_ENTRIES or self._characters > MAX_PATHS:
            raise self._error(member, "it has more names than any root file system")

    def _error(self, member: Member, reason: str) -> ArchiveError:
        return damaged(self._name, member.at, member.name, reason, _REMAKE)

    def _path(self, member: Member, text: str) -> RootPath:
        """The path of a name or a hard link's target, both relative to the root."""
        if not text or text[0] == "/":
            raise self._error(member, f"{text!r} is an absolute path" if text else "it has no name")
        parts = [part for part in text.split("/") if part not in ("", ".")]
        path = RootPath("/" + "/".join(parts))
        if ".." in parts:
            raise self._error(member, f"{text!r} has a '..' part")
        if "\0" in path:
            raise self._error(member, "its name holds a NUL")
        if len(path) > NAME_MAX or not path.isascii():
            size = len(path.encode("utf-8", "surrogateescape"))
            if size >= PATH_MAX or any(len(p.encode("utf-8", "surrogateescape")) > NAME_MAX for p in parts):
                raise self._error(member, "its name is too long")
        return path

    def _check_repeated(self, member: Member, path: RootPath, known: Entry) -> None:
        """A directory may come again, and the last one counts; nothing else may (OCI image-spec, layer.md)."""
        if known.kind is member.kind is Kind.DIRECTORY:
            return
        if path == ROOT:
            raise self._error(member, f"the root would be a {member.kind}")
        place = self.places.get(path)
        before = f"at offset {place}" if place is not None else "as a directory that holds others"
        raise self._error(member, f"it is there twice: as a {member.kind}, and before as a {known.kind} {before}")

    def _add_parents(self, member: Member, path: RootPath) -> None:
        above = self.entries.get(parent(path))
        if above is None:
            self._imply(member, path)
        elif above.kind is not Kind.DIRECTORY:
            raise self._error(member, f"it would lie below {above.path!r}, which is a {above.kind}")

    def _imply(self, member: Member, path: RootPath) -> None:
        """Put in the directories above `path` that are not there."""
        for above in ancestors(path):
            known = self.entries.get(above)
            if known is None:
                self.entries[above] = directory(above)
                self.implied.add(above)
                self._characters += len(above)
            elif known.kind is not Kind.DIRECTORY:
                raise self._error(member, f"it would lie below {above!r}, which is a {known.kind}")

    def _entry(self, member: Member, path: RootPath) -> Entry:
        kind = member.kind
        if kind is Kind.FILE:
            content = RangeContent(self._tar.descriptor, member.start, member.size, f"{path} in {self._name}")
            return Entry(path, kind, member.mode, member.uid, member.gid, content)
        if kind is Kind.SYMLINK:
            return Entry(path, kind, 0o777, member.uid, member.gid, link=self._target(member))
        if kind is Kind.HARDLINK:
            return self._linked(member)._replace(path=path)
        return Entry(path, kind, member.mode, member.uid, member.gid)

    def _target(self, member: Member) -> str:
        """What a symlink says: anything that symlink(2) would take."""
        link = member.link
        if not link or "\0" in link or len(link.encode("utf-8", "surrogateescape")) >= PATH_MAX:
            raise self._error(member, "it is a symlink to nothing, or to a name that is too long")
        return link

    def _linked(self, member: Member) -> Entry:
        """The entry that a hard link is another name of."""
        path = self._path(member, member.link)
        target = self.entries.get(path)
        if target is None or target.kind is Kind.DIRECTORY:
            what = "a directory" if target is not None else "no member before it"
            raise self._error(member, f"it is a hard link to {member.link!r}, which is {what}")
        if target.kind is Kind.FILE and target.inode is None:
            target = self.entries[path] = target._replace(inode=self.places[path])
        return target
