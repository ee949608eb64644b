"""`Network`: how servers are reached, and what one download may take, as the caller wants it."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from minpack.progress import Progress

    class Fillable(Protocol):
        """An empty file to fill."""

        @property
        def size(self) -> int:
            """How many bytes it has."""

        def write(self, data: bytes, at: int) -> None:
            """Put `data` at the offset `at`."""

        def clear(self) -> None:
            """Forget everything written."""

        def sum(self, algorithm: str) -> str:
            """The sum of all its bytes, in hexadecimal."""


class SharedDownloads:
    """What other machines downloaded, each known by a key: ``sha256:…``, or another that fixes its bytes. Here none."""

    def bring(self, key: str, part: Fillable, limit: int, progress: Progress) -> bool:  # noqa: ARG002
        """Fill `part` with what is kept as `key`, of at most `limit` bytes; whether there is something.

        It may be anything: whoever asks checks it.
        """
        return False

    def refuse(self, key: str, reason: str) -> None:
        """What was brought last as `key` is something else."""

    def note(self, key: str, sha256: str) -> None:
        """What is known by `key` was used, and has that SHA-256."""


class Limits(NamedTuple):
    """The limits of one download, from looking up the name to the last byte; nothing resets them.

    At least `rate` bytes a second must arrive over any `window` seconds, headers and framing included; pauses between
    attempts do not count. `overhead` is the number of bytes that may arrive beyond twice the file's size, and
    `restarts` is how often the download may start over. After `silence` seconds of waiting for another process that
    downloads the same file, progress says so; that process has the same limits.
    """

    rate: int = 1000
    window: float = 60.0
    overhead: int = 1 << 20
    restarts: int = 3
    silence: float = 2.0


class Network(NamedTuple):
    """How to reach servers.

    `proxies` has the URLs of the proxies for ``http`` and ``https``, and under
    ``no_proxy`` the hosts that need none, separated by commas. `login` is an
    origin (``https://mirror.example``) and the ``user:password`` to send there.
    `ca_file` is a PEM file of the certificate authorities to trust instead of
    the system's. Times are seconds; `attempts` counts failures in a row.
    `downloads` is asked before servers are.
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
    downloads: SharedDownloads | None = None
