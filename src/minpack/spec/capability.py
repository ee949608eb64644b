"""The file capabilities that a program is to have, as a user writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple
from minpack.rootfs.capability import encoded, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLE = f"for example {OPTION} net_bind_service"


class Capability(NamedTuple):
    """One capability of capabilities(7), by its number and name: permitted and effective, and inheritable if wanted."""

    number: int
    name: str
    inheritable: bool = False

    def __str__(self) -> str:
        return f"{self.name}+{'eip' if self.inheritable else 'ep'}"


def parse_capability(text: str) -> Capability:
    """``NAME``, ``NAME+ep`` or ``NAME+eip``, as setcap(8) has it; ``cap_`` in front of the name may be left out.

    :raises BadValueError: Linux has no such capability, or they are other flags.
    """
    found = re.fullmatch(r"(?:cap_)?([a-z_]+)(?:[+=]([a-z]*))?", text.lower(), re.ASCII)
    if found is None:
        first, *more = re.split(r"[,\s]+", text.strip())
        if more:
            raise BadValueError(text, "it is more than one capability", f"one at a time: {OPTION} {first}")
        raise BadValueError(text, "it is not NAME[+ep]", _EXAMPLE)
    name, flags = found[1], "".join(sorted(found[2] if found[2] is not None else "ep"))
    number = number_of(name)
    if number is None:
        raise BadValueError(text, "Linux has no such capability", _near(name))
    if flags not in ("ep", "eip"):
        reason = f"a program needs them permitted and effective, and {found[2]!r} says something else"
        raise BadValueError(text, reason, f"write {OPTION} {name}+ep, or {name}+eip to make it inheritable too")
    return Capability(number, name, "i" in flags)


def _near(name: str) -> str:
    """What may have been meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - for refusals alone

    from minpack.rootfs.capability import names  # noqa: PLC0415 - as above

    near = [one for one in names() if one.startswith(f"{name}_")] or get_close_matches(name, names(), 1)
    return f"did you mean {near[0]}?" if near else "capabilities(7) lists them"


def capability_data(wanted: Sequence[Capability]) -> bytes:
    """The extended attribute of a program with all of these; empty without any."""
    if not wanted:
        return b""
    permitted = sum({1 << one.number for one in wanted})
    return encoded(permitted, sum({1 << one.number for one in wanted if one.inheritable}))
