"""What kind of manifest a registry gave (distribution-spec, "Pulling manifests"; image-spec, descriptor.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.net.web import printable
from minpack.oci.mediatypes import INDEX, INDEXES, MANIFEST, MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.registry.response import Response

#: All kinds must be named: docker-registry 2.8 hides those of OCI from others.
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
_KNOWN = (*INDEXES, *MANIFESTS)


def media_type_of(response: Response) -> str:
    """The manifest's media type, on which header and document agree.

    :raises ValueError: they do not, or it is another kind; in words.
    """
    said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    document = _document(response.body)
    stated = document.get("mediaType")
    if document.get("schemaVersion") == 1 or "docker.distribution.manifest.v1+" in said:
        raise ValueError("it is a manifest of schema 1, which has no configuration: push it with a newer Docker")
    # One that is read in two ways is two images of one digest (CVE-2021-41190).
    if {"manifests", "layers"} <= document.keys() or (stated in _KNOWN and said in _KNOWN and stated != said):
        raise ValueError("it is an image and an index at once")
    found = said if stated is None else stated
    if found in _KNOWN:
        return str(found)
    if stated is None and "manifests" in document:
        return INDEX
    if stated is None and {"config", "layers"} <= document.keys():
        return MANIFEST
    raise ValueError(f"it is neither an image nor an index, but {printable(str(stated or said)) or 'unknown'}")


def _document(body: bytes) -> Mapping[str, object]:
    import json  # noqa: PLC0415

    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - a value from outside
    return document


def is_manifest_name(text: str) -> bool:
    """Whether it is a tag or a digest by SHA-256 (distribution-spec, "Pulling manifests")."""
    return re.fullmatch(r"sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", text, re.ASCII) is not None
