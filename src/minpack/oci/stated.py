"""What the documents of images say, as values: descriptors, manifests, configurations, whoever wrote them.

Each is bounded; what is wrong is one error that says where.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import UnreadableImageError
from minpack.namedtuple import NamedTuple
from minpack.oci.documents import MAX_DOCUMENT, Blob, Descriptor
from minpack.oci.image import Artifact, BuiltImage
from minpack.oci.json_node import Issues, JsonNode, parsed
from minpack.oci.layout import blob_path
from minpack.target import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minpack.content import Content

#: More than any image has: manifests of an index, layers.
MAX_MANIFESTS, MAX_LAYERS = 1_000, 1_000
#: What to do about what cannot be as it is.
DAMAGED = "build it again, or copy it again"
#: The name of a file, or an address.
TEXT = re.compile(r"[^\0]{1,1024}", re.DOTALL)
MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,100}")


class DocumentSource(NamedTuple):
    """The files of an archive or layout by name, and what is wrong with them as an error."""

    path: str
    files: Mapping[str, Content]

    def wrong(self, reason: str) -> UnreadableImageError:
        """The error that says so."""
        return UnreadableImageError(self.path, reason, DAMAGED).of_damaged()

    def settled(self, issues: Issues) -> None:
        """Raise `UnreadableImageError` if there are issues."""
        if issues.found:
            raise self.wrong(issues.found[0])

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return blob_path(digest) in self.files

    def blob(self, descriptor: Descriptor) -> Blob:
        """The blob that is described, which has the size that its descriptor says."""
        content = self.files.get(blob_path(descriptor.digest))
        if content is None and descriptor.urls:
            reason = f"layer {descriptor.digest} is a foreign layer, which is stored elsewhere ({descriptor.urls[0]})"
            raise UnreadableImageError(self.path, reason)
        if content is None:
            raise self.wrong(f"blob {descriptor.digest} is not there")
        if content.size != descriptor.size:
            told = f"it has {content.size} bytes and its descriptor says {descriptor.size}"
            raise self.wrong(f"blob {descriptor.digest}: {told}")
        return Blob(descriptor, content)

    def document(self, descriptor: Descriptor) -> tuple[Blob, JsonNode]:
        """The document that is described, and what it says; its bytes are those of its digest."""
        found = self.blob(Descriptor(*descriptor[:3]))
        data = found.data
        if Digest.of(data) != descriptor.digest:
            raise self.wrong(f"blob {descriptor.digest}: its digest is {Digest.of(data)}")
        return found, self.stated(data, f"blob {descriptor.digest}")

    def stated(self, data: bytes, where: str) -> JsonNode:
        """What the JSON object or list in `data` says."""
        issues = Issues(where)
        try:
            value = parsed(data)
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"{where}: it is not JSON") from error
        return JsonNode(value, "", issues)

    def file(self, name: str) -> Content:
        """The file of that name."""
        content = self.files.get(name)
        if content is None:
            raise self.wrong(f"{name!r} is not there")
        return content

    def data(self, name: str) -> bytes:
        """The bytes of a document that is no blob."""
        content = self.file(name)
        if content.size > MAX_DOCUMENT:
            raise self.wrong(f"{name}: it has {content.size} bytes, and {MAX_DOCUMENT} are the most")
        return Blob(Descriptor("", Digest(""), content.size), content).data


def listed_descriptors(source: DocumentSource, document: JsonNode) -> tuple[Descriptor, ...]:
    """The descriptors that an index lists."""
    entries = document.field("manifests").items("a list of descriptors")
    if len(entries) > MAX_MANIFESTS:
        document.issues.add(f"it lists more than {MAX_MANIFESTS} manifests")
    descriptors = tuple(described(entry) for entry in entries[:MAX_MANIFESTS])
    source.settled(document.issues)
    return tuple(one for one in descriptors if one is not None)


def manifest_parts(source: DocumentSource, document: JsonNode) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """The configuration and the layers that a manifest names."""
    config = described(document.field("config"))
    items = document.field("layers").items("a list of descriptors")
    if len(items) > MAX_LAYERS:
        document.issues.add(f"it has more than {MAX_LAYERS} layers")
    layers = tuple(described(item) for item in items[:MAX_LAYERS])
    source.settled(document.issues)
    assert config is not None, "internal error: nothing was noted"
    return config, tuple(layer for layer in layers if layer is not None)


def built_image(
    source: DocumentSource, config: Blob, manifest: Blob, layers: tuple[Blob, ...], stated: JsonNode
) -> BuiltImage:
    """The image, whose configuration says what `stated` has."""
    platform = _platform(stated)
    items = stated.field("rootfs").field("diff_ids").items("a list of digests")
    diff_ids = tuple(_digest(item) for item in items[:MAX_LAYERS])
    if len(items) != len(layers):
        stated.issues.add(f"it has {len(items)} diff IDs and the manifest {len(layers)} layers")
    source.settled(stated.issues)
    assert platform is not None, "internal error: nothing was noted"
    return BuiltImage(platform, config, manifest, layers, tuple(one for one in diff_ids if one is not None))


def artifact_of(
    source: DocumentSource,
    manifest: Blob,
    document: JsonNode,
    subject: Descriptor | None,
    find: Callable[[Descriptor], Blob],
) -> Artifact:
    """The artifact of a manifest, which says what `document` has; `find` gives its blobs."""
    config, layers = manifest_parts(source, document)
    annotations = _annotations(document.field("annotations"))
    kind = document.field("artifactType")
    stated = kind if kind.value is not None else document.field("config").field("mediaType")
    artifact_type = stated.text(MEDIA_TYPE, "a media type")
    source.settled(document.issues)
    about = manifest.descriptor._replace(annotations=annotations, artifact_type=artifact_type or "")
    return Artifact(about, find(config), manifest, tuple(map(find, layers)), subject)


def described(stated: JsonNode) -> Descriptor | None:
    """The descriptor that `stated` is (image-spec, descriptor.md); None if it is none, which is noted."""
    media_type = stated.field("mediaType").text(MEDIA_TYPE, "a media type")
    digest, size = _digest(stated.field("digest")), stated.field("size").non_negative_int()
    platform = _platform(stated.field("platform")) if stated.field("platform").value is not None else None
    annotations = _annotations(stated.field("annotations"))
    kind = stated.field("artifactType")
    artifact_type = kind.text(MEDIA_TYPE, "a media type") if kind.value is not None else ""
    urls = stated.field("urls").items("a list of addresses") if stated.field("urls").value is not None else ()
    texts = tuple(url.text(TEXT, "an address") or "" for url in urls)
    if media_type is None or digest is None or size is None or artifact_type is None:
        return None
    return Descriptor(
        media_type, digest, size, platform, annotations, artifact_type, _own_data(stated.field("data"), digest), texts
    )


def _own_data(stated: JsonNode, digest: Digest) -> bytes | None:
    """The bytes that a descriptor has with it."""
    if stated.value is None:
        return None
    try:
        data = base64.b64decode(stated.value.encode(), validate=True) if isinstance(stated.value, str) else b""
    except ValueError:
        data = b""
    if Digest.of(data) != digest:
        stated.wrong("the blob in base 64")
    return data


def _platform(stated: JsonNode) -> Platform | None:
    """A platform, or what a configuration says of one; None if it says none, which is noted."""
    os_ = stated.field("os").text(_WORD, "an operating system")
    architecture = stated.field("architecture").text(_WORD, "an architecture")
    variant = stated.field("variant")
    text = variant.text(_WORD, "a variant") if variant.value not in (None, "") else ""
    return Platform(os_, architecture, text or "") if os_ is not None and architecture is not None else None


def _annotations(stated: JsonNode) -> tuple[tuple[str, str], ...]:
    """The annotations, in the order of their keys."""
    texts = stated.mapping(lambda _, value: isinstance(value, str), "an object of strings")
    return tuple(sorted((key, str(value)) for key, value in texts.items()))


def _digest(stated: JsonNode) -> Digest | None:
    text = stated.text(_DIGEST, "a SHA-256 digest")
    return Digest(text.partition(":")[2]) if text is not None else None
