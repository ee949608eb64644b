"""Reading finished images: from a layout, an OCI archive, or what `docker save` writes, the value that was written.

Every document is read whole, checked against its digest, and bounded; layers stay where they are and are checked when
they are copied (`Blob.copy_to`). What is wrong is one error that says where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import BadValueError, ChangedInputError, InputError, UnreadableImageError
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import MAX_DOCUMENT, Blob, Descriptor
from minpack.oci.files import NAME_IMAGE, image_files
from minpack.oci.image import Artifact, BuiltImage, Index
from minpack.oci.layout import NAME, TAG
from minpack.oci.reference import parse_reference
from minpack.oci.saved import saved_images
from minpack.oci.stated import (
    MEDIA_TYPE,
    DocumentSource,
    artifact_of,
    built_image,
    described,
    listed_descriptors,
    manifest_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.content import Content
    from minpack.oci.files import OpenArchive


class NamedIndex(NamedTuple):
    """What an archive or layout has under these names; it may have none."""

    built: Index
    names: tuple[str, ...]


def read_image(path: str, archive: OpenArchive | None = None) -> tuple[NamedIndex, ...]:
    """Every image in the layout or archive at the host's `path`, in the order in which it lists them.

    :param archive: the archive itself, where it is not what lies at `path`; it stays open as long as the images.
    :raises UnreadableImageError: there is none, or it is damaged.
    """
    files = image_files(path, archive)
    source = DocumentSource(path, files)
    try:
        if "index.json" in files and "oci-layout" in files:
            return _from_index(source)
        if "manifest.json" in files:
            return tuple(NamedIndex(*one) for one in saved_images(source))
    except (InputError, ChangedInputError) as error:
        raise UnreadableImageError(path, getattr(error, "reason", error.message)) from error
    raise UnreadableImageError(path, "it has neither an index.json nor a manifest.json", NAME_IMAGE)


def _from_index(source: DocumentSource) -> tuple[NamedIndex, ...]:
    """What `index.json` lists (image-spec, image-layout.md)."""
    layout = source.stated(source.data("oci-layout"), "oci-layout")
    layout.field("imageLayoutVersion").equals("1.0.0")
    source.settled(layout.issues)
    document = source.stated(source.data("index.json"), "index.json")
    named: dict[Digest, tuple[Descriptor, list[str]]] = {}
    for one in listed_descriptors(source, document):
        name = dict(one.annotations).get(NAME) or dict(one.annotations).get(TAG)
        named.setdefault(one.digest, (one, []))[1].extend([name] if name else [])
    referrers = _Referrers(source)
    found = [
        NamedIndex(index._replace(artifacts=referrers.with_listed(index)), tuple(names))
        for one, names in named.values()
        if (index := _root(source, one)) is not None
    ]
    if not found:
        raise UnreadableImageError(source.path, _not_an_image(source, named), NAME_IMAGE)
    return tuple(found)


def _not_an_image(source: DocumentSource, named: Mapping[Digest, tuple[Descriptor, list[str]]]) -> str:
    """What an index lists that has no image."""
    for one, _ in named.values():
        if one.media_type in mediatypes.MANIFESTS:
            _, document = source.document(one)
            kind = document.field("artifactType").value or document.field("config").field("mediaType").value
            return f"it lists no image: {one.digest} is an artifact of type {kind}"
        return f"it lists no image: {one.digest} is {one.media_type}"
    return "it lists no image"


def _root(source: DocumentSource, descriptor: Descriptor) -> Index | None:
    """What a name stands for; None if it is not an image."""
    if descriptor.media_type in mediatypes.INDEXES:
        found, document = source.document(descriptor)
        entries = listed_descriptors(source, document)
        nested = next((one.digest for one in entries if one.media_type in mediatypes.INDEXES), None)
        if nested is not None:
            reason = f"{descriptor.digest} lists {nested}, an index within an index, which minpack does not read"
            raise UnreadableImageError(source.path, reason, NAME_IMAGE)
        manifests = [one for one in entries if one.media_type in mediatypes.MANIFESTS]
        # Of an index for many platforms, engines save those that they have.
        there = [one for one in manifests if source.has(one.digest)]
        images = {one.digest: _image(source, one) for one in there}
        kept = tuple(image for image in images.values() if image is not None)
        # As attestations, of which some say nowhere what they are about.
        others = tuple(_listed_artifact(source, one) for one in there if images[one.digest] is None)
        return Index(kept, others, found) if kept else None
    if descriptor.media_type in mediatypes.MANIFESTS:
        image = _image(source, descriptor)
        return Index((image,)) if image is not None else None
    return None


def _image(source: DocumentSource, descriptor: Descriptor) -> BuiltImage | None:
    """The image of a manifest; None if that is an artifact's."""
    manifest, document = source.document(descriptor)
    config, layers = manifest_parts(source, document)
    if config.media_type not in mediatypes.CONFIGS or (
        descriptor.platform is not None and descriptor.platform.os == "unknown"
    ):
        return None
    found, stated = source.document(config)
    image = built_image(source, Blob(config, found.content), manifest, tuple(map(source.blob, layers)), stated)
    return image.listed_for(descriptor.platform)


