"""The forms that an SBOM is written in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minpack.oci.documents import Json
    from minpack.trust.components import Sbom


class SbomFormat(StrEnum):
    """A form of an SBOM."""

    SPDX = "spdx"
    CYCLONEDX = "cyclonedx"

    @property
    def media_type(self) -> str:
        """That of the document, and of an artifact that it is."""
        return "application/spdx+json" if self is SbomFormat.SPDX else "application/vnd.cyclonedx+json"

    @property
    def mark(self) -> bytes:
        """What every document of that form has near its start."""
        return b'"SPDXID"' if self is SbomFormat.SPDX else b'"bomFormat"'

    @property
    def suffix(self) -> str:
        """What the names of its files end with: by that scanners know them."""
        return ".spdx.json" if self is SbomFormat.SPDX else ".cdx.json"


def render_sbom(sbom: Sbom, form: SbomFormat) -> dict[str, Json]:
    """The document of `sbom` in that form."""
    if form is SbomFormat.SPDX:
        from minpack.trust.spdx import spdx_document  # noqa: PLC0415 - one form is most often enough

        return spdx_document(sbom)
    from minpack.trust.cyclonedx import cyclonedx_document  # noqa: PLC0415 - as above

    return cyclonedx_document(sbom)
