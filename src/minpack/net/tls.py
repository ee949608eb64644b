"""`Tls`: whom to trust, and as whom to appear, when a server is spoken to by TLS."""

from __future__ import annotations

import os
import ssl
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.errors import InputError, reason_of
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

_CA_HINT = "set SSL_CERT_FILE to a PEM file of certificate authorities, or unset it"
_MORE_HINT = "it must hold certificate authorities in PEM format"
_CLIENT_HINT = "a client certificate and its key are two files in PEM format, the key without a password"
#: Many times what all certificate authorities have (200 KB).
_MOST_AUTHORITIES = 16 << 20


class Tls(NamedTuple):
    """The files are PEM: `ca_file` takes the place of the system's certificate authorities, `more` are added to them.

    `certificate` and `key` are this client's own. Without `verify` any server is taken for the one that was meant.
    """

    ca_file: str = ""
    more: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    verify: bool = True


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What connections are made with.

    :raises InputError: a file cannot be used.
    """
    if not tls.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = _with_authorities(tls)
    if tls.certificate:
        for path in (tls.certificate, tls.key):
            _check_file(path, _CLIENT_HINT)
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
        except (OSError, ValueError) as error:
            raise InputError(tls.certificate, "it and its key cannot be used", hint=_CLIENT_HINT) from error
    return context


def _with_authorities(tls: Tls) -> ssl.SSLContext:
    if tls.ca_file:
        with _authorities(tls.ca_file, _CA_HINT):
            context = ssl.create_default_context(cafile=tls.ca_file)
    else:
        context = ssl.create_default_context()
        if not _has_authorities(context):
            import certifi  # noqa: PLC0415

            context.load_verify_locations(certifi.where())
    for path in tls.more:
        with _authorities(path, _MORE_HINT):
            context.load_verify_locations(path)
    return context


@contextmanager
def _authorities(path: str, hint: str) -> Generator[None]:
    """Turns what OpenSSL says of the authorities in `path` into `InputError`."""
    _check_file(path, hint)
    try:
        yield
    except ssl.SSLError as error:
        raise InputError(path, "it contains no PEM certificates", hint=hint) from error
    except OSError as error:
        raise InputError(path, reason_of(error), hint=hint) from error


def _check_file(path: str, hint: str) -> None:
    """Raise `InputError` if OpenSSL cannot read it, would wait for it, as for a named pipe, or read it for long."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(path, reason_of(error), hint=hint) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(path, "it is not a regular file", hint=hint)
    if status.st_size > _MOST_AUTHORITIES:
        reason = f"it has more than the {_MOST_AUTHORITIES} bytes that certificates may have"
        raise InputError(path, reason, hint=hint)


def _has_authorities(context: ssl.SSLContext) -> bool:
    # Those of a directory are loaded one by one when needed, so they are not among the context's yet.
    directory = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509"] or (directory and os.listdir(directory)))
