"""`Requester`: requests of registries, with authentication, retries, and refusals in words."""

from __future__ import annotations

import re
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from minpack.errors import OfflineError, RegistryError
from minpack.net.address import may_lead, origin_of
from minpack.net.budget import Budget
from minpack.net.web import Ask, PassingError, Web, WebError, in_words
from minpack.registry.credentials import Credentials
from minpack.registry.host import NO_LOGIN, RegistryHost, challenges_of
from minpack.registry.refusal import Who, failure, refusal
from minpack.registry.response import Response, warnings_of
from minpack.registry.secret import Redactor
from minpack.registry.wish import Scope, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping
    from typing import Self

    from minpack.net.tls import Tls
    from minpack.net.web import Answer
    from minpack.registry.credentials import Credential
    from minpack.registry.options import RegistryOptions
    from minpack.registry.repository import ImageRepository

#: More bytes than any answer but a manifest or a blob has; and all that is read of one that refuses something.
_MOST_ANSWER, _MOST_REFUSAL = 1 << 20, 1 << 16
_PIECE = 1 << 16
#: Seconds: what a registry may ask to wait at most, and the first pause where it does not say.
_LONGEST_PAUSE, _FIRST_PAUSE = 60.0, 0.5
_PASSING = (408, 425, 429, 499, 500, 502, 503, 504, 522)
_REFUSED = 300
#: What a download makes sense of: all of it, the part that was asked for, or that there is no such part.
_DOWNLOADED = (200, 206, 416)
#: More different warnings are not told.
_MOST_WARNINGS = 8
#: The attempts with a login that was not taken: the second has the rights that the registry named meanwhile.
_LOGINS = 2


