"""The versions of packages and their order.

Rules: apk-package(5), "PACKAGE METADATA", and apk-tools' `src/version.c`:
``number{.number}…{letter}{_suffix{number}}…{~hash}{-r#}``.
"""

from __future__ import annotations

import re
from enum import IntEnum

from minpack.namedtuple import NamedTuple

#: More characters than any version has.
MAX_VERSION = 256

#: Suffixes in their order; those before the empty one make a version lower than the one without.
_SUFFIXES = ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p")
_RELEASE = _SUFFIXES.index("")
_SHAPE = re.compile(
    rf"\d+(?:\.\d+)*[a-z]?(?:_(?:{'|'.join(filter(None, _SUFFIXES))})\d*)*(?:~[0-9a-f]+)?(?:-r\d+)?", re.ASCII
)
_PARTS = re.compile(r"(^|\.)(\d+)|_([a-z]+)(\d*)|~([0-9a-f]+)|-r(\d+)|([a-z])", re.ASCII)


class _Kind(IntEnum):
    """What a part of a version is, in the order of the grammar."""

    FIRST = 0
    NUMBER = 1
    LETTER = 2
    SUFFIX = 3
    SUFFIX_NUMBER = 4
    HASH = 5
    REVISION = 6
    END = 7


class _Part(NamedTuple):
    kind: _Kind
    number: int
    text: str = ""


_END = _Part(_Kind.END, 0)


def is_version(text: str) -> bool:
    """Whether `text` is a version by the grammar."""
    return len(text) <= MAX_VERSION and _SHAPE.fullmatch(text) is not None


def compare_versions(first: str, second: str) -> int:
    """Negative if `first` is the lower version, positive if it is the higher, 0 if they are equal.

    What is no version is lower than any that is, and ordered as text.
    """
    if not (is_version(first) and is_version(second)):
        return _sign((is_version(first), first), (is_version(second), second))
    ours, theirs = _parts(first), _parts(second)
    for our, their in zip((*ours, _END), (*theirs, _END), strict=False):
        if order := _compare_parts(our, their):
            return order
    return 0


def matches_fuzzily(version: str, pattern: str) -> bool:
    """Whether `version` equals `pattern` as far as that goes (operator ``~``)."""
    if not (is_version(version) and is_version(pattern)):
        return False
    wanted = _parts(pattern)
    given = _parts(version)[: len(wanted)]
    return len(given) == len(wanted) and not any(map(_compare_parts, given, wanted))


def _parts(version: str) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    for match in _PARTS.finditer(version):
        _, number, suffix, suffix_number, digest, revision, letter = match.groups()
        if number is not None:
            parts.append(_Part(_Kind.NUMBER if parts else _Kind.FIRST, int(number), number))
        elif letter is not None:
            parts.append(_Part(_Kind.LETTER, ord(letter)))
        elif suffix is not None:
            parts.append(_Part(_Kind.SUFFIX, _SUFFIXES.index(suffix)))
            parts += [_Part(_Kind.SUFFIX_NUMBER, int(suffix_number))] if suffix_number else []
        elif digest is not None:
            parts.append(_Part(_Kind.HASH, 0, digest))
        else:
            parts.append(_Part(_Kind.REVISION, int(revision)))
    return tuple(parts)


def _compare_parts(first: _Part, second: _Part) -> int:
    if first.kind is not second.kind:
        for part, sign in ((first, -1), (second, 1)):
            if part.kind is _Kind.SUFFIX and part.number < _RELEASE:
                return sign
        # Whoever goes on with the earlier kind of part is the higher: 1.2 < 1.2-r1 < 1.2a < 1.2.1.
        return _sign(second.kind, first.kind)
    if first.kind is _Kind.HASH or (first.kind is _Kind.NUMBER and "0" in (first.text[0], second.text[0])):
        return _sign(first.text, second.text)
    return _sign(first.number, second.number)


def _sign(first: object, second: object) -> int:
    return int(first > second) - int(first < second)  # type: ignore[operator] # both are of one ordered type
