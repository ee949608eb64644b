"""An image on top of another: that one's layers as they are, then new ones, and its configuration as it goes on.

What is kept and what is replaced is as `FROM` has it (Dockerfile reference; image-spec, config.md and annotations.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.documents import Blob, blob, config_document, manifest_document
from minpack.oci.image import BuiltImage
from minpack.oci.json_node import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.oci.documents import Descriptor, ImageConfig, Json
    from minpack.oci.health import HealthConfig
    from minpack.oci.layer import Layer

#: What a configuration keeps of the lower image's besides what `ImageConfig` has.
_KEPT_OF_RUN, _KEPT = ("Healthcheck", "Shell", "StopTimeout"), ("os.version", "os.features", "author")
#: Docker's names of layers, as OCI has them: what is in them is the same.
_OF_OCI = {
    mediatypes.DOCKER_LAYER: mediatypes.LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": mediatypes.LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": mediatypes.LAYER_ZSTD,
}
NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"


class LowerImage(NamedTuple):
    """An image that another is put on.

    `name` is what registries call it, and `digest` that of its manifest as ``sha256:…``: empty where none has it.
    """

    image: BuiltImage
    name: str = ""
    digest: str = ""

    @property
    def config(self) -> Mapping[str, Any]:
        """What its configuration says, whatever that is."""
        value = parsed(self.image.config.data)
        return value if isinstance(value, dict) else {}

    @property
    def run(self) -> Mapping[str, Any]:
        """What it says of how it is run."""
        run = self.config.get("config")
        return run if isinstance(run, dict) else {}


def inherited_config(config: ImageConfig, lower: LowerImage, *, own_path: bool) -> ImageConfig:
    """The configuration with what the lower image says, wherever it says nothing itself.

    Variables, labels, ports and volumes are joined. User and directory are the caller's to choose.

    :param own_path: whether the PATH is one that the user gave.
    """
    run = lower.run
    env = dict(_pair(text) for text in _texts(run.get("Env")))
    env |= {key: value for key, value in config.env if key != "PATH" or own_path or key not in env}
    return config._replace(
        env=tuple(env.items()),
        exposed=tuple(sorted({*_keys(run.get("ExposedPorts")), *config.exposed})),
        volumes=tuple(sorted({*_keys(run.get("Volumes")), *config.volumes})),
        labels=tuple((_labels(run.get("Labels")) | dict(config.labels)).items()),
        stop_signal=config.stop_signal or next(_texts([run.get("StopSignal")]), ""),
        health=_health(config.health, run.get("Healthcheck")),
    )


def _health(health: HealthConfig | None, below: object) -> HealthConfig | None:
    """The health check: where only its times are said, that of the image below with those."""
    if health is None or health.test:
        return health
    from minpack.oci.health import inherited_health  # noqa: PLC0415 - for such options alone

    return inherited_health(health, below)


def build_image_on(
    lower: LowerImage, layers: Sequence[Layer], config: ImageConfig, blobs: Sequence[Blob]
) -> BuiltImage:
    """The image of the lower one's layers and then of `layers`, which are in `blobs`."""
    below = tuple(Blob(_of_oci(one.descriptor), one.content) for one in lower.image.layers)
    diff_ids = (*lower.image.diff_ids, *(layer.diff_id for layer in layers))
    document = cast("dict[str, Any]", config_document(config, diff_ids, [layer.comment for layer in layers]))
    document["history"] = [*_history(lower), *document["history"]]
    document["config"] = {key: value for key, value in lower.run.items() if key in _KEPT_OF_RUN} | document["config"]
    document |= {key: value for key, value in lower.config.items() if key in _KEPT}
    described = blob(mediatypes.CONFIG, cast("Json", document))
    about = {key: value for key, value in ((NAME, lower.name), (DIGEST, lower.digest)) if value}
    all_blobs = (*below, *blobs)
    annotations = config.all_annotations | about
    manifest = manifest_document(described.descriptor, [one.descriptor for one in all_blobs], annotations)
    return BuiltImage(config.platform, described, blob(mediatypes.MANIFEST, manifest), all_blobs, diff_ids)


def _of_oci(descriptor: Descriptor) -> Descriptor:
    """A layer's descriptor in OCI's words."""
    return descriptor._replace(media_type=_OF_OCI.get(descriptor.media_type, descriptor.media_type))


def _history(lower: LowerImage) -> list[Any]:
    """The lower image's history, one entry for each layer and others; Docker refuses an image with another number."""
    history = lower.config.get("history")
    entries = [one for one in history if isinstance(one, dict)] if isinstance(history, list) else []
    count = sum(one.get("empty_layer") is not True for one in entries)
    if count == len(lower.image.layers):
        return entries
    return [
        {"created_by": lower.name or "unknown", "comment": "a layer of the image below"} for _ in lower.image.layers
    ]


def _texts(value: object) -> Any:  # noqa: ANN401 - an iterator of text
    return (one for one in value if isinstance(one, str)) if isinstance(value, list) else iter(())


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _keys(value: object) -> tuple[str, ...]:
    return tuple(key for key in value if isinstance(key, str)) if isinstance(value, dict) else ()


def _labels(value: object) -> dict[str, str]:
    return {key: one for key, one in value.items() if isinstance(one, str)} if isinstance(value, dict) else {}
