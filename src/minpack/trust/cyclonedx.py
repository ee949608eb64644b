"""SBOMs as CycloneDX 1.6 in JSON (cyclonedx.org/docs/1.6/json), in the form that syft, grype and trivy read in whole.

The names of some properties are readers' alone: trivy finds source packages by two of its own.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.oci.documents import canonical, timestamp
from minpack.trust.components import ComponentKind, plain
from minpack.trust.identity import content_id
from minpack.trust.purl import image_url
from minpack.trust.supplier import parse_supplier

if TYPE_CHECKING:
    from minpack.base.os_release import Distribution
    from minpack.oci.documents import Json
    from minpack.trust.components import Component, Contents, Sbom, SbomFile, Subject

#: The schema's limit.
_LONGEST_VERSION = 1024
_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def cyclonedx_document(sbom: Sbom) -> dict[str, Json]:
    """The SBOM as a CycloneDX document; the same bytes for the same SBOM."""
    writing = _Writing()
    root = _subject(sbom.subject)
    for image in sbom.images:
        top = _reference(root)
        if sbom.is_of_index:
            top = writing.add_subject(image.subject)
            writing.depend(_reference(root), top)
        writing.add_image(image, top)
    metadata: dict[str, Json] = {
        "tools": {"components": [{"type": "application", "name": "minpack", "version": __version__}]},
        "component": root,
    }
    if sbom.created:
        metadata["timestamp"] = timestamp(sbom.created)
    body = {"metadata": metadata, **writing.document()}
    return {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{content_id('cyclonedx', canonical(body))}",
        "version": 1,
        **body,
    }


class _Writing:
    """The document as far as it is written; what several images have is there once."""

    def __init__(self) -> None:
        self._components: dict[str, dict[str, Json]] = {}
        self._inside: dict[str, dict[str, Json]] = {}
        self._dependencies: dict[str, set[str]] = {}

    def add_subject(self, subject: Subject) -> str:
        """Add an image of an index."""
        component = _subject(subject)
        self._components[_reference(component)] = component
        return _reference(component)

    def add_image(self, image: Contents, top: str) -> None:
        """Add what an image contains."""
        system = self._add_distribution(image.distribution, top) if image.distribution is not None else top
        names = {}
        for one in image.components:
            names[one.key] = self._add_component(one)
            self.depend(system if one.kind.is_of_distribution else top, names[one.key])
        for file in image.files:
            names[file.key] = self._add_file(file, names.get(file.owner, ""))
        for dependency in image.dependencies:
            if dependency.dependent in names and dependency.on in names:
                self.depend(names[dependency.dependent], names[dependency.on])
        for file in image.files:
            if file.made_from in names:
                self.depend(names[file.key], names[file.made_from])

    def _add_distribution(self, distribution: Distribution, top: str) -> str:
        component: dict[str, Json] = {"type": "operating-system", "name": plain(distribution.id or "unknown")}
        optional = {"version": plain(distribution.version)[:_LONGEST_VERSION], "description": plain(distribution.name)}
        component.update({key: value for key, value in optional.items() if value})
        name = f"os:{component['name']}@{component.get('version', '')}"
        self._components[name] = {**component, "bom-ref": name}
        self.depend(top, name)
        return name

    def _add_component(self, one: Component) -> str:
        name = one.url or plain(f"{one.kind}:{one.place or one.name}@{one.version}")
        component: dict[str, Json] = {
            "type": "application" if one.kind is ComponentKind.PROGRAM else "library",
            "bom-ref": name,
            "name": plain(one.name),
        }
        address = one.fetched.address
        hashes: Json = [{"alg": "SHA-256", "content": one.fetched.sha256}] if one.fetched.sha256 else []
        reference: dict[str, Json] = {"type": "distribution", "url": address}
        optional: dict[str, Json] = {
            "version": plain(one.version)[:_LONGEST_VERSION],
            "purl": one.url,
            "supplier": _supplier(one.supplier),
            "licenses": [{"expression": one.license.expression}] if one.license.expression else [],
            "externalReferences": [{**reference, "hashes": hashes} if hashes else reference] if address else [],
            "properties": _properties(one),
        }
        component.update({key: value for key, value in optional.items() if value})
        self._components[name] = component
        return name

    def _add_file(self, file: SbomFile, owner: str) -> str:
        name = f"file:{hashlib.sha256(file.key.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
        component: dict[str, Json] = {
            "type": "file",
            "bom-ref": name,
            "name": plain(file.path),
            "hashes": [{"alg": "SHA-1", "content": file.sha1}, {"alg": "SHA-256", "content": file.sha256}],
        }
        if file.reason:
            component["properties"] = [_property("minpack:reason", file.reason)]
        if owner:
            self._inside.setdefault(owner, {})[name] = component
        else:
            self._components[name] = component
        return name

    def depend(self, first: str, second: str) -> None:
        """Say that the first depends on the second."""
        self._dependencies.setdefault(first, set()).add(second)

    def document(self) -> dict[str, Json]:
        """All that was added, sorted."""
        for owner, inside in self._inside.items():
            self._components[owner]["components"] = [inside[name] for name in sorted(inside)]
        return {
            "components": [self._components[name] for name in sorted(self._components)],
            "dependencies": [{"ref": name, "dependsOn": sorted(on)} for name, on in sorted(self._dependencies.items())],
        }


def _subject(subject: Subject) -> dict[str, Json]:
    url = image_url(subject.name, subject.digest, subject.architecture) if subject.digest else ""
    name = plain(subject.name)
    component: dict[str, Json] = {"type": "container", "bom-ref": url or f"image:{name}:{subject.platform}"}
    optional = {"version": subject.digest, "purl": url}
    return {**component, "name": name, **{key: value for key, value in optional.items() if value}}


def _reference(component: dict[str, Json]) -> str:
    return str(component["bom-ref"])


def _supplier(text: str) -> Json:
    supplier = parse_supplier(text)
    if supplier is None:
        return {}
    contact: Json = [{"email": supplier.address}]
    return {"name": supplier.name, **({"contact": contact} if supplier.address else {})}


def _properties(one: Component) -> list[Json]:
    found = (
        ("aquasecurity:trivy:SrcName", one.source),
        ("aquasecurity:trivy:SrcVersion", one.source_version if one.source else ""),
        ("minpack:repository", one.fetched.repository),
        ("minpack:signed_by", one.fetched.signed_by),
        ("minpack:toolchain", one.toolchain),
    )
    return [_property(name, value) for name, value in found if value]


def _property(name: str, value: str) -> Json:
    return {"name": name, "value": plain(value)}
