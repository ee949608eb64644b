"""Keys that sign and verify, as `cosign --key` has them: EC, RSA and Ed25519, with SHA-256 whatever the curve."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from minpack.errors import KeyFileError
from minpack.namedtuple import NamedTuple
from minpack.trust.keyfile import (
    COSIGN_LABELS,
    PRIVATE_LABELS,
    check_work,
    needs_password,
    opened_der,
    password_bytes,
    pem_blocks,
    private_block,
    sealed_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from minpack.registry.secret import Secret

    Private: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey
    Public: TypeAlias = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey

#: cosign takes RSA keys of these sizes (sigstore/sigstore, pkg/cryptoutils).
_MIN_BITS, _MAX_BITS = 2048, 16384
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_KINDS = "use an EC key (P-256, P-384, P-521), an RSA key of 2048 bits or more, or an Ed25519 key"


class SigningKey:
    """A private key. What it signs is signed in the same bytes each time, if `is_deterministic`."""

    def __init__(self, private: Private) -> None:
        self._private = private
        self.public = PublicKey(private.public_key())
        self.hint = self.public.hint
        self.is_deterministic = self.public.kind not in _CURVES.values() or _has_deterministic_ecdsa()

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`, as the kind of key has it: ASN.1 of ECDSA, PKCS#1 v1.5, or pure Ed25519."""
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - as all of it: for signatures alone
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: PLC0415

        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            # cosign verify --key hashes so for every curve.
            algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=self.is_deterministic)
            return self._private.sign(data, algorithm)
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._private.sign(data)

    def __repr__(self) -> str:
        return "SigningKey(…)"


class PublicKey:
    """A public key; `kind` is as ``P-256``, `hint` the SHA-256 of its DER form in base 64, as cosign names a key."""

    def __init__(self, public: Public) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        self._public = public
        self.kind = _kind(public)
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.hint = base64.b64encode(hashlib.sha256(der).digest()).decode()
        self.pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature of `data`."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: PLC0415

        # cosign itself signs with the hash of the curve's size.
        sizes: dict[str, tuple[hashes.HashAlgorithm, ...]] = {
            "P-384": (hashes.SHA256(), hashes.SHA384()),
            "P-521": (hashes.SHA256(), hashes.SHA512()),
        }
        for algorithm in sizes.get(self.kind, (hashes.SHA256(),)):
            try:
                if isinstance(self._public, ec.EllipticCurvePublicKey):
                    self._public.verify(signature, data, ec.ECDSA(algorithm))
                elif isinstance(self._public, rsa.RSAPublicKey):
                    self._public.verify(signature, data, padding.PKCS1v15(), algorithm)
                else:
                    self._public.verify(signature, data)
            except InvalidSignature:
                continue
            return True
        return False


class KeyPair(NamedTuple):
    """The bytes of the two files of a new key."""

    private: bytes
    public: bytes


def read_signing_key(data: bytes, name: str, password: Callable[[], Secret]) -> SigningKey:
    """The private key in a file.

    :param name: what to call it in errors.
    :param password: asked for where the key is encrypted.
    :raises KeyFileError: there is none that can be used, or the password is wrong.
    """
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_der_private_key,
        load_pem_private_key,
    )

    block = private_block(data, name)
    check_work(block, name)
    secret = password() if needs_password(block) else None
    try:
        if block.label in COSIGN_LABELS and secret is not None:
            private = load_der_private_key(opened_der(block, secret, name), None)
        else:
            private = load_pem_private_key(block.text, password_bytes(secret) if secret is not None else None)
    except (ValueError, TypeError, MemoryError, InternalError) as error:
        # The last two are what the library says of parameters of scrypt that cannot be.
        hint = "set COSIGN_PASSWORD to the password of this key" if secret is not None else "copy the file again"
        reason = "the password is wrong, or the file is damaged" if secret is not None else "it is damaged"
        raise KeyFileError(name, reason, hint) from error
    except UnsupportedAlgorithm as error:
        raise KeyFileError(name, "its algorithm is not supported", _KINDS) from error
    return SigningKey(_usable_private(private, name))


def read_public_key(data: bytes, name: str) -> PublicKey:
    """The public key in a file.

    :raises KeyFileError: there is none that can be used.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    blocks = pem_blocks(data)
    found = next((one for one in blocks if one.label in ("PUBLIC KEY", "RSA PUBLIC KEY")), None)
    if found is None:
        raise KeyFileError(name, *_not_public({one.label for one in blocks}))
    try:
        return PublicKey(_usable_public(load_pem_public_key(found.text), name))
    except ValueError as error:
        raise KeyFileError(name, "it is damaged", "copy the file again") from error
    except UnsupportedAlgorithm as error:
        raise KeyFileError(name, "its algorithm is not supported", _KINDS) from error


def _not_public(labels: set[str]) -> tuple[str, str]:
    """Why a file has no public key, and what to do."""
    if labels & set(PRIVATE_LABELS):
        return "it is a private key", "name the public key, NAME.pub beside NAME.key"
    if "CERTIFICATE" in labels:
        return "it is a certificate", "take its public key with openssl x509 -pubkey -noout -in FILE"
    return "it is not a public key in PEM", "name NAME.pub, which minpack sign --generate-key or cosign wrote"


def new_key_pair(password: Secret | None) -> KeyPair:
    """A new key on P-256: the private one in cosign's encrypted form, or without a password in PKCS#8."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private = ec.generate_private_key(ec.SECP256R1())
    encoding = Encoding.PEM if password is None else Encoding.DER
    data = private.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(
        data if password is None else sealed_file(data, password),
        PublicKey(private.public_key()).pem,
    )


def _usable_private(private: PrivateKeyTypes, name: str) -> Private:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    if not isinstance(private, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)):
        raise KeyFileError(name, "its algorithm is not supported", _KINDS)
    _usable_public(private.public_key(), name)
    return private


def _usable_public(public: PublicKeyTypes, name: str) -> Public:
    """`public`, which is of a kind that cosign takes.

    :raises KeyFileError: it is not.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    if isinstance(public, ec.EllipticCurvePublicKey):
        if public.curve.name not in _CURVES:
            raise KeyFileError(name, f"its curve {public.curve.name} is not supported", _KINDS)
        return public
    if isinstance(public, rsa.RSAPublicKey):
        if not _MIN_BITS <= public.key_size <= _MAX_BITS:
            raise KeyFileError(name, f"an RSA key of {public.key_size} bits is not supported", _KINDS)
        return public
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public
    raise KeyFileError(name, "its algorithm is not supported", _KINDS)


def _kind(public: Public) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

    if isinstance(public, ec.EllipticCurvePublicKey):
        return _CURVES[public.curve.name]
    return f"RSA-{public.key_size}" if isinstance(public, rsa.RSAPublicKey) else "Ed25519"


def _has_deterministic_ecdsa() -> bool:
    """Whether the library signs in the same bytes each time (RFC 6979), which OpenSSL does from 3.2 on."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return False
    return True
