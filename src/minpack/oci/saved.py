"""What `docker save` writes, read as images: each gets the manifest that it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, Descriptor, blob, manifest_document
from minpack.oci.image import Index
from minpack.oci.stated import MAX_LAYERS, MAX_MANIFESTS, TEXT, built_image

if TYPE_CHECKING:
    from minpack.oci.json_node import JsonNode
    from minpack.oci.stated import DocumentSource

#: Names of one archive: each is a manifest that is read again.
MAX_NAMES = 1_000
_MAGICS = {b"\x1f\x8b": mediatypes.LAYER_GZIP, b"\x28\xb5": mediatypes.LAYER_ZSTD}


def saved_images(source: DocumentSource) -> tuple[tuple[Index, tuple[str, ...]], ...]:
    """What Docker's `manifest.json` lists, each image with its names.

    :raises UnreadableImageError: it lists none, or is damaged.
    """
    document = source.stated(source.data("manifest.json"), "manifest.json")
    items = document._replace(name="it").items("a list of images")
    if len(items) > MAX_MANIFESTS:
        document.issues.add(f"it lists more than {MAX_MANIFESTS} images")
    source.settled(document.issues)
    known: dict[str, Blob] = {}
    found = tuple(_saved(source, item, known) for item in items)
    if not found:
        raise source.wrong("it lists no image")
    return found


def _saved(source: DocumentSource, item: JsonNode, known: dict[str, Blob]) -> tuple[Index, tuple[str, ...]]:
    """An image as `docker save` has it; `known` has layers by their names."""
    name = item.field("Config").text(TEXT, "the name of a file")
    layers = [one.text(TEXT, "the name of a file") for one in item.field("Layers").items("a list of files")]
    tags = item.field("RepoTags").items("a list of names") if item.field("RepoTags").value is not None else ()
    names = tuple(tag.text(TEXT, "a name") or "" for tag in tags[:MAX_NAMES])
    if len(layers) > MAX_LAYERS:
        item.issues.add(f"it has more than {MAX_LAYERS} layers")
    source.settled(item.issues)
    data = source.data(name or "")
    config = Blob(Descriptor(mediatypes.CONFIG, Digest.of(data), len(data)), source.file(name or ""))
    blobs = tuple(_layer(source, layer or "", known) for layer in layers)
    manifest = blob(mediatypes.MANIFEST, manifest_document(config.descriptor, [one.descriptor for one in blobs], {}))
    image = built_image(source, config, manifest, blobs, source.stated(data, name or ""))
    return Index((image,)), names


def _layer(source: DocumentSource, name: str, known: dict[str, Blob]) -> Blob:
    """A layer of `docker save`, which says nothing of its digest and how it is compressed."""
    from minpack.content import sum_of  # noqa: PLC0415 - for these alone

    if name not in known:
        content = source.file(name)
        with content.open() as reader:
            media_type = _MAGICS.get(reader.read_at(0, 2), mediatypes.LAYER)
        known[name] = Blob(Descriptor(media_type, Digest(sum_of(content)), content.size), content)
    return known[name]
