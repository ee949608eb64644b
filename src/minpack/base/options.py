"""How bases are opened, and what an open one is."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.base.interface import Base
    from minpack.base.open_bases import BaseMemory, OpenBases
    from minpack.lock.values import LockedImage
    from minpack.net.network import Network
    from minpack.oci.image import BuiltImage
    from minpack.registry.options import RegistryOptions
    from minpack.shared.options import CacheOptions
    from minpack.target import Platform

T = TypeVar("T")
SCRATCH = "scratch"


class BaseKind(StrEnum):
    """What a base is; a closed list, used in JSON."""

    SCRATCH = "scratch"
    DIRECTORY = "directory"
    TARBALL = "tarball"
    RELEASE = "release"
    PACKAGES = "packages"
    IMAGE = "image"


class PackageOptions(NamedTuple):
    """How to fetch packages from the repositories that a base names.

    `keys` is a directory of public keys to trust instead of the base's; empty means the base's. `now` is in seconds
    since 1970. `locked` refuses an index or release that is older than one seen before; otherwise that is a note.
    `current` also refuses what may not be the newest: an index from the cache when its server cannot be reached, an
    expired one, and a release of Debian without its security updates.
    """

    now: int
    keys: str = ""
    locked: bool = False
    current: bool = False


class BaseOptions(NamedTuple):
    """Where named bases come from and are kept.

    `store` is the cache directory, or None for no cache. Empty `mirror` and `sha512`
    mean those of the catalogue. `today` is ``YYYY-MM-DD``. `packages` is None to fetch
    nothing from repositories.
    """

    store: str | None
    network: Network
    today: str
    mirror: str = ""
    sha512: str = ""
    #: Where compressed tarballs are unpacked to, in files without a name.
    temporary: str = "/tmp"  # noqa: S108
    packages: PackageOptions | None = None
    #: As `mirror`, for Debian's archive.
    debian_mirror: str = ""
    #: Fetch again what may have changed since it was fetched today.
    refresh: bool = False
    #: Fetch all that tells what there is, whether it is asked for or not.
    complete: bool = False
    #: How to reach registries; None means as `network` says.
    registry: RegistryOptions | None = None
    #: The variables that name a container engine (DOCKER_HOST, …).
    engine: Mapping[str, str] = MappingProxyType({})
    #: Take an image that is for one platform alone, whatever that is.
    any_platform: bool = False
    #: What the base and its packages are, and nothing else; None where they are looked for.
    locked: LockedImage | None = None
    #: The shared caches that are asked before anything is fetched or compressed; None for none.
    cache: CacheOptions | None = None
    #: Bases that stay open from one image to the next; None where one image is made.
    bases: OpenBases | None = None


class OpenBase(NamedTuple):
    """An open base and its facts.

    `sha256` and `size` are those of a tarball, `url` of one that was fetched; of packages, those of the signed release.
    `digest` is that of an image's manifest and `index_digest` that of the index which lists it, if one does, both as
    ``sha256:…``; its `size` is that of its blobs, and `platform` what it is for, None where it contradicts itself.
    """

    base: Base
    kind: BaseKind
    url: str = ""
    sha256: str = ""
    size: int = 0
    notes: tuple[str, ...] = ()
    #: The point release that a name meant; empty for what has none.
    release: str = ""
    digest: str = ""
    index_digest: str = ""
    platform: Platform | None = None
    #: The image itself, whose layers can be read as long as the base is open.
    image: BuiltImage | None = None
    #: What was found out about it, where it stays open for other images; else None.
    memory: BaseMemory | None = None

    def once(self, what: str, find: Callable[[], T]) -> T:
        """What `find` gives, or gave for another image when it was asked for `what`."""
        return self.memory.once(what, find) if self.memory is not None else find()
