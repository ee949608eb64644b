"""`BaseRef`: the base that a user names, parsed once; nothing else looks at the text."""

from __future__ import annotations

import os
import re

from minpack.base.options import SCRATCH, BaseKind
from minpack.namedtuple import NamedTuple

#: Names that are looked up in a catalogue; a file of such a name is meant by ``./NAME``.
_NAME = r"[a-z]+-[a-z0-9][a-z0-9.-]*"
_TARBALL = r"\.(tar|tgz|txz|tzst|tbz2?|gz|xz|zst|bz2)$"
#: This host's own root, by its shortest path.
HOST = "/"


class BaseRef(NamedTuple):
    """A base, be there such a one or not.

    `name` is what a base of this kind is found by: a path of this host, ``/`` for its root by whatever path; a name of
    the catalogue, of Debian's releases with the number. `text` is what the user wrote, for messages.
    """

    kind: BaseKind
    name: str
    text: str

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this host."""
        return self.kind in (BaseKind.DIRECTORY, BaseKind.TARBALL)

    @property
    def is_named(self) -> bool:
        """Whether it is looked up in the catalogue, and fetched."""
        return self.kind in (BaseKind.RELEASE, BaseKind.PACKAGES)

    @property
    def is_host(self) -> bool:
        """Whether it is this host's own root."""
        return self.kind is BaseKind.DIRECTORY and self.name == HOST


SCRATCH_BASE = BaseRef(BaseKind.SCRATCH, SCRATCH, SCRATCH)
HOST_BASE = BaseRef(BaseKind.DIRECTORY, HOST, HOST)


def parse_base(text: str) -> BaseRef:
    """The base that `text` names: nothing, a name of the catalogue, else a path, which is looked at."""
    if text == SCRATCH:
        return SCRATCH_BASE
    if "/" not in text and re.fullmatch(_NAME, text) and not re.search(_TARBALL, text):
        from minpack.catalog.debian import find_debian, is_debian  # noqa: PLC0415 - for names alone

        if not is_debian(text):
            return BaseRef(BaseKind.RELEASE, text, text)
        release = find_debian(text)
        return BaseRef(BaseKind.PACKAGES, release.name if release is not None else text, text)
    if os.path.isdir(text):
        return BaseRef(BaseKind.DIRECTORY, HOST if os.path.samefile(text, HOST) else text, text)
    return BaseRef(BaseKind.TARBALL, text, text)
