"""What an SBOM says, whatever the form it is written in: components, files and how they belong together."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.trust.licenses import License

if TYPE_CHECKING:
    from minpack.base.os_release import Distribution
    from minpack.paths import RootPath

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+")


class ComponentKind(StrEnum):
    """What a component is."""

    APK = "apk"
    DEB = "deb"
    PROGRAM = "program"
    GO_MODULE = "golang"
    CRATE = "cargo"
    #: A package of Python's that data was taken from: certificates, time zones.
    DATA = "pypi"

    @property
    def is_of_distribution(self) -> bool:
        """Whether it is a package of the distribution."""
        return self in (ComponentKind.APK, ComponentKind.DEB)


class Subject(NamedTuple):
    """What an SBOM is about: an image or an index.

    `name` is a repository's without a tag, or what a file is called. `digest` is ``sha256:…``, empty for an image that
    is not written. `architecture` is empty for an index.
    """

    name: str
    digest: str = ""
    platform: str = ""
    architecture: str = ""


class FetchedFrom(NamedTuple):
    """Where a package was fetched from: its repository, its address and sum, and the key its index is signed with."""

    repository: str = ""
    url: str = ""
    sha256: str = ""
    signed_by: str = ""

    @property
    def address(self) -> str:
        """The address, if both forms of SBOMs can have it (RFC 3986); else nothing."""
        return self.url if _ADDRESS.fullmatch(self.url) else ""


class Component(NamedTuple):
    """A package, a program or a module; `url` is its package URL, empty where it has none.

    `source` is the source package that it was built from. `toolchain` is that of a program, as ``Go 1.26.8``, and
    `place` is where a program is: several may have one name.
    """

    kind: ComponentKind
    name: str
    version: str = ""
    arch: str = ""
    url: str = ""
    license: License = License()
    supplier: str = ""
    source: str = ""
    source_version: str = ""
    fetched: FetchedFrom = FetchedFrom()
    toolchain: str = ""
    place: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.kind}\0{self.name}\0{self.version}\0{self.arch}\0{self.place}"


class SbomFile(NamedTuple):
    """A file of an image: its sums in hexadecimal, the key of the component that it is of, and why it is there.

    `made_from` is the key of the component that it was generated from.
    """

    path: RootPath
    sha256: str
    sha1: str
    owner: str = ""
    reason: str = ""
    made_from: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others, of other images too."""
        return f"{self.path}\0{self.sha256}"


class DependsOn(NamedTuple):
    """That what has the key `dependent` depends on what has the key `on`; `names` are those it asks for it by."""

    dependent: str
    on: str
    names: tuple[str, ...] = ()


class Contents(NamedTuple):
    """All that is in one image."""

    subject: Subject
    distribution: Distribution | None
    components: tuple[Component, ...]
    files: tuple[SbomFile, ...]
    dependencies: tuple[DependsOn, ...]


class Sbom(NamedTuple):
    """What an image is made of, or all images of an index; `created` is in seconds since 1970."""

    subject: Subject
    images: tuple[Contents, ...]
    created: int = 0

    @property
    def is_of_index(self) -> bool:
        """Whether it is about an index, whose images have parts of their own."""
        return self.images[0].subject != self.subject


def plain(text: str) -> str:
    """`text` as JSON can have it: each byte that is not UTF-8 as ``%FF``."""
    return re.sub("[\ud800-\udfff]", lambda match: f"%{ord(match[0]) & 0xFF:02X}", text)
