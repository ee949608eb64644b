"""What a finished image is made of, by the files in its tree alone: whoever made it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.base.os_release import find_distribution
from minpack.base.walk import Walker, tree_below
from minpack.errors import ChangedInputError
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import Kind
from minpack.sources.installed import read_debug_tools, read_installed
from minpack.spec.debug import DEBUG_ROOT
from minpack.trust.components import ComponentKind, Contents, DependsOn, SbomFile
from minpack.trust.describe import FileSums
from minpack.trust.packages import package_component
from minpack.trust.programs import module_components, program_component, read_modules

if TYPE_CHECKING:
    from collections.abc import Collection

    from minpack.base.interface import Base
    from minpack.base.os_release import Distribution
    from minpack.content import Content
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.sources.installed import InstalledPackages
    from minpack.trust.components import Component, Subject

_PIECE = 1 << 20


def describe_tree(
    subject: Subject, base: Base, programs: Collection[RootPath], progress: Progress, without: Collection[RootPath] = ()
) -> Contents:
    """What the image whose files are those of `base` contains: its database's packages, and every file.

    :param programs: files that are programs of the image's own, if no package has them: its entrypoint.
    :param without: files that are passed over, as something else is at their paths.
    :raises MinpackError: a file cannot be read, or the database is damaged.
    """
    walker = Walker(base)
    reading = _Reading(walker, frozenset(programs))
    entries = [one for path, one in tree_below(base, ROOT) if one is not None and one.kind is Kind.FILE]
    kept = sorted((one for one in entries if one.path not in set(without)), key=lambda one: one.path)
    total, done = sum(one.size for one in kept), 0
    for entry in kept:
        reading.add(entry)
        done += entry.size
        progress("reading the image", done, total)
    return reading.contents(subject)


class _Reading:
    """Reads files and keeps what is known of them."""

    def __init__(self, walker: Walker, programs: frozenset[RootPath]) -> None:
        self._programs = programs
        self._distribution = find_distribution(walker.find_file)
        self._packages: dict[object, Component] = {}
        self._owners: dict[RootPath, object] = {}
        self._add_packages(read_installed(walker), self._distribution)
        tools = read_debug_tools(walker)
        if tools is not None:
            release = find_distribution(lambda path: walker.find_file(f"{DEBUG_ROOT}{path}"))
            self._add_packages(tools, release)
        self._components: dict[str, Component] = {one.key: one for one in self._packages.values()}
        self._files: list[SbomFile] = []
        self._needs: list[DependsOn] = []
        self._sums: dict[int, FileSums] = {}

    def _add_packages(self, installed: InstalledPackages | None, distribution: Distribution | None) -> None:
        """Add those of a database, if there is one."""
        if installed is None:
            return
        kind = ComponentKind(installed.kind)
        facts = installed.packages.items()
        self._packages |= {id_: package_component(kind, id_, one, distribution) for id_, one in facts}
        self._owners |= installed.owners

    def add(self, entry: Entry) -> None:
        """Read a file."""
        content = entry.content
        assert content is not None, f"internal error: {entry.path} has no content"
        known = self._sums.get(entry.inode) if entry.inode is not None else None
        sums = known or read_sums(content)
        if entry.inode is not None:
            self._sums[entry.inode] = sums
        owner = self._packages.get(self._owners.get(entry.path))
        built = read_modules(content, entry.path)
        if owner is None and (built is not None or entry.path in self._programs):
            owner = program_component(entry.path, built)
            self._components[owner.key] = owner
        file = SbomFile(entry.path, *sums, owner.key if owner is not None else "")
        self._files.append(file)
        for module in module_components(built):
            self._components[module.key] = module
            self._needs.append(DependsOn(file.owner or file.key, module.key))

    def contents(self, subject: Subject) -> Contents:
        """All that was read."""
        found = tuple(self._components.values())
        return Contents(subject, self._distribution, found, tuple(self._files), tuple(self._needs))


def read_sums(content: Content) -> FileSums:
    """The sums of all bytes of `content`, which are read once, in bounded memory.

    :raises ChangedInputError: there are fewer than its size says.
    """
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    buffer = memoryview(bytearray(min(_PIECE, max(1, content.size))))
    at = 0
    with content.open() as reader:
        while count := reader.readinto_at(buffer, at):
            sha256.update(buffer[:count])
            sha1.update(buffer[:count])
            at += count
    if at != content.size:
        raise ChangedInputError(content.where, content.size, at)
    return FileSums(sha256.hexdigest(), sha1.hexdigest())
