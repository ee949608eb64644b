"""The keys that Debian signs its archive with, and verifying what they signed.

The files in `keys/` are those of Debian's package debian-archive-keyring, unchanged: `KEYRING` says of which version.
Their fingerprints are pinned here, so that no other key counts, whatever lies in the directory.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.errors import InputError, PackageError, UntrustedPackageError, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pysequoia import Cert

#: Where the keys are from: the package, its version, and the SHA-256 of the .deb.
KEYRING = ("debian-archive-keyring", "2025.1", "9ea7778e443144ca490668737a8ab22dd3e748bb99e805e22ec055abeb3c7fac")
#: The fingerprints of the primary keys by the name of the file in `keys/`; none of them expires before 2031.
FINGERPRINTS: Mapping[str, str] = {
    "bookworm-automatic": "b8b80b5b623eab6ad8775c45b7c5d7d6350947f8",
    "bookworm-security-automatic": "05ab90340c0c5e797f44a8c8254cf3b5aec0a8f0",
    "bookworm-stable": "4d64fec119c2029067d6e791f8d2585b8783d481",
    "trixie-automatic": "04b54c3cdca79751b16bc6b5225629df75b188bd",
    "trixie-security-automatic": "5e04a1e3223a19a20706e20f9904613d4cce68c6",
    "trixie-stable": "41587f7db8c774bccf131416762f67a0b2c39de4",
}
#: More than all keys of an archive have together.
MAX_KEYS = 1 << 20
#: Many times what a signed release has (150 KB).
MAX_SIGNED = 8 << 20
_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_UNTRUSTED = "no trusted key signed these bytes"
_HINT = "it was changed in transit, or minpack does not know the key yet: try another --mirror, or a newer minpack"


def debian_keys() -> dict[str, bytes]:
    """The armoured keys of Debian's archive by fingerprint."""
    folder = os.path.join(os.path.dirname(__file__), "keys")
    keys = {}
    for name, fingerprint in FINGERPRINTS.items():
        with open(os.path.join(folder, f"{name}.asc"), "rb") as file:
            keys[fingerprint] = file.read()
    return keys


def keys_in(directory: str) -> dict[str, bytes]:
    """The keys in the files of a directory of this host, armoured or not, by fingerprint.

    :raises InputError: it cannot be read, or holds none.
    """
    from pysequoia import Cert  # noqa: PLC0415

    keys: dict[str, bytes] = {}
    try:
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if name.startswith(".") or not os.path.isfile(path) or os.path.getsize(path) > MAX_KEYS:
                continue
            with open(path, "rb") as file:
                data = file.read(MAX_KEYS)
            with suppress(Exception):  # the binding has no class of its own for what is no key
                keys |= {one.fingerprint.lower(): bytes(one) for one in Cert.split_bytes(data)}
    except OSError as error:
        raise InputError(directory, reason_of(error), hint="--keys takes a directory of OpenPGP keys") from error
    if not keys:
        raise InputError(directory, "it contains no OpenPGP key", hint="--keys takes a directory of public keys")
    return keys


def signed_text(message: bytes, keys: Mapping[str, bytes], where: str) -> bytes:
    """What a cleartext-signed message says (RFC 9580, section 7), if one of `keys` has signed it.

    Nothing that stands before or behind the signed text is part of it.

    :param keys: armoured certificates by the fingerprint of their primary key, in lower-case hexadecimal.
    :param where: what to call the message in errors.
    :raises UntrustedPackageError: none of the keys has signed it, or it was changed.
    :raises PackageError: it is not a signed message.
    """
    from pysequoia import verify  # noqa: PLC0415

    if len(message) > MAX_SIGNED or not message.startswith(_BEGIN):
        raise PackageError(where, "it has no inline signature, as an InRelease file must", "use another --mirror")
    certificates = [_certificate(fingerprint, armoured) for fingerprint, armoured in keys.items()]
    try:
        result = verify(message, store=lambda _: certificates)
    except Exception as error:  # the binding has no class of its own for what it raises
        raise UntrustedPackageError(where, _UNTRUSTED, _HINT) from error
    signers = {signature.certificate.lower() for signature in result.valid_sigs}
    text = result.bytes
    if not signers & keys.keys() or text is None:
        raise UntrustedPackageError(where, _UNTRUSTED, _HINT)
    return text


def _certificate(fingerprint: str, armoured: bytes) -> Cert:
    from pysequoia import Cert  # noqa: PLC0415

    try:
        certificate = Cert.from_bytes(armoured)
    except Exception as error:
        raise PackageError(f"key {fingerprint}", _first_line(error), "install minpack again") from error
    if certificate.fingerprint.lower() != fingerprint:
        reason = f"the file holds another key, {certificate.fingerprint}"
        raise PackageError(f"key {fingerprint}", reason, "install minpack again")
    return certificate


def _first_line(error: Exception) -> str:
    """What the binding says, without the backtrace that may follow."""
    line = re.split(r"\n", str(error).strip(), maxsplit=1)[0] or type(error).__name__
    return (line[:1].lower() + line[1:])[:200].rstrip(". ")
