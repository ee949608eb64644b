"""Reading images document by document, as a registry gives them: one platform's, or all that a name stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from minpack.errors import UnreadableImageError
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Blob
from minpack.oci.image import Artifact, BuiltImage, Index
from minpack.oci.select import check_layers, no_platform, select_platform
from minpack.oci.stated import DocumentSource, artifact_of, built_image, described, listed_descriptors, manifest_parts
from minpack.target import Platform

if TYPE_CHECKING:
    from minpack.content import Content
    from minpack.oci.documents import Descriptor
    from minpack.oci.json_node import JsonNode

#: What Docker called manifests before they had digests of layers' tars (schema 1).
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_WHAT = "use an image with a root file system"


class Documents(Protocol):
    """Who has the blobs of images; every byte of them is that of its digest."""

    def manifest(self, tag_or_digest: str) -> tuple[Descriptor, Blob]:
        """A manifest or an index."""

    def config(self, descriptor: Descriptor) -> Blob:
        """A configuration."""

    def layer(self, descriptor: Descriptor) -> Content:
        """A layer, had when it is opened."""


class PulledImage(NamedTuple):
    """An image for one platform; `index_digest` is that of the index which lists it, empty if none does."""

    image: BuiltImage
    index_digest: str = ""


def read_pulled(
    name: str, documents: Documents, tag_or_digest: str, wanted: Platform, *, any_platform: bool = False
) -> PulledImage:
    """The image that `documents` has under a tag or digest, for a platform.

    :param name: what to call it in errors.
    :param any_platform: take the only one, whatever it is for.
    :raises UnreadableImageError: it is no image, or one that cannot be read.
    :raises WrongTargetError: it is for other platforms.
    """
    source = DocumentSource(name, {})
    descriptor, blob = documents.manifest(tag_or_digest)
    document, index_digest, listed = source.stated(blob.data, str(descriptor.digest)), "", None
    if _media_type(descriptor, document) in mediatypes.INDEXES:
        index_digest = str(descriptor.digest)
        entry = _entry(source, document, wanted, any_platform=any_platform)
        # An index that does not say for what its only image is leaves that to the image.
        listed = entry.platform if _says_platform(entry) else None
        descriptor, blob = documents.manifest(str(entry.digest))
        document = source.stated(blob.data, str(descriptor.digest))
    image = _pulled_image(source, documents, descriptor, blob, document).listed_for(listed)
    if listed is None and not any_platform and select_platform([image.platform], wanted) is None:
        raise no_platform(name, wanted, [image.platform])
    return PulledImage(image, index_digest)


def read_pulled_index(name: str, documents: Documents, tag_or_digest: str) -> Index:
    """All that `documents` has under a tag or digest: the images of all platforms, and what an index lists besides.

    :param name: what to call it in errors.
    :raises UnreadableImageError: it is no image and no index of images, or one that cannot be read.
    """
    source = DocumentSource(name, {})
    descriptor, blob = documents.manifest(tag_or_digest)
    document = source.stated(blob.data, str(descriptor.digest))
    if _media_type(descriptor, document) not in mediatypes.INDEXES:
        return Index((_pulled_image(source, documents, descriptor, blob, document),))
    images, others = list[BuiltImage](), list[Artifact]()
    for entry in listed_descriptors(source, document):
        about = entry.platform is not None and entry.platform.os == "unknown"
        if entry.media_type in mediatypes.MANIFESTS and (entry.is_artifact or about):
            others.append(read_pulled_artifact(source.path, documents, entry))
        else:
            found, manifest = documents.manifest(str(entry.digest))
            stated = source.stated(manifest.data, str(entry.digest))
            image = _pulled_image(source, documents, found, manifest, stated)
            images.append(image.listed_for(entry.platform if _says_platform(entry) else None))
    if not images:
        raise UnreadableImageError(name, "it lists no image", _WHAT)
    return Index(tuple(images), tuple(others), Blob(descriptor._replace(media_type=mediatypes.INDEX), blob.content))


def read_pulled_artifact(name: str, documents: Documents, descriptor: Descriptor) -> Artifact:
    """The artifact that `documents` has by that digest.

    :param name: what to call what it belongs to in errors.
    :raises UnreadableImageError: it is damaged.
    """
    source = DocumentSource(name, {})
    found, blob = documents.manifest(str(descriptor.digest))
    document = source.stated(blob.data, str(found.digest))
    subject = document.field("subject")
    about = described(subject) if subject.value is not None else None
    manifest = Blob(found._replace(media_type=_media_type(found, document)), blob.content)
    return artifact_of(source, manifest, document, about, lambda one: Blob(one, documents.layer(one)))


def _pulled_image(
    source: DocumentSource, documents: Documents, descriptor: Descriptor, blob: Blob, document: JsonNode
) -> BuiltImage:
    """The image of a manifest."""
    _check_manifest(source, descriptor, document)
    config, layers = manifest_parts(source, document)
    check_layers(layers, source.path)
    stated = documents.config(config)
    blobs = tuple(Blob(layer, documents.layer(layer)) for layer in layers)
    manifest = Blob(descriptor._replace(media_type=_media_type(descriptor, document)), blob.content)
    return built_image(source, stated, manifest, blobs, source.stated(stated.data, str(config.digest)))


def _media_type(descriptor: Descriptor, document: JsonNode) -> str:
    """What a document is: as it says itself, else as whoever gave it says, else as what is in it says."""
    stated = document.field("mediaType").value
    if isinstance(stated, str):
        return stated
    lists = document.field("manifests").value is not None
    return descriptor.media_type or (mediatypes.INDEX if lists else mediatypes.MANIFEST)


def _says_platform(entry: Descriptor) -> bool:
    """Whether an index says for what platform the manifest is."""
    return entry.platform is not None and entry.platform.os != "unknown"


def _entry(source: DocumentSource, document: JsonNode, wanted: Platform, *, any_platform: bool) -> Descriptor:
    """The manifest that an index lists for a platform."""
    entries = [one for one in listed_descriptors(source, document) if not one.is_artifact]
    images = [one for one in entries if one.media_type in mediatypes.MANIFESTS]
    known = [one for one in images if _says_platform(one)]
    platforms = [one.platform or Platform("", "") for one in known]
    number = select_platform(platforms, wanted)
    if number is not None:
        return known[number]
    nested = next((one.digest for one in entries if one.media_type in mediatypes.INDEXES), None)
    if nested is not None:
        raise UnreadableImageError(
            source.path, f"it lists {nested}, an index within an index, which minpack does not read", _WHAT
        )
    if any_platform and len(known) == 1:
        return known[0]
    if not known and len(images) == 1:
        return images[0]
    if not known:
        raise UnreadableImageError(source.path, "it lists no image", _WHAT)
    raise no_platform(source.path, wanted, platforms)


def _check_manifest(source: DocumentSource, descriptor: Descriptor, document: JsonNode) -> None:
    """Raise `UnreadableImageError` if it is not the manifest of an image."""
    media_type = _media_type(descriptor, document)
    if document.field("schemaVersion").value == 1 or media_type.startswith(_SCHEMA_1):
        reason = "its manifest is of schema 1, which does not describe the layers' content"
        raise UnreadableImageError(source.path, reason, "push it again with a current tool")
    if media_type in mediatypes.INDEXES:
        raise UnreadableImageError(
            source.path, f"{descriptor.digest} is an index within an index, which minpack does not read", _WHAT
        )
    config_type = document.field("config").field("mediaType").value
    if config_type not in mediatypes.CONFIGS:
        kind = document.field("artifactType").value or config_type or media_type
        raise UnreadableImageError(source.path, f"it is an artifact of type {kind}, not an image", _WHAT)
