"""Packages as components of an SBOM: those of a distribution, and those of Python's that data is from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.trust.components import Component, ComponentKind, FetchedFrom
from minpack.trust.licenses import license_of
from minpack.trust.purl import distribution_url, package_url

if TYPE_CHECKING:
    from minpack.base.os_release import Distribution
    from minpack.base.packages import PackageFacts, PackageId


def package_component(
    kind: ComponentKind, package: PackageId, facts: PackageFacts, distribution: Distribution | None
) -> Component:
    """A package of a distribution. It has no URL where nothing says which distribution that is."""
    named, source = (package.name, package.version, package.arch), (facts.source, facts.source_version)
    is_known = distribution is not None and bool(distribution.id)
    return Component(
        kind,
        *named,
        url=distribution_url(kind, named, distribution[:2], source) if is_known and distribution is not None else "",
        license=license_of(facts.licenses),
        supplier=facts.supplier,
        source=facts.source,
        source_version=facts.source_version,
        fetched=FetchedFrom(package.repository, facts.address, package.sha256, package.signed_by),
    )


def data_component(package: str, version: str) -> Component:
    """A package of Python's that comes with minpack, and that certificates or time zones are from."""
    return Component(ComponentKind.DATA, package, version, url=package_url("pypi", package, version))
