"""The signatures that cosign keeps under a tag of what they are about: read, and added to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import RegistryError
from minpack.oci import mediatypes
from minpack.oci.documents import MAX_DOCUMENT
from minpack.oci.json_node import Issues, JsonNode, parsed
from minpack.oci.stated import described
from minpack.registry.manifests import put_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minpack.oci.documents import Blob, Descriptor
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository

_OK, _NOT_FOUND = 200, 404
_TRIES = 5
_MOST_LAYERS = 1000


def tagged_layers(
    client: RegistryClient, repository: ImageRepository, tag: str, actions: str
) -> tuple[Descriptor, ...]:
    """The layers of the manifest under a tag; none where there is no such tag.

    :raises RegistryError: it is not a manifest, or the registry does not give it.
    """
    response = client.request(
        *(repository, "GET", f"manifests/{tag}"),
        actions=actions,
        headers={"Accept": mediatypes.MANIFEST},
        expected=(_OK, _NOT_FOUND),
        limit=MAX_DOCUMENT,
    )
    if response.status == _NOT_FOUND:
        return ()
    issues = Issues(tag)
    try:
        items = JsonNode(parsed(response.body), "", issues).field("layers").items("a list of descriptors")
        layers = tuple(described(item) for item in items[:_MOST_LAYERS])
    except (ValueError, RecursionError):
        layers = (None,)
    if issues.found or None in layers:
        hint = "signatures are kept under this tag: delete it"
        raise RegistryError("read", f"{repository}:{tag}", "it is not a manifest of signatures", hint)
    if len(items) > _MOST_LAYERS:
        raise _too_many("read", repository, tag)
    return tuple(one for one in layers if one is not None)


def _too_many(verb: str, repository: ImageRepository, tag: str) -> RegistryError:
    reason = f"more than {_MOST_LAYERS} signatures would be under this tag, or are"
    return RegistryError(verb, f"{repository}:{tag}", reason, "delete the tag, and sign again")


def keep_layers(
    client: RegistryClient,
    repository: ImageRepository,
    tag: str,
    layers: Sequence[Descriptor],
    manifest_of: Callable[[Sequence[Descriptor]], tuple[Blob, Blob]],
    upload: Callable[[Blob], object],
) -> int:
    """Let the manifest under `tag` have these layers, which are there, besides those that it has; how many it had not.

    :param manifest_of: makes the configuration and the manifest of layers.
    :param upload: brings the configuration there.
    :raises RegistryError: the tag cannot be written.
    """
    added = 0
    for _ in range(_TRIES):
        there = tagged_layers(client, repository, tag, "push,pull")
        missing = [one for one in layers if one not in there]
        if not missing:
            return added
        if len(there) + len(missing) > _MOST_LAYERS:
            raise _too_many("push", repository, tag)
        added = max(added, len(missing))
        config, manifest = manifest_of((*there, *missing))
        upload(config)
        put_manifest(client, repository, manifest, tag)
    raise RegistryError("push", f"{repository}:{tag}", "other processes keep writing it", "push again later")
