"""Which package of a base owns a file, by the base's own database: dpkg's or apk's.

The rest of minpack asks `Packages`, which knows what may be fetched; what is told of paths needs the owner of any file,
and which packages belong together.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.deb.control import is_data_name, names_needed, source_of
from minpack.paths import RootPath
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from minpack.base.ownership import Ownership
    from minpack.base.walk import Walker
    from minpack.rootfs.entry import Entry

_DPKG_LISTS = "/var/lib/dpkg/info"
_DPKG_STATUS = "/var/lib/dpkg/status"
_APK_DATABASE = "/lib/apk/db/installed"
MAX_LIST = 16 << 20
MAX_DATABASE = 64 << 20
#: So many lines are looked for one by one in less time than it takes to make a list's lines a set.
FEW_LINES = 16

#: Parts of paths that tell nothing of a package.
_EVERYWHERE = frozenset(
    ["usr", "lib", "share", "bin", "sbin", "etc", "x86", "linux", "gnu", "plugins", "modules", "data", "common"]
)


def ownership_of(walker: Walker) -> Ownership | None:
    """What the base's database says; None without one."""
    entry = walker.walk(_DPKG_LISTS).entry
    if entry is not None and entry.kind is Kind.DIRECTORY:
        return DpkgOwnership(walker, entry.path)
    database = walker.find_file(_APK_DATABASE)
    return ApkOwnership(database) if database is not None else None


class DpkgOwnership:
    """What dpkg's database says; its lists are read when they are first asked for, all of them."""

    def __init__(self, walker: Walker, lists: RootPath) -> None:
        self._walker = walker
        self._lists = lists
        self._status: bytes | None = None
        self._known: dict[RootPath, str] = {}
        self._lines: dict[str, frozenset[bytes]] = {}

    def owners(self, paths: Iterable[RootPath]) -> dict[RootPath, str]:
        """The package of each path that one owns, as its list has it; usr-merged paths are known by both names."""
        wanted = set(paths)
        lines = {line: path for path in wanted - self._known.keys() for line in _as_listed(path)}
        stems = {stem for path in lines.values() for stem in _stems(path)}
        # Most packages are called as their files are, and a machine has a thousand lists.
        for name in sorted(self._names() if lines else (), key=lambda one: not any(stem in one for stem in stems)):
            if not lines:
                break
            for line in _in_list(lines, self._read(f"{self._lists}/{name}", MAX_LIST)):
                self._known[lines[line]] = name.removesuffix(".list").partition(":")[0]
            lines = {line: path for line, path in lines.items() if path not in self._known}
        self._known |= dict.fromkeys(lines.values(), "")
        return {path: self._known[path] for path in wanted if self._known[path]}

    def owns_all(self, package: str, paths: Iterable[RootPath]) -> bool:
        """Whether the package's list has all of these paths."""
        if package not in self._lines:
            # The list of a package of several architectures has the name of its own, as libc6:amd64.
            lists = (one for one in self._names() if one.partition(".list")[0].partition(":")[0] == package)
            self._lines[package] = frozenset(
                line for one in lists for line in self._read(f"{self._lists}/{one}", MAX_LIST).split(b"\n")
            )
        return all(not self._lines[package].isdisjoint(_as_listed(path)) for path in paths)

    def are_related(self, package: str, other: str) -> bool:
        """Whether both are of one source package, or `other` has only data and the package needs it."""
        if package == other or source_of(self._paragraph(package), package) == source_of(self._paragraph(other), other):
            return True
        return is_data_name(other) and other in names_needed(self._paragraph(package))

    def is_unmodified(self, entry: Entry, package: str) -> bool:
        """Whether the file has the sum of the package's list; links and configuration files have none and count."""
        if entry.content is None:
            return True
        sums = self._read(f"{self._lists}/{package}.md5sums", MAX_LIST)
        names = [line.removeprefix(b"/") for line in _as_listed(entry.path)]
        found = next((m for name in names if (m := re.search(rb"(?m)^(\w{32})  %b$" % re.escape(name), sums))), None)
        return found is None or _md5(entry) == found[1].decode()

    def _names(self) -> tuple[str, ...]:
        """The names of all lists."""
        return tuple(name for name in self._walker.base.listdir(self._lists) if name.endswith(".list"))

    def _read(self, path: str, most: int) -> bytes:
        # The lists' directory is where it is: nothing on the way to one of them is a link.
        entry = self._walker.lstat(RootPath(path)) if path.startswith(self._lists) else None
        if entry is None or entry.kind is not Kind.FILE:
            entry = self._walker.find_file(path)
        return read_all(entry.content, most) if entry is not None and entry.content is not None else b""

    def _paragraph(self, package: str) -> bytes:
        if self._status is None:
            self._status = b"\n\n" + self._read(_DPKG_STATUS, MAX_DATABASE)
        start = self._status.find(b"\nPackage: " + package.encode() + b"\n")
        return self._status[start : self._status.find(b"\n\n", start + 1)] if start >= 0 else b""


