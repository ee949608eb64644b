"""Who maintains a package, taken apart: a name and an address."""

from __future__ import annotations

import re

from minpack.namedtuple import NamedTuple
from minpack.trust.components import plain

_MAINTAINER = re.compile(r"\s*([^<>]*?)\s*(?:<([^<>]*)>.*)?", re.DOTALL)
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_GROUP = re.compile(r"\b(?:maintainers?|team|group|developers|project|packagers|alpine|debian|ubuntu)\b", re.IGNORECASE)
_LONGEST = 200


class Supplier(NamedTuple):
    """`address` is empty where there is none; `is_group` says that the name is not one person's."""

    name: str
    address: str
    is_group: bool


def parse_supplier(text: str) -> Supplier | None:
    """Who ``NAME <ADDRESS>`` is; None if it names nobody."""
    match = _MAINTAINER.fullmatch(plain(text)[:_LONGEST])
    name = " ".join(re.sub(r"[()\x00-\x1f\x7f-\x9f]", " ", match[1]).split()) if match is not None else ""
    address = match[2] if match is not None and _ADDRESS.fullmatch(match[2] or "") else ""
    if not name:
        return None
    return Supplier(name, address, _GROUP.search(f"{name} {address.partition('@')[0]}") is not None)
