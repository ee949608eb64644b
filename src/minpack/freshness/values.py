"""What an image ships of others' files, and what is found to have changed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minpack.lock.values import LockedBase, LockedData
    from minpack.paths import RootPath
    from minpack.target import Platform

#: Files that only say which release of a distribution this is: each release has others, and nothing reads more in them.
RELEASE_FILES = frozenset(
    ("/etc/alpine-release", "/etc/debian_version", "/etc/issue", "/etc/os-release", "/usr/lib/os-release")
)
#: Where databases of packages are, of which the same is true.
DATABASES = ("/lib/apk/db/", "/usr/lib/apk/db/", "/var/lib/dpkg/", "/var/lib/rpm/")


class Label(NamedTuple):
    """Which image it is: `source` is what the user named, `image` its name in a lock, `digest` that of its manifest."""

    source: str
    image: str
    platform: Platform
    digest: str = ""


class ShippedPackage(NamedTuple):
    """A package that files are from. `sha256` and `size` are those of its file, `checksum` is apk's; each may be empty.

    One `of_base` was installed in a base, which a rebuild takes it from again.
    """

    name: str
    version: str
    arch: str = ""
    sha256: str = ""
    size: int = 0
    checksum: str = ""
    of_base: bool = False


class Unknown(NamedTuple):
    """Something that nothing can be said of: what it is, the number of its files, and why."""

    what: str
    files: int
    reason: str


class Shipped(NamedTuple):
    """What an image ships of others' files.

    `files` are paths by package; those of a base that belong to no package are by the empty name. `state` says what
    is at a path (see `minpack.freshness.states`), and nothing of a file that was changed after it was
    installed.
    """

    label: Label
    packages: tuple[ShippedPackage, ...]
    files: Mapping[str, Sequence[RootPath]]
    state: Callable[[RootPath], str]
    base: LockedBase | None = None
    data: tuple[LockedData, ...] = ()
    unknown: tuple[Unknown, ...] = ()


class FileChange(NamedTuple):
    """A file that is another now; `new` is empty of one that is gone."""

    path: RootPath
    old: str
    new: str


class Change(NamedTuple):
    """Files of one package that are others now; of what no package has, `package` is empty.

    `old` and `new` are versions, of a package that is gone `new` is empty; `repository` is what has the new one.
    `security` says whether it comes with the distribution's security updates, None where the distribution does not say
    so. `rebuild` says whether a rebuild takes it: a base may not have it yet.
    """

    package: str
    old: str
    new: str
    repository: str
    security: bool | None
    rebuild: bool
    files: tuple[FileChange, ...]


class Newer(NamedTuple):
    """A package that is newer now, and whose files in this image are the same."""

    package: str
    old: str
    new: str
    repository: str


class BaseNow(NamedTuple):
    """The base that an image is made from: its name, what it was, and what the name means now."""

    name: str
    kind: str
    old: str
    new: str


class Freshness(NamedTuple):
    """What was found of one image; `looked` are the repositories, releases and tags that were asked.

    `on` is the image that it is put on, if it is.
    """

    label: Label
    base: BaseNow | None
    changes: tuple[Change, ...]
    newer: tuple[Newer, ...]
    unknown: tuple[Unknown, ...]
    looked: tuple[str, ...]
    on: BaseNow | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether a file that the image ships has changed."""
        return bool(self.changes)

    def with_lower(self, lower: Freshness) -> Freshness:
        """The same, of the image that it is put on too."""
        return self._replace(
            changes=tuple(sorted((*self.changes, *lower.changes))),
            newer=tuple(sorted((*self.newer, *lower.newer))),
            unknown=(*self.unknown, *lower.unknown),
            looked=tuple(dict.fromkeys((*self.looked, *lower.looked))),
            on=lower.base,
        )
