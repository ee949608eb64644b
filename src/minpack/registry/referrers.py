"""Which artifacts a repository has about a manifest: by the referrers API, or by the tag in its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from minpack.errors import RegistryError, UnreadableImageError
from minpack.oci import mediatypes
from minpack.oci.documents import MAX_DOCUMENT, Descriptor
from minpack.oci.stated import DocumentSource, listed_descriptors

if TYPE_CHECKING:
    from minpack.digest import Digest
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository
    from minpack.registry.response import Response

_OK = 200
#: Pages of one list that are read.
_PAGES = 50
_NEXT = re.compile(r"<([^<>\s]{1,2000})>\s*;\s*rel=\"?next\"?")
#: What registries say that lack the API, or have nothing under the tag.
_NONE = (400, 401, 403, 404, 405, 501)


def list_referrers(client: RegistryClient, repository: ImageRepository, subject: Digest) -> tuple[Descriptor, ...]:
    """The manifests that are about `subject`, in the order of their digests (distribution-spec, "Listing Referrers").

    Where the API does not answer, the index under the tag ``sha256-<hex>`` says it ("Referrers Tag Schema").

    :raises RegistryError: it cannot be asked, or what it lists is no list.
    """
    found = _listed(client, repository, f"referrers/{subject}", (_OK, *_NONE))
    if found is None:
        found = _listed(client, repository, f"manifests/{str(subject).replace(':', '-')}", (_OK, 404))
    every = {one.digest: one for one in found or ()}
    return tuple(sorted(every.values(), key=lambda one: one.digest))


def _listed(
    client: RegistryClient, repository: ImageRepository, path: str, expected: tuple[int, ...]
) -> list[Descriptor] | None:
    """What the index at that path lists, on all its pages; None if there is none."""
    found, named = list[Descriptor](), f"{repository} ({path})"
    for page in range(_PAGES):
        response = client.request(
            *(repository, "GET", path),
            headers={"Accept": mediatypes.INDEX},
            expected=expected if not page else (_OK,),
            limit=MAX_DOCUMENT,
            named=named,
        )
        if response.status != _OK or not _is_index(response):
            return found if page else None
        source = DocumentSource(named, {})
        try:
            found += listed_descriptors(source, source.stated(response.body, path))
        except UnreadableImageError as error:
            raise RegistryError("read", named, error.reason) from error
        path = _next_page(response, repository)
        if not path:
            return found
    raise RegistryError("read", named, f"the list has more than {_PAGES} pages")


def _next_page(response: Response, repository: ImageRepository) -> str:
    """The path of the next page in the same repository, whatever host the link names; empty if there is none."""
    link = _NEXT.search(response.headers.get("Link", ""))
    if link is None:
        return ""
    parts = urlsplit(link[1])
    _, there, rest = parts.path.partition(f"/v2/{repository.name}/")
    return f"{rest}?{parts.query}" if there and rest.startswith("referrers/") else ""


def _is_index(response: Response) -> bool:
    """Whether it answers with an index: servers without the API may answer anything with a page of their own."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip() in mediatypes.INDEXES
