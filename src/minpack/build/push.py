"""Pushing a finished image: an archive, a layout, or what `docker save` wrote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.errors import UnreadableImageError
from minpack.excerpt import listed
from minpack.host.overwrite import HostInput
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.image import put_index
from minpack.oci.read import choose, read_image
from minpack.output.digest_file import DigestFile
from minpack.output.registry import RegistrySink
from minpack.progress import no_progress
from minpack.registry.client import RegistryClient
from minpack.registry.manifests import tagged
from minpack.registry.repository import ImageRepository
from minpack.sources.archive import unpacked_archive
from minpack.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.digest import Digest
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference
    from minpack.output.target import WrittenTarget
    from minpack.progress import Progress
    from minpack.registry.options import RegistryOptions

#: As skopeo has them (containers-transports(5)): an image in a layout or an archive, and its name there.
TRANSPORTS = ("oci-archive:", "oci:", "docker-archive:")
#: Names that an error shows.
_MOST_NAMES = 5


class LocalImage(NamedTuple):
    """An image in a file or directory of this host; an empty `name` means the only one there."""

    path: str
    name: str = ""


class Pushed(NamedTuple):
    """A pushed image, with a target for each of its names."""

    image: LocalImage
    built: Index
    targets: tuple[WrittenTarget, ...]
    notes: tuple[str, ...] = ()


def parse_local_image(text: str) -> LocalImage:
    """What `text` names: a path, or with one of skopeo's transports a path and a name in it."""
    transport = next((one for one in TRANSPORTS if text.startswith(one)), "")
    if not transport or os.path.exists(text):
        return LocalImage(text)
    path, _, name = text.removeprefix(transport).partition(":")
    return LocalImage(path, name)


def push(
    image: LocalImage,
    references: Sequence[Reference],
    options: RegistryOptions,
    progress: Progress = no_progress,
    *,
    digest_file: str | None = None,
) -> Pushed:
    """Push `image`, with the artifacts that are about it, under each of these names.

    :param digest_file: a file that gets the image's digest.
    :raises UnreadableImageError: there is no such image, or not all of it is there.
    :raises RegistryError: a registry does not take it.
    :raises OutputError: the file cannot be written.
    """
    digest = DigestFile(digest_file, (HostInput(image.path, "the image", whole=True),))
    with open_store(None) as store, unpacked_archive(image.path, store) as archive:
        index = choose(image.path, read_image(image.path, archive), image.name)
        _check_whole(image, index)
        with RegistrySink(options, references, progress, checks=True) as sink:
            put_index(index, sink, references)
            targets, notes = sink.pushed(index), sink.notes
    digest.write(index.digest)
    return Pushed(image, index, targets, (*_notes(index), *notes))


class PushedChanges(NamedTuple):
    """An image that was built anew: `pushed` to the names that meant another one, and the names that meant it already.

    `digest` is that of the image.
    """

    digest: Digest
    pushed: Pushed | None = None
    unchanged: tuple[Reference, ...] = ()

    @property
    def targets(self) -> tuple[WrittenTarget, ...]:
        """What was pushed, a target for each name."""
        return self.pushed.targets if self.pushed is not None else ()


def push_changes(
    image: LocalImage, references: Sequence[Reference], options: RegistryOptions, progress: Progress = no_progress
) -> PushedChanges:
    """Push `image` under those of these names that mean another one, or lack an artifact that is about it.

    :raises MinpackError: as `push`.
    """
    index = choose(image.path, read_image(image.path), image.name)
    with RegistryClient(options) as client:
        unchanged = tuple(one for one in references if _has_all(client, one, index))
    changed = [one for one in references if one not in unchanged]
    return PushedChanges(index.digest, push(image, changed, options, progress) if changed else None, unchanged)


def _has_all(client: RegistryClient, reference: Reference, index: Index) -> bool:
    """Whether a name means the image already, and its repository has the artifacts about it."""
    repository = ImageRepository(reference.host, reference.name)
    about = (one.descriptor.digest for one in index.artifacts)
    return tagged(client, repository, reference.tag) == index.digest and all(
        tagged(client, repository, str(digest)) == digest for digest in about
    )


def _check_whole(image: LocalImage, index: Index) -> None:
    """Raise `UnreadableImageError` if the index lists what is not there: engines save some of its platforms alone."""
    if index.document is None:
        return
    import json  # noqa: PLC0415 - for indexes alone

    there = {str(one.digest) for one in index.images} | {str(one.descriptor.digest) for one in index.artifacts}
    missing = [one for one in json.loads(index.document.data)["manifests"] if one["digest"] not in there]
    if missing:
        what = listed((_platform(one) for one in missing), _MOST_NAMES)
        hint = "save it with all its platforms, or each platform by itself"
        raise UnreadableImageError(image.path, f"its index lists images that are not in it: {what}", hint)


def _platform(listed_one: dict[str, object]) -> str:
    platform = listed_one.get("platform")
    if isinstance(platform, dict):
        return "/".join(str(platform[key]) for key in ("os", "architecture", "variant") if platform.get(key))
    return str(listed_one["digest"])


def _notes(index: Index) -> tuple[str, ...]:
    return _uncompressed_note(layer.descriptor.media_type for image in index.images for layer in image.layers)


def _uncompressed_note(media_types: Iterable[str]) -> tuple[str, ...]:
    """That layers were pushed as large as they are: what `docker save` writes has them so."""
    count = sum(1 for one in media_types if one == mediatypes.LAYER)
    if not count:
        return ()
    what = "1 layer was" if count == 1 else f"{count} layers were"
    return (f"{what} pushed uncompressed, as in the image",)
