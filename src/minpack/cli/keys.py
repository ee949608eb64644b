"""Keys as users name them: a file, or `env://NAME`; and the password of one that is encrypted."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from minpack.errors import KeyFileError, UsageError, reason_of
from minpack.excerpt import visible
from minpack.registry.secret import Secret
from minpack.trust.keyfile import MAX_KEY_FILE
from minpack.trust.keys import read_public_key, read_signing_key

if TYPE_CHECKING:
    from minpack.trust.keys import PublicKey, SigningKey

_VARIABLE = "env://"
_PEM = "-----BEGIN"
_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the name of a variable
#: More characters than any password has.
_MOST_PASSWORD = 1 << 16


def signing_key(text: str) -> SigningKey:
    """The private key that `text` names.

    :raises KeyFileError: there is none that can be used, or no password for it.
    """
    return read_signing_key(_bytes_of(text), text, lambda: _password(text))


def verifying_key(text: str) -> PublicKey:
    """The public key that `text` names.

    :raises KeyFileError: there is none that can be used.
    """
    return read_public_key(_bytes_of(text), text)


def public_name(text: str) -> str:
    """What the public key of a private one is called most likely: what cosign and minpack call it."""
    return f"{text.removesuffix('.key')}.pub" if text.endswith(".key") else "KEY.pub"


def new_password() -> Secret | None:
    """The password for a new key: the variable's, or what is typed twice on a terminal; None for no encryption.

    :raises UsageError: two different ones were typed.
    """
    given = os.environ.get(_PASSWORD)
    if given is not None:
        return Secret(given)
    if not _has_terminal():
        return None
    first = _typed("Password for the new private key (empty for no encryption): ")
    if first and first != _typed("Repeat the password: "):
        raise UsageError("--generate-key", "", "the two passwords differ", "run it again")
    return first or None


def _bytes_of(text: str) -> bytes:
    """What a key's file or variable holds.

    :raises KeyFileError: it cannot be read.
    """
    if text.startswith(_VARIABLE):
        return _of_variable(text)
    if _PEM in text:
        # It is not repeated: what is printed may be kept in a log.
        raise KeyFileError(
            f"{_PEM}…", "it is a key itself, and not the name of one", f"put it into a file or {_VARIABLE}NAME"
        )
    try:
        if not os.path.isfile(text) and os.path.exists(text):
            raise KeyFileError(text, "it is not a regular file", "use a key file in PEM format")
        with open(text, "rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "no such file"
        hint = "minpack sign --generate-key -o NAME makes NAME.key and NAME.pub"
        raise KeyFileError(text, reason, hint) from error
    if len(data) > MAX_KEY_FILE:
        raise KeyFileError(
            text, f"it has more than the {MAX_KEY_FILE} bytes that a key may have", "use a key in PEM format"
        )
    return data


def _of_variable(text: str) -> bytes:
    name = text.removeprefix(_VARIABLE)
    value = os.environ.get(name, "") if name and "=" not in name and "\0" not in name else ""
    if not value:
        raise KeyFileError(text, "that variable is not set", f"write {_VARIABLE}NAME of a variable that holds the PEM")
    return os.fsencode(value)[: MAX_KEY_FILE + 1]


def _password(name: str) -> Secret:
    """The password of a key that is encrypted.

    :raises KeyFileError: there is none.
    """
    given = os.environ.get(_PASSWORD)
    if given is not None:
        return Secret(given)
    if not _has_terminal():
        raise KeyFileError(name, "it is encrypted, and there is no password", f"set {_PASSWORD}")
    return _typed(f"Password for {name}: ")


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _typed(prompt: str) -> Secret:
    """What is typed without being shown."""
    from getpass import getpass  # noqa: PLC0415 - where a password is typed

    return Secret(getpass(visible(prompt))[:_MOST_PASSWORD])
