"""What others make of an SBOM: the validators of both forms, and a scanner's list of its packages."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

#: Kinds of packages that syft reads from databases and from what compilers record; others it takes from strings.
RECORDED = ("apk", "deb", "go-module", "rust-crate")


def spdx_problems(document: dict[str, Any]) -> list[str]:
    """What spdx-tools has against the document."""
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    parsed = JsonLikeDictParser().parse(document)  # type: ignore[no-untyped-call]
    return [message.validation_message for message in validate_full_spdx_document(parsed)]


def cyclonedx_problems(data: bytes) -> str:
    """What the strict schema of CycloneDX 1.6 has against the document; nothing if it is valid."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    return "" if found is None else str(found)


def syft(*arguments: str | Path, cwd: Path) -> Any:
    """What syft prints as its own JSON."""
    done = subprocess.run(
        [need_tool("syft"), *arguments, "-o", "json", "-q"],
        cwd=cwd,
        env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false", "HOME": str(cwd)},
        capture_output=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def purls_of(scanned: Any) -> set[str]:
    """The package URLs of the packages that a scan found, of the kinds that are recorded."""
    return {one["purl"] for one in scanned["artifacts"] if one["type"] in RECORDED}


def spdx_purls(document: dict[str, Any], *kinds: str) -> set[str]:
    """The package URLs in an SPDX document, of these kinds alone if some are given."""
    found = {ref["referenceLocator"] for package in document["packages"] for ref in package.get("externalRefs", ())}
    return {one for one in found if not kinds or one.startswith(tuple(f"pkg:{kind}/" for kind in kinds))}


def cyclonedx_purls(document: dict[str, Any], *kinds: str) -> set[str]:
    """The same of a CycloneDX document."""
    found = {one["purl"] for one in document["components"] if "purl" in one}
    return {one for one in found if not kinds or one.startswith(tuple(f"pkg:{kind}/" for kind in kinds))}


def spdx_files(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The files of an SPDX document with their SHA-256 and SHA-1."""
    sums = {
        file["fileName"]: {one["algorithm"]: one["checksumValue"] for one in file["checksums"]}
        for file in document["files"]
    }
    return {name[1:]: (found["SHA256"], found["SHA1"]) for name, found in sums.items()}


def cyclonedx_files(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The same of a CycloneDX document."""
    inside = [file for one in document["components"] for file in (one, *one.get("components", ()))]
    sums = {one["name"]: {h["alg"]: h["content"] for h in one["hashes"]} for one in inside if one["type"] == "file"}
    return {name: (found["SHA-256"], found["SHA-1"]) for name, found in sums.items()}
