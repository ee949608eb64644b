"""Reading finished images: from a layout, an OCI archive, or what `docker save` writes, the value that was written.

Every document is read whole, checked against its digest, and bounded; layers stay where they are and are checked when
they are copied (`Blob.copy_to`). What is wrong is one error that says where.
"""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING

from minpack.content import FileContent
from minpack.digest import Digest
from minpack.errors import ArchiveError, BadValueError, ChangedInputError, InputError, UnreadableImageError, reason_of
from minpack.excerpt import listed
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import MAX_DOCUMENT, Blob, Descriptor, blob, manifest_document
from minpack.oci.image import Artifact, BuiltImage, Index
from minpack.oci.json_node import Issues, JsonNode, parsed
from minpack.oci.layout import NAME, TAG, blob_path
from minpack.oci.reference import parse_reference
from minpack.rootfs.entry import Kind
from minpack.target import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.content import Content

#: More than any archive has: members, manifests of an index, layers of an image.
MAX_MEMBERS, MAX_MANIFESTS, MAX_LAYERS = 100_000, 1_000, 1_000
#: Names of one archive: each is a manifest that is read again.
MAX_NAMES = 1_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_WORD = re.compile(r"[A-Za-z0-9_.+-]{1,100}")
_TEXT = re.compile(r"[^\0]{1,1024}", re.DOTALL)
_MAGICS = {b"\x1f\x8b": mediatypes.LAYER_GZIP, b"\x28\xb5": mediatypes.LAYER_ZSTD}
_DAMAGED = "make it again, or copy it again"
_WHAT = "name an image archive (docker save, skopeo, minpack) or an OCI layout"


class NamedIndex(NamedTuple):
    """What an archive or layout has under these names; it may have none."""

    built: Index
    names: tuple[str, ...]


def read_image(path: str) -> tuple[NamedIndex, ...]:
    """Every image in the layout or archive at the host's `path`, in the order in which it lists them.

    :raises UnreadableImageError: there is none, or it is damaged.
    """
    files = _layout_files(path) if os.path.isdir(path) else _archive_files(path)
    source = DocumentSource(path, files)
    try:
        if "index.json" in files and "oci-layout" in files:
            return _from_index(source)
        if "manifest.json" in files:
            return _from_docker(source)
    except (InputError, ChangedInputError) as error:
        raise UnreadableImageError(path, getattr(error, "reason", error.message)) from error
    raise UnreadableImageError(path, "it has neither an index.json nor a manifest.json", _WHAT)


def is_image_archive(path: str) -> bool:
    """Whether the tar at `path` begins as image archives do and has what they have; False too if it is damaged."""
    from minpack.tar.read import Tape  # noqa: PLC0415 - for archives alone

    try:
        archive = _regular(path)
        with archive.open() as reader:
            names = (member.name.removeprefix("./") for member in Tape(reader, archive.size, path).members())
            # The directory itself may come first.
            first = next((name for name in names if name not in ("", ".")), "")
        if re.match(_FIRST, first) is None:
            return False
        files = _archive_files(path)
    except (UnreadableImageError, ArchiveError, InputError):
        return False
    return "manifest.json" in files or {"index.json", "oci-layout"} <= files.keys()


#: How the first member of an archive is called, whoever wrote it.
_FIRST = r"(blobs/|(oci-layout|index\.json|manifest\.json|repositories)$|sha256:|[0-9a-f]{64}\b)"


class DocumentSource(NamedTuple):
    """The files of an archive or layout by name, and what is wrong with them as an error."""

    path: str
    files: Mapping[str, Content]

    def wrong(self, reason: str) -> UnreadableImageError:
        """The error that says so."""
        return UnreadableImageError(self.path, reason, _DAMAGED)

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


def _layout_files(path: str) -> dict[str, Content]:
    """The files of the layout in the directory `path`; blobs may be links, and are what their names say or refused."""
    blobs = "blobs/sha256"
    names = ["index.json", "oci-layout", "manifest.json"]
    try:
        if os.path.isdir(os.path.join(path, blobs)):
            names += sorted(f"{blobs}/{name}" for name in os.listdir(os.path.join(path, blobs)))
        _check_count(path, len(names))
        places = {name: os.path.join(path, name) for name in names}
        return {name: FileContent(at, os.stat(at).st_size) for name, at in places.items() if os.path.isfile(at)}
    except OSError as error:
        raise UnreadableImageError(path, reason_of(error)) from error


