"""Addresses on a mirror, and what they are on the distribution's own server: a lock names no mirror."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.catalog import debian as debian_catalog
from minpack.catalog.alpine import MIRROR
from minpack.net.mirror import mirror_address

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.net.network import Network

#: What lies in Alpine's tree, on whatever mirror.
_ALPINE = re.compile(r"https?://[^\s?#]+?(/(?:v\d+\.\d+|edge|latest-stable)/[a-z0-9_-]+/[^\s?#]+)", re.ASCII)


def official(url: str, options: BaseOptions, *, debian: bool) -> str:
    """`url`, which is perhaps on the mirror that `options` name, on the distribution's own server."""
    for mirror, own in _mirrors(options, debian=debian):
        if url.startswith(f"{mirror}/"):
            return own + url[len(mirror) :]
    return url


def mirrored(url: str, options: BaseOptions, *, debian: bool) -> tuple[str, Network]:
    """`url`, as `official` gives it, on the mirror that `options` name, and the network that may log in there.

    :raises UsageError: the mirror is not an address.
    """
    given = options.debian_mirror if debian else options.mirror
    if not given:
        return url, options.network
    mirror, network = mirror_address(given, options.network)
    if not debian:
        found = _ALPINE.fullmatch(url)
        return (mirror + found[1] if found is not None else url), network
    for there, own in _mirrors(options, debian=True):
        if url.startswith(f"{own}/"):
            return there + url[len(own) :], network
    return url, network


def _mirrors(options: BaseOptions, *, debian: bool) -> tuple[tuple[str, str], ...]:
    """The mirrors that were named, each with what it is a mirror of."""
    given = options.debian_mirror if debian else options.mirror
    if not given:
        return ()
    mirror, _ = mirror_address(given, options.network)
    if not debian:
        return ((mirror, MIRROR),)
    if mirror == debian_catalog.MIRROR:
        return ()
    return ((mirror, debian_catalog.MIRROR), (f"{mirror}-security", debian_catalog.SECURITY_MIRROR))
