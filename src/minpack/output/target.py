"""The values of delivering: where a result goes, and what went there."""

from __future__ import annotations

from enum import StrEnum
from typing import IO, TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.digest import Digest
    from minpack.host.overwrite import HostInput
    from minpack.oci.image import Image
    from minpack.oci.reference import Reference


class Format(StrEnum):
    """What is written."""

    ARCHIVE = "archive"
    OCI = "oci"
    ROOTFS = "rootfs"
    TAR = "tar"

    @property
    def has_layers(self) -> bool:
        """Whether it is an image, and no bare root file system."""
        return self in (Format.ARCHIVE, Format.OCI)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, and no file."""
        return self in (Format.OCI, Format.ROOTFS)


class OutputSpec(NamedTuple):
    """Where the result goes.

    `path` is None for no file, ``-`` for `stdout`. `engine` holds the variables
    that name an engine (DOCKER_HOST, …) to load into, or is None.
    """

    format: Format
    path: str | None
    references: tuple[Reference, ...]
    force: bool = False
    engine: Mapping[str, str] | None = None
    stdout: IO[bytes] | None = None
    #: Where an archive that goes to no file is kept meanwhile, in a file without a name.
    temporary: str = "/tmp"  # noqa: S108
    #: What must not be replaced, nor be in a directory that is.
    inputs: tuple[HostInput, ...] = ()
    #: Make the directory of `path` if it is missing.
    makes_directory: bool = False


class WrittenTarget(NamedTuple):
    """One thing that was delivered: at `path`, or in an engine as `reference`."""

    format: str
    path: str | None
    reference: str | None
    digest: Digest | None


class WrittenOutput(NamedTuple):
    """What was delivered. There is an `image` unless just a file system was asked for; `size` is what was written."""

    image: Image | None
    outputs: tuple[WrittenTarget, ...]
    size: int
    notes: tuple[str, ...] = ()