class _Referrers:
    """The artifacts of an archive by the digest of what they are about, listed in its index or not."""

    def __init__(self, source: DocumentSource) -> None:
        self._source = source
        self._found: dict[Digest, list[Artifact]] | None = None

    def with_listed(self, index: Index) -> tuple[Artifact, ...]:
        """Those that `index` lists itself, and all that are `about` it, in the order of their digests."""
        every = {one.descriptor.digest: one for one in (*index.artifacts, *self.about(index))}
        return tuple(sorted(every.values(), key=lambda one: one.descriptor.digest))

    def about(self, index: Index) -> tuple[Artifact, ...]:
        """All that are about `index`, its images, or other artifacts about these, in the order of their digests."""
        todo = [index.digest, *(image.digest for image in index.images)]
        found: dict[Digest, Artifact] = {}
        while todo:
            for artifact in self._all().get(todo.pop(), ()):
                if artifact.descriptor.digest not in found:
                    found[artifact.descriptor.digest] = artifact
                    todo.append(artifact.descriptor.digest)
        return tuple(sorted(found.values(), key=lambda one: one.descriptor.digest))

    def _all(self) -> dict[Digest, list[Artifact]]:
        if self._found is None:
            self._found = {}
            for name, content in self._source.files.items():
                artifact = _artifact(self._source, name, content)
                if artifact is not None and artifact.subject is not None:
                    self._found.setdefault(artifact.subject.digest, []).append(artifact)
        return self._found


def _artifact(source: DocumentSource, name: str, content: Content) -> Artifact | None:
    """The artifact whose manifest that file is; None if it is none that is about something."""
    if not name.startswith("blobs/sha256/") or not 0 < content.size <= MAX_DOCUMENT:
        return None
    with content.open() as reader:
        if reader.read_at(0, 1) != b"{":
            return None
    digest = Digest(name.rpartition("/")[2])
    data = Blob(Descriptor("", digest, content.size), content).data
    if b'"subject"' not in data or Digest.of(data) != digest:
        return None
    document = source.stated(data, f"blob {digest}")
    subject = described(document.field("subject"))
    media_type = document.field("mediaType").text(MEDIA_TYPE, "a media type")
    if media_type not in mediatypes.MANIFESTS or subject is None:
        return None
    manifest = Blob(Descriptor(media_type, digest, content.size), content)
    return artifact_of(source, manifest, document, subject, source.blob)


def _listed_artifact(source: DocumentSource, descriptor: Descriptor) -> Artifact:
    """What an index lists that is no image."""
    manifest, document = source.document(descriptor)
    subject = document.field("subject")
    about = described(subject) if subject.value is not None else None
    return artifact_of(source, manifest, document, about, source.blob)


def choose(path: str, found: Iterable[NamedIndex], name: str = "") -> Index:
    """The one of that name: a full name, or a tag; without a name the only one.

    :raises UnreadableImageError: there is none, or there are several.
    """
    images = tuple(found)
    fitting = [one for one in images if not name or any(_is_called(full, name) for full in one.names)]
    if len(fitting) == 1:
        return fitting[0].built
    names = tuple(name for one in images for name in one.names)
    reason = "it has several images" if not name else f"{len(fitting)} of its images are called {name!r}"
    raise UnreadableImageError(path, reason, f"name one of {listed(names)}" if names else None)


def _is_called(full: str, name: str) -> bool:
    """Whether a full name, or one as Docker spells it, is meant by `name`, which may be its tag alone."""
    if name in (full, full.rpartition(":")[2]):
        return True
    try:
        return parse_reference(full) == parse_reference(name)
    except BadValueError:
        return False
