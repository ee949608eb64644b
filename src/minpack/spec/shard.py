"""`Shard`: the part of many images that one machine builds, of machines that know nothing of each other."""

from __future__ import annotations

import hashlib
import re

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple

#: More machines than any build has.
MOST_SHARDS = 1000


class Shard(NamedTuple):
    """One of `total` parts, by its number from 1 on."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    def has(self, name: str) -> bool:
        """Whether the image called `name` is in this part.

        Each name is in one of the parts, whatever other images there are: by its SHA-256, which spreads them evenly.
        """
        return int(hashlib.sha256(name.encode()).hexdigest(), 16) % self.total == self.number - 1


def parse_shard(text: str) -> Shard:
    """A part, as ``3/10``.

    :raises BadValueError: it is none.
    """
    hint = f"for example {OPTION} 3/10: the third of ten"
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text, re.ASCII)
    if found is None:
        raise BadValueError(text, "it is not NUMBER/TOTAL", hint)
    number, total = int(found[1]), int(found[2])
    if not 0 < total <= MOST_SHARDS:
        raise BadValueError(text, f"there can be 1 to {MOST_SHARDS} parts", hint)
    if not 0 < number <= total:
        raise BadValueError(text, f"parts are numbered from 1 to {total}", f"for example {OPTION} 1/{total}")
    return Shard(number, total)
