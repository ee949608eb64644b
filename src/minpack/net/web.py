"""Asking servers: proxies, TLS, redirects, and in words what went wrong."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import contextmanager, suppress
from threading import Lock, local
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from minpack._version import __version__
from minpack.errors import reason_of
from minpack.namedtuple import NamedTuple
from minpack.net.address import UnsafeAddressError, is_loopback, may_lead, origin_of
from minpack.net.budget import SpentError
from minpack.net.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from typing import TypeAlias

    from urllib3 import BaseHTTPResponse, PoolManager

    from minpack.net.budget import Budget
    from minpack.net.network import Network

    #: An answer whose body is still to be read.
    Answer: TypeAlias = BaseHTTPResponse


#: What OpenSSL says of an answer in plain text.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
#: So many connections to one server are kept; there may be more for a while.
_MOST_CONNECTIONS = 8

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
#: Those that keep method and body (RFC 9110, 15.4.8 and 15.4.9).
_SAME_METHOD = (307, 308)
#: So many times longer than for another answer is waited for that to what was sent: registries sum it, or move it.
_LONGER = 10
#: A body of a redirect that is read so that its connection can be used again.
_SMALL = 1 << 16


class WebError(Exception):
    """A request failed; `kind` says by what where there is something to do about it."""

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class PassingError(WebError):
    """A failure that another attempt may not meet; `wait` is how many seconds the server asks for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Ask(NamedTuple):
    """A request.

    `authorization` is sent to the server of `url` alone, wherever that leads. `body` gives the pieces of what is sent,
    anew each time it is called; the headers say how many bytes they are, or they are sent in chunks. `led` is true of
    an address that a server chose, `private` of what no redirect may lead elsewhere: that is the answer then.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    authorization: str = ""
    body: Callable[[], Iterable[bytes]] | None = None
    led: bool = False
    private: bool = False


class Web:
    """Connections to servers, kept open until it is closed; several threads may ask at once.

    :param tls: gives for ``HOST[:PORT]`` how it is spoken to by TLS.
    """

    def __init__(self, network: Network, tls: Callable[[str], Tls] | None = None) -> None:
        self._network = network
        self._tls = tls or (lambda _: Tls(network.ca_file))
        self._managers: dict[tuple[str, str, Tls], PoolManager] = {}
        self._lock = Lock()
        self._local = local()

    def request(self, ask: Ask, budget: Budget) -> Answer:
        """The answer, whatever its status, redirects followed; the body is still to be read, in the same thread.

        Its `url` is where it came from. Of a request with a body only those redirects are followed that keep it.

        :raises PassingError: another attempt may help.
        :raises WebError: none will, or the budget is spent.
        :raises InputError: a file of certificates cannot be used.
        """
        import minpack.net.import_urllib3  # noqa: F401, PLC0415 - before urllib3

        here = ask.url
        for _ in range(_MOST_REDIRECTS + 1):
            with in_words():
                response = self._send(ask, here, budget)
            response.url = here
            followed = _REDIRECTS if ask.method in ("GET", "HEAD") else _SAME_METHOD
            if response.status not in followed or "Location" not in response.headers or ask.private:
                return response
            try:
                there = _target(here, response.headers["Location"])
            finally:
                _drop(response)
            with in_words():
                if origin_of(there) != origin_of(here):
                    ask = ask._replace(authorization="", led=True)
            here = there
        raise WebError(f"the server redirects more than {_MOST_REDIRECTS} times")

    def close(self) -> None:
        """Close all connections."""
        for manager in self._managers.values():
            manager.clear()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _send(self, ask: Ask, url: str, budget: Budget) -> Answer:
        from urllib3 import Timeout  # noqa: PLC0415

        from minpack.net.wire import Call  # noqa: PLC0415

        origin, login = self._network.login
        headers = {"User-Agent": f"minpack/{__version__}", "Accept-Encoding": "identity", **ask.headers}
        if ask.authorization:
            headers["Authorization"] = ask.authorization
        elif login and url.startswith(f"{origin}/"):
            headers.update(_basic(login))
        wait = self._network.read_timeout * (1 if ask.body is None else _LONGER)
        self._local.call = Call(budget, self._network, wait, ask.led)
        return self._manager(url).request(
            ask.method,
            url,
            headers=headers,
            body=_counted(ask.body(), budget, wait) if ask.body is not None else None,
            timeout=Timeout(connect=self._network.connect_timeout, read=self._network.read_timeout),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _manager(self, url: str) -> PoolManager:
        from minpack.net.wire import counted_pools  # noqa: PLC0415

        parts = urlsplit(url)
        proxies = self._network.proxies
        proxy = proxies.get(parts.scheme, "")
        # This machine is not the proxy's, and what may go there without TLS must not leave it.
        if proxy and (is_loopback(parts.hostname or "") or _is_bypassed(parts.netloc, proxies.get("no_proxy", ""))):
            proxy = ""
        key = (parts.scheme, proxy, self._tls(parts.netloc.rpartition("@")[2]) if parts.scheme == "https" else Tls())
        with self._lock:
            if key not in self._managers:
                manager = _new_manager(*key, self._network.ca_file)
                manager.pool_classes_by_scheme = counted_pools(lambda: self._local.call)
                self._managers[key] = manager
            return self._managers[key]


def _is_bypassed(host: str, no_proxy: str) -> bool:
    """Whether ``HOST[:PORT]`` is asked without a proxy, as curl and Python understand ``no_proxy``."""
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # noqa: PLC0415

    return bool(proxy_bypass_environment(host, {"no": no_proxy}))


def _counted(pieces: Iterable[bytes], budget: Budget, wait: float) -> Generator[bytes]:
    """The pieces, sent at the budget's cost; the time it takes to make them is nobody's.

    :param wait: how many seconds the server may take to answer once it has all of them.
    """
    for piece in pieces:
        budget.rest()
        yield piece
        budget.use(len(piece))
        budget.spend(len(piece))
    budget.wait_for_answer(wait)


def _target(here: str, location: str) -> str:
    """Where a redirect leads.

    :raises WebError: where no client should go.
    """
    with in_words():
        there = urljoin(here, location)
        if may_lead(here, there):
            return there
        shown = printable(_shown(there))
    raise WebError(f"the server redirects to {shown}, which is not safe", "unsafe")


def _drop(response: Answer) -> None:
    """Be done with an answer; its connection stays where that costs little."""
    with suppress(WebError), in_words():
        if response.length_remaining is not None and response.length_remaining <= _SMALL:
            response.read(_SMALL)
    if response.length_remaining:
        response.close()
    response.release_conn()


def _basic(login: str) -> dict[str, str]:
    from urllib3 import make_headers  # noqa: PLC0415

    return make_headers(basic_auth=login)


@contextmanager
def in_words(before: str = "") -> Generator[None]:
    """Turns what is raised in the block into `PassingError` or, where no attempt will help, `WebError`.

    :param before: what went wrong last, to be told if the budget is spent.
    """
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    except SpentError as error:
        raise WebError(error.reason + (f" ({before})" if before else ""), "spent") from error
    except UnsafeAddressError as error:
        raise WebError(str(error), "unsafe") from error
    except (HTTPError, ValueError, OSError) as error:
        reason, passing = _reason(error)
        reason = printable(reason)
        if passing:
            raise PassingError(reason) from error
        raise WebError(reason, _kind(error)) from error


def _reason(error: BaseException) -> tuple[str, bool]:
    """What went wrong, and whether it may pass."""
    from urllib3 import exceptions as urllib3  # noqa: PLC0415

    match error:
        case urllib3.ProxyError():
            reason, passing = _reason(error.original_error)
            answer = f"the proxy cannot be used: {reason}", passing
        case urllib3.NameResolutionError(__cause__=OSError() as cause):
            answer = f"the host name cannot be resolved ({reason_of(cause)})", cause.errno == socket.EAI_AGAIN
        case urllib3.NewConnectionError(__cause__=OSError() as cause):
            answer = reason_of(cause), True
        case urllib3.ConnectTimeoutError():
            answer = "timed out while connecting", True
        case urllib3.ReadTimeoutError():
            answer = "timed out: the server stopped sending", True
        case urllib3.SSLError():
            answer = _tls_reason(error)
        case urllib3.ProtocolError():
            answer = "the connection broke", True
        case urllib3.ProxySchemeUnknown():
            answer = "its scheme is neither http nor https", False
        case OSError():
            answer = reason_of(error), False
        case ValueError():
            # Not its text: that may have a password in it.
            answer = "it is not a usable address, or redirects to one that is not", False
        case _:
            answer = "the server's answer is not valid HTTP", False
    return answer


def _tls_reason(error: BaseException) -> tuple[str, bool]:
    cause = error.args[0] if error.args else error
    match _kind(error):
        case "untrusted":
            return (
                f"the server's certificate cannot be trusted ({getattr(cause, 'verify_message', 'no reason')})",
                False,
            )
        case "no-tls":
            return "the server does not speak TLS", False
        case "unknown-client":
            return "the server wants a client certificate, or another one", False
    return "the TLS connection failed", True


def _kind(error: BaseException) -> str:
    """What TLS failed of, as `WebError.kind`; empty where that is not known."""
    from urllib3.exceptions import ProxyError, SSLError  # noqa: PLC0415

    if isinstance(error, ProxyError):
        return "proxy"
    cause = error.args[0] if isinstance(error, SSLError) and error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "untrusted"
    reason = (getattr(cause, "reason", None) or "") if isinstance(cause, ssl.SSLError) else ""
    if reason in _NO_TLS:
        return "no-tls"
    # Alerts of RFC 8446, 6.2: certificate_required, bad_certificate, unknown_ca; handshake_failure of older versions.
    return "unknown-client" if re.search("CERTIFICATE|UNKNOWN_CA", reason) else ""


def printable(text: str) -> str:
    """`text` of a server as it may be shown: short and without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:200])


