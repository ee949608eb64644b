"""The order of Debian versions (Debian Policy, section 5.6.12; deb-version(7))."""

from __future__ import annotations

import re
from typing import Any

from minpack.errors import PackageError

#: No version of the archive is longer than a tenth of it; longer numbers would take time to compare.
MAX_VERSION = 512
#: What dpkg takes: an epoch, a version that starts with a digit, a revision behind the last hyphen.
_VERSION = re.compile(r"(?:(\d+):)?(\d[A-Za-z0-9.+~:-]*?)(?:-([A-Za-z0-9+.~]+)|(?<!-))", re.ASCII)
#: The greatest epoch that dpkg takes.
_MAX_EPOCH = 2**31 - 1


def version_key(text: str) -> tuple[Any, ...]:
    """What orders versions as ``dpkg --compare-versions`` does; equal keys are equal versions.

    :raises PackageError: `text` is no version.
    """
    match = _VERSION.fullmatch(text) if len(text) <= MAX_VERSION else None
    epoch, upstream, revision = match.groups() if match is not None else (None, ":", None)
    if epoch is None and ":" in upstream:
        raise PackageError(f"version {text[:MAX_VERSION]!r}", "it is not a version of a Debian package")
    if int(epoch or 0) > _MAX_EPOCH:
        raise PackageError(f"version {text!r}", "its epoch is too large")
    return int(epoch or 0), _part_key(upstream), _part_key(revision or "0")


def _part_key(text: str) -> tuple[Any, ...]:
    """Texts and numbers by turns, each text as the weights of its characters; an end sorts behind ``~`` alone."""
    key: list[Any] = []
    for letters, digits in re.findall(r"(\D*)(\d*)", text):
        key += [(*map(_weight, letters), 0), int(digits or 0)]
    return (*key[:-2], (0,)) if key[-2:] == [(0,), 0] else (*key, (0,))


def _weight(character: str) -> int:
    """``~`` before the end of the text (0), letters before all others."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
