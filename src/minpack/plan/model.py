"""`Plan`: every entry of the image with the reason it is there, and how the image is run."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.paths import directories_above
from minpack.rootfs.tree import with_hard_links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.os_release import Distribution
    from minpack.base.packages import PackageFacts, PackageId
    from minpack.ld.closure import Closure
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.oci.documents import ImageConfig
    from minpack.rootfs.entry import Entry


class ReasonKind(StrEnum):
    """Why an entry is in the image; a closed list, used in JSON."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    LIBRARY = "library"
    LINK = "link"
    DIRECTORY = "directory"
    NEED = "need"
    ADDED = "added"
    #: Taken from the base because an option, or a rule about a library, says so.
    TAKEN = "taken"
    #: What names the packages that files are from.
    DATABASE = "database"
    #: What asks whether the container is healthy.
    HEALTH = "health"


class Origin(StrEnum):
    """Where an entry comes from; a closed list, used in JSON."""

    PROGRAM = "program"
    BASE = "base"
    PACKAGE = "package"
    DEFAULT = "default"
    ADDED = "added"


class Reason(NamedTuple):
    """Why an entry is there. `need`, `needed_by` and `found_by` are empty where they do not apply."""

    kind: ReasonKind
    text: str
    need: str = ""
    needed_by: str = ""
    found_by: str = ""


class PlannedEntry(NamedTuple):
    """An entry of the image to be; `package` is the one whose file it is, of those of base and repositories."""

    entry: Entry
    source: Origin
    reason: Reason
    package: PackageId | None = None


class Taken(NamedTuple):
    """Something of the base that goes into the image, with the links and directories on the way to it.

    `option` is why. If it was `named`, the option has its own path.
    """

    entry: Entry
    option: str
    named: bool = False
    trail: tuple[Entry, ...] = ()


class TakenFiles(NamedTuple):
    """What was taken, each path once, and notes of what was left."""

    files: tuple[Taken, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING_TAKEN = TakenFiles()


class Plan(NamedTuple):
    """All that will be in the image; `entries` are sorted, each directory before what is in it.

    `facts` are those of the packages that files are from, and `distribution` is what those are of; both are there only
    if they were asked for. `kind` is that of the packages, as `base.packages.Packages` has it.
    """

    entries: tuple[PlannedEntry, ...]
    config: ImageConfig
    decisions: tuple[Decision, ...]
    closures: tuple[Closure, ...]
    findings: Findings
    facts: Mapping[PackageId, PackageFacts] = {}
    distribution: Distribution | None = None
    kind: str = ""

    @property
    def lower(self) -> tuple[Entry, ...]:
        """What stays the same when only the program changes: the lower layer."""
        return self._layer(frozenset((Origin.BASE, Origin.PACKAGE, Origin.DEFAULT)))

    @property
    def upper(self) -> tuple[Entry, ...]:
        """The user's own files: the upper layer."""
        return self._layer(frozenset((Origin.PROGRAM, Origin.ADDED)))

    @property
    def written(self) -> tuple[PlannedEntry, ...]:
        """`entries` as they are written: each further name of a file as a hard link to it."""
        return tuple(planned._replace(entry=entry) for planned, entry in zip(self.entries, self.all, strict=True))

    @property
    def all(self) -> tuple[Entry, ...]:
        """Every entry."""
        return with_hard_links(planned.entry for planned in self.entries)

    def _layer(self, sources: frozenset[Origin]) -> tuple[Entry, ...]:
        """The entries from `sources`, with the directories that hold them."""
        kept = {
            planned.entry.path
            for planned in self.entries
            if planned.source in sources and planned.reason.kind is not ReasonKind.DIRECTORY
        }
        kept |= directories_above(kept)
        return with_hard_links(planned.entry for planned in self.entries if planned.entry.path in kept)
