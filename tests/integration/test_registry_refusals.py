"""What goes wrong with registries, as docs/errors.md says it: each row that needs a registry of its kind."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from minpack.errors import MinpackError
from minpack.net.network import Network
from minpack.oci.mediatypes import MANIFEST
from minpack.registry import helper
from minpack.registry import host as hosts
from minpack.registry.client import RegistryClient
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from support.certificates import Authority
from support.command import matches
from support.dockerregistry import running_registry
from support.refusals import row
from support.scripted import Answer, Asked, Scripted, problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "me/app"
UNAUTHORIZED = ("UNAUTHORIZED", "authentication required")
BASIC = {"WWW-Authenticate": 'Basic realm="x"'}
LOGIN = {"auth": "bWU6cGFzc3dvcmQ="}


class Case:
    """A registry that answers with `answer`, and the calls of a client that has `options`."""

    def __init__(self, place: Path, host: str, told: str, **options: Any) -> None:
        self._place, self._host, self._told = place, host, told
        self._options = RegistryOptions(Network(pause=lambda _: None), **options)

    def check(self, what: str, *, push: bool = False, tag: str = "1", host: str = "") -> None:
        """See that the client is refused as the row `what` says, whose host is another one."""
        case, asked = row(what), ImageRepository(host or self._host, NAME)
        with RegistryClient(self._options) as client, pytest.raises(MinpackError) as caught:
            ask(client, asked, tag, push=push)
        error = caught.value
        message, hint = (self._spelled(text) for text in (error.message, error.hint or ""))
        assert matches(message, case.message), message
        assert matches(hint, case.hint), hint
        assert (error.exit_code, error.kind) == (case.code, case.kind)

    def _spelled(self, text: str) -> str:
        text = text.replace(self._host, self._told)
        return text.replace(str(self._place / "config.json"), "/root/.docker/config.json")


def ask(client: RegistryClient, repository: ImageRepository, tag: str, *, push: bool) -> None:
    """What a push or a pull begins with."""
    if push:
        headers = {"Content-Length": "0"}
        client.request(repository, "POST", "blobs/uploads/", actions="push,pull", headers=headers, expected=(202,))
    else:
        client.manifest(repository, tag)


def answering(answer: Answer) -> Callable[[Asked], Answer]:
    """A registry that wants no login, and always answers so."""
    return lambda asked: Answer() if asked.path == "/v2/" else answer


@pytest.mark.parametrize(
    ("what", "answer", "told", "push", "tag"),
    [
        ("no such tag", problem(404, "MANIFEST_UNKNOWN", "manifest unknown"), "ghcr.io", False, "2"),
        (
            "no such repository, where a push does not create one",
            problem(404, "NAME_UNKNOWN"),
            "ecr.example",
            True,
            "",
        ),
        ("a registry that breaks off", Answer(raw=b""), "ghcr.io", False, "1"),
        ("a registry that fails", Answer(503), "ghcr.io", False, "1"),
        (
            "a registry that limits requests",
            problem(429, "TOOMANYREQUESTS", "slow", {"Retry-After": "3600"}),
            "docker.io",
            False,
            "1",
        ),
        ("a layer that is too large for a proxy", Answer(413), "registry.corp", True, ""),
        (
            "a redirect to a file or into the network",
            Answer(307, {"Location": "http://169.254.169.254/?token=x"}),
            "evil.example",
            False,
            "1",
        ),
        (
            "a manifest without end",
            Answer(200, {"Content-Type": MANIFEST}, endless=bytes(1 << 16)),
            "evil.example",
            False,
            "1",
        ),
        (
            "other bytes than those of the digest",
            Answer(200, {"Docker-Content-Digest": f"sha256:{'0' * 64}"}, b"{}"),
            "evil.example",
            False,
            "1",
        ),
        ("a manifest of schema 1", Answer(200, {}, b'{"schemaVersion": 1}'), "old.example", False, "1"),
    ],
)
def test_what_a_registry_answers(tmp_path: Path, what: str, answer: Answer, told: str, tag: str, *, push: bool) -> None:
    """Each is told as the page says."""
    with Scripted(answering(answer)) as server:
        Case(tmp_path, server.host, told).check(what, push=push, tag=tag)


def test_a_registry_that_is_down(tmp_path: Path) -> None:
    """Nothing answers at the address."""
    with Scripted(answering(Answer())) as server:
        Case(tmp_path, server.host, "-").check("a registry that is down", push=True, host="127.0.0.1:1")


@pytest.mark.parametrize(
    ("what", "answer", "told", "push"),
    [
        ("no login", problem(401, *UNAUTHORIZED, BASIC), "ghcr.io", True),
        ("an image that is private, or not there", problem(401, *UNAUTHORIZED, BASIC), "docker.io", False),
        ("a wrong or an expired login", problem(401, *UNAUTHORIZED, BASIC), "ghcr.io", True),
        ("no right", problem(403, "DENIED", "no", BASIC), "ghcr.io", True),
    ],
)
def test_what_is_wrong_with_a_login(tmp_path: Path, what: str, answer: Answer, told: str, *, push: bool) -> None:
    """None, a wrong one, and one without the right."""
    with Scripted(lambda _: answer) as server:
        none = what in ("no login", "an image that is private, or not there")
        (tmp_path / "config.json").write_text(json.dumps({"auths": {} if none else {server.host: LOGIN}}))
        Case(tmp_path, server.host, told, auth_files=(str(tmp_path / "config.json"),)).check(what, push=push)


@pytest.mark.parametrize(
    ("what", "realm", "token"),
    [
        ("a token server that is not safe", "http://10.0.0.1/token", b""),
        ("a token server that gives no token", "", b"{}"),
    ],
)
def test_what_is_wrong_with_a_token_server(tmp_path: Path, what: str, realm: str, token: bytes) -> None:
    """Where it is, and what it says."""

    def answer(asked: Asked) -> Answer:
        challenge = f'Bearer realm="{realm or f"{server.url}/token"}"'
        return Answer(200, {}, token) if asked.path == "/token" else Answer(401, {"WWW-Authenticate": challenge})

    with Scripted(answer) as server:
        Case(tmp_path, server.host, "evil.example").check(what)


def test_what_is_wrong_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, and an unknown authority's."""
    authority = Authority(tmp_path)
    with Scripted(answering(Answer()), authority.server_context()) as server:
        Case(tmp_path, server.host, "registry.corp").check("a certificate of an unknown authority", push=True)
    monkeypatch.setattr(hosts, "is_local", lambda _: False)
    with Scripted(answering(Answer())) as server:
        Case(tmp_path, server.host, "registry.corp").check("a registry without TLS", push=True)