def _archive_files(path: str) -> dict[str, Content]:
    """The files of the archive at `path`, links within it followed once."""
    from minpack.tar.read import read_members  # noqa: PLC0415 - for archives alone

    archive = _regular(path)
    files: dict[str, Content] = {}
    links: dict[str, str] = {}
    try:
        for member in read_members(archive, path):
            name = member.name.removeprefix("./").rstrip("/")
            if name in files or name in links:
                raise UnreadableImageError(path, f"{name!r} is in it twice", _DAMAGED)
            if member.kind is Kind.FILE:
                files[name] = FileContent(path, member.size, member.start)
            elif member.kind is Kind.SYMLINK:
                links[name] = os.path.normpath(os.path.join(os.path.dirname(name), member.link))
            elif member.kind is Kind.HARDLINK:
                links[name] = member.link.removeprefix("./")
            _check_count(path, len(files) + len(links))
    except ArchiveError as error:
        raise UnreadableImageError(path, error.reason, _WHAT if not files else _DAMAGED) from error
    return files | {name: files[to] for name, to in links.items() if to in files}


def _regular(path: str) -> FileContent:
    """The archive at `path`, which is a regular file."""
    try:
        if not os.path.isfile(path):
            os.stat(path)
            raise UnreadableImageError(path, "it is not a regular file", _WHAT)
        archive = FileContent(path, os.stat(path).st_size)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "no such file"
        raise UnreadableImageError(path, reason) from error
    try:
        with archive.open() as reader:
            start = reader.read_at(0, 4)
    except InputError as error:
        raise UnreadableImageError(path, error.reason) from error
    if start[:2] in _MAGICS:
        raise UnreadableImageError(path, "it is compressed as a whole", "unpack it first: gunzip or unzstd")
    return archive


def _check_count(path: str, count: int) -> None:
    """Raise `UnreadableImageError` if there are too many files."""
    if count > MAX_MEMBERS:
        raise UnreadableImageError(path, f"it has more than {MAX_MEMBERS} files")


def _from_index(source: DocumentSource) -> tuple[NamedIndex, ...]:
    """What `index.json` lists (image-spec, image-layout.md)."""
    layout = source.stated(_data(source, "oci-layout"), "oci-layout")
    layout.field("imageLayoutVersion").equals("1.0.0")
    source.settled(layout.issues)
    document = source.stated(_data(source, "index.json"), "index.json")
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
        raise UnreadableImageError(source.path, _not_an_image(source, named), _WHAT)
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


def _data(source: DocumentSource, name: str) -> bytes:
    """The bytes of a document that is no blob."""
    content = source.file(name)
    if content.size > MAX_DOCUMENT:
        raise source.wrong(f"{name}: it has {content.size} bytes, and {MAX_DOCUMENT} are the most")
    return Blob(Descriptor("", Digest(""), content.size), content).data


def listed_descriptors(source: DocumentSource, document: JsonNode) -> tuple[Descriptor, ...]:
    """The descriptors that an index lists."""
    entries = document.field("manifests").items("a list of descriptors")
    if len(entries) > MAX_MANIFESTS:
        document.issues.add(f"it lists more than {MAX_MANIFESTS} manifests")
    descriptors = tuple(described(entry) for entry in entries[:MAX_MANIFESTS])
    source.settled(document.issues)
    return tuple(one for one in descriptors if one is not None)


def _root(source: DocumentSource, descriptor: Descriptor) -> Index | None:
    """What a name stands for; None if it is not an image."""
    if descriptor.media_type in mediatypes.INDEXES:
        found, document = source.document(descriptor)
        entries = listed_descriptors(source, document)
        nested = next((one.digest for one in entries if one.media_type in mediatypes.INDEXES), None)
        if nested is not None:
            reason = f"{descriptor.digest} lists {nested}, an index within an index, which minpack does not read"
            raise UnreadableImageError(source.path, reason, _WHAT)
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
    return built_image(source, Blob(config, found.content), manifest, tuple(map(source.blob, layers)), stated)


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
    media_type = document.field("mediaType").text(_MEDIA_TYPE, "a media type")
    if media_type not in mediatypes.MANIFESTS or subject is None:
        return None
    return _artifact_of(source, Blob(Descriptor(media_type, digest, content.size), content), document, subject)


