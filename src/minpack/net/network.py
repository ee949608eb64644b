"""`Network`: how servers are reached, and what one download may take, as the caller wants it."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Limits(NamedTuple):
    """What one download may take, from looking up the name to the last byte; nothing that comes gives any of it back.

    At least `rate` bytes a second must come over any `window` seconds, headers and framing among them; the pauses
    between attempts do not count. `overhead` is how many bytes may come besides twice those of the file itself, and
    `restarts` is how often what has come may be thrown away. After `silence` seconds it is told that another process is
    waited for, which must bring the file as fast.
    """

    rate: int = 1000
    window: float = 60.0
    overhead: int = 1 << 20
    restarts: int = 3
    silence: float = 2.0


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
    limits: Limits = Limits()
