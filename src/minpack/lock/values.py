"""What a lock holds: of each platform the base, the packages and every file that was taken, with their sums."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from minpack.paths import RootPath

#: Where a file comes from: the base, a package or embedded data, the latter two with a space and the name behind.
BASE, PACKAGE, DATA = "base", "package", "data"


class LockedBase(NamedTuple):
    """A base: `name` as --base takes it, `kind` one of `minpack.base.options.BaseKind`'s.

    `release` is the point release that the name meant. `url`, `sha256` (hexadecimal) and `size` (bytes) are those of
    its tarball, or of packages those of the signed release; empty where there is none.
    """

    name: str
    kind: str
    release: str = ""
    url: str = ""
    sha256: str = ""
    size: int = 0


class LockedPackage(NamedTuple):
    """A package: the facts of `minpack.base.packages.PackageId`, with the addresses of no mirror.

    `sha1` is that of the file, by which snapshot.debian.org knows it; empty for other distributions.
    """

    name: str
    version: str
    arch: str
    repository: str
    url: str
    sha256: str
    size: int
    sha1: str = ""
    signed_by: str = ""


class LockedFile(NamedTuple):
    """A file, symlink or directory that was taken; `origin` as ``base``, ``package libgcc`` or ``data tzdata``.

    Of a symlink `link` is its target. `sha256` (hexadecimal) is empty but of a file.
    """

    path: RootPath
    origin: str
    mode: int = 0o777
    sha256: str = ""
    link: str = ""

    @property
    def package(self) -> str:
        """The name of the package that it is from; empty if it is from none."""
        kind, _, name = self.origin.partition(" ")
        return name if kind == PACKAGE else ""

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory: one that is passed on the way to a file and has none that was taken."""
        return not self.link and not self.sha256

    def __str__(self) -> str:
        if self.is_directory:
            return f"{self.origin} {self.mode:04o} directory"
        return f"{self.origin} " + (f"link:{self.link}" if self.link else f"{self.mode:04o} sha256:{self.sha256}")


class LockedData(NamedTuple):
    """Data that is embedded in minpack, of one version; the sum is that of all bytes taken of it."""

    name: str
    version: str
    sha256: str


class LockedImage(NamedTuple):
    """What an image for one platform was made of; packages, files and data are sorted.

    `notes` are facts that are never compared: minpack's version, the programs' sums. `lock` is the file that it was
    read from, for messages.
    """

    base: LockedBase
    packages: tuple[LockedPackage, ...] = ()
    files: tuple[LockedFile, ...] = ()
    data: tuple[LockedData, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    lock: str = ""

    @property
    def sums(self) -> tuple[str, ...]:
        """The SHA-256 of every download that it names, sorted."""
        found = {package.sha256 for package in self.packages}
        return tuple(sorted(found | ({self.base.sha256} if self.base.sha256 else set())))


class Lock(NamedTuple):
    """A lock file: what the image for each platform was made of, by the platform as ``linux/amd64``."""

    images: Mapping[str, LockedImage] = MappingProxyType({})

    def with_image(self, platform: str, image: LockedImage) -> Lock:
        """The lock with that image for `platform`."""
        return Lock({**self.images, platform: image})

    @property
    def sums(self) -> tuple[str, ...]:
        """The SHA-256 of every download that it names, sorted."""
        return tuple(sorted({one for image in self.images.values() for one in image.sums}))


class Difference(NamedTuple):
    """Something that is not as the lock has it.

    `kind` is ``platform``, ``base``, ``package``, ``file``, ``library`` or ``data``; `locked` is empty for what the
    lock lacks, `now` for what is not there any more.
    """

    kind: str
    name: str
    locked: str
    now: str


def differences(locked: LockedImage, now: LockedImage) -> tuple[Difference, ...]:
    """All that differs: base, packages, data, then files, each by name. Notes are not compared."""
    return (
        *_different("base", [_of_base(locked.base)], [_of_base(now.base)]),
        *_different("package", _of_packages(locked), _of_packages(now)),
        *_different("data", _of_data(locked), _of_data(now)),
        *_different("file", _of_files(locked), _of_files(now)),
    )


def _different(kind: str, locked: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    before, after = dict(locked), dict(now)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Difference(kind, name, before.get(name, ""), after.get(name, ""))


def _of_base(base: LockedBase) -> tuple[str, str]:
    return base.name, " ".join(filter(None, (base.release, f"sha256:{base.sha256}" if base.sha256 else base.kind)))


def _of_packages(image: LockedImage) -> list[tuple[str, str]]:
    return [(package.name, f"{package.version} sha256:{package.sha256}") for package in image.packages]


def _of_data(image: LockedImage) -> list[tuple[str, str]]:
    return [(data.name, f"{data.version} sha256:{data.sha256}") for data in image.data]


def _of_files(image: LockedImage) -> list[tuple[str, str]]:
    return [(file.path, str(file)) for file in image.files]
