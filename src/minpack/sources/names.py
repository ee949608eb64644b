"""Which texts name a base of the catalogue."""

from __future__ import annotations

import re

#: Names that are looked up in a catalogue; a file of such a name is meant by ``./NAME``.
_NAME = r"[a-z]+-[a-z0-9][a-z0-9.-]*"


_TARBALL = r"\.(tar|tgz|txz|tzst|tbz2?|gz|xz|zst|bz2)$"


def is_name(text: str) -> bool:
    """Whether `text` is looked up in the catalogue, and not a path."""
    return bool(re.fullmatch(_NAME, text)) and not re.search(_TARBALL, text)