class Requester:
    """Asks registries; several threads may do so at once. It closes its connections when its ``with`` block is left."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._redactor = Redactor()
        self._credentials = Credentials(options)
        self._hosts: dict[str, RegistryHost] = {}
        self._certificates: dict[str, Tls] = {}
        self._lock = Lock()
        self._warnings: dict[str, None] = {}
        self._web = Web(options.network, self._tls)

    def request(
        self,
        repository: ImageRepository,
        method: str,
        path: str,
        *,
        actions: str = "pull",
        mount_from: str = "",
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterable[bytes]] | None = None,
        stays: bool = False,
        expected: Collection[int] = (200,),
        limit: int = _MOST_ANSWER,
        named: str = "",
    ) -> Response:
        """The answer of the repository's registry, which has one of the statuses `expected`.

        It is authenticated, and tried again where that may help. A body whose pieces cannot be had again is never sent
        twice: `body` raises an error of its own at its second call.

        :param path: what follows ``/v2/NAME/``, or the URL that an answer had as its Location (see `location`).
        :param actions: the rights it takes, ``pull`` or ``push,pull``.
        :param mount_from: the name of another repository of the registry that is read from.
        :param body: gives the pieces of what is sent, anew at each call; `headers` have its Content-Length, or it is
            sent in chunks.
        :param stays: whether a redirect is an answer like any other, which the caller may follow.
        :param limit: the most bytes of the answer's body.
        :param named: what errors say it is about; the repository if empty.
        :raises RegistryAccessError: it takes a login, or another one.
        :raises NotInRegistryError: the registry has no such thing.
        :raises RegistryError: anything else went wrong.
        :raises CredentialsError: the credentials cannot be read.
        :raises InputError: a file of certificates cannot be used.
        :raises OfflineError: the network may not be used.
        """
        wish = self.wish(repository, named, actions, mount_from)
        ask = Ask(method, path, headers or {}, body=body, private=stays)
        with self._in_words(wish):
            response, who = self._authorized(ask, wish, lambda ask: self._persist(lambda: self._answer(ask, limit)))
        if response.status not in expected:
            raise refusal(response, wish, self.redact, who)
        return response

    def wish(self, repository: ImageRepository, named: str = "", actions: str = "pull", mount_from: str = "") -> Wish:
        """What a request is about; see `request`."""
        scopes = [Scope(repository.name, tuple(actions.split(",")))]
        if mount_from:
            scopes.append(Scope(mount_from, ("pull",)))
        verb = "push" if "push" in actions else "pull"
        return Wish(verb, named or str(repository), repository, tuple(scopes), self._find)

    def open(self, wish: Wish, path: str, ask: Ask, budget: Budget) -> Answer:
        """The answer to one attempt at downloading what `path` names, its body still to be read.

        :param ask: has the headers.
        :raises PassingError: another attempt may help.
        :raises WebError: none will, or the budget is spent.
        :raises RegistryError: see `request`.
        """
        opened: list[Answer] = []

        def send(ask: Ask) -> Response:
            answer = self._web.request(ask, budget)
            if answer.status in (*_DOWNLOADED, *_PASSING):
                opened.append(answer)
                return Response(answer.status, answer.headers, b"", ask.url)
            return _whole(answer, _MOST_REFUSAL, budget)

        response, who = self._authorized(ask._replace(url=path), wish, send)
        if not opened:
            raise refusal(response, wish, self.redact, who)
        return opened[0]

    @staticmethod
    def location(response: Response) -> str:
        """The URL that the answer's Location means, for the next `request`.

        :raises RegistryError: it has none.
        """
        location = response.headers.get("Location", "")
        try:
            return urljoin(response.url, location) if location else _no_location(response)
        except ValueError:
            return _no_location(response)

    def _authorized(self, ask: Ask, wish: Wish, send: Callable[[Ask], Response]) -> tuple[Response, Who]:
        """The answer to `ask`, whose `url` is a path of the repository, and who it is from."""
        if self._options.network.offline:
            raise OfflineError(f"https://{wish.repository.api_host}/v2/{wish.repository.name}/{ask.url}")
        host = self._host(wish.repository.api_host)
        authenticator = host.reach()
        ask = _addressed(ask, host.base, wish.repository.name)
        for attempt in range(_LOGINS + 1):
            authorization = "" if ask.led else authenticator.header(wish)
            response = send(ask._replace(authorization=authorization))
            elsewhere = origin_of(response.url) != origin_of(host.base)
            if not elsewhere:
                self._warned(wish.host, response)
            if (
                response.status != NO_LOGIN
                or elsewhere
                or attempt == _LOGINS
                or not authenticator.renew(challenges_of(response), authorization, wish)
            ):
                break
        return response, Who.ELSEWHERE if elsewhere else Who.KNOWING if authenticator.knows(wish) else Who.ASKING

    @property
    def warnings(self) -> tuple[str, ...]:
        """What registries wanted their users to know so far, each once; of so many that none is a flood."""
        return tuple(self._warnings)

    def _warned(self, host: str, response: Response) -> None:
        for text in warnings_of(response.headers):
            if len(self._warnings) < _MOST_WARNINGS:
                self._warnings[f"the registry {host} says: {self.redact(text)}"] = None

    def _persist(self, attempt: Callable[[], Response]) -> Response:
        """What `attempt` gives, tried again where that may help, up to a bound that nothing resets.

        :raises WebError: no attempt helped.
        """
        network = self._options.network
        for count in range(1, network.attempts):
            pause: float | None = None
            try:
                response = attempt()
                if response.status not in _PASSING:
                    return response
                wait = response.headers.get("Retry-After", "").strip()
                if re.fullmatch(r"\d{1,9}", wait, re.ASCII):
                    pause = float(wait)
                    if pause > _LONGEST_PAUSE:
                        return response
            except PassingError as error:
                pause = error.wait
            import random  # noqa: PLC0415 - where something went wrong alone

            # Not all that a registry turned away come back at the same moment.
            backoff = _FIRST_PAUSE * 2 ** (count - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            network.pause(pause if pause is not None else backoff)
        try:
            return attempt()
        except PassingError as error:
            times = f" (after {network.attempts} attempts)" if network.attempts > 1 else ""
            raise WebError(f"{error.reason}{times}", error.kind) from error

    def _answer(self, ask: Ask, limit: int = _MOST_ANSWER) -> Response:
        network = self._options.network
        budget = Budget(network.limits, max(network.connect_timeout, network.read_timeout))
        return _whole(self._web.request(ask, budget), limit, budget)

    def _host(self, host: str) -> RegistryHost:
        with self._lock:
            if host not in self._hosts:
                self._hosts[host] = RegistryHost(host, self._options, self._answer, self._persist, self._redactor)
            return self._hosts[host]

    def _find(self, repository: ImageRepository) -> Credential | None:
        found = self._credentials.find(repository)
        if found is not None:
            self._redactor.learn(*found.secrets)
        return found

    def _tls(self, host: str) -> Tls:
        from minpack.registry.certificates import find_tls  # noqa: PLC0415 - for TLS alone

        if host not in self._certificates:
            self._certificates[host] = find_tls(host, self._options)
        return self._certificates[host]

    def redact(self, text: str) -> str:
        """`text` of a server without the secrets that were sent."""
        return self._redactor.redact(text)

    @contextmanager
    def _in_words(self, wish: Wish) -> Generator[None]:
        try:
            yield
        except WebError as error:
            raise failure(error, wish, self.redact) from error

    def close(self) -> None:
        """Close all connections."""
        self._web.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _no_location(response: Response) -> str:
    host = origin_of(response.url)[1]
    raise RegistryError("push", host, "the registry does not say where to send it", status=response.status)


def _addressed(ask: Ask, base: str, name: str) -> Ask:
    """`ask` with a whole URL; `led` if that is on another server than the registry, which chose it.

    :raises WebError: no client should go there.
    """
    if "://" not in ask.url:
        return ask._replace(url=f"{base}/v2/{name}/{ask.url}")
    with in_words():
        if not may_lead(base, ask.url):
            raise WebError("the registry redirects to an address that is not safe", "unsafe")
        return ask._replace(led=origin_of(ask.url) != origin_of(base))


def _whole(answer: Answer, limit: int, budget: Budget) -> Response:
    """The answer with its body; of one that refuses something the beginning is enough.

    :raises WebError: it has more than `limit` bytes.
    """
    refused = answer.status >= _REFUSED
    limit = _MOST_REFUSAL if refused else limit
    body = bytearray()
    try:
        with in_words():
            while len(body) <= limit and (piece := answer.read1(_PIECE, decode_content=False)):
                body += piece
                budget.use(len(piece))
    finally:
        # Of one that was read whole the connection is back in its pool.
        if len(body) > limit or answer.length_remaining:
            answer.close()
        answer.release_conn()
    if len(body) > limit and not refused:
        raise WebError(f"the answer has more than the allowed {limit} bytes", "too-much")
    return Response(answer.status, answer.headers, bytes(body), answer.url or "")
