"""`RegistryHost`: one registry: whether it speaks TLS, and what it wants to be told."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from minpack.net.address import host_of
from minpack.net.web import Ask, WebError
from minpack.registry.certificates import is_insecure
from minpack.registry.challenge import parse_challenges
from minpack.registry.repository import is_local
from minpack.registry.tokens import Authenticator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minpack.registry.challenge import Challenge
    from minpack.registry.options import RegistryOptions
    from minpack.registry.response import Response
    from minpack.registry.secret import Redactor

#: Kinds of errors of servers that do speak TLS.
_TLS = ("untrusted", "unknown-client")
_BAD_REQUEST, NO_LOGIN = 400, 401


def schemes_of(host: str, insecure: Sequence[str]) -> tuple[str, ...]:
    """What ``HOST[:PORT]`` may be spoken to by, the likeliest first.

    Without TLS passwords and images can be read and changed on their way: so only what does not leave this machine, or
    what the user says may.
    """
    if is_local(host):
        return "http", "https"
    return ("https", "http") if is_insecure(host, insecure) else ("https",)


class RegistryHost:
    """A registry that is asked how it is reached, once, before anything else is sent.

    :param ask: makes one attempt at a request.
    :param persist: makes attempts as long as they may help.
    """

    def __init__(
        self,
        host: str,
        options: RegistryOptions,
        ask: Callable[[Ask], Response],
        persist: Callable[[Callable[[], Response]], Response],
        redactor: Redactor,
    ) -> None:
        self._host = host
        self._insecure = options.insecure
        self._ask = ask
        self._persist = persist
        self._redactor = redactor
        self._lock = Lock()
        self._authenticator: Authenticator | None = None
        #: Its address, once it was reached.
        self.base = ""

    def reach(self) -> Authenticator:
        """What gives the headers for it; `base` is its address from now on.

        :raises WebError: it cannot be reached.
        """
        with self._lock:
            if self._authenticator is None:
                schemes = schemes_of(self._host, self._insecure)
                response = self._persist(lambda: self._ping(schemes))
                found = Authenticator(self.base, self._ask_for_token, self._may_be_plain, self._redactor)
                if response.status == NO_LOGIN:
                    found.learn(challenges_of(response))
                self._authenticator = found
            return self._authenticator

    def _ask_for_token(self, ask: Ask) -> Response:
        ask = ask._replace(led=host_of(ask.url) != host_of(self.base))
        try:
            return self._persist(lambda: self._ask(ask))
        except WebError as error:
            raise WebError(f"its token server: {error.reason}", error.kind) from error

    def _may_be_plain(self, host: str) -> bool:
        return "http" in schemes_of(host, self._insecure)

    def _ping(self, schemes: tuple[str, ...]) -> Response:
        """The answer to who asks for nothing (distribution-spec, "Determining Support")."""
        first: WebError | None = None
        refused: Response | None = None
        for scheme in schemes:
            self.base = f"{scheme}://{self._host}"
            try:
                response = self._ask(Ask("GET", f"{self.base}/v2/", {}))
            except WebError as error:
                first = error if first is None or error.kind in _TLS else first
                continue
            # Servers of TLS that are spoken to without it say so by this status, if at all.
            if scheme == "https" or response.status != _BAD_REQUEST:
                return response
            refused = response
        if refused is None or (first is not None and first.kind in _TLS):
            assert first is not None
            raise first
        self.base = f"http://{self._host}"
        return refused


def challenges_of(response: Response) -> tuple[Challenge, ...]:
    """What the server that refused a request wants to be told."""
    return parse_challenges(response.headers.get("WWW-Authenticate", ""))
