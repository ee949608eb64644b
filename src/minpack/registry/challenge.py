"""Challenges: how a server says what it wants to be told (RFC 9110, 11.6.1; distribution's token specification)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))'
#: A scheme; one with a token68, as Negotiate has it, has no parameters.
_SCHEME = rf"({_WORD})(?:[ \t]+[0-9A-Za-z._~+/-]+=*[ \t]*(?=,|$))?"
#: More challenges, and longer ones, than any server has.
_MOST, _MOST_TEXT = 20, 8192


class Challenge(NamedTuple):
    """A scheme, in lower case, and its parameters, whose names are in lower case too."""

    scheme: str
    parameters: Mapping[str, str] = MappingProxyType({})

    @property
    def scopes(self) -> tuple[str, ...]:
        """The rights that it asks for, as ``repository:me/app:pull``."""
        return tuple(self.parameters.get("scope", "").split())


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of a WWW-Authenticate header, or of several, joined by commas; what is none is passed over."""
    found: list[tuple[str, dict[str, str]]] = []
    header, at = header[:_MOST_TEXT], 0
    while at < len(header) and len(found) < _MOST:
        if found and (match := re.compile(_PARAMETER).match(header, at)):
            name, quoted, plain = match.groups()
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            found[-1][1].setdefault(name.lower(), value)
        elif match := re.compile(_SCHEME).match(header, at):
            found.append((match[1].lower(), {}))
        at = match.end() if match else at + 1
    return tuple(Challenge(scheme, MappingProxyType(parameters)) for scheme, parameters in found)
