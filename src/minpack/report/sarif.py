"""What `minpack check` found as SARIF 2.1.0 (OASIS), which code scanning of GitHub, GitLab and others reads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from minpack._version import __version__
from minpack.images.finding import CODES, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.images.check import CheckedImage
    from minpack.images.finding import Finding

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: SARIF has the same three words (section 3.27.10).
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def sarif_document(name: str, checked: Sequence[CheckedImage]) -> dict[str, Any]:
    """A log of one run, with the codes that there are as rules, and a result for each finding.

    A result is about the image, by the name it was given, and about the path in it.
    """
    codes = list(CODES)
    driver = {
        "name": "minpack",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [{"id": code, "shortDescription": {"text": text}} for code, text in CODES.items()],
    }
    results = [_result(name, one, finding, codes.index(finding.code)) for one in checked for finding in one.findings]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(name: str, image: CheckedImage, finding: Finding, number: int) -> dict[str, Any]:
    about = f"{finding.path}: " if finding.path else ""
    hint = f" (hint: {finding.hint})" if finding.hint else ""
    platform = str(image.platform) if image.platform is not None else ""
    # What is in the image has a place there; of the image itself it is the image.
    place = finding.path.lstrip("/") if finding.path.startswith("/") else ""
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(place or name)}, "region": {"startLine": 1}},
        "logicalLocations": [{"fullyQualifiedName": f"{name}{':' if place else ''}{finding.path if place else ''}"}],
    }
    # The same finding in the next build is the same one: digests change, these words do not.
    known = f"{name}\0{platform}\0{finding.code}\0{finding.path}"
    return {
        "ruleId": finding.code,
        "ruleIndex": number,
        "level": _LEVELS[finding.level],
        "message": {"text": f"{about}{finding.reason}{hint}"},
        "locations": [location],
        "partialFingerprints": {"minpack/v1": hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()},
        "properties": {"image": name, "platform": platform},
    }


def _uri(path: str) -> str:
    """A path as a relative reference (RFC 3986, section 4.2): a colon in its first part would make a scheme of that."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/-._~")
