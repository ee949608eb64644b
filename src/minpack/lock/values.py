"""What a lock holds: of each image the base, the packages and every file that was taken, with their sums."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from minpack.paths import RootPath

#: The version that is written; 1 is read too.
VERSION = 2
#: Where a file comes from: the base, a package or embedded data, the latter two with a space and the name behind.
BASE, PACKAGE, DATA = "base", "package", "data"
#: What is taken of a base: files, of that which --base names; the layers that --on keeps below the image.
FILES, ON = "files", "on"


class LockedBase(NamedTuple):
    """A base: `name` as --base takes it, `kind` one of `minpack.base.options.BaseKind`'s.

    `release` is the point release that the name meant. `url`, `sha256` (hexadecimal) and `size` (bytes) are those of
    its tarball, or of packages those of the signed release; empty where there is none. `digest` is that of an image.
    `index_digest` is that of the index which lists the image, if one does. `use` says what is taken of it. `system` and
    `system_version` are ``ID`` and ``VERSION_ID`` of its os-release, if it has one.
    """

    name: str
    kind: str
    release: str = ""
    url: str = ""
    sha256: str = ""
    size: int = 0
    digest: str = ""
    use: str = FILES
    index_digest: str = ""
    system: str = ""
    system_version: str = ""


class LockedPackage(NamedTuple):
    """A package: the facts of `minpack.base.packages.PackageId`, with the addresses of no mirror.

    `sha1` is that of the file, by which snapshot.debian.org knows it; empty for other distributions. `supplier` is who
    makes the package, `license` an SPDX expression, `source` the name and the version of the source package that it was
    built from; each may not be known.
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
    supplier: str = ""
    license: str = ""
    source: str = ""


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
    read from, for messages. `others` are bases of which more than files is taken, each of another `use`.
    """

    base: LockedBase
    packages: tuple[LockedPackage, ...] = ()
    files: tuple[LockedFile, ...] = ()
    data: tuple[LockedData, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    lock: str = ""
    others: tuple[LockedBase, ...] = ()

    @property
    def on(self) -> LockedBase | None:
        """The image that it is put on, if there is one."""
        return next((base for base in self.others if base.use == ON), None)

    @property
    def sums(self) -> tuple[str, ...]:
        """The SHA-256 of every download that it names, sorted."""
        found = {package.sha256 for package in self.packages}
        return tuple(sorted(found | {base.sha256 for base in (self.base, *self.others) if base.sha256}))


class ImageKey(NamedTuple):
    """What an image is found by: its name, which is that of its first program, and the platform as ``linux/amd64``."""

    name: str
    platform: str


class Lock(NamedTuple):
    """A lock file: what each image was made of. One of `version` 1 is of one image, whose name it does not say."""

    images: Mapping[ImageKey, LockedImage] = MappingProxyType({})
    version: int = VERSION

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that it has an image for, sorted."""
        return tuple(sorted({key.platform for key in self.images}))

    def names(self, platform: str) -> tuple[str, ...]:
        """The names of the images for that platform, sorted."""
        return tuple(sorted(key.name for key in self.images if key.platform == platform))

    def find(self, wanted: ImageKey) -> ImageKey | None:
        """What the lock calls the image: of a platform that it has one image for that one, whatever the program's name.

        It is compared file by file, so that nothing can be taken for another. None if it has none, or several.
        """
        if wanted in self.images:
            return wanted
        names = self.names(wanted.platform)
        return ImageKey(names[0], wanted.platform) if len(names) == 1 else None

    def replaced(self, key: ImageKey) -> ImageKey | None:
        """What the lock calls the image whose place one of that key takes; None if there is none."""
        if self.version == 1:
            return self.find(key)
        return key if key in self.images else None

    def with_image(self, key: ImageKey, image: LockedImage) -> Lock:
        """The lock with that image, of the newest version."""
        images = dict(self.images)
        before = self.replaced(key)
        if before is not None and before != key:
            # The one image that it is of, for each platform under the name that is known now.
            images = {one._replace(name=key.name) if one.name == before.name else one: images[one] for one in images}
        return Lock({**images, key: image})

    @property
    def sums(self) -> tuple[str, ...]:
        """The SHA-256 of every download that it names, sorted."""
        return tuple(sorted({one for image in self.images.values() for one in image.sums}))


class Difference(NamedTuple):
    """Something that is not as the lock has it.

    `kind` is ``platform``, ``image``, ``base``, ``on``, ``package``, ``file``, ``library`` or ``data``; `locked` is
    empty for what the lock lacks, `now` for what is not there any more.
    """

    kind: str
    name: str
    locked: str
    now: str


def differences(locked: LockedImage, now: LockedImage) -> tuple[Difference, ...]:
    """All that differs: bases, packages, data, then files, each by name. Notes are not compared."""
    return (
        *_different("base", _of_bases((locked.base,)), _of_bases((now.base,))),
        *(
            one
            for use in sorted({base.use for base in (*locked.others, *now.others)})
            for one in _different(use, *(_of_bases(_used(image, use)) for image in (locked, now)))
        ),
        *_different("package", _of_packages(locked), _of_packages(now)),
        *_different("data", _of_data(locked), _of_data(now)),
        *_different("file", _of_files(locked), _of_files(now)),
    )


def _different(kind: str, locked: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    before, after = dict(locked), dict(now)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Difference(kind, name, before.get(name, ""), after.get(name, ""))


def _used(image: LockedImage, use: str) -> list[LockedBase]:
    return [base for base in image.others if base.use == use]


def _of_bases(bases: Iterable[LockedBase]) -> list[tuple[str, str]]:
    return [(base.name, _of_base(base)) for base in bases]


def _of_base(base: LockedBase) -> str:
    total = base.digest or (f"sha256:{base.sha256}" if base.sha256 else base.kind)
    return f"{base.release} {total}".lstrip()


def _of_packages(image: LockedImage) -> list[tuple[str, str]]:
    return [(package.name, f"{package.version} sha256:{package.sha256}") for package in image.packages]


def _of_data(image: LockedImage) -> list[tuple[str, str]]:
    return [(data.name, f"{data.version} sha256:{data.sha256}") for data in image.data]


def _of_files(image: LockedImage) -> list[tuple[str, str]]:
    return [(file.path, str(file)) for file in image.files]
