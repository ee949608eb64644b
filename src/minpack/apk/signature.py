"""Who signed a stream: RSA signatures by keys that are trusted by name (apk-v2(5), "SIGNATURE").

A signature stream is a tar with an entry ``.SIGN.<algorithm>.<key name>`` for each signature; each
is over the compressed bytes of the stream behind it. One by a trusted key is enough.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from minpack.apk.streams import DAMAGED, read_stream
from minpack.content import BytesContent
from minpack.errors import ArchiveError, PackageError, UntrustedPackageError
from minpack.namedtuple import NamedTuple
from minpack.tar.read import read_members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    from minpack.apk.streams import Stream
    from minpack.content import Reader

#: The most bytes of a signature stream, and of a key: real ones have some hundreds each.
MAX_SIGNATURES = 1 << 20
MAX_KEY = 1 << 16
_PREFIX = ".SIGN."
#: As apk-tools has them (`src/sign.c`); both mean PKCS #1 v1.5.
_ALGORITHMS = {"RSA": "sha1", "RSA256": "sha256", "RSA512": "sha512"}
#: Below that a key can be broken; Alpine's oldest have 2048 bits.
_MIN_BITS = 1024


class Key(NamedTuple):
    """A public key in PEM, and the file name it is trusted by."""

    name: str
    pem: bytes

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the PEM text, in hexadecimal."""
        return hashlib.sha256(self.pem.strip()).hexdigest()


class Signature(NamedTuple):
    """A signature: by the key of that name, `algorithm` as apk-tools calls it."""

    algorithm: str
    key: str
    value: bytes


def read_signatures(data: bytes, what: str) -> tuple[Signature, ...]:
    """The signatures in an inflated signature stream.

    :raises PackageError: it is damaged.
    """
    found = []
    try:
        for member in read_members(BytesContent(data), what):
            if member.name.startswith(_PREFIX):
                algorithm, _, key = member.name.removeprefix(_PREFIX).partition(".")
                found.append(Signature(algorithm, key, data[member.start : member.start + member.size]))
    except ArchiveError as error:
        raise PackageError(what, f"its signature is damaged: {error.reason}", error.hint) from error
    return tuple(found)


def signed_stream(reader: Reader, limit: int, what: str, part: str) -> tuple[tuple[Signature, ...], Stream]:
    """The stream that is signed, with its signatures: the second of a file, or the first of one without any.

    :param limit: the most bytes it may hold.
    :param part: what to call it in errors.
    :raises PackageError: a stream is damaged, cut short or too large.
    """
    first = read_stream(reader, 0, limit, what, "first stream")
    if not first.data.startswith(_PREFIX.encode()):
        return (), first
    if len(first.data) > MAX_SIGNATURES:
        raise PackageError(what, f"its signatures have more than {MAX_SIGNATURES} bytes", DAMAGED)
    return read_signatures(first.data, what), read_stream(reader, first.end, limit, what, part)


def verify(signatures: Sequence[Signature], signed: bytes, keys: Sequence[Key], what: str) -> Key:
    """The trusted key that signed `signed`.

    :raises UntrustedPackageError: there is none; the reason says whether it is unsigned, by a key that is not
        trusted, by another key of a trusted one's name, or changed since.
    """
    if not signatures:
        raise UntrustedPackageError(what, "it is not signed", "take it from a repository that signs its packages")
    trusted = {key.name: key for key in keys}
    reasons = []
    for signature in signatures:
        key = trusted.get(signature.key)
        if key is None:
            continue
        reason = _objection(signature, signed, key)
        if not reason:
            return key
        reasons.append(reason)
    if reasons:
        raise UntrustedPackageError(what, "; ".join(reasons), "the mirror or a proxy changed it; try another --mirror")
    names = ", ".join(dict.fromkeys(signature.key for signature in signatures))
    hint = "if you trust that key, put it under that name into a directory, and pass --keys DIR"
    raise UntrustedPackageError(what, f"it is signed by {names}, and no trusted key has that name", hint)


def _objection(signature: Signature, signed: bytes, key: Key) -> str:
    """Why `signature` does not count; empty if it does."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415

    if signature.algorithm not in _ALGORITHMS:
        return f"its signature by {key.name} is of type {signature.algorithm!r}, which minpack does not support"
    public = _public_key(key)
    if public is None:
        return f"the trusted key {key.name} is not an RSA key of at least {_MIN_BITS} bits in PEM"
    algorithms: dict[str, HashAlgorithm] = {
        "sha1": hashes.SHA1(),  # noqa: S303 - what Alpine signs with
        "sha256": hashes.SHA256(),
        "sha512": hashes.SHA512(),
    }
    algorithm = algorithms[_ALGORITHMS[signature.algorithm]]
    try:
        public.verify(signature.value, signed, PKCS1v15(), algorithm)
    except InvalidSignature:
        pass
    else:
        return ""
    try:
        public.recover_data_from_signature(signature.value, PKCS1v15(), algorithm)
    except InvalidSignature:
        return f"it is signed by another key that has the same name as the trusted {key.name}"
    return f"it was changed after {key.name} signed it"


def _public_key(key: Key) -> RSAPublicKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        public = load_pem_public_key(key.pem)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, RSAPublicKey) and public.key_size >= _MIN_BITS else None