def _shown(url: str) -> str:
    """`url` without what may be a secret: a login, and a query, which signs what whoever has it may do."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _new_manager(scheme: str, proxy: str, tls: Tls, ca_file: str) -> PoolManager:
    """What makes connections to servers of `scheme`; `ca_file` is for a proxy that is spoken to by TLS."""
    from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415
    from urllib3.exceptions import ProxyError  # noqa: PLC0415

    context = _context(tls) if scheme == "https" else None
    if not proxy:
        return PoolManager(maxsize=_MOST_CONNECTIONS, ssl_context=context)
    proxy_scheme, _, place = (proxy if "://" in proxy else f"http://{proxy}").partition("://")
    login, _, place = place.rpartition("@")
    headers = make_headers(proxy_basic_auth=unquote(login)) if login else None
    address = f"{proxy_scheme}://{place}"
    to_proxy = _context(Tls(ca_file)) if proxy_scheme == "https" else None
    try:
        manager = ProxyManager(
            address,
            proxy_headers=headers,
            maxsize=_MOST_CONNECTIONS,
            ssl_context=context,
            proxy_ssl_context=to_proxy,
        )
        if manager.proxy is None or not manager.proxy.host:
            # urllib3 would ask the server itself to be the proxy.
            raise ValueError("no host")  # noqa: TRY301 - as of what it refuses itself
    except ValueError as error:
        raise ProxyError(address, error) from error
    return manager


def _context(tls: Tls) -> ssl.SSLContext:
    from minpack.net.tls import tls_context  # noqa: PLC0415 - it takes ssl, which plain http does without

    return tls_context(tls)
