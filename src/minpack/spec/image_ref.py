"""The IMAGE that a command is given, parsed once: `ImageRef`."""

from __future__ import annotations

import os

from minpack.errors import BadValueError
from minpack.oci.reference import parse_image
from minpack.spec.base_ref import ANYWHERE, DOCKER_ARCHIVE, OCI, ImageRef, looks_like_path, parse_transported

_HINT = "name an archive, an OCI layout, or an image of an engine or a registry (ghcr.io/me/myapp:1.0)"


def parse_image_ref(text: str) -> ImageRef:
    """The image that `text` names, the first that it can be of these.

    One with one of skopeo's transports; a path, if something is there or only a path is written so; a name, which an
    engine is asked for, and then a registry.

    :raises BadValueError: it is none of them.
    """
    if not text or "\0" in text:
        raise BadValueError(text, "it names no image", _HINT)
    named = parse_transported(text)
    if named is not None and not os.path.lexists(text):
        return named
    if os.path.lexists(text) or looks_like_path(text):
        return ImageRef(OCI if os.path.isdir(text) else DOCKER_ARCHIVE, text)
    return ImageRef(ANYWHERE, text if text.startswith("sha256:") else parse_image(text).familiar)
