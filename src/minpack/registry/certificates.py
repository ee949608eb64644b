"""Which certificates a host is spoken to with (Docker, "Verify repository client with certificates")."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.errors import InputError, reason_of
from minpack.net.tls import Tls
from minpack.registry.repository import host_alone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.registry.options import RegistryOptions

#: More files than any such directory has.
_MOST_FILES = 1000


def find_tls(host: str, options: RegistryOptions) -> Tls:
    """How ``HOST[:PORT]`` is spoken to: with what its directories of certificates have, and `options`.

    :raises InputError: a directory cannot be read, or a certificate has no key.
    """
    files = [file for directory in options.cert_directories for file in _files(f"{directory}/{host}")]
    more = [file for file in files if file.endswith(".crt")]
    certificate = next((file for file in files if file.endswith(".cert")), "")
    key = f"{certificate.removesuffix('.cert')}.key" if certificate else ""
    if key and key not in files:
        raise InputError(certificate, f"its key {os.path.basename(key)} is not beside it")
    given = (options.ca_file,) if options.ca_file else ()
    return Tls(
        options.network.ca_file, (*given, *more), certificate, key, verify=not is_insecure(host, options.insecure)
    )


def is_insecure(host: str, insecure: Iterable[str]) -> bool:
    """Whether ``HOST[:PORT]`` is among `insecure`, with its port or without."""
    return not {host, host_alone(host)}.isdisjoint(insecure)


def _files(directory: str) -> list[str]:
    """The paths in `directory`, sorted; none if no such directory."""
    try:
        return [f"{directory}/{name}" for name in sorted(os.listdir(directory))[:_MOST_FILES]]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(directory, reason_of(error)) from error
