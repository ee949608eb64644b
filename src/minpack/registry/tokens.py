"""Tokens: what a registry's token server gives for credentials (distribution, "Token Authentication Specification")."""

from __future__ import annotations

import json
import re
import time
from threading import RLock
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from minpack.errors import RegistryError
from minpack.namedtuple import NamedTuple
from minpack.net.address import may_lead
from minpack.net.web import Ask, printable
from minpack.registry.refusal import refused_login
from minpack.registry.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.registry.challenge import Challenge
    from minpack.registry.credentials import Credential
    from minpack.registry.response import Response
    from minpack.registry.secret import Redactor
    from minpack.registry.wish import Wish

_OK, _WRONG_LOGIN, _NO_SUCH_FORM = 200, (400, 401, 403), (404, 405)
#: Seconds that a token counts for where the server does not say, and the least it says (the specification's default).
_LIFE = 60.0
#: A token that ends so soon is not sent any more, in seconds.
_MARGIN = 10.0
#: A token that is longer fits no header.
_USABLE = r"[!-~]{1,60000}"


class Token(NamedTuple):
    """What is sent, until when, by `time.monotonic`, and the rights that it was asked for."""

    secret: Secret
    ends: float
    rights: frozenset[tuple[str, str]]

    @property
    def header(self) -> str:
        """The Authorization header that has it."""
        return f"Bearer {self.secret.reveal()}"


