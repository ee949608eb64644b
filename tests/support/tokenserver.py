"""A token server as registries use one, whose tokens docker-registry takes (distribution, "Token Authentication").

with TokenServer(tmp_path, {"me": "password"}) as tokens:
    tokens.rights["me"] = {"me/app": {"pull"}}          # what a user may; by default all, and others nothing
    registry(..., auth=tokens.auth)                     # the configuration of docker-registry
    tokens.server.requests                              # who asked for what
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from support.certificates import signing_key
from support.scripted import Answer, Scripted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Self

    from support.scripted import Asked

_ISSUER, _SERVICE = "tests", "registry.test"


class TokenServer:
    """The server. `identities` are identity tokens, each with its user; `public` may be pulled by everyone."""

    def __init__(self, place: Path, users: Mapping[str, str]) -> None:
        self._key, der, self._bundle = signing_key(place)
        self._header = {"typ": "JWT", "alg": "RS256", "x5c": [b64encode(der).decode()]}
        self.users = dict(users)
        self.identities: dict[str, str] = {}
        self.rights: dict[str, Mapping[str, set[str]]] = {}
        self.public: set[str] = set()
        #: Whether it has the form for identity tokens.
        self.has_form = True
        self.lasts: object = 300
        self.server = Scripted(self._answer)

    @property
    def auth(self) -> dict[str, Any]:
        """What docker-registry is told of it."""
        realm = f"http://localhost:{self.server.port}/token"
        bundle = str(self._bundle)
        return {"token": {"realm": realm, "service": _SERVICE, "issuer": _ISSUER, "rootcertbundle": bundle}}

    @property
    def granted(self) -> list[list[str]]:
        """The scopes that each request asked for."""
        return [self._fields(one).get("scope", []) for one in self.server.requests]

    def _answer(self, asked: Asked) -> Answer:
        if asked.method == "POST" and not self.has_form:
            return Answer(404)
        user = self._user(asked)
        if user is None:
            return Answer(401)
        scopes = [scope for text in self._fields(asked).get("scope", []) for scope in text.split()]
        document = {"token": self.token(user, scopes), "expires_in": self.lasts}
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(document).encode())

    @staticmethod
    def _fields(asked: Asked) -> Mapping[str, list[str]]:
        return parse_qs(asked.body.decode()) if asked.method == "POST" else asked.query

    def _user(self, asked: Asked) -> str | None:
        """Who asks, nobody (``""``), or None for a wrong login."""
        if asked.method == "POST":
            return self.identities.get(self._fields(asked).get("refresh_token", [""])[0])
        login = asked.headers.get("Authorization")
        if login is None:
            return ""
        user, _, password = b64decode(login.removeprefix("Basic ")).decode().partition(":")
        return user if self.users.get(user) == password else self.identities.get(password)

    def token(self, user: str, scopes: Iterable[str]) -> str:
        """A token for what `user` may of `scopes`."""
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = (
                {"pull", "push"} if user and user not in self.rights else self.rights.get(user, {}).get(name, set())
            )
            allowed = allowed | ({"pull"} if name in self.public else set())
            access.append({"type": kind, "name": name, "actions": sorted(allowed & set(actions.split(",")))})
        now = int(time.time())
        claims = {"iss": _ISSUER, "sub": user, "aud": _SERVICE, "exp": now + 300, "nbf": now - 10, "iat": now}
        claims |= {"jti": str(time.time_ns()), "access": access}
        signed = f"{_encoded(self._header)}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_url_safe(signature)}"

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.__exit__(*exc)


def _encoded(document: object) -> str:
    return _url_safe(json.dumps(document).encode())


def _url_safe(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
