"""The options about provenance, and about where statements are kept: from them to the documents that are wanted."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from minpack.build.provenance import ProvenanceSpec, image_provenance, index_provenance
from minpack.cli.options import LOCK, selected
from minpack.cli.settings import StoreSettings, base_options
from minpack.errors import UsageError
from minpack.trust.provenance import LOCAL_BUILDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.build.artifacts import ArtifactSpec
    from minpack.spec.image import ImageSpec

#: A URI without blanks or a password (RFC 3986).
_URI = r"[a-z][a-z0-9+.-]*:(?!//[^/]*@)[!-~]+"


def with_provenance(wanted: ArtifactSpec, spec: ImageSpec, given: Mapping[str, Any]) -> ArtifactSpec:
    """`wanted`, with provenance if that is wanted, and with the index listing what is said if it is to.

    :raises UsageError: the options contradict each other.
    """
    if not given["provenance"]:
        if given["builder_id"] is not None:
            hint = "add --provenance, or leave it out"
            raise UsageError("--builder-id", given["builder_id"], "no provenance is written", hint)
    else:
        lock = (given["lock"] or LOCK) if given["locked"] else ""
        options = base_options(selected(StoreSettings, given))
        asked = ProvenanceSpec(spec, options, _builder(given["builder_id"]), lock)
        wanted = wanted._replace(
            about_image=(*wanted.about_image, partial(image_provenance, asked)),
            about_index=(*wanted.about_index, partial(index_provenance, asked)),
        )
    if given["attest_in_index"] and not wanted.about_image:
        hint = "add --sbom spdx or --provenance, or leave it out"
        raise UsageError("--attest-in-index", "", "there is no SBOM or provenance to list", hint)
    return wanted._replace(in_index=given["attest_in_index"])


def _builder(text: str | None) -> str:
    """Who runs the build.

    :raises UsageError: it is not a URI.
    """
    if text is None:
        return LOCAL_BUILDER
    if not re.fullmatch(_URI, text):
        hint = "name what runs the build: --builder-id https://ci.example.org/runners/1"
        raise UsageError("--builder-id", text, "it is not a URI", hint)
    return text
