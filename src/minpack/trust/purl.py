"""Package URLs, by which scanners know packages (package-url/purl-spec)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Left as they are besides letters, digits and ``-._~`` (purl-spec, "Character encoding"); slashes too behind the name.
_SAFE = ":"
_SAFE_BEHIND = ":/"


def package_url(
    kind: str, name: str, version: str = "", namespace: str = "", qualifiers: Mapping[str, str] | None = None
) -> str:
    """The package URL of a package; what is empty is left out, and qualifiers are sorted.

    :param kind: ``apk``, ``deb``, ``golang`` and so on.
    :param namespace: its parts, separated by slashes.
    """
    parts = [*(part for part in namespace.split("/") if part), name]
    path = "/".join(_encoded(part) for part in parts)
    found = sorted((key, value) for key, value in (qualifiers or {}).items() if value)
    query = "&".join(f"{key}={_encoded(value, _SAFE_BEHIND)}" for key, value in found)
    return f"pkg:{kind}/{path}{f'@{_encoded(version, _SAFE_BEHIND)}' if version else ''}{f'?{query}' if query else ''}"


def distribution_url(
    kind: str, package: tuple[str, str, str], distribution: tuple[str, str], source: tuple[str, str]
) -> str:
    """That of a package of a distribution, as syft has it.

    :param package: its name, version and architecture.
    :param distribution: ``ID`` and ``VERSION_ID`` of its os-release.
    :param source: name and version of its source package, which are named where they are others than the package's.
    """
    name, version, arch = package
    upstream = ""
    if source[0] and (source[0] != name or source[1] not in ("", version)):
        upstream = source[0] if source[1] in ("", version) else f"{source[0]}@{source[1]}"
    distro = "-".join(part for part in distribution if part)
    return package_url(kind, name, version, distribution[0], {"arch": arch, "distro": distro, "upstream": upstream})


def module_url(kind: str, name: str, version: str) -> str:
    """That of a Go module (``golang``) or of a crate (``cargo``)."""
    if kind != "golang":
        return package_url(kind, name, version)
    namespace, _, last = name.rpartition("/")
    return package_url(kind, last, version, namespace)


def image_url(repository: str, digest: str, arch: str = "") -> str:
    """That of an image: the last part of its repository's name, in lower case, with its digest.

    :param repository: as ``ghcr.io/me/app``; one without a host is on none.
    """
    where, _, name = repository.rpartition("/")
    # Scanners know Docker Hub by its older name.
    address = f"index.{repository}" if repository.startswith("docker.io/") else where and repository
    return package_url("oci", name.lower(), digest, qualifiers={"arch": arch, "repository_url": address})


def _encoded(text: str, safe: str = _SAFE) -> str:
    # What is not UTF-8 is encoded as the bytes that it stands for.
    return quote(text, safe=safe, errors="surrogateescape")
