"""Finished images: `BuiltImage` of one platform, `Artifact` that belongs to one, and `Index` of all with one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, blob, config_document, index_document, manifest_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from minpack.content import Content
    from minpack.digest import Digest, Writable
    from minpack.oci.documents import ImageConfig
    from minpack.oci.layer import Layer
    from minpack.oci.reference import Reference
    from minpack.target import Platform

    class Sink(Protocol):
        """Takes blobs one after the other, then what they make up."""

        def has(self, digest: Digest) -> bool:
            """Whether the blob is there already."""

        def put(self, blob: Blob) -> None:
            """Take a blob.

            :raises SumMismatchError: its bytes are not those of its digest.
            """

        def commit(self, index: Index, references: Sequence[Reference]) -> None:
            """All blobs of `index` are there: give it these names. It is complete when this returns."""

    class StreamingSink(Sink, Protocol):
        """One that takes a blob whose digest is known only behind its bytes."""

        def begin_blob(self) -> Writable:
            """Where to write the next blob's bytes."""

        def end_blob(self, descriptor: Descriptor) -> Blob:
            """The blob is whole; it can be read again while the sink is open."""


class BuiltImage(NamedTuple):
    """An image of one platform; its layers, lowest first, have the `diff_ids` when they are unpacked.

    `platform` is what its configuration says, `listed` what the index that it was read from says, if that differs.
    """

    platform: Platform
    config: Blob
    manifest: Blob
    layers: tuple[Blob, ...]
    diff_ids: tuple[Digest, ...]
    listed: Platform | None = None

    def listed_for(self, platform: Platform | None) -> BuiltImage:
        """The image as an index lists it, which may say for what."""
        return self._replace(listed=platform) if platform not in (None, self.platform) else self

    @property
    def image_id(self) -> Digest:
        """The digest of the configuration: the same however the layers are compressed."""
        return self.config.descriptor.digest

    @property
    def digest(self) -> Digest:
        """The digest of the manifest, by which registries know the image."""
        return self.manifest.descriptor.digest

    @property
    def descriptor(self) -> Descriptor:
        """The manifest's, with the platform, as indexes list it."""
        return self.manifest.descriptor._replace(platform=self.platform)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All of them, each behind those that it names."""
        return (*self.layers, self.config, self.manifest)

    @property
    def size(self) -> int:
        """The bytes of all blobs, as a registry stores and a pull transfers them."""
        return sum(blob.descriptor.size for blob in self.blobs)


#: The annotation of an artifact with an in-toto statement that says what it states; trivy chooses by it.
PREDICATE_TYPE = "in-toto.io/predicate-type"


class Artifact(NamedTuple):
    """An artifact such as an SBOM or a signature; `subject` is the manifest that it is about, if it is about one.

    `descriptor` is its manifest's, as an index would list it, with its artifact type and annotations.
    """

    descriptor: Descriptor
    config: Blob
    manifest: Blob
    layers: tuple[Blob, ...]
    subject: Descriptor | None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All of them, each behind those that it names."""
        return (*self.layers, self.config, self.manifest)


class Index(NamedTuple):
    """All that has one name: images, and the artifacts that belong to them.

    `document` is the image index that lists the images. Without, there is one image, which has the name itself.
    """

    images: tuple[BuiltImage, ...]
    artifacts: tuple[Artifact, ...] = ()
    document: Blob | None = None

    @property
    def root(self) -> Descriptor:
        """What the name stands for: the index, or else the only image's manifest."""
        return self.images[0].descriptor if self.document is None else self.document.descriptor

    @property
    def root_blob(self) -> Blob:
        """The manifest or index that the name stands for."""
        return self.images[0].manifest if self.document is None else self.document

    @property
    def digest(self) -> Digest:
        """The digest by which registries know it."""
        return self.root.digest

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """All of them, each once and behind those that it names."""
        found = [blob for image in self.images for blob in image.blobs]
        # Those that an index may list are before it; signatures and others that are added later, behind.
        about = [
            one for one in self.artifacts if one.subject and one.descriptor.artifact_type != mediatypes.ATTESTATIONS
        ]
        found += [blob for artifact in self.artifacts if artifact not in about for blob in artifact.blobs]
        found += [self.document] if self.document is not None else []
        found += [blob for artifact in about for blob in artifact.blobs]
        return tuple({blob.descriptor.digest: blob for blob in found}.values())

    def only(self, platform: Platform) -> Index:
        """The image of one platform by itself, without artifacts."""
        return Index(tuple(image for image in self.images if image.platform == platform))

    def with_artifacts(self, more: Sequence[Artifact]) -> Index:
        """The same with more artifacts, in the order of their digests."""
        every = {one.descriptor.digest: one for one in (*self.artifacts, *more)}
        return self._replace(artifacts=tuple(every[digest] for digest in sorted(every)))

    def stored(self, find: Callable[[Descriptor], Content]) -> Index:
        """The same, with its blobs where `find` has them."""

        def moved(blob: Blob) -> Blob:
            return blob._replace(content=find(blob.descriptor))

        def parts(one: BuiltImage | Artifact) -> tuple[Blob, Blob, tuple[Blob, ...]]:
            return moved(one.config), moved(one.manifest), tuple(map(moved, one.layers))

        return Index(
            tuple(BuiltImage(image.platform, *parts(image), image.diff_ids, image.listed) for image in self.images),
            tuple(Artifact(one.descriptor, *parts(one), one.subject) for one in self.artifacts),
            moved(self.document) if self.document is not None else None,
        )


