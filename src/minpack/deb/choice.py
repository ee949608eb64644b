"""Which of several packages that have one library is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.deb.packages import DebianPackage

_SONAME = re.compile(r"(.+?)(?:\.so\.(.+)|-([0-9][^-]*)\.so)")


def choose(soname: str, candidates: Sequence[DebianPackage]) -> DebianPackage | None:
    """The one of `candidates` that is meant by who asks for `soname`; None if nothing tells.

    That is the only one there is; else the one that has the name that a library's package should have (`usual_names`);
    else the only one of priority ``required`` to ``standard``.
    """
    usual = usual_names(soname)
    for preferred in (
        candidates,
        [package for package in candidates if package.name in usual],
        [package for package in candidates if package.priority in ("required", "important", "standard")],
    ):
        if len(preferred) == 1:
            return preferred[0]
    return None


def usual_names(soname: str) -> tuple[str, ...]:
    """What the package of a library is called (Debian Policy, section 8.1): its soname without ``.so.`` in lower case.

    A hyphen parts two digits; since the change to 64-bit times names may end with ``t64``.
    """
    match = _SONAME.fullmatch(soname)
    if match is None:
        return ()
    name, version = match[1], match[2] or match[3]
    hyphen = "-" if match[3] is not None or name[-1:].isdigit() else ""
    package = f"{name}{hyphen}{version}".lower().replace("_", "-")
    return (package, f"{package}t64")
