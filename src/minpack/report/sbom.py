"""What `minpack sbom` found, as text and as JSON; the SBOM itself is a document of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.trust.components import Contents, Sbom
    from minpack.trust.sbom import SbomFormat


def sbom_document(sbom: Sbom, form: SbomFormat, path: str | None, notes: Sequence[str]) -> dict[str, Any]:
    """``minpack.sbom/1``: what an SBOM is about, and how much is in it."""
    return {
        "schema": "minpack.sbom/1",
        "name": sbom.subject.name,
        "digest": sbom.subject.digest or None,
        "format": str(form),
        "images": [_image(one) for one in sbom.images],
        "output": path,
        "notes": few_notes(tuple(notes)),
    }


def _image(image: Contents) -> dict[str, Any]:
    distribution = image.distribution
    return {
        "platform": image.subject.platform,
        "digest": image.subject.digest or None,
        "distribution": distribution._asdict() if distribution is not None else None,
        "packages": sum(1 for one in image.components if one.kind.is_of_distribution),
        "components": len(image.components),
        "files": len(image.files),
    }


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def sbom_lines(sbom: Sbom, path: str | None) -> list[str]:
    """What the SBOM in the file `path` is about."""
    lines = []
    for one in sbom.images:
        packages = sum(1 for part in one.components if part.kind.is_of_distribution)
        system = f" of {one.distribution.name or one.distribution.id}" if one.distribution is not None else ""
        others = _counted(len(one.components) - packages, "other component")
        counted = f"{_counted(packages, 'package')}{system}, {others}, {_counted(len(one.files), 'file')}"
        lines.append(f"{sbom.subject.name}  {one.subject.platform}: {counted}")
    return [*lines, "", f"wrote {path}"]
