"""Asking servers: proxies, TLS, redirects, and in words what went wrong."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from minpack._version import __version__
from minpack.errors import DownloadError, InputError, reason_of
from minpack.net.budget import SpentError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from urllib3 import BaseHTTPResponse, PoolManager

    from minpack.net.budget import Budget
    from minpack.net.network import Network

#: What to do about most failures.
HINT = "check the network and the proxy, name another server with --mirror, or use only what is stored with --offline"
_SPENT_HINT = "try again later, or another server with --mirror; a proxy in between may be the cause"
_CA_HINT = "set SSL_CERT_FILE to a PEM file of certificate authorities, or unset it"

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
#: Many times what all certificate authorities have (200 KB).
_MOST_AUTHORITIES = 16 << 20


class PassingError(Exception):
    """A failure that another attempt may not meet; `wait` is how many seconds the server asks for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class Web:
    """Connections to servers, kept open until it is closed; together they spend one budget."""

    def __init__(self, network: Network, budget: Budget) -> None:
        self._network = network
        self._budget = budget
        self._managers: dict[tuple[str, str], PoolManager] = {}

    def get(self, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """The answer to a GET request, whatever its status, redirects followed; the body is still to be read.

        :raises PassingError: another attempt may help.
        :raises DownloadError: none will, or the budget is spent.
        :raises InputError: the network's `ca_file` cannot be used.
        """
        here = url
        for _ in range(_MOST_REDIRECTS + 1):
            with in_words(url):
                response = self._ask(here, headers)
            if response.status not in _REDIRECTS:
                return response
            response.close()
            with in_words(url):
                there = urljoin(here, response.headers.get("Location", ""))
                if not there.startswith("https:" if here.startswith("https:") else ("http:", "https:")):
                    shown = printable(_without_login(there))
                    raise DownloadError(url, f"the server redirects to {shown}, which is not safe", HINT)
            here = there
        raise DownloadError(url, f"the server redirects more than {_MOST_REDIRECTS} times", HINT)

    def close(self) -> None:
        """Close all connections."""
        for manager in self._managers.values():
            manager.clear()

    def _ask(self, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        from urllib3 import Timeout, make_headers  # noqa: PLC0415

        origin, login = self._network.login
        all_headers = {"User-Agent": f"minpack/{__version__}", "Accept-Encoding": "identity", **headers}
        if login and url.startswith(f"{origin}/"):
            all_headers.update(make_headers(basic_auth=login))
        timeout = Timeout(connect=self._network.connect_timeout, read=self._network.read_timeout)
        return self._manager(url).request(
            "GET", url, headers=all_headers, timeout=timeout, retries=False, redirect=False, preload_content=False
        )

    def _manager(self, url: str) -> PoolManager:
        from minpack.net.wire import counted_pools  # noqa: PLC0415

        parts = urlsplit(url)
        proxies = self._network.proxies
        proxy = proxies.get(parts.scheme, "")
        if proxy and proxy_bypass_environment(parts.netloc, {"no": proxies.get("no_proxy", "")}):
            proxy = ""
        key = (parts.scheme, proxy)
        if key not in self._managers:
            manager = _new_manager(parts.scheme, proxy, self._network.ca_file)
            manager.pool_classes_by_scheme = counted_pools(self._budget, self._network)
            self._managers[key] = manager
        return self._managers[key]


@contextmanager
def in_words(url: str, before: str = "") -> Generator[None]:
    """Turns what is raised in the block into `PassingError` or, where no attempt will help, `DownloadError`.

    :param before: what went wrong last, to be told if the budget is spent.
    """
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    except SpentError as error:
        raise DownloadError(url, error.reason + (f" ({before})" if before else ""), _SPENT_HINT) from error
    except (HTTPError, ValueError, OSError) as error:
        reason, passing = _reason(error)
        reason = printable(reason)
        if passing:
            raise PassingError(reason) from error
        raise DownloadError(url, reason, HINT) from error


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
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the server's certificate cannot be trusted ({cause.verify_message})", False
    return "the TLS connection failed", True


def printable(text: str) -> str:
    """`text` of a server as it may be shown: short and without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[:200])


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _new_manager(scheme: str, proxy: str, ca_file: str) -> PoolManager:
    from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415
    from urllib3.exceptions import ProxyError  # noqa: PLC0415

    context = _tls_context(ca_file) if scheme == "https" or proxy.startswith("https:") else None
    if not proxy:
        return PoolManager(ssl_context=context)
    proxy_scheme, _, place = (proxy if "://" in proxy else f"http://{proxy}").partition("://")
    login, _, place = place.rpartition("@")
    headers = make_headers(proxy_basic_auth=unquote(login)) if login else None
    address = f"{proxy_scheme}://{place}"
    try:
        manager = ProxyManager(address, proxy_headers=headers, ssl_context=context, proxy_ssl_context=context)
        if manager.proxy is None or not manager.proxy.host:
            # urllib3 would ask the server itself to be the proxy.
            raise ValueError("no host")  # noqa: TRY301 - as of what it refuses itself
    except ValueError as error:
        raise ProxyError(address, error) from error
    return manager


def _tls_context(ca_file: str) -> ssl.SSLContext:
    if ca_file:
        try:
            _check_authorities(ca_file)
            return ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError as error:
            raise InputError(ca_file, "it holds no PEM certificates", hint=_CA_HINT) from error
        except OSError as error:
            raise InputError(ca_file, reason_of(error), hint=_CA_HINT) from error
    context = ssl.create_default_context()
    if not _has_authorities(context):
        import certifi  # noqa: PLC0415

        context.load_verify_locations(certifi.where())
    return context


def _check_authorities(path: str) -> None:
    """Raise `InputError` if OpenSSL would wait for it, as for a named pipe, or read it for long.

    :raises OSError: there is none.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise InputError(path, "it is not a regular file", hint=_CA_HINT)
    if status.st_size > _MOST_AUTHORITIES:
        reason = f"it has more than the {_MOST_AUTHORITIES} bytes that certificates may have"
        raise InputError(path, reason, hint=_CA_HINT)


def _has_authorities(context: ssl.SSLContext) -> bool:
    # Those of a directory are loaded one by one when needed, so they are not among the context's yet.
    directory = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509"] or (directory and os.listdir(directory)))
