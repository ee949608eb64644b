"""`Ownership`: what is asked of packages about the files of a base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry


class Ownership(Protocol):
    """Which packages own the files of a base, and which of them belong together."""

    def owners(self, paths: Iterable[RootPath]) -> dict[RootPath, str]:
        """The names of the packages that own these files; those of nobody are not there."""

    def owns_all(self, package: str, paths: Iterable[RootPath]) -> bool:
        """Whether the package owns each of these files."""

    def are_related(self, package: str, other: str) -> bool:
        """Whether `other` has data of `package`: it is the same, of one source, or one it depends on for data."""

    def is_unmodified(self, entry: Entry, package: str) -> bool:
        """Whether a file is as the package has it, as far as is known."""