def _in_list(lines: Collection[bytes], data: bytes) -> Collection[bytes]:
    """Those of the lines that the list has. Most lists have none: finding that out takes less than taking one apart."""
    if len(lines) <= FEW_LINES and not any(line in data for line in lines):
        return ()
    return set(data.split(b"\n")).intersection(lines)


class ApkOwnership:
    """What apk's database says; it is read when it is first asked for."""

    def __init__(self, database: Entry) -> None:
        self._database = database
        self._packages: dict[RootPath, str] | None = None
        self._origins: dict[str, str] = {}

    def owners(self, paths: Iterable[RootPath]) -> dict[RootPath, str]:
        """The package of each path that one owns."""
        if self._packages is None:
            self._packages = self._read()
        return {path: owner for path in paths if (owner := self._packages.get(path) or self._packages.get(_old(path)))}

    def owns_all(self, package: str, paths: Iterable[RootPath]) -> bool:
        """Whether the package owns all of these paths."""
        wanted = set(paths)
        return {path for path, owner in self.owners(wanted).items() if owner == package} == wanted

    def are_related(self, package: str, other: str) -> bool:
        """Whether both were built from one origin."""
        return self._origins.get(package, package) == self._origins.get(other, other)

    def is_unmodified(self, entry: Entry, package: str) -> bool:  # noqa: ARG002
        """True: what is changed in a root of apk is not looked for."""
        return True

    def _read(self) -> dict[RootPath, str]:
        from minpack.apk.installed import parse_installed  # noqa: PLC0415 - for such bases alone

        assert self._database.content is not None, "internal error: a file without content"
        found: dict[RootPath, str] = {}
        for package in parse_installed(read_all(self._database.content, MAX_DATABASE)):
            self._origins[package.name] = next((one[2:] for one in package.lines if one.startswith("o:")), package.name)
            for file in package.files:
                found[file.path] = package.name
        return found


def _stems(path: RootPath) -> list[str]:
    """What the name of a package that owns the file is likely to have in it."""
    return [stem for stem in re.findall(r"[a-z][a-z0-9]{2,}", path) if stem not in _EVERYWHERE]


def _as_listed(path: RootPath) -> tuple[bytes, ...]:
    """How a package may have a path: from before /lib and others became links into /usr, too."""
    line = path.encode("utf-8", "surrogateescape")
    return (line, _old(path).encode("utf-8", "surrogateescape")) if _old(path) != path else (line,)


def _old(path: RootPath) -> RootPath:
    return RootPath(path[4:]) if path.startswith(("/usr/lib", "/usr/bin/", "/usr/sbin/")) else path


def _md5(entry: Entry) -> str:
    """The MD5 of a file, which is the sum that dpkg keeps; it protects from mistakes alone."""
    assert entry.content is not None, "internal error: a file without content"
    digest = hashlib.md5(usedforsecurity=False)
    with entry.content.open() as reader:
        for at in range(0, entry.content.size, 1 << 20):
            digest.update(reader.read_at(at, 1 << 20))
    return digest.hexdigest()
