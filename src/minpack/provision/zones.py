"""Time zones: all, or those that are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import NotInBaseError
from minpack.needs.need import Need
from minpack.paths import normal
from minpack.provision.places import ZONEINFO
from minpack.provision.values import ProvidedFiles, taken, taken_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.base.walk import Walker

#: Second copies of all zones, with and without leap seconds, that only some distributions have.
ZONE_COPIES = ("posix", "right")


def all_zones(base: Walker, default: Walker, why: str) -> Iterator[ProvidedFiles]:
    """All zones, of the base if it has any."""
    walker, source = _source(base, default)
    yield from taken_tree(walker, normal(ZONEINFO), Need.TZ, why, source, without=ZONE_COPIES)


def named_zones(
    zones: Sequence[str], asked: str | None, base: Walker, default: Walker, why: str
) -> Iterator[ProvidedFiles]:
    """The zones of these names, with the links that lead to them; those that there are not are passed over.

    :param asked: the one that the user named.
    :raises NotInBaseError: it is not there.
    """
    walker, source = _source(base, default)
    for zone in zones:
        found = taken(walker, f"{ZONEINFO}/{zone}", Need.TZ, why, source)
        if not found and zone == asked:
            raise NotInBaseError(
                base.base.name, f"{ZONEINFO}/{zone}", "a time zone", "use a zone name such as Europe/Berlin"
            )
        yield from found


def _source(base: Walker, default: Walker) -> tuple[Walker, str]:
    return (base, "base") if base.walk(ZONEINFO).entry is not None else (default, "default")