class Authenticator:
    """Knows what one registry wants to be told, and what it was told; several threads may ask at once.

    :param base: the registry's address, without a path.
    :param ask: makes a request of a token server.
    :param may_be_plain: whether ``HOST[:PORT]`` may be spoken to without TLS.
    :param redactor: learns the tokens.
    """

    def __init__(
        self, base: str, ask: Callable[[Ask], Response], may_be_plain: Callable[[str], bool], redactor: Redactor
    ) -> None:
        self._base = base
        self._ask = ask
        self._may_be_plain = may_be_plain
        self._redactor = redactor
        self._challenge: Challenge | None = None
        self._tokens: list[Token] = []
        self._lock = RLock()

    def learn(self, challenges: tuple[Challenge, ...]) -> bool:
        """Note what the registry wants; False if it wants nothing that can be given."""
        for scheme in ("bearer", "basic"):
            for challenge in challenges:
                if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                    self._challenge = challenge
                    return True
        return False

    def header(self, wish: Wish) -> str:
        """The Authorization header for a request; empty if the registry wants none.

        :raises RegistryAccessError: the login is refused, or there is none where one must be.
        :raises RegistryError: the token server gives no token.
        """
        challenge = self._challenge
        if challenge is None:
            return ""
        # Not before the registry wants one: a helper may ask its user.
        credential = wish.credential
        if challenge.scheme == "basic":
            return f"Basic {credential.basic}" if credential is not None else ""
        if credential is not None and credential.registry_token:
            return f"Bearer {credential.registry_token.reveal()}"
        with self._lock:
            return (self._known(wish.wanted) or self._fetch(wish.wanted, challenge, wish)).header

    def knows(self, wish: Wish) -> bool:
        """Whether who logs in is known before the request itself is made: who was given a token is."""
        if self._challenge is None or self._challenge.scheme != "bearer":
            return False
        return wish.credential is None or not wish.credential.registry_token

    def renew(self, challenges: tuple[Challenge, ...], used: str, wish: Wish) -> bool:
        """Forget what was `used` and not taken; whether the next header may be.

        :raises RegistryError: as `header`.
        """
        if not self.learn(challenges):
            return False
        challenge, credential = self._challenge, wish.credential
        assert challenge is not None
        if challenge.scheme == "basic" or (credential is not None and credential.registry_token):
            return self.header(wish) not in ("", used)
        with self._lock:
            self._tokens = [token for token in self._tokens if token.header != used]
            # Some registries want rights that nobody would think of: what they name comes first.
            scopes = (
                *(scope for scope in challenge.scopes if not _rights((scope,)) <= _rights(wish.wanted)),
                *wish.wanted,
            )
            if self._known(scopes) is None:
                self._fetch(scopes, challenge, wish)
        return True

    def _known(self, scopes: tuple[str, ...]) -> Token | None:
        """A token that was asked for with all rights of `scopes` and still counts, the newest first."""
        now, rights = time.monotonic(), _rights(scopes)
        self._tokens = [token for token in self._tokens if token.ends > now]
        return next((token for token in self._tokens if token.rights >= rights), None)

    def _fetch(self, scopes: tuple[str, ...], challenge: Challenge, wish: Wish) -> Token:
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service", "")
        self._check_realm(realm, wish)
        credential = wish.credential
        response = None
        if credential is not None and credential.identity_token:
            response = self._ask(_form(realm, service, scopes, credential.identity_token))
        if response is None or response.status in _NO_SUCH_FORM:
            response = self._ask(_query(realm, service, scopes, credential))
        if response.status in _WRONG_LOGIN:
            said = f"HTTP {response.status} of its token server"
            raise refused_login(wish, said, response.status, known=False)
        if response.status != _OK:
            raise RegistryError(wish.verb, wish.named, f"the registry's token server answers HTTP {response.status}")
        token = self._read(response, scopes, wish)
        self._redactor.learn(token.secret)
        self._tokens.insert(0, token)
        return token

    def _check_realm(self, realm: str, wish: Wish) -> None:
        """Raise `RegistryError` if credentials must not be sent to `realm`, which the registry chose."""
        try:
            parts = urlsplit(realm)
            safe = may_lead(self._base, realm) and "@" not in parts.netloc
            safe = safe and (parts.scheme == "https" or self._may_be_plain(parts.netloc))
        except ValueError:
            safe = False
        if not safe:
            shown = printable(re.sub(r"[^/]*@|[?#].*", "", realm))
            raise RegistryError(
                wish.verb,
                wish.named,
                f"the registry names the token server {shown!r}, which is not safe",
                "the registry is misconfigured, or a proxy changes its answers",
            )

    def _read(self, response: Response, scopes: tuple[str, ...], wish: Wish) -> Token:
        try:
            document = json.loads(response.body)
            text = document.get("token") or document.get("access_token")
            lasts = document.get("expires_in")
        except (ValueError, RecursionError, AttributeError):
            text = lasts = None
        if not isinstance(text, str) or re.fullmatch(_USABLE, text) is None:
            raise RegistryError(wish.verb, wish.named, "the registry's token server gives no usable token")
        seconds = float(lasts) if isinstance(lasts, int) and _LIFE <= lasts <= 1 << 31 else _LIFE
        return Token(Secret(text), time.monotonic() + seconds - _MARGIN, _rights(scopes))


def _rights(scopes: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """Each action of each scope, with what it is for."""
    parts = (scope.rpartition(":") for scope in scopes)
    return frozenset((what, action) for what, _, actions in parts for action in actions.split(","))


def _query(realm: str, service: str, scopes: tuple[str, ...], credential: Credential | None) -> Ask:
    """The request of all users; without credentials it is one for what everyone may do."""
    fields = [*((("service", service),) if service else ()), *(("scope", scope) for scope in scopes)]
    fields.append(("client_id", "minpack"))
    authorization = f"Basic {credential.basic}" if credential is not None else ""
    return Ask("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(fields)}", {}, authorization)


def _form(realm: str, service: str, scopes: tuple[str, ...], identity_token: Secret) -> Ask:
    """The request of who has an identity token (distribution, "OAuth2 Token Authentication")."""
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": identity_token.reveal(),
        "service": service,
        "client_id": "minpack",
        "scope": " ".join(scopes),
    }
    body = urlencode(fields).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    return Ask("POST", realm, headers, body=lambda: (body,), private=True)
