"""How registries are reached, as the command line and the environment say."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from minpack.cli.registry import RegistryAccess, auth_files, hub_mirrors, registry_options
from minpack.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "MINPACK_MIRROR_HUB")
DOCKER, RUNTIME, CONFIG = (
    "/home/me/.docker/config.json",
    "/run/me/containers/auth.json",
    "/home/me/.config/containers/auth.json",
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")


class Stdin(io.TextIOWrapper):
    """Bytes on stdin."""

    def __init__(self, data: bytes, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("variables", "files"),
    [
        ({}, (DOCKER, CONFIG)),
        ({"XDG_RUNTIME_DIR": "/run/me"}, (DOCKER, RUNTIME, CONFIG)),
        ({"XDG_RUNTIME_DIR": "relative", "XDG_CONFIG_HOME": "/etc/me"}, (DOCKER, "/etc/me/containers/auth.json")),
        ({"DOCKER_CONFIG": "/cfg"}, ("/cfg/config.json", CONFIG)),
        ({"REGISTRY_AUTH_FILE": "/auth", "XDG_RUNTIME_DIR": "/run/me"}, ("/auth", DOCKER)),
        ({"DOCKER_CONFIG": "/cfg", "REGISTRY_AUTH_FILE": "/auth"}, ("/cfg/config.json", "/auth")),
        ({"HOME": ""}, ()),
    ],
)
def test_where_credentials_are_sought(
    variables: dict[str, str], files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable names comes first, and takes the place of what it is for."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert auth_files() == files


@pytest.mark.parametrize(
    ("text", "mirrors"),
    [
        ("", ()),
        ("mirror.gcr.io", ("mirror.gcr.io",)),
        ("https://mirror.gcr.io/", ("mirror.gcr.io",)),
        (" a.example:5000/hub , localhost:5000", ("a.example:5000/hub", "localhost:5000")),
    ],
)
def test_mirrors_of_docker_hub(text: str, mirrors: tuple[str, ...]) -> None:
    """Several, each with a part that goes before the name."""
    assert hub_mirrors(text) == mirrors


@pytest.mark.parametrize("text", ["http://a.example", "a b/../c?x", "https://u:s3cret@a.example", "a.example/Up", "/"])
def test_what_is_no_mirror_is_refused(text: str) -> None:
    """With what it was, but for a password."""
    with pytest.raises(UsageError, match="MINPACK_MIRROR_HUB") as caught:
        hub_mirrors(text)
    assert "s3cret" not in caught.value.message


def test_certificates_are_where_docker_and_podman_have_them() -> None:
    """The system's directories, and the user's own."""
    assert registry_options(RegistryAccess()).cert_directories == (
        "/etc/docker/certs.d",
        "/etc/containers/certs.d",
        "/home/me/.config/containers/certs.d",
    )


@pytest.mark.parametrize("data", [b"pass word", b"pass word\n", b"pass word\r\n"])
def test_a_password_comes_on_stdin(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the end of its line, for the one registry that is asked."""
    monkeypatch.setattr(sys, "stdin", Stdin(data))
    login = registry_options(RegistryAccess("me", password_stdin=True), {"a.example"}).login
    assert login is not None
    assert (login.host, login.username.reveal(), login.password.reveal()) == ("a.example", "me", "pass word")


@pytest.mark.parametrize(
    ("given", "hosts", "stdin", "reason"),
    [
        (RegistryAccess("me"), {"a"}, Stdin(b"x"), "it needs --password-stdin"),
        (RegistryAccess(password_stdin=True), {"a"}, Stdin(b"x"), "it needs --username"),
        (RegistryAccess("me:x", password_stdin=True), {"a"}, Stdin(b"x"), "cannot have a colon"),
        (RegistryAccess("me", password_stdin=True), {"a", "b"}, Stdin(b"x"), "several registries: a, b"),
        (RegistryAccess("me", password_stdin=True), set(), Stdin(b"x"), "no registry is used"),
        (RegistryAccess("me", password_stdin=True), {"a"}, Stdin(b"x", terminal=True), "stdin is a terminal"),
        (RegistryAccess("me", password_stdin=True), {"a"}, None, "there is no stdin"),
        (RegistryAccess("me", password_stdin=True), {"a"}, Stdin(b"\n"), "no password on stdin"),
        (RegistryAccess("me", password_stdin=True), {"a"}, Stdin(b"x" * 65537), "more than 65536 bytes"),
    ],
)
def test_what_is_no_login(
    given: RegistryAccess, hosts: set[str], stdin: Stdin | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a login, one for several registries, and stdin that has none."""
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(UsageError, match=reason) as caught:
        registry_options(given, hosts)
    assert "me:x" not in caught.value.message


def test_a_file_of_authorities_must_be_there(tmp_path: Path) -> None:
    """It is looked at even where no TLS is spoken."""
    from minpack.errors import InputError

    for name, reason in (("none", "no such file"), (".", "not a regular file")):
        with pytest.raises(InputError, match=reason):
            registry_options(RegistryAccess(registry_ca=str(tmp_path / name)))
