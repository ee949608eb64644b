"""OpenVEX: that an image is not affected by vulnerabilities because the files with their code are not in it.

A document of version 0.2.0 (openvex/spec, OPENVEX-SPEC.md). Scanners look for a statement whose product is the image,
by a package URL that may say less than theirs and never more (openvex/go-vex, pkg/vex/product.go): name and digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from minpack.namedtuple import NamedTuple
from minpack.oci.documents import canonical, timestamp
from minpack.trust.identity import content_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.digest import Digest
    from minpack.oci.documents import Json

CONTEXT = "https://openvex.dev/ns/v0.2.0"


class Absence(NamedTuple):
    """That none of `paths` is in `products`, which are images and indexes; `vulnerability` is in these files alone."""

    vulnerability: str
    paths: tuple[str, ...]
    products: tuple[str, ...]


class VexFacts(NamedTuple):
    """What a document says, by whom and from when on: `created` is in seconds since 1970."""

    author: str
    absences: Sequence[Absence]
    created: int = 0


def product(name: str, digest: Digest) -> str:
    """The package URL of an image, by the last part of its repository's name and its digest."""
    return f"pkg:oci/{quote(name.rpartition('/')[2].lower(), safe='')}@{quote(str(digest), safe='')}"


def openvex(facts: VexFacts) -> Json:
    """The document; its ``@id`` follows from all else."""
    body: dict[str, Json] = {
        "@context": CONTEXT,
        "author": facts.author,
        "timestamp": timestamp(facts.created),
        "version": 1,
        "tooling": "minpack",
        "statements": [_statement(one) for one in sorted(facts.absences)],
    }
    return {**body, "@id": f"urn:uuid:{content_id('openvex', canonical(body))}"}


def _statement(absence: Absence) -> Json:
    return {
        "vulnerability": {"name": absence.vulnerability},
        "products": [{"@id": one, "identifiers": {"purl": one}} for one in absence.products],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "impact_statement": f"None of the files with the vulnerable code is in the image: {', '.join(absence.paths)}",
    }
