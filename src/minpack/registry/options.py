"""`RegistryOptions`: how registries are reached and with which credentials, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.net.network import Network

if TYPE_CHECKING:
    from minpack.registry.secret import Secret


class Login(NamedTuple):
    """User and password for the registry `host` alone; some registries take a token as the user."""

    host: str
    username: Secret
    password: Secret


class RegistryOptions(NamedTuple):
    """How to reach registries.

    `login` is what the user typed; otherwise the first of `auth_files` with credentials for a host counts. `ca_file`
    is a PEM file of authorities to trust besides the system's, `cert_directories` hold a directory ``HOST[:PORT]`` of
    certificates for each host that needs some. `insecure` are hosts that may speak http, or TLS with any certificate.
    `hub_mirrors`, as ``HOST[:PORT][/PREFIX]``, are asked before Docker Hub.
    """

    network: Network = Network()
    login: Login | None = None
    auth_files: tuple[str, ...] = ()
    ca_file: str = ""
    cert_directories: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    hub_mirrors: tuple[str, ...] = ()
