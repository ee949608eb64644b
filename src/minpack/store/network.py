"""`Network`: how servers are reached, as the caller wants it."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Network(NamedTuple):
    """How servers are reached.

    `proxies` has the URLs of the proxies for ``http`` and ``https``, and under
    ``no_proxy`` the hosts that need none, separated by commas. `login` is an
    origin (``https://mirror.example``) and the ``user:password`` to send there.
    `ca_file` is a PEM file of the certificate authorities to trust instead of
    the system's. Times are seconds; `attempts` counts failures in a row.
    """

    offline: bool = False
    proxies: Mapping[str, str] = MappingProxyType({})
    login: tuple[str, str] = ("", "")
    ca_file: str = ""
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    attempts: int = 4
    pause: Callable[[float], None] = time.sleep
