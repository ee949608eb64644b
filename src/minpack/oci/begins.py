"""How image archives begin: enough to tell one from a root file system, and quick to find out."""

from __future__ import annotations

import os
import re

from minpack.content import FileContent
from minpack.errors import ArchiveError, InputError

#: How the first member of an archive is called, whoever wrote it.
_FIRST = r"(blobs/|(oci-layout|index\.json|manifest\.json|repositories)$|sha256:|[0-9a-f]{64}\b)"


def is_first(name: str) -> bool:
    """Whether the first member of an image archive may be called so."""
    return re.match(_FIRST, name) is not None


def begins_as_image(path: str) -> bool | None:
    """Whether the compressed tar at `path` begins as image archives do; None if it is not compressed."""
    from minpack.tar.decompress import Packing, beginning_of, packing_of  # noqa: PLC0415 - where one is looked at
    from minpack.tar.header import BLOCK, is_header  # noqa: PLC0415 - as above

    try:
        content = FileContent(path, os.stat(path).st_size)
        packing = packing_of(content, path)
        if packing is Packing.NONE:
            return None
        head = beginning_of(content, packing, path, 2 * BLOCK)
    except (ArchiveError, InputError, OSError):
        return False
    if not is_header(head[:BLOCK]):
        return False
    # The directory itself may come first.
    names = (head[at : at + 100].partition(b"\0")[0].decode("ascii", "replace") for at in (0, BLOCK))
    return is_first(next((name for one in names if (name := one.removeprefix("./")) not in ("", ".")), ""))
