"""What packages provide and need: names with versions.

Rules: apk-package(5), "DEPENDENCIES", and apk-tools' `src/package.c`. A token is
``[!]name[operator version]``; tokens are separated by spaces or new lines.
"""

from __future__ import annotations

import re
from enum import StrEnum

from minpack.apk.version import compare_versions, is_version, matches_fuzzily
from minpack.namedtuple import NamedTuple

#: What comes before the soname of a library that a package provides.
SONAME = "so:"
#: Names of packages, and virtual ones: they become parts of addresses and of file names.
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}", re.ASCII)
_TOKEN = re.compile(r"(!?)([^\s<>=~]+)(?:([<>=~]+)(\S+))?")


class Operator(StrEnum):
    """How a version must compare; `ANY` where none is named."""

    ANY = ""
    LESS = "<"
    AT_MOST = "<="
    EQUAL = "="
    AT_LEAST = ">="
    GREATER = ">"
    FUZZY = "~"
    FUZZY_OR_LESS = "<~"
    FUZZY_OR_GREATER = ">~"
    #: Exactly the package of that checksum.
    IDENTITY = "><"


_SPELLINGS = {"=<": "<=", "=>": ">=", "==": "=", "~=": "~", "=~": "~", "~<": "<~", "~>": ">~", "<>": "><"}


class Dependency(NamedTuple):
    """A name a package needs; a `conflict` must not be there."""

    name: str
    operator: Operator = Operator.ANY
    version: str = ""
    conflict: bool = False

    def allows(self, version: str) -> bool:
        """Whether a provider of `name` in this version is one that is meant; an empty version only if none is asked."""
        if self.operator is Operator.ANY:
            return True
        if self.operator is Operator.IDENTITY or not version:
            return False
        fuzzy = "~" in self.operator and matches_fuzzily(version, self.version)
        order = compare_versions(version, self.version)
        return (
            fuzzy
            or (order < 0 and "<" in self.operator)
            or (order > 0 and ">" in self.operator)
            or (order == 0 and "=" in self.operator)
        )


class Provided(NamedTuple):
    """A name a package provides. Without a version it is a virtual one, which only a provider priority can choose."""

    name: str
    version: str = ""


def parse_dependencies(text: str) -> tuple[Dependency, ...]:
    """The dependencies in a ``D:`` line of an index or ``depend`` lines of a package; what is none is left out."""
    return tuple(found for token in text.split() if (found := parse_dependency(token)) is not None)


def parse_dependency(token: str) -> Dependency | None:
    """The dependency that one token is; None if it is none."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    conflict, name, sign, version = match.groups()
    sign = _SPELLINGS.get(sign or "", sign or "")
    try:
        operator = Operator(sign)
    except ValueError:
        return None
    if operator not in (Operator.ANY, Operator.IDENTITY) and not is_version(version):
        return None
    return Dependency(name, operator, version or "", bool(conflict))


def parse_provides(text: str) -> tuple[Provided, ...]:
    """The names in the ``p:`` line of an index or ``provides`` lines of a package."""
    return tuple(Provided(name, version) for name, _, version in (token.partition("=") for token in text.split()))


def is_package_name(text: str) -> bool:
    """Whether a package can have that name."""
    return _PACKAGE_NAME.fullmatch(text) is not None
