"""The JSON documents of an image, as values and as their only byte form."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from minpack.digest import Digest
from minpack.errors import NotTextError
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.target import Platform

    Json: TypeAlias = str | int | bool | Sequence["Json"] | Mapping[str, "Json"] | None


def canonical(document: Json) -> bytes:
    """The document's bytes: sorted keys, no blanks, UTF-8, no newline at the end.

    With ASCII keys and no floats this is RFC 8785, which the image-spec recommends (canonicalization.md).

    :raises NotTextError: a string holds bytes that are no UTF-8, which JSON cannot have.
    """
    import json  # noqa: PLC0415

    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        start = text.rfind('"', 0, error.start) + 1
        raise NotTextError(text[start : text.find('"', error.start)]) from error


class Descriptor(NamedTuple):
    """A reference to a blob (image-spec, descriptor.md); `size` in bytes."""

    media_type: str
    digest: Digest
    size: int

    def document(self) -> dict[str, Json]:
        """The descriptor as JSON has it."""
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}


class Blob(NamedTuple):
    """A small document with its descriptor."""

    descriptor: Descriptor
    data: bytes


def blob(media_type: str, document: Json) -> Blob:
    """`document` in canonical bytes, described."""
    data = canonical(document)
    return Blob(Descriptor(media_type, Digest.of(data), len(data)), data)


class ImageConfig(NamedTuple):
    """What the image says of how to run it (image-spec, config.md).

    `created` is seconds since 1970; `exposed` are as ``8080/tcp``; `user` is ``uid:gid``.
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


def manifest_document(config: Descriptor, layers: Sequence[Descriptor], annotations: Mapping[str, str]) -> Json:
    """The image manifest (image-spec, manifest.md)."""
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": mediatypes.MANIFEST,
        "config": config.document(),
        "layers": [layer.document() for layer in layers],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return document


def index_document(manifests: Sequence[Json]) -> Json:
    """An image index (image-spec, image-index.md)."""
    return {"schemaVersion": 2, "mediaType": mediatypes.INDEX, "manifests": manifests}


def platform_document(platform: Platform) -> dict[str, Json]:
    """A platform as descriptors carry it."""
    document: dict[str, Json] = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        document["variant"] = platform.variant
    return document
