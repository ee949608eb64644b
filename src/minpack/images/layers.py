"""The layers of an image, one by one: whether each is what the image says, and one that engines unpack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.flatten import WHITEOUT
from minpack.base.layer_index import HARD_LINK, records_of
from minpack.base.layer_tars import LayerUnpacker
from minpack.base.layered import read_layer
from minpack.errors import ArchiveError, MinpackError, SumMismatchError, UnreadableImageError
from minpack.images.finding import Finding, Severity
from minpack.namedtuple import NamedTuple
from minpack.oci.select import check_layers
from minpack.paths import normal
from minpack.sources.image import layer_blobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.options import BaseOptions
    from minpack.oci.image import BuiltImage
    from minpack.paths import RootPath
    from minpack.store.store import Store

#: As many as the kernel's overlay file system takes by Docker's names (moby, `layer/layer_store.go`, maxLayerDepth).
MOST_LAYERS = 125
_MAKE_AGAIN = "rebuild the image, or download it again"


class ReadLayers(NamedTuple):
    """What the layers have: the paths of files and links in each, and what is wrong with them."""

    paths: tuple[tuple[RootPath, ...], ...]
    findings: tuple[Finding, ...]


def read_layers(image: BuiltImage, name: str, options: BaseOptions, store: Store) -> ReadLayers:
    """Verify each layer, and see what is in it.

    :param name: what to call the image in messages.
    """
    findings = list(_form_findings(image, name))
    paths: list[tuple[RootPath, ...]] = []
    if findings:
        return ReadLayers((), tuple(findings))
    unpacker = LayerUnpacker(store, options.temporary)
    for number, layer in enumerate(layer_blobs(image, name), 1):
        try:
            _, index = read_layer(layer, unpacker)
        except (SumMismatchError, ArchiveError) as error:
            findings.append(Finding("layer", Severity.ERROR, f"layer {number}", _reason(error), _MAKE_AGAIN))
            continue
        members = list(_members(records_of(index)))
        findings += _duplicates(members, number)
        paths.append(tuple(path for path, _ in members))
    return ReadLayers(tuple(paths), tuple(findings))


def _form_findings(image: BuiltImage, name: str) -> Iterator[Finding]:
    try:
        check_layers([one.descriptor for one in image.layers], name)
    except UnreadableImageError as error:
        yield Finding("layer", Severity.ERROR, "", error.reason, error.hint or "")
    if len(image.layers) > MOST_LAYERS:
        reason = f"it has {len(image.layers)} layers, and engines take {MOST_LAYERS}"
        yield Finding("image", Severity.ERROR, "", reason, "merge some of them")


def _reason(error: MinpackError) -> str:
    """What is wrong, in one line."""
    if isinstance(error, SumMismatchError):
        return f"its {error.algorithm} is {error.actual}, and the image says {error.expected}"
    return getattr(error, "reason", error.message)


def _members(records: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[RootPath, bool]]:
    """The path of each member, and whether it is a hard link."""
    for key, row in records:
        if key:
            yield normal(shown_path(key)), row[0] == HARD_LINK


def shown_path(key: bytes) -> str:
    """The path that a table's key is of."""
    return key.replace(b"\0", b"/").decode("utf-8", "surrogateescape")


def _duplicates(members: list[tuple[RootPath, bool]], number: int) -> Iterator[Finding]:
    """Members that contradict others of their layer: Docker makes a device in the place of what a whiteout hides."""
    seen: set[RootPath] = set()
    for path, _ in members:
        hidden = _hidden_by(path)
        if path in seen:
            reason = f"layer {number} has a duplicate entry for it, which Docker and podman refuse"
            yield Finding("duplicate-path", Severity.ERROR, path, reason, "rebuild the layer with only one of them")
        elif hidden != path and hidden in seen:
            reason = f"layer {number} has it and then a whiteout for it, which Docker does not unpack"
            yield Finding("layer", Severity.ERROR, hidden, reason, "rebuild the layer without the file")
        seen.add(path)


def _hidden_by(path: RootPath) -> RootPath:
    """What a whiteout at `path` hides; the path itself if it is none for one path."""
    above, _, name = path.rpartition("/")
    mark = WHITEOUT.decode()
    return (
        normal(f"{above}/{name[len(mark) :]}")
        if name.startswith(mark) and not name.startswith(f"{mark}{mark}")
        else path
    )


def hidden_paths(layers: tuple[tuple[RootPath, ...], ...]) -> Iterator[tuple[RootPath, int]]:
    """The paths of lower layers that a later layer has again, or removes, each with the number of its layer."""
    later: set[str] = set()
    for number in range(len(layers), 0, -1):
        here = layers[number - 1]
        yield from ((path, number) for path in here if path in later or _is_removed(path, later))
        later.update(here)


def _is_removed(path: RootPath, later: set[str]) -> bool:
    """Whether a whiteout of a later layer is for the path, or for a directory above it."""
    if not later:
        return False
    parts = path.split("/")
    for at in range(1, len(parts)):
        above = "/".join(parts[:at])
        if f"{above}/{WHITEOUT.decode()}{parts[at]}" in later or f"{above}/.wh..wh..opq" in later:
            return True
    return False
