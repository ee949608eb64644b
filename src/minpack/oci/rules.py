"""The rules for an image's documents (OCI image-spec; Docker's for `manifest.json`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Descriptor
from minpack.oci.json_node import JsonNode, is_empty
from minpack.oci.layout import COSIGN_IMAGE
from minpack.oci.reference import Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAYERS = (mediatypes.LAYER, mediatypes.LAYER_GZIP, mediatypes.LAYER_ZSTD)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_WORD = re.compile(r"[a-z0-9]+")
_USER = re.compile(r"\d+(:\d+)?", re.ASCII)
_VARIABLE = re.compile(r"[^=\0]+=[^\0]*", re.DOTALL)
_ARGUMENT = re.compile(r"[^\0]*", re.DOTALL)
_PORT = re.compile(r"\d{1,5}/(tcp|udp|sctp)", re.ASCII)
_PATH = re.compile(r"/[^\0]*", re.DOTALL)
_TEXT = re.compile(r".*", re.DOTALL)


class IndexFacts(NamedTuple):
    """What `index.json` says: of one manifest or index, under which names, for which platform."""

    root: Descriptor
    names: tuple[str, ...]
    platform: object


class ManifestFacts(NamedTuple):
    """What a manifest says."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, object]


class ConfigFacts(NamedTuple):
    """What a configuration says of layers; `created` is seconds since 1970, or None."""

    created: int | None
    diff_ids: tuple[Digest | None, ...]


def check_layout_file(document: JsonNode) -> None:
    """`oci-layout` has the version of the layout (image-layout.md, "oci-layout file")."""
    if not is_empty(document):
        document.equals({"imageLayoutVersion": "1.0.0"})


def check_index(document: JsonNode) -> IndexFacts | None:
    """`index.json` lists one manifest, or one index of several, once for each name (image-index.md)."""
    if is_empty(document):
        return None
    document.field("schemaVersion").equals(2)
    document.field("mediaType").equals(mediatypes.INDEX)
    entries = document.field("manifests").items("a list of descriptors")
    found = [(_descriptor(entry, (mediatypes.MANIFEST, mediatypes.INDEX)), _name(entry), entry) for entry in entries]
    manifests = {descriptor for descriptor, _, _ in found if descriptor is not None}
    platforms = [entry.field("platform").value for _, _, entry in found]
    if len(manifests) != 1 or any(platform != platforms[0] for platform in platforms):
        document.issues.add(f"it lists {len(manifests)} images; expected one for one platform, or one index")
    names = tuple(name for _, name, _ in found if name is not None)
    if len(set(names)) != len(names) or len(names) not in (0, len(found)):
        document.issues.add("each entry has a name of its own, or the only one has none")
    return IndexFacts(manifests.pop(), names, platforms[0]) if manifests else None


#: The platform of what no machine runs.
_UNKNOWN = "unknown/unknown"


def check_platforms(document: JsonNode) -> tuple[tuple[Descriptor, object], ...]:
    """An index lists a manifest for each of several platforms, in the order of their names (image-index.md).

    Behind them it may list attestations, for an unknown platform, as BuildKit does; they are left out.
    """
    if is_empty(document):
        return ()
    document.field("schemaVersion").equals(2)
    document.field("mediaType").equals(mediatypes.INDEX)
    _texts(document.field("annotations"))
    entries = document.field("manifests").items("a list of descriptors")
    found = [(_descriptor(entry, (mediatypes.MANIFEST,)), entry.field("platform")) for entry in entries]
    names = [
        "/".join(str(part) for key in ("os", "architecture", "variant") if (part := platform.field(key).value))
        for _, platform in found
    ]
    count = next((at for at, name in enumerate(names) if name == _UNKNOWN), len(names))
    if names[:count] != sorted(set(names[:count])) or set(names[count:]) - {_UNKNOWN}:
        document.issues.add("each platform is there once, in the order of their names")
    return tuple((descriptor, platform.value) for descriptor, platform in found[:count] if descriptor is not None)


def check_artifact(document: JsonNode) -> ManifestFacts | None:
    """The manifest of an artifact has its type, the empty configuration, and something in it (manifest.md)."""
    document.field("schemaVersion").equals(2)
    document.field("mediaType").equals(mediatypes.MANIFEST)
    document.field("artifactType").text(_TYPE, "a media type")
    config = _descriptor(document.field("config"), (mediatypes.EMPTY,))
    layers = [_descriptor(layer, None) for layer in document.field("layers").items("a list of descriptors")]
    if not layers:
        document.issues.add("it has no layers")
    annotations = _texts(document.field("annotations"))
    known = tuple(layer for layer in layers if layer is not None)
    return ManifestFacts(config, known, annotations) if config is not None and len(known) == len(layers) else None


def subject_of(document: JsonNode) -> Digest | None:
    """The digest of what a manifest is about; None if it is about nothing."""
    if document.field("subject").value is None:
        return None
    found = _descriptor(document.field("subject"), (mediatypes.MANIFEST, mediatypes.INDEX))
    return found.digest if found is not None else None


def check_manifest(document: JsonNode) -> ManifestFacts | None:
    """The manifest has a configuration and layers of known types (manifest.md)."""
    if is_empty(document):
        return None
    document.field("schemaVersion").equals(2)
    document.field("mediaType").equals(mediatypes.MANIFEST)
    config = _descriptor(document.field("config"), (mediatypes.CONFIG,))
    stated = document.field("layers").items("a list of descriptors")
    layers = [_descriptor(layer, LAYERS) for layer in stated]
    if not layers:
        document.issues.add("it has no layers")
    annotations = _texts(document.field("annotations"))
    known = tuple(layer for layer in layers if layer is not None)
    return ManifestFacts(config, known, annotations) if config is not None and len(known) == len(layers) else None


