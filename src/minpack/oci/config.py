"""What the configuration of an image says, whoever made it (image-spec, config.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import UnreadableImageError
from minpack.oci.documents import ImageConfig
from minpack.oci.json_node import Issues, JsonNode, parsed

if TYPE_CHECKING:
    from minpack.oci.image import BuiltImage


def read_config(image: BuiltImage, name: str) -> ImageConfig:
    """How `image` is run. What its configuration leaves out, or has as null, is empty, and `workdir` is ``/``.

    `created` is 0 and `annotations` are empty: nothing about them is read.

    :param name: what to call the image in errors.
    :raises UnreadableImageError: a member is not of the type that it should be.
    """
    issues = Issues(f"config {image.image_id}")
    try:
        document = JsonNode(parsed(image.config.data), "", issues)
    except (ValueError, RecursionError) as error:
        raise UnreadableImageError(name, f"config {image.image_id}: it is not JSON") from error
    run = document.field("config")
    if run.value is not None and not isinstance(run.value, dict):
        run.wrong("an object")
    config = ImageConfig(
        image.platform,
        _texts(run.field("Entrypoint")),
        cmd=_texts(run.field("Cmd")),
        env=tuple(_pair(text) for text in _texts(run.field("Env"))),
        user=_text(run.field("User")),
        workdir=_text(run.field("WorkingDir")) or "/",
        exposed=_keys(run.field("ExposedPorts")),
        volumes=_keys(run.field("Volumes")),
        labels=_labels(run.field("Labels")),
        stop_signal=_text(run.field("StopSignal")),
    )
    if issues.found:
        raise UnreadableImageError(name, issues.found[0])
    return config


def _texts(node: JsonNode) -> tuple[str, ...]:
    items = node.items("a list of strings") if node.value is not None else ()
    return tuple(_text(item) for item in items)


def _text(node: JsonNode) -> str:
    if node.value is None:
        return ""
    if not isinstance(node.value, str) or "\0" in node.value:
        node.wrong("a string")
        return ""
    return node.value


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _keys(node: JsonNode) -> tuple[str, ...]:
    return tuple(node.mapping(lambda *_: True, "an object"))


def _labels(node: JsonNode) -> tuple[tuple[str, str], ...]:
    found = node.mapping(lambda _, value: isinstance(value, str), "an object of strings")
    return tuple((key, str(value)) for key, value in found.items())
