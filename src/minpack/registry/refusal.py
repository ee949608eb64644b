"""What a registry refuses, and what goes wrong on the way to it, in words and with what to do."""

from __future__ import annotations

import re
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

from minpack.errors import NotInRegistryError, RegistryAccessError, RegistryError
from minpack.registry.response import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.net.web import WebError
    from minpack.registry.response import Response
    from minpack.registry.wish import Wish

_NO_LOGIN, _NO_RIGHT, _NOT_FOUND, _TOO_LARGE, _TOO_MANY = 401, 403, 404, 413, 429
_MISSING = {
    "NAME_UNKNOWN": "the registry has no such repository",
    "MANIFEST_UNKNOWN": "the registry has no such tag or digest",
    "BLOB_UNKNOWN": "the registry lacks a blob of it",
}
_CHECK = "check the network and the proxy, or try again later"


class Who(Enum):
    """Who refuses: the registry, which knows already who asks or only now asks for that, or a server it sends to."""

    KNOWING, ASKING, ELSEWHERE = range(3)


def refusal(response: Response, wish: Wish, redact: Callable[[str], str], who: Who) -> RegistryError:
    """The error for an answer that was not expected."""
    problem, status = problem_of(response.body), response.status
    said, code = redact(str(problem)) or _status(status), redact(problem.code)
    if who is Who.ELSEWHERE:
        # It was sent no credentials, and nobody can log in there.
        reason = f"the server that the registry redirects to answers {_status(status)}"
        return RegistryError(wish.verb, wish.named, reason, _CHECK, status=status)
    if status in (_NO_LOGIN, _NO_RIGHT):
        return refused_login(wish, said, status, code, known=who is Who.KNOWING or status == _NO_RIGHT)
    reason, hint = f"the registry answers {said}", None
    if status == _NOT_FOUND:
        reason = f"{_MISSING.get(code, 'the registry does not have it')} ({said})"
        hint = "check the spelling of its name and its tag"
        if code == "NAME_UNKNOWN" and wish.verb == "push":
            hint = "create the repository first: some registries, such as ECR, do not create one on a push"
        return NotInRegistryError(wish.verb, wish.named, reason, hint, status=status, code=code)
    if status == _TOO_MANY:
        reason = f"too many requests ({said})"
        hint = f"wait{_wait(response)}, or log in: registries allow more requests with a login"
    elif status == _TOO_LARGE:
        hint = "a limit of the registry, or of a proxy in front of it, is too low for the image's largest layer"
    return RegistryError(wish.verb, wish.named, reason, hint, status=status, code=code)


def refused_login(wish: Wish, said: str, status: int, code: str = "", *, known: bool) -> RegistryAccessError:
    """The error for who may not, or is not known."""
    credential, host = wish.credential, wish.host
    hint = f"log in with docker login {host} or podman login {host}, or give --username and --password-stdin"
    if credential is None and wish.verb == "pull":
        reason = f"it does not exist, or needs a login, and there are no credentials for {host} ({said})"
    elif credential is None:
        reason = f"it needs a login, and there are no credentials for {host} ({said})"
    elif known:
        reason = f"the credentials for {host} (from {credential.source}) do not allow it ({said})"
        hint = f"ask its owner for the right to {wish.verb}, or log in as another user: docker login {host}"
    else:
        reason = f"the registry does not accept the credentials for {host} (from {credential.source}; {said})"
        again = f"log in again with docker login {host} or podman login {host}"
        hint = f"they are wrong or expired: {'check the user and the password' if credential.typed else again}"
    return RegistryAccessError(wish.verb, wish.named, reason, hint, status=status, code=code)


def failure(error: WebError, wish: Wish, redact: Callable[[str], str]) -> RegistryError:
    """The error for a request that got no answer."""
    host = wish.host
    hint = {
        "untrusted": f"trust its authority with --registry-ca FILE or /etc/docker/certs.d/{host}/ca.crt;"
        f" --insecure {host} trusts any certificate",
        "no-tls": f"--insecure {host} lets it be used without TLS",
        "unknown-client": f"put client.cert and client.key into /etc/docker/certs.d/{host}/",
        "unsafe": "the registry is misconfigured, or a proxy changes its answers",
    }.get(error.kind, _CHECK)
    return RegistryError(wish.verb, wish.named, redact(error.reason), hint)


def _status(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _wait(response: Response) -> str:
    seconds = response.headers.get("Retry-After", "").strip()
    return f" {seconds} seconds" if re.fullmatch(r"\d{1,6}", seconds, re.ASCII) else ""
