"""What is at a path, as a text to compare: ``sha256:…`` of a file, ``link:…`` of a link; empty where nothing is.

Modes and owners are not in it: an image has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import sum_of
from minpack.rootfs.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from minpack.lock.values import LockedFile
    from minpack.paths import RootPath
    from minpack.store.store import Store

_SCHEMA = "minpack.package-files/1"
#: The most bytes that the sums of one package's files take: those of 20,000 files.
_LIMIT = 4 << 20


def state_of(entry: Entry | None) -> str:
    """What an entry is.

    :raises InputError: its bytes cannot be read.
    """
    if entry is None:
        return ""
    if entry.kind is Kind.SYMLINK:
        return f"link:{entry.link}"
    return f"sha256:{sum_of(entry.content)}" if entry.content is not None else str(entry.kind)


def state_of_locked(file: LockedFile) -> str:
    """As `state_of`, of what a lock has."""
    if file.is_directory:
        return str(Kind.DIRECTORY)
    return f"link:{file.link}" if file.link else f"sha256:{file.sha256}"


def states_of(entries: Iterable[Entry]) -> dict[str, str]:
    """The state of each entry that is no directory, by its path; hard links as the files that they are."""
    found = {str(entry.path): entry for entry in entries if entry.kind is not Kind.DIRECTORY}
    return {path: state_of(found.get(one.link) if one.kind is Kind.HARDLINK else one) for path, one in found.items()}


class PackageStates:
    """The states of the files of packages, by path; the store keeps them, so that no package is looked into twice."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Mapping[str, str]] = {}

    def of(self, key: str, make: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """Those of one package, made where they are not known.

        :param key: the SHA-256 of what identifies the package.
        """
        if key not in self._known:
            name = f"package-files-{key}"
            kept = (self._store.record(name, _SCHEMA, _LIMIT) or {}).get("files")
            found = self._known[key] = kept if isinstance(kept, dict) else make()
            if found is not kept:
                self._store.keep_record(name, _SCHEMA, {"files": dict(found)}, _LIMIT)
        return self._known[key]


def differing(
    paths: Iterable[RootPath], old: Callable[[RootPath], str], new: Callable[[RootPath], str]
) -> tuple[tuple[RootPath, str, str], ...]:
    """The paths whose state is another, with both states, sorted; those whose old state is not known are left out."""
    found = ((path, old(path), new(path)) for path in sorted(paths))
    return tuple(one for one in found if one[1] and one[1] != one[2])
