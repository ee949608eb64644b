"""Where servers may send a client, which may be inside a network that they cannot reach themselves."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

#: Names of this machine itself (RFC 6761, 6.3).
_LOCAL = re.compile(r"(?:.*\.)?localhost\.?", re.IGNORECASE)


class UnsafeAddressError(Exception):
    """A name has an address that it may not have; why, in words."""


def is_loopback(host: str) -> bool:
    """Whether `host`, without its port, is this machine itself by its name or number."""
    return _LOCAL.fullmatch(host) is not None or re.fullmatch(r"127(\.\d{1,3}){3}|\[?::1\]?", host) is not None


def host_of(url: str) -> str:
    """The host of an address, in lower case, without port, login and brackets.

    :raises ValueError: it is not an address.
    """
    return urlsplit(url).hostname or ""


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address: what has the same ones is the same server (RFC 6454, 4).

    :raises ValueError: it is not an address.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def may_lead(here: str, there: str) -> bool:
    """Whether a server at the address `here` may send a client to `there`.

    That is not so where TLS would be left, for anything but http and https, and for an address of an inner network
    that is written as a number, unless it is the server's own: whoever chose it wants something of this network.

    :raises ValueError: one of them is not an address.
    """
    if not there.startswith("https:" if here.startswith("https:") else ("http:", "https:")):
        return False
    host, own = host_of(there), host_of(here)
    return host == own or (is_loopback(host) and is_loopback(own)) or not _is_inner(host)


def _is_inner(host: str) -> bool:
    """Whether it is a number, or a name of this machine, that does not lead into the internet."""
    import ipaddress  # noqa: PLC0415 - where a server sends the client to another host alone
    import socket  # noqa: PLC0415

    if _LOCAL.fullmatch(host):
        return True
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # getaddrinfo(3) takes numbers of other bases and of fewer parts too, as inet_aton(3) does.
            number = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return False
    mapped = getattr(number, "ipv4_mapped", None)
    return not (mapped or number).is_global
