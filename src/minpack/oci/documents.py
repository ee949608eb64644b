"""The JSON documents of an image, as values and as their only byte form."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from minpack.content import BytesContent, read_all
from minpack.digest import Digest, HashingWriter
from minpack.errors import NotTextError, SumMismatchError
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.content import Content
    from minpack.digest import Writable
    from minpack.oci.health import HealthConfig
    from minpack.target import Platform

    Json: TypeAlias = str | int | bool | Sequence["Json"] | Mapping[str, "Json"] | None


#: containers/image reads no larger configuration, and registries need take no larger manifest (distribution-spec).
MAX_DOCUMENT = 4 << 20
#: Bytes of a blob that are held at once while it is copied.
COPY_SIZE = 1 << 20


def canonical(document: Json) -> bytes:
    """The document's bytes: sorted keys, no blanks, UTF-8, no newline at the end.

    With ASCII keys and no floats this is RFC 8785, which the image-spec recommends (canonicalization.md).

    :raises NotTextError: a string holds bytes that are not UTF-8, which JSON cannot have.
    """
    import json  # noqa: PLC0415

    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        start = text.rfind('"', 0, error.start) + 1
        raise NotTextError(text[start : text.find('"', error.start)]) from error


class Descriptor(NamedTuple):
    """A reference to a blob (image-spec, descriptor.md); `size` in bytes.

    `data` are the blob's own bytes, for a few of the smallest; `urls` are other places that have it. What is empty
    or None is left out of the document.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    artifact_type: str = ""
    data: bytes | None = None
    urls: tuple[str, ...] = ()

    @property
    def is_artifact(self) -> bool:
        """Whether it says that it is of something else than an image.

        Of an image the type of artifact is that of its configuration (image-spec, descriptor.md).
        """
        return self.artifact_type not in {"", *mediatypes.CONFIGS}

    def document(self) -> dict[str, Json]:
        """The descriptor as JSON has it."""
        document: dict[str, Json] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self[3:] != _BARE:
            document |= self._optional()
        return document

    def _optional(self) -> dict[str, Json]:
        fields: dict[str, Json] = {
            "platform": platform_document(self.platform) if self.platform is not None else None,
            "annotations": dict(self.annotations) or None,
            "artifactType": self.artifact_type or None,
            "data": _base64(self.data) if self.data is not None else None,
            "urls": self.urls or None,
        }
        return {key: value for key, value in fields.items() if value is not None}


def _base64(data: bytes) -> str:
    from base64 import b64encode  # noqa: PLC0415 - few descriptors have data

    return b64encode(data).decode()


_BARE = (None, (), "", None, ())


class Blob(NamedTuple):
    """Bytes that can be read again, and their descriptor: `content` has its size and its digest."""

    descriptor: Descriptor
    content: Content

    @property
    def data(self) -> bytes:
        """All bytes, which are those of a document.

        :raises InputError: they cannot be read, or are more than a document may have.
        """
        return read_all(self.content, MAX_DOCUMENT)

    def copy_to(self, out: Writable) -> None:
        """Write all bytes to `out`, in bounded memory.

        :raises SumMismatchError: they are not those of the digest.
        :raises InputError: they cannot be read.
        """
        (_, digest, size, *_), writer = self.descriptor, HashingWriter(out)
        buffer = memoryview(bytearray(min(COPY_SIZE, max(1, size))))
        with self.content.open() as reader:
            # What has more bytes than it should is read no further.
            while writer.size <= size and (count := reader.readinto_at(buffer, writer.size)):
                writer.write(buffer[:count])
        if (writer.digest, writer.size) != (digest, size):
            hint = "the image is damaged: build or download it again"
            raise SumMismatchError(f"a blob of {self.content.where}", "SHA-256", digest.hex, writer.digest.hex, hint)

    def check(self) -> None:
        """Raise an error unless its bytes are those of the digest; as `copy_to`."""
        self.copy_to(_Nowhere())


class _Nowhere:
    """Takes bytes that are summed on the way."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drop `data`."""


def blob(media_type: str, document: Json) -> Blob:
    """`document` in canonical bytes, described."""
    data = canonical(document)
    return Blob(Descriptor(media_type, Digest.of(data), len(data)), BytesContent(data))


class ImageConfig(NamedTuple):
    """What the image says of how to run it (image-spec, config.md).

    `created` is seconds since 1970; `exposed` are as ``8080/tcp``; `user` is ``uid:gid``. `annotations` are not in the
    configuration: manifest and index have them.
    """

    platform: Platform
    entrypoint: tuple[str, ...]
    created: int = 0
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: str = ""
    workdir: str = "/"
    exposed: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    stop_signal: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    health: HealthConfig | None = None

    @property
    def all_annotations(self) -> dict[str, str]:
        """The annotations of manifest and index: labels stand there too, as registries read those."""
        return dict(self.labels) | dict(self.annotations)


def timestamp(seconds: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    days, rest = divmod(seconds, 86400)
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """The Gregorian date `days` after 1970-01-01; years start in March so that leap days come last."""
    era, of_era = divmod(days + 719468, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9  # noqa: PLR2004 - March is month 0
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1  # noqa: PLR2004


def config_document(config: ImageConfig, diff_ids: Sequence[Digest], comments: Sequence[str]) -> Json:
    """The configuration with one history entry for each layer: more would make Docker refuse the image."""
    created = timestamp(config.created)
    run: dict[str, Json] = {
        "Entrypoint": config.entrypoint,
        "Cmd": config.cmd,
        "Env": [f"{key}={value}" for key, value in config.env],
        "User": config.user,
        "WorkingDir": config.workdir,
        "ExposedPorts": {port: {} for port in config.exposed},
        "Volumes": {path: {} for path in config.volumes},
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "Healthcheck": config.health.document() if config.health is not None else None,
    }
    document: dict[str, Json] = {
        "architecture": config.platform.architecture,
        "os": config.platform.os,
        "created": created,
        "config": {key: value for key, value in run.items() if value},
        "history": [{"created": created, "created_by": "minpack", "comment": text} for text in comments],
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]},
    }
    if config.platform.variant:
        document["variant"] = config.platform.variant
    return document


def manifest_document(
    config: Descriptor,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str],
    *,
    artifact_type: str = "",
    subject: Descriptor | None = None,
) -> Json:
    """The manifest of an image, or of an artifact, which may have a `subject` (image-spec, manifest.md)."""
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.MANIFEST,
        "config": config.document(),
        "layers": [layer.document() for layer in layers],
    }
    if artifact_type:
        document["artifactType"] = artifact_type
    if subject is not None:
        document["subject"] = subject.document()
    if annotations:
        document["annotations"] = dict(annotations)
    return document


def index_document(manifests: Sequence[Descriptor], annotations: Mapping[str, str] | None = None) -> Json:
    """An image index (image-spec, image-index.md)."""
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.INDEX,
        "manifests": [manifest.document() for manifest in manifests],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return document


def platform_document(platform: Platform) -> dict[str, Json]:
    """A platform as descriptors carry it."""
    document: dict[str, Json] = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        document["variant"] = platform.variant
    return document
