"""The values of output: where a result goes, and what was written there."""

from __future__ import annotations

from enum import StrEnum
from typing import IO, TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from minpack.digest import Digest
    from minpack.host.overwrite import HostInput
    from minpack.oci.image import BuiltImage, Index
    from minpack.oci.layer import Layer
    from minpack.oci.reference import Reference
    from minpack.paths import RootPath
    from minpack.registry.client import RegistryClient
    from minpack.registry.options import RegistryOptions
    from minpack.registry.repository import ImageRepository
    from minpack.target import Platform

    #: Writes something more to a repository, such as signatures in the classic form.
    RegistryStep: TypeAlias = Callable[[RegistryClient, ImageRepository, Index], object]
    #: Looks at images that are made, and at what writing showed of the layers of each, in the order of the index.
    AcceptStep: TypeAlias = Callable[[Index, Sequence[Sequence[Layer]]], object]


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


class BesideFile(NamedTuple):
    """A file to write the image's artifact of `media_type` to; `form` is the name of its format.

    `mark` is text that every such document has near its start; `kind` is the kind of document, with an article.
    """

    path: str
    media_type: str
    form: str
    mark: bytes
    kind: str


class OutputSpec(NamedTuple):
    """Where to write the result.

    `path` is None for no file, ``-`` for `stdout`. `engine` holds the variables
    that name an engine (DOCKER_HOST, …) to load into, or is None. `registry` says how the
    registries of `references` are reached, to which the image is pushed; None for no push.
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
    #: Leave layers as they are that were not compressed before: an engine unpacks them at once.
    may_skip_compression: bool = False
    registry: RegistryOptions | None = None
    #: A file that gets the digest of the image, if one is wanted.
    digest_file: str | None = None
    #: The platform of this machine, whose image an engine is given where there are several; None if it is not known.
    machine: Platform | None = None
    #: ``docker``, ``podman`` or ``containerd``; empty for Docker's if it answers, else podman.
    engine_name: str = ""
    #: Files that get documents about the image, which are among its artifacts.
    beside: tuple[BesideFile, ...] = ()
    #: Add the image to the layout that is there, under its names, and leave what else is in it.
    shared: bool = False
    #: Ask registries what names mean before they mean the image.
    asks_replaced: bool = False
    #: Called for each repository once all of the image is there, before it has its names.
    before_names: RegistryStep | None = None
    #: Called once the images are made and before anything is delivered; where it raises, nothing is. Their blobs can be
    #: read meanwhile, and no thread of writing runs.
    accept: AcceptStep | None = None


class WrittenTarget(NamedTuple):
    """One thing that was written: at `path`, or in an engine or a registry as `reference`.

    `format` is one of `Format`, ``engine`` or ``registry``, or says which form an SBOM is of. `digest` is None where
    nobody will meet it again: docs/decisions/one-digest.md. `sent` is how many bytes of blobs went to the registry, all
    names of a run together; `engine` is the engine's name. `replaced` is the image that the name meant in the registry
    before; None if there was none, or nobody asked.
    """

    format: str
    path: str | None
    reference: str | None
    digest: Digest | None
    sent: int = 0
    engine: str = ""
    replaced: Digest | None = None

    @property
    def is_beside(self) -> bool:
        """Whether it is a document beside the image, and not the image."""
        return self.path is not None and self.format not in frozenset(Format)

    @property
    def by_digest(self) -> str:
        """What was pushed as ``REPOSITORY@DIGEST``, which always means this image."""
        return f"{(self.reference or '').rpartition(':')[0]}@{self.digest}"


class WrittenOutput(NamedTuple):
    """What was written: an image is `built` unless just a file system was asked for; `size` is what was written.

    `built` may have images of several platforms, of which this is of the one with that `number`; None for one that was
    not written: an engine alone is given just one. `layers` are what writing showed of its layers, and `sums` the
    SHA-256 of each of its files, in hexadecimal, if they were asked for.
    """

    built: Index | None
    outputs: tuple[WrittenTarget, ...]
    size: int
    notes: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    references: tuple[Reference, ...] = ()
    sums: Mapping[RootPath, str] = {}
    #: Their SHA-1, if that was asked for too.
    sha1: Mapping[RootPath, str] = {}
    number: int | None = 0
    #: The bytes of the tars of the image that it is on.
    unpacked_below: int = 0

    @property
    def image(self) -> BuiltImage | None:
        """The image, if it is written."""
        return self.built.images[self.number] if self.built is not None and self.number is not None else None

    @property
    def digest(self) -> Digest | None:
        """The digest by which registries will know what has the name, if it is one that they may have."""
        return self.outputs[0].digest if self.built is not None else None

    @property
    def image_digest(self) -> Digest | None:
        """As `digest`, of the image by itself."""
        return self.image.digest if self.image is not None and self.digest is not None else None

    @property
    def unpacked_size(self) -> int:
        """The bytes of the layers' tars."""
        return self.unpacked_below + sum(layer.unpacked_size for layer in self.layers)
