"""Connections whose every wait and byte counts against a `Budget`, inside urllib3 and http.client too.

A time-out of a socket is for one read, and begins anew with each byte. Status lines, headers, interim answers, chunk
sizes and trailers are read in loops of those libraries, which a server keeps going for ever with a byte now and then.
"""

from __future__ import annotations

import io
import re
import socket
from http.client import HTTPResponse
from threading import Thread
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from minpack.namedtuple import NamedTuple
from minpack.net.address import UnsafeAddressError, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed import WriteableBuffer

    from minpack.net.budget import Budget
    from minpack.net.network import Network

    #: What getaddrinfo(3) gives of one address.
    Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


#: Addresses of the link alone (RFC 3927, RFC 4291): machines of clouds tell their own credentials at one of them.
_LINK_LOCAL = re.compile(r"(?:::ffff:)?169\.254\.|fe[89ab][0-9a-f]:", re.IGNORECASE)


class Call(NamedTuple):
    """One request: what it may take, for how many seconds one read may wait, and whether a server chose the address."""

    budget: Budget
    network: Network
    wait: float
    led: bool = False


def counted_pools(call: Callable[[], Call]) -> dict[str, type[HTTPConnectionPool]]:
    """What a urllib3 `PoolManager` makes its pools of, by scheme.

    :param call: gives the call that the thread makes now; what it connects, sends and reads spends that one's budget.
    """

    class Answer(_Answer):
        current = staticmethod(call)

    class Plain(_Connection):
        current = staticmethod(call)
        response_class = Answer

    class Secure(Plain, HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            # It is known whom the user trusts without a certificate: urllib3 need not warn of it.
            self.is_verified = True

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Answer(HTTPResponse):
    """An answer as http.client reads it, that of a proxy to CONNECT too."""

    current: Callable[[], Call]

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **options)
        # Nothing has been read yet, so nothing is in the buffer that is taken away.
        self.fp = io.BufferedReader(_CountedReads(self.fp.detach(), sock, self.current()))


class _Connection(HTTPConnection):
    current: Callable[[], Call]

    def send(self, data: Any) -> None:  # noqa: ANN401 - http.client's signature
        """As http.client's, for no longer than a read may take."""
        if self.sock is not None:
            budget, network, *_ = self.current()
            self.sock.settimeout(budget.patience(network.read_timeout))
        super().send(data)

    def _new_conn(self) -> socket.socket:
        """As urllib3's own, with its errors, but that looking up the name ends too."""
        budget, network, _, led = self.current()
        try:
            addresses = resolve(self._dns_host, self.port, budget.patience(network.read_timeout))
        except OSError as error:
            # A `TimeoutError` of ours is not among the errors of getaddrinfo(3).
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(socket.EAI_AGAIN, "timed out")
            raise NameResolutionError(self.host, self, reason) from reason
        if self.proxy is None:
            _check_addresses(self.host, [address[0] for *_, address in addresses], led=led)
        try:
            return self._connected(addresses)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def _connected(self, addresses: Sequence[Address]) -> socket.socket:
        """A socket that is connected to the first of `addresses` that takes it."""
        budget, network, *_ = self.current()
        problem = OSError("the name has no address")
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # It goes for the TLS handshake as well, as a whole.
                sock.settimeout(budget.patience(network.connect_timeout))
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise problem


def _check_addresses(host: str, numbers: Iterable[str], *, led: bool) -> None:
    """Raise `UnsafeAddressError` if `host` is not what it says, or, where a server led to it, is none to be led to."""
    for number in numbers:
        # Not every resolver keeps names of this machine to itself (RFC 6761, 6.3), and they are trusted without TLS.
        if is_loopback(host) and not is_loopback(number):
            raise UnsafeAddressError(f"{host} resolves to {number}, which is not this machine")
        if led and _LINK_LOCAL.match(number):
            raise UnsafeAddressError("the server redirects to a link-local address, which is not safe")


class _CountedReads(io.RawIOBase):
    """What a socket's own file reads, each read waited for only as long as the budget lasts."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, call: Call) -> None:
        self._raw = raw
        self._sock = sock
        self._budget = call.budget
        self._longest = call.wait

    def readable(self) -> bool:
        """True: it is for reading."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """Fill `buffer` with what has come, within the budget; the number of bytes, 0 at the end.

        :raises SpentError: the budget is spent.
        """
        self._sock.settimeout(self._budget.patience(self._longest))
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            self._budget.spend(0)
            raise
        self._budget.spend(count or 0)
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


def resolve(host: str, port: int, seconds: float) -> Sequence[Address]:
    """The addresses of `host`.

    getaddrinfo(3) has no limit: a name server that answers by TCP, a byte now and then, keeps it for ever. So it runs
    on a thread of its own, which is left alone when the time is over.

    :raises TimeoutError: there is no answer within `seconds`.
    :raises OSError: there is no such name.
    :raises UnicodeError: it cannot be one.
    """
    answers: list[Sequence[Address] | Exception] = []

    def ask() -> None:
        name = host.strip("[]")
        try:
            # Of text Python would make IDNA, for which it loads tables, whether that changes anything or not.
            answers.append(socket.getaddrinfo(name.encode() if name.isascii() else name, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - raised again by who asks
            answers.append(error)

    thread = Thread(target=ask, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The system gives no more threads.
        ask()
    else:
        thread.join(seconds)
    if not answers:
        raise TimeoutError("timed out")
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]