def _listed_artifact(source: DocumentSource, descriptor: Descriptor) -> Artifact:
    """What an index lists that is no image."""
    manifest, document = source.document(descriptor)
    subject = document.field("subject")
    return _artifact_of(source, manifest, document, described(subject) if subject.value is not None else None)


def _artifact_of(source: DocumentSource, manifest: Blob, document: JsonNode, subject: Descriptor | None) -> Artifact:
    """The artifact of a manifest, which says what `document` has."""
    config, layers = manifest_parts(source, document)
    annotations = _annotations(document.field("annotations"))
    kind = document.field("artifactType")
    stated = kind if kind.value is not None else document.field("config").field("mediaType")
    artifact_type = stated.text(_MEDIA_TYPE, "a media type")
    source.settled(document.issues)
    about = manifest.descriptor._replace(annotations=annotations, artifact_type=artifact_type or "")
    return Artifact(about, source.blob(config), manifest, tuple(map(source.blob, layers)), subject)


def _from_docker(source: DocumentSource) -> tuple[NamedIndex, ...]:
    """What Docker's `manifest.json` lists; each image gets the manifest that it lacks."""
    document = source.stated(_data(source, "manifest.json"), "manifest.json")
    items = document._replace(name="it").items("a list of images")
    if len(items) > MAX_MANIFESTS:
        document.issues.add(f"it lists more than {MAX_MANIFESTS} images")
    source.settled(document.issues)
    known: dict[str, Blob] = {}
    found = tuple(_saved(source, item, known) for item in items)
    if not found:
        raise source.wrong("it lists no image")
    return found


def _saved(source: DocumentSource, item: JsonNode, known: dict[str, Blob]) -> NamedIndex:
    """An image as `docker save` has it; `known` has layers by their names."""
    name = item.field("Config").text(_TEXT, "the name of a file")
    layers = [one.text(_TEXT, "the name of a file") for one in item.field("Layers").items("a list of files")]
    tags = item.field("RepoTags").items("a list of names") if item.field("RepoTags").value is not None else ()
    names = tuple(tag.text(_TEXT, "a name") or "" for tag in tags[:MAX_NAMES])
    if len(layers) > MAX_LAYERS:
        item.issues.add(f"it has more than {MAX_LAYERS} layers")
    source.settled(item.issues)
    data = _data(source, name or "")
    config = Blob(Descriptor(mediatypes.CONFIG, Digest.of(data), len(data)), source.file(name or ""))
    blobs = tuple(_layer(source, layer or "", known) for layer in layers)
    manifest = blob(mediatypes.MANIFEST, manifest_document(config.descriptor, [one.descriptor for one in blobs], {}))
    image = built_image(source, config, manifest, blobs, source.stated(data, name or ""))
    return NamedIndex(Index((image,)), names)


def _layer(source: DocumentSource, name: str, known: dict[str, Blob]) -> Blob:
    """A layer of `docker save`, which says nothing of its digest and how it is compressed."""
    from minpack.content import sum_of  # noqa: PLC0415 - for these alone

    if name not in known:
        content = source.file(name)
        with content.open() as reader:
            media_type = _MAGICS.get(reader.read_at(0, 2), mediatypes.LAYER)
        known[name] = Blob(Descriptor(media_type, Digest(sum_of(content)), content.size), content)
    return known[name]


def described(stated: JsonNode) -> Descriptor | None:
    """The descriptor that `stated` is (image-spec, descriptor.md); None if it is none, which is noted."""
    media_type = stated.field("mediaType").text(_MEDIA_TYPE, "a media type")
    digest, size = _digest(stated.field("digest")), stated.field("size").non_negative_int()
    platform = _platform(stated.field("platform")) if stated.field("platform").value is not None else None
    annotations = _annotations(stated.field("annotations"))
    kind = stated.field("artifactType")
    artifact_type = kind.text(_MEDIA_TYPE, "a media type") if kind.value is not None else ""
    urls = stated.field("urls").items("a list of addresses") if stated.field("urls").value is not None else ()
    texts = tuple(url.text(_TEXT, "an address") or "" for url in urls)
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