@pytest.mark.tool
def test_a_client_that_is_unknown(tmp_path: Path) -> None:
    """A real registry that wants a certificate of its clients; Python's own servers just break off."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server", server=True)
    tls = {"certificate": str(certificate), "key": str(key), "clientcas": [str(authority.ca)]}
    with running_registry(tmp_path, tls=tls) as host:
        Case(tmp_path, host, "registry.corp", ca_file=str(authority.ca)).check(
            "no client certificate, or a wrong one", push=True
        )


@pytest.mark.parametrize(
    ("what", "script"),
    [
        ("a file that has no credentials", None),
        ("a credential helper that is missing", ""),
        ("a credential helper that fails", "echo the keychain is locked; exit 1"),
        ("a credential helper that hangs", "exec sleep 100"),
    ],
)
def test_what_is_wrong_with_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, script: str | None
) -> None:
    """The file, and the helper that it names."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if script:
        (tmp_path / "docker-credential-desktop").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "docker-credential-desktop").chmod(0o755)
    if "hangs" in what:
        # The user would wait for a minute.
        monkeypatch.setattr(helper, "PATIENCE", 0.5)
    (tmp_path / "config.json").write_text("{" if script is None else json.dumps({"credsStore": "desktop"}))
    with Scripted(lambda _: problem(401, *UNAUTHORIZED, BASIC)) as server:
        Case(tmp_path, server.host, "ghcr.io", auth_files=(str(tmp_path / "config.json"),)).check(what, push=True)
