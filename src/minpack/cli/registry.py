"""How registries are reached: the options about it, and what the environment says. For commands that ask registries."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from minpack.cli.settings import proxies
from minpack.errors import InputError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.net.network import Network
from minpack.oci.reference import is_host
from minpack.registry.options import Login, RegistryOptions
from minpack.registry.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection

    from minpack.base.options import BaseOptions
    from minpack.registry.repository import ImageRepository
    from minpack.spec.base_ref import BaseRef

#: Where Docker and podman look for certificates, besides the user's own directory.
_CERTIFICATES = ("/etc/docker/certs.d", "/etc/containers/certs.d")
#: More bytes than any password or token has.
_MOST_PASSWORD = 1 << 16
_MIRRORS = "MINPACK_MIRROR_HUB"
_PIPE = "pipe it: minpack … --username USER --password-stdin < FILE"


class RegistryAccess(NamedTuple):
    """The options about registries, as they were given."""

    username: str | None = None
    password_stdin: bool = False
    registry_ca: str | None = None
    insecure: tuple[str, ...] = ()
    offline: bool = False


def registry_options(given: RegistryAccess, hosts: Collection[str] = ()) -> RegistryOptions:
    """How registries are reached, by the options that were given and the environment.

    :param hosts: the registries that --username and --password-stdin may be for.
    :raises UsageError: an option or a variable cannot be meant.
    :raises InputError: --registry-ca names no file.
    """
    ca_file = given.registry_ca or ""
    if ca_file and not os.path.isfile(ca_file):
        reason = "it is not a regular file" if os.path.exists(ca_file) else "no such file or directory"
        raise InputError(ca_file, reason, hint="--registry-ca takes a file of certificate authorities in PEM format")
    return RegistryOptions(
        Network(given.offline, proxies(), ca_file=os.environ.get("SSL_CERT_FILE", "")),
        _login(given.username, hosts, from_stdin=given.password_stdin),
        auth_files(),
        ca_file,
        (*_CERTIFICATES, *_in_home(".config/containers/certs.d", "XDG_CONFIG_HOME")),
        given.insecure,
        hub_mirrors(os.environ.get(_MIRRORS, "")),
    )


def with_registry(
    options: BaseOptions,
    given: RegistryAccess,
    *refs: BaseRef,
    push: RegistryOptions | None = None,
    lock: str | None = None,
    caches: Collection[ImageRepository] = (),
) -> BaseOptions:
    """The options with how registries are reached, for bases that are in some.

    :param refs: what is opened.
    :param push: how those are reached that the image is pushed to, if it is.
    :param lock: the lock that names what is opened too, if one does.
    :param caches: the shared caches, which are in registries as well.
    :raises UsageError: an option about registries cannot be meant.
    :raises LockError: the lock is needed, and cannot be read.
    """
    images = [ref.image.name for ref in refs if ref.is_pulled and ref.image is not None]
    if push is None and lock is not None and given.username is not None:
        images += _locked_images(lock)
    hosts = {*(name.partition("/")[0] for name in images), *(one.host for one in caches)}
    if push is None:
        return options._replace(registry=registry_options(given, hosts))
    # A user who is named is whose image is pushed, in whichever way that registry is asked; a password is read once.
    access = registry_options(given._replace(username=None, password_stdin=False), hosts)
    return options._replace(registry=access._replace(login=push.login))


def _locked_images(path: str) -> list[str]:
    """The names of the images of registries that a lock names."""
    from minpack.lock.file import read_lock  # noqa: PLC0415 - for locks alone
    from minpack.spec.base_ref import DOCKER  # noqa: PLC0415 - as above

    scheme = f"{DOCKER}://"
    bases = [base for image in read_lock(path).images.values() for base in (image.base, *image.others)]
    return [base.name.removeprefix(scheme) for base in bases if base.name.startswith(scheme)]


def auth_files() -> tuple[str, ...]:
    """The files that may have credentials: those that variables name, then Docker's and podman's own."""
    docker, podman = os.environ.get("DOCKER_CONFIG", ""), os.environ.get("REGISTRY_AUTH_FILE", "")
    named = (*((os.path.join(docker, "config.json"),) if docker else ()), *((podman,) if podman else ()))
    usual = () if docker else _in_home(".docker/config.json")
    if not podman:
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        usual += (os.path.join(runtime, "containers/auth.json"),) if os.path.isabs(runtime) else ()
        usual += _in_home(".config/containers/auth.json", "XDG_CONFIG_HOME")
    return named + usual


def _in_home(path: str, variable: str = "") -> tuple[str, ...]:
    """`path` in the user's home; where `variable` names a directory, that takes the place of its first part."""
    base = os.environ.get(variable, "") if variable else ""
    if os.path.isabs(base):
        return (os.path.join(base, path.partition("/")[2]),)
    home = os.environ.get("HOME", "")
    return (os.path.join(home, path),) if os.path.isabs(home) else ()


def hub_mirrors(text: str) -> tuple[str, ...]:
    """The mirrors of Docker Hub in `text`, separated by commas or spaces, as ``HOST[:PORT][/PREFIX]``.

    :raises UsageError: one of them is none.
    """
    found = []
    for item in re.split(r"[,\s]+", text):
        mirror = item.removeprefix("https://").rstrip("/")
        host, _, prefix = mirror.partition("/")
        if item and (not is_host(host) or re.fullmatch(r"[a-z0-9._/-]*", prefix) is None):
            shown = re.sub(r"[^/]*@", "…@", item)
            raise UsageError(_MIRRORS, shown, "it is not a registry", "write it as HOST[:PORT][/PREFIX]")
        found += [mirror] if item else []
    return tuple(found)


def _login(username: str | None, hosts: Collection[str], *, from_stdin: bool) -> Login | None:
    if username is None and not from_stdin:
        return None
    if username is None:
        raise UsageError("--password-stdin", "", "it needs --username", "add --username USER")
    if not from_stdin:
        raise UsageError("--username", "", "it needs --password-stdin", _PIPE)
    if ":" in username:
        raise UsageError("--username", "", "a user name cannot have a colon (RFC 7617)", _PIPE)
    if len(hosts) != 1:
        reason = f"there are several registries: {', '.join(sorted(hosts))}" if hosts else "no registry is used"
        raise UsageError("--username", "", reason, "log in to each with docker login or podman login")
    return Login(next(iter(hosts)), Secret(username), _password())


def _password() -> Secret:
    """What comes on stdin, without the end of its line."""
    stdin = sys.stdin
    if stdin is None or stdin.isatty():
        reason = "there is no stdin" if stdin is None else "stdin is a terminal, which would show it"
        raise UsageError("--password-stdin", "", reason, _PIPE)
    data = stdin.buffer.read(_MOST_PASSWORD + 1)
    if len(data) > _MOST_PASSWORD:
        raise UsageError("--password-stdin", "", f"it has more than {_MOST_PASSWORD} bytes", _PIPE)
    text = data.decode(errors="surrogateescape").removesuffix("\n").removesuffix("\r")
    if not text:
        raise UsageError("--password-stdin", "", "there was no password on stdin", _PIPE)
    return Secret(text)
