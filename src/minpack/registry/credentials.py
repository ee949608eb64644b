"""Credentials for registries, from where Docker, podman and their helpers keep them (containers-auth.json(5))."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING

from minpack.content import FileContent, file_status, read_all
from minpack.errors import CredentialsError, InputError
from minpack.namedtuple import NamedTuple
from minpack.registry.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minpack.registry.options import RegistryOptions
    from minpack.registry.repository import ImageRepository

#: More bytes than any such file has.
_MOST_BYTES = 4 << 20
#: The user name that stands for "the secret is an identity token" (docker/cli, credentials).
_IDENTITY = "<token>"
_TYPED = "--username"
_HINT = "log in again (docker login, podman login), or name another file with DOCKER_CONFIG or REGISTRY_AUTH_FILE"


class Credential(NamedTuple):
    """What to log in with, and where it is from, in words. What is not there is empty.

    An identity token gives tokens as a password does; a registry token is one already.
    """

    source: str
    username: Secret = Secret("")
    password: Secret = Secret("")
    identity_token: Secret = Secret("")
    registry_token: Secret = Secret("")

    @property
    def typed(self) -> bool:
        """Whether the user gave them just now."""
        return self.source == _TYPED

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """All that nobody may see, in each form in which it is sent."""
        return (*self[1:], Secret(self.basic))

    @property
    def basic(self) -> str:
        """User and password as Basic has them (RFC 7617); an identity token stands in for a password."""
        from base64 import b64encode  # noqa: PLC0415

        username = self.username.reveal() or (_IDENTITY if self.identity_token else "")
        password = (self.password or self.identity_token).reveal()
        return b64encode(f"{username}:{password}".encode(errors="surrogateescape")).decode()

    def __bool__(self) -> bool:
        return any(self[1:])


class Credentials:
    """Finds them; files are read and helpers are run once, when they are first needed."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._files: dict[str, Mapping[str, object]] = {}
        self._helped: dict[tuple[str, str], Credential | None] = {}
        self._lock = Lock()

    def find(self, repository: ImageRepository) -> Credential | None:
        """What to log in with for `repository`; None if nobody has anything for it.

        :raises CredentialsError: a file or a helper that should give them does not.
        """
        with self._lock:
            return self._find(repository)

    def _find(self, repository: ImageRepository) -> Credential | None:
        login = self._options.login
        if login is not None and login.host == repository.host:
            return Credential(_TYPED, login.username, login.password)
        for path in self._options.auth_files:
            if path not in self._files:
                self._files[path] = _read_file(path)
            found = self._in_file(path, self._files[path], repository)
            if found is not None:
                return found
        return None

    def _in_file(self, path: str, document: Mapping[str, object], repository: ImageRepository) -> Credential | None:
        helpers = _members(document, "credHelpers")
        helper = next((helpers[key] for key in (repository.auth_key, repository.host) if key in helpers), None)
        for name in (helper, document.get("credsStore")):
            if isinstance(name, str) and name and (found := self._helper(name, repository.auth_key)) is not None:
                return found
        entries = _members(document, "auths")
        for key in _keys(repository, entries):
            found = _entry(path, key, entries[key])
            if found is not None:
                return found
        return None

    def _helper(self, name: str, server: str) -> Credential | None:
        from minpack.registry.helper import ask_helper  # noqa: PLC0415 - where one is named

        if (name, server) not in self._helped:
            found = ask_helper(name, server)
            self._helped[name, server] = None if found is None else _with_secret(f"docker-credential-{name}", *found)
        return self._helped[name, server]


def _with_secret(source: str, username: str, secret: str) -> Credential | None:
    if username == _IDENTITY:
        return Credential(source, identity_token=Secret(secret))
    found = Credential(source, Secret(username), Secret(secret))
    return found or None


def _read_file(path: str) -> Mapping[str, object]:
    """The file's object; empty if there is no file.

    :raises CredentialsError: it cannot be read, or is none of these files.
    """
    import json  # noqa: PLC0415

    try:
        content = _content(path)
        document = json.loads(read_all(content, _MOST_BYTES)) if content is not None else {}
    except InputError as error:
        raise CredentialsError(path, error.reason, _HINT) from error
    except (ValueError, RecursionError):
        # Not what it says, nor itself as the cause: it may have a password in it.
        raise CredentialsError(path, "it is not JSON", _HINT) from None
    if not isinstance(document, dict):
        raise CredentialsError(path, "it is not a JSON object", _HINT)
    return document


def _content(path: str) -> FileContent | None:
    """The file as it is now; None if there is none.

    :raises InputError: it is none that can be read.
    """
    import os  # noqa: PLC0415
    import stat  # noqa: PLC0415

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        from minpack.errors import reason_of  # noqa: PLC0415

        raise InputError(path, reason_of(error)) from error
    try:
        status = file_status(descriptor, path)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InputError(path, "it is not a regular file")
    return FileContent(path, status.st_size)


def _members(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _keys(repository: ImageRepository, entries: Iterable[str]) -> list[str]:
    """Those of `entries` that are for `repository`, the most specific first.

    A key is a host, or a host and the beginning of a name (containers-auth.json(5)). Older ones are addresses, of which
    the host alone counts (docker/cli, `ConvertToHostname`).
    """
    parts = str(repository).split("/")
    exact = [*("/".join(parts[:count]) for count in range(len(parts), 0, -1)), repository.auth_key]
    exact += [repository.api_host] if repository.api_host != repository.host else []
    hosts = {repository.host, repository.api_host}
    known = set(entries)
    return [key for key in exact if key in known] + sorted(key for key in known if _host_of_address(key) in hosts)


def _host_of_address(key: str) -> str:
    match = re.fullmatch(r"https?://([^/]+)(?:/.*)?|([^/]+)/v[12]/?", key)
    return (match[1] or match[2]) if match else ""


def _entry(path: str, key: str, entry: object) -> Credential | None:
    """What an entry of ``auths`` has; None if it is empty, as those of hosts whose credentials a store keeps.

    :raises CredentialsError: it cannot be what it should be.
    """
    if not isinstance(entry, dict):
        return None
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    username, password = texts.get("username", ""), texts.get("password", "")
    if texts.get("auth"):
        username, password = _decoded(path, key, texts["auth"])
    identity = texts.get("identitytoken", "") or (password if username == _IDENTITY else "")
    found = Credential(path, *map(Secret, (username, password, identity, texts.get("registrytoken", ""))))
    return found or None


def _decoded(path: str, key: str, text: str) -> tuple[str, str]:
    from base64 import b64decode  # noqa: PLC0415

    try:
        username, colon, password = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        username, colon, password = "", "", ""
    if not colon:
        raise CredentialsError(path, f"its entry for {key} is not USER:PASSWORD in base64", _HINT)
    # Docker's own client has written zeros behind it.
    return username, password.strip("\0")