def check_config(
    document: JsonNode, layers: int, platform: object, annotations: Mapping[str, object]
) -> ConfigFacts | None:
    """The configuration has all it must, and one history entry and diff ID for each layer (config.md)."""
    if is_empty(document):
        return None
    document.field("os").text(_WORD, "an operating system")
    document.field("architecture").text(_WORD, "an architecture")
    said = {key: document.field(key).value for key in ("architecture", "os", "variant")}
    JsonNode({key: value for key, value in said.items() if value is not None}, "platform", document.issues).equals(
        platform
    )
    created = _seconds(document.field("created"))
    for key in ("created", "rootfs", "history"):
        if document.field(key).value is None:
            document.field(key).wrong("one")
    document.field("rootfs").field("type").equals("layers")
    diff_ids = tuple(_digest(item) for item in document.field("rootfs").field("diff_ids").items("a list of digests"))
    if len(diff_ids) != layers:
        document.issues.add(f"it has {len(diff_ids)} diff IDs and the manifest {layers} layers")
    _check_history(document.field("history"), layers)
    _check_run(document.field("config"))
    document.field("config").field("Labels").equals(dict(annotations) or None)
    return ConfigFacts(created, diff_ids)


def check_docker_manifest(document: JsonNode, names: Sequence[str], manifest: ManifestFacts | None) -> None:
    """`manifest.json` has one item, with the index's names and the manifest's blobs."""
    if is_empty(document) or manifest is None:
        return
    document.equals(
        [
            {
                "Config": _place(manifest.config),
                "RepoTags": list(names) or None,
                "Layers": [_place(layer) for layer in manifest.layers],
            }
        ]
    )


def _place(descriptor: Descriptor) -> str:
    return f"blobs/sha256/{descriptor.digest.hex}"


def _check_history(history: JsonNode, layers: int) -> None:
    """More entries than layers make Docker refuse the image."""
    items = history.items("a list") if history.value is not None else ()
    filled = [item for item in items if item.field("empty_layer").value is not True]
    for item in items:
        _seconds(item.field("created"))
    if len(filled) != layers:
        history.issues.add(f"history has {len(filled)} entries for {layers} layers")


def _check_run(run: JsonNode) -> None:
    """Everything about how to run the image that is there is of the right form."""
    for key in ("Entrypoint", "Cmd"):
        for argument in _optional(run.field(key)):
            argument.text(_ARGUMENT, "an argument")
    variables = [item.text(_VARIABLE, "KEY=VALUE") or "" for item in _optional(run.field("Env"))]
    if len({variable.partition("=")[0] for variable in variables}) != len(variables):
        run.field("Env").wrong("each variable once")
    patterns = {
        "User": (_USER, "a number, or two"),
        "WorkingDir": (_PATH, "an absolute path"),
        "StopSignal": (_TEXT, "a signal"),
    }
    for key, (pattern, expected) in patterns.items():
        if run.field(key).value is not None:
            run.field(key).text(pattern, expected)
    run.field("ExposedPorts").mapping(lambda key, value: bool(_PORT.fullmatch(key)) and value == {}, "ports")
    run.field("Volumes").mapping(lambda key, value: bool(_PATH.fullmatch(key)) and value == {}, "absolute paths")
    _texts(run.field("Labels"))


def _optional(stated: JsonNode) -> tuple[JsonNode, ...]:
    return stated.items("a list") if stated.value is not None else ()


def _texts(stated: JsonNode) -> Mapping[str, object]:
    return stated.mapping(lambda key, value: bool(key) and isinstance(value, str), "an object of strings")


def _descriptor(stated: JsonNode, media_types: tuple[str, ...] | None) -> Descriptor | None:
    """A descriptor of one of these types, or of any (descriptor.md)."""
    media_type = stated.field("mediaType").value
    if media_types is None:
        stated.field("mediaType").text(_TYPE, "a media type")
    elif media_type not in media_types:
        stated.field("mediaType").wrong(" or ".join(media_types))
    digest, size = _digest(stated.field("digest")), stated.field("size").non_negative_int()
    if digest is None or size is None or not isinstance(media_type, str):
        return None
    return Descriptor(media_type, digest, size)


def _digest(stated: JsonNode) -> Digest | None:
    text = stated.text(_DIGEST, "a SHA-256 digest")
    return Digest(text.partition(":")[2]) if text is not None else None


def _name(entry: JsonNode) -> str | None:
    """The full name that an index gives a manifest, if it gives one."""
    annotations = {key: value for key, value in _texts(entry.field("annotations")).items() if key != COSIGN_IMAGE[0]}
    if not annotations:
        return None
    name, tag = (annotations.get(key) for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"))
    reference = _reference(name)
    if reference is None or str(reference) != name or tag not in (reference.tag, reference.familiar):
        entry.field("annotations").wrong("a full name and its tag")
    return name if isinstance(name, str) else None


def _reference(name: object) -> Reference | None:
    try:
        return parse_reference(name) if isinstance(name, str) else None
    except UsageError:
        return None


def _seconds(stated: JsonNode) -> int | None:
    """A time as this project writes it, in seconds since 1970."""
    from datetime import datetime  # noqa: PLC0415

    text = stated.text(_TIME, "a time in UTC (RFC 3339)")
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text is not None else None
    except ValueError:
        stated.wrong("a time that there is")
        return None
