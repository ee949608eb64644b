"""Giving a repository manifests, what they are about, and the names by which they are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import RegistryError
from minpack.net.web import printable
from minpack.oci import mediatypes
from minpack.oci.documents import MAX_DOCUMENT, Blob, blob
from minpack.registry.push import ANY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from minpack.oci.documents import Descriptor, Json
    from minpack.oci.image import Artifact
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository

_OK, _NOT_FOUND = 200, 404
_DONE = (200, 201, 202, 204)
_PUSH = "push,pull"
#: What a tag that is there may be refused with, where it cannot be given to anything else.
_REFUSED = (400, 403, 405, 409, 412)
#: So often the list of referrers is written again, because another process wrote it at the same time.
_TRIES = 5
_IMMUTABLE = "tags in this repository cannot be moved: choose another tag, or delete this one first"


def put_manifest(client: RegistryClient, repository: ImageRepository, manifest: Blob, tag: str = "") -> None:
    """Let the repository have `manifest` by its digest, and by `tag` too if there is one. All it names is there.

    :raises RegistryError: it is refused, or the registry says that it has another digest.
    """
    name, digest = tag or str(manifest.descriptor.digest), manifest.descriptor.digest
    data, named = manifest.data, f"{repository}:{tag}" if tag else f"{repository}@{digest}"
    headers = {"Content-Type": manifest.descriptor.media_type, "Content-Length": str(len(data))}
    try:
        response = client.request(
            *(repository, "PUT", f"manifests/{name}"),
            actions=_PUSH,
            headers=headers,
            body=lambda: (data,),
            expected=_DONE,
            named=named,
        )
    except RegistryError as error:
        if not tag or error.status not in _REFUSED:
            raise
        there = tagged(client, repository, tag)
        if there == digest:
            return
        if there is not None:
            error.hint = _IMMUTABLE
        raise
    told = response.headers.get("Docker-Content-Digest", "")
    if told and told != str(digest):
        reason = f"the registry gives it the digest {printable(told)}, but its digest is {digest}"
        raise RegistryError("push", named, reason, "the registry or a proxy changed it: push it again")


def tagged(client: RegistryClient, repository: ImageRepository, tag: str) -> Digest | None:
    """What the tag stands for now; None if there is no such tag, or the registry does not say."""
    accept = ", ".join((*mediatypes.INDEXES, *mediatypes.MANIFESTS))
    response = client.request(
        repository, "HEAD", f"manifests/{tag}", actions=_PUSH, headers={"Accept": accept}, expected=ANY
    )
    told = response.headers.get("Docker-Content-Digest", "")
    return Digest(told.removeprefix("sha256:")) if response.status == _OK and told.startswith("sha256:") else None


def keep_referrers(
    client: RegistryClient, repository: ImageRepository, subject: Digest, artifacts: Sequence[Artifact]
) -> None:
    """Let the artifacts, which are there, be found by what they are about.

    A registry with the referrers API does that itself; in another there is a tag for it, with an index of them
    (distribution-spec, "Referrers Tag Schema"). All are added at once: a tag that cannot be moved is written once.

    :raises RegistryError: the tag cannot be written.
    """
    if _lists_referrers(client, repository, subject):
        return
    tag = str(subject).replace(":", "-")
    wanted = {one.descriptor.digest: one.descriptor for one in artifacts}
    for _ in range(_TRIES):
        listed = _listed(client, repository, tag)
        there = {one.get("digest") for one in listed}
        missing = [one for digest, one in wanted.items() if str(digest) not in there]
        if not missing:
            return
        put_manifest(client, repository, _index_of(listed, missing), tag)
    raise RegistryError("push", f"{repository}:{tag}", "other processes keep writing it", "push again later")


def _lists_referrers(client: RegistryClient, repository: ImageRepository, subject: Digest) -> bool:
    """Whether the registry has the API. That it says OCI-Subject is no proof."""
    response = client.request(
        repository, "GET", f"referrers/{subject}", actions=_PUSH, expected=ANY, limit=MAX_DOCUMENT
    )
    return response.status == _OK and mediatypes.INDEX in response.headers.get("Content-Type", "")


def _listed(client: RegistryClient, repository: ImageRepository, tag: str) -> list[Any]:
    """What the index of the tag lists; nothing where there is none."""
    import json  # noqa: PLC0415 - for artifacts alone

    headers = {"Accept": mediatypes.INDEX}
    response = client.request(
        *(repository, "GET", f"manifests/{tag}"),
        actions=_PUSH,
        headers=headers,
        expected=(_OK, _NOT_FOUND),
        limit=MAX_DOCUMENT,
    )
    if response.status == _NOT_FOUND:
        return []
    try:
        found = json.loads(response.body)["manifests"]
        if isinstance(found, list) and all(isinstance(one, dict) for one in found):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    hint = "minpack lists an image's artifacts under this tag: delete it"
    raise RegistryError("push", f"{repository}:{tag}", "it exists, but is not an index of referrers", hint)


def _index_of(listed: Sequence[Any], missing: Sequence[Descriptor]) -> Blob:
    """The index of all, in the order of their digests."""
    every: list[Json] = [*listed, *(one.document() for one in missing)]
    every.sort(key=lambda one: str(one.get("digest")) if isinstance(one, dict) else "")
    return blob(mediatypes.INDEX, {"schemaVersion": 2, "mediaType": mediatypes.INDEX, "manifests": every})