def build_image(layers: Sequence[Layer], config: ImageConfig, blobs: Sequence[Blob]) -> BuiltImage:
    """The image of `layers`, lowest first, which are in `blobs`."""
    diff_ids = tuple(layer.diff_id for layer in layers)
    document = config_document(config, diff_ids, [layer.comment for layer in layers])
    described = blob(mediatypes.CONFIG, document)
    manifest = manifest_document(described.descriptor, [layer.descriptor for layer in layers], config.all_annotations)
    return BuiltImage(config.platform, described, blob(mediatypes.MANIFEST, manifest), tuple(blobs), diff_ids)


def build_artifact(
    artifact_type: str, layers: Sequence[Blob], annotations: Mapping[str, str], subject: Descriptor | None = None
) -> Artifact:
    """An artifact of that type with these blobs and no configuration (image-spec, manifest.md, "Artifact Usage")."""
    config = blob(mediatypes.EMPTY, {})
    described = [layer.descriptor for layer in layers]
    # A subject is described by what it is alone.
    about = subject._replace(platform=None, annotations=(), data=None) if subject is not None else None
    document = manifest_document(config.descriptor, described, annotations, artifact_type=artifact_type, subject=about)
    manifest = blob(mediatypes.MANIFEST, document)
    listed = manifest.descriptor._replace(artifact_type=artifact_type, annotations=tuple(sorted(annotations.items())))
    return Artifact(listed, config, manifest, tuple(layers), about)


def build_index(
    images: Sequence[BuiltImage], artifacts: Sequence[Artifact] = (), annotations: Mapping[str, str] | None = None
) -> Index:
    """The index of `images`, in the order of their platforms' names; one alone has no document."""
    ordered = sorted(images, key=lambda image: str(image.platform))
    assert len({image.platform for image in images}) == len(images), "internal error: two images of one platform"
    about = tuple(sorted(artifacts, key=lambda artifact: artifact.descriptor.digest))
    if len(ordered) == 1:
        return Index(tuple(ordered), about)
    document = index_document([image.descriptor for image in ordered], annotations)
    return Index(tuple(ordered), about, blob(mediatypes.INDEX, document))


def list_artifacts(index: Index, listed: Sequence[Artifact], annotations: Mapping[str, str] | None = None) -> Index:
    """The same images in an index whose document lists these artifacts behind them; it has one in any case."""
    described = [*(image.descriptor for image in index.images), *(one.descriptor for one in listed)]
    document = blob(mediatypes.INDEX, index_document(described, annotations))
    return index._replace(document=document).with_artifacts(listed)


def put_index(index: Index, sink: Sink, references: Sequence[Reference]) -> None:
    """Put `index` with all its blobs into `sink`, but for those that are there, under these names."""
    for one in index.blobs:
        if not sink.has(one.descriptor.digest):
            sink.put(one)
    sink.commit(index, references)


def by_subject(artifacts: Sequence[Artifact]) -> dict[Digest, list[Artifact]]:
    """The artifacts about each manifest, but for BuildKit's attestations, which are found by the index."""
    found: dict[Digest, list[Artifact]] = {}
    for artifact in artifacts:
        if artifact.subject is not None and artifact.descriptor.artifact_type != mediatypes.ATTESTATIONS:
            found.setdefault(artifact.subject.digest, []).append(artifact)
    return found
