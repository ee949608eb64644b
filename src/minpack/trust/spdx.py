"""SBOMs as SPDX 2.3 in JSON (spdx.github.io/spdx-spec/v2.3), in the form that syft, grype and trivy read in whole.

Of these rules some are readers' alone: trivy finds the distribution by an identifier that starts with
``OperatingSystem``, and a source package in the words ``built package from``.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.oci.documents import canonical, timestamp
from minpack.trust.components import ComponentKind, plain
from minpack.trust.identity import content_id
from minpack.trust.purl import image_url
from minpack.trust.supplier import parse_supplier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.base.os_release import Distribution
    from minpack.oci.documents import Json
    from minpack.trust.components import Component, Contents, DependsOn, Sbom, SbomFile, Subject

DOCUMENT = "SPDXRef-DOCUMENT"
_ROOT = "SPDXRef-DocumentRoot-Image"
_TOOL = f"Tool: minpack-{__version__}"
_UNKNOWN = "NOASSERTION"
#: What validators take for an address (spdx-tools, uri_validators.py): no number, and no host of a private network.
_PUBLIC = re.compile(r"https?://[a-z0-9]+(?:[-.][a-z0-9]+){0,100}\.[a-z]{2,5}(?::[0-9]{1,5})?/")
_LONGEST_PART = 80


def spdx_document(sbom: Sbom) -> dict[str, Json]:
    """The SBOM as an SPDX document; the same bytes for the same SBOM."""
    writing = _Writing(timestamp(sbom.created))
    root = writing.add_subject(sbom.subject, _ROOT)
    writing.relate(DOCUMENT, "DESCRIBES", root)
    for image in sbom.images:
        top = root
        if sbom.is_of_index:
            top = writing.add_subject(image.subject, f"{_ROOT}-{_part(image.subject.platform)}")
            writing.relate(root, "CONTAINS", top)
        writing.add_image(image, top)
    body = writing.document()
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": plain(sbom.subject.name),
        "documentNamespace": f"urn:uuid:{content_id('spdx', canonical(body))}",
        "creationInfo": {"created": timestamp(sbom.created), "creators": [_TOOL]},
        **body,
    }


class _Writing:
    """The document as far as it is written; what several images have is there once."""

    def __init__(self, created: str) -> None:
        self._created = created
        self._packages: dict[str, dict[str, Json]] = {}
        self._files: dict[str, dict[str, Json]] = {}
        self._relations: dict[tuple[str, str, str], str] = {}
        self._licenses: dict[str, str] = {}
        self._sums: dict[str, dict[str, str]] = {}

    def add_subject(self, subject: Subject, name: str) -> str:
        """Add an image or an index."""
        package = _package(name, plain(subject.name), primaryPackagePurpose="CONTAINER")
        if subject.digest:
            package["versionInfo"] = subject.digest
            package["checksums"] = [_sum("SHA256", subject.digest.partition(":")[2])]
            package["externalRefs"] = [_url(image_url(subject.name, subject.digest, subject.architecture))]
        self._packages[name] = package
        return name

    def add_image(self, image: Contents, top: str) -> None:
        """Add what an image contains."""
        system = self._add_distribution(image.distribution, top) if image.distribution is not None else top
        names = {one.key: self._add_component(one) for one in image.components}
        for one in image.components:
            self.relate(system if one.kind.is_of_distribution else top, "CONTAINS", names[one.key])
        for file in image.files:
            names[file.key] = self._add_file(file)
            owner = names.get(file.owner, top)
            self.relate(owner, "CONTAINS", names[file.key])
            self._sums.setdefault(owner, {})[names[file.key]] = file.sha1
            if file.made_from in names:
                self.relate(names[file.key], "GENERATED_FROM", names[file.made_from])
        for dependency in image.dependencies:
            self._add_dependency(dependency, names)

    def _add_distribution(self, distribution: Distribution, top: str) -> str:
        name = f"SPDXRef-OperatingSystem-{_part(distribution.id or 'unknown')}"
        version = f"-{_part(distribution.version)}" if distribution.version else ""
        package = _package(name + version, plain(distribution.id), primaryPackagePurpose="OPERATING_SYSTEM")
        if distribution.version:
            package["versionInfo"] = plain(distribution.version)
        self._packages[name + version] = package
        self.relate(top, "CONTAINS", name + version)
        return name + version

    def _add_component(self, one: Component) -> str:
        name = f"SPDXRef-Package-{_part(one.kind)}-{_part(one.name)}-{_part(one.version, one.arch, one.place)}"
        package = _package(name, plain(one.name))
        if one.kind is ComponentKind.PROGRAM:
            package["primaryPackagePurpose"] = "APPLICATION"
        optional: dict[str, Json] = {
            "versionInfo": plain(one.version),
            "supplier": _supplier(one.supplier),
            "licenseDeclared": one.license.expression,
            "sourceInfo": _source(one),
            "comment": _comment(one),
            "externalRefs": [_url(one.url)] if one.url else [],
            "checksums": [_sum("SHA256", one.fetched.sha256)] if one.fetched.sha256 else [],
        }
        package.update({key: value for key, value in optional.items() if value})
        if _PUBLIC.match(one.fetched.address):
            package["downloadLocation"] = one.fetched.address
        self._licenses.update(one.license.references)
        self._packages[name] = package
        return name

    def _add_file(self, file: SbomFile) -> str:
        name = f"SPDXRef-File-{hashlib.sha256(file.key.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
        document: dict[str, Json] = {
            "SPDXID": name,
            "fileName": f".{plain(file.path)}",
            "checksums": [_sum("SHA1", file.sha1), _sum("SHA256", file.sha256)],
        }
        if file.reason:
            document["annotations"] = [
                {
                    "annotationDate": self._created,
                    "annotationType": "OTHER",
                    "annotator": _TOOL,
                    "comment": plain(file.reason),
                }
            ]
        self._files[name] = document
        return name

    def _add_dependency(self, dependency: DependsOn, names: Mapping[str, str]) -> None:
        if dependency.dependent in names and dependency.on in names:
            comment = f"needs {', '.join(map(plain, dependency.names))}" if dependency.names else ""
            self.relate(names[dependency.dependent], "DEPENDS_ON", names[dependency.on], comment)

    def relate(self, first: str, kind: str, second: str, comment: str = "") -> None:
        """Add a relation, once."""
        self._relations.setdefault((first, kind, second), comment)

    def document(self) -> dict[str, Json]:
        """All that was added, sorted."""
        for name, sums in self._sums.items():
            # Only a package whose files were looked at may contain some.
            self._packages[name]["filesAnalyzed"] = True
            self._packages[name]["packageVerificationCode"] = {"packageVerificationCodeValue": _code(sums.values())}
        document: dict[str, Json] = {
            "packages": [self._packages[name] for name in sorted(self._packages)],
            "relationships": [_relation(*one, comment) for one, comment in sorted(self._relations.items())],
        }
        if self._files:
            document["files"] = [self._files[name] for name in sorted(self._files)]
        if self._licenses:
            found = sorted(self._licenses.items())
            document["hasExtractedLicensingInfos"] = [_extracted(name, text) for name, text in found]
        return document


def _package(identifier: str, name: str, **fields: Json) -> dict[str, Json]:
    found: dict[str, Json] = {"SPDXID": identifier, "name": name, "downloadLocation": _UNKNOWN, "filesAnalyzed": False}
    return {**found, **fields}


def _relation(first: str, kind: str, second: str, comment: str) -> dict[str, Json]:
    found: dict[str, Json] = {"spdxElementId": first, "relationshipType": kind, "relatedSpdxElement": second}
    return {**found, "comment": comment} if comment else found


def _sum(algorithm: str, value: str) -> dict[str, Json]:
    return {"algorithm": algorithm, "checksumValue": value}


def _url(text: str) -> dict[str, Json]:
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": text}


def _code(sums: Iterable[str]) -> str:
    """The verification code of a package that has files of these sums (SPDX 2.3, section 7.9)."""
    return hashlib.sha1("".join(sorted(sums)).encode(), usedforsecurity=False).hexdigest()


def _extracted(name: str, text: str) -> dict[str, Json]:
    return {"licenseId": name, "name": plain(text), "extractedText": f"The distribution calls it: {plain(text)}"}


def _supplier(text: str) -> str:
    supplier = parse_supplier(text)
    if supplier is None:
        return ""
    address = f" ({supplier.address})" if supplier.address else ""
    return f"{'Organization' if supplier.is_group else 'Person'}: {supplier.name}{address}"


def _source(one: Component) -> str:
    return f"built package from: {plain(one.source)} {plain(one.source_version)}".rstrip() if one.source else ""


def _comment(one: Component) -> str:
    parts = (
        f"toolchain: {one.toolchain}" if one.toolchain else "",
        f"repository: {one.fetched.repository}" if one.fetched.repository else "",
        f"index signed by: {one.fetched.signed_by}" if one.fetched.signed_by else "",
    )
    return plain("; ".join(filter(None, parts)))


def _part(*texts: str) -> str:
    """Texts as a part of an identifier, which has letters, digits, ``.`` and ``-`` alone; no others give the same."""
    text = "-".join(filter(None, texts))
    clean = re.sub(r"[^A-Za-z0-9.]+", "-", text)[:_LONGEST_PART].strip("-")
    if clean == text:
        return clean
    unique = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{clean}-{unique}" if clean else unique
