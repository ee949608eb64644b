"""Files of private keys: PEM of every usual form, and cosign's own encrypted one, with bounded work.

cosign's file is PEM around JSON: the parameters of scrypt, which makes a key of the password, and a secret box with the
key in PKCS#8 (secure-systems-lab/go-securesystemslib, encrypted). The work that a file asks for is bounded before it
is done, in PEM too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING

from minpack.errors import KeyFileError
from minpack.namedtuple import NamedTuple
from minpack.trust.der import integers
from minpack.trust.secretbox import NONCE_SIZE, TAG_SIZE, open_box, sealed_box

if TYPE_CHECKING:
    from minpack.registry.secret import Secret

#: More than the PEM of an RSA key of 16,384 bits has.
MAX_KEY_FILE = 16 << 10
COSIGN_LABELS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
#: What is read: PKCS#8 (RFC 5958), SEC1 (RFC 5915) and PKCS#1 (RFC 8017).
PRIVATE_LABELS = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", *COSIGN_LABELS)
#: cosign's own parameters.
_N, _R, _P, _SALT = 65536, 8, 1, 32
#: What scrypt may take: 1 GiB of memory, and some seconds.
_MAX_MEMORY, _MAX_WORK = 1 << 30, 1 << 24
#: The most that the numbers of a PEM's encryption may come to together: iterations and the sizes of keys.
_MAX_PRODUCT = 1 << 28
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----\s(.*?)-----END \1-----", re.DOTALL)
_DAMAGED = "the file is damaged: copy it again"
_WRONG_PASSWORD = "the password is wrong, or the file is damaged"  # noqa: S105 - a message
_OTHERS = {
    "PUBLIC KEY": ("it is a public key", "name the private key, NAME.key beside NAME.pub"),
    "OPENSSH PRIVATE KEY": ("it is a key of OpenSSH", "convert a copy of it with ssh-keygen -p -m PKCS8 -f FILE"),
    "CERTIFICATE": ("it is a certificate", "name the private key that belongs to it"),
}


class PemBlock(NamedTuple):
    """A part of a PEM file: its label, its text with the lines around it, and what is between them."""

    label: str
    text: bytes
    body: bytes


def pem_blocks(data: bytes) -> tuple[PemBlock, ...]:
    """The parts of a PEM file."""
    return tuple(PemBlock(one[1].decode(), one[0], one[2]) for one in _PEM.finditer(data))


def private_block(data: bytes, name: str) -> PemBlock:
    """The part of a key file that has the private key.

    :raises KeyFileError: there is none of a form that is read.
    """
    blocks = pem_blocks(data)
    found = next((one for one in blocks if one.label in PRIVATE_LABELS), None)
    if found is not None:
        return found
    for one in blocks:
        if one.label in _OTHERS:
            raise KeyFileError(name, *_OTHERS[one.label])
    what = f"it holds a {blocks[0].label}" if blocks else "it is not a key in PEM"
    raise KeyFileError(name, what, "make one with minpack sign --generate-key -o NAME, or cosign generate-key-pair")


def needs_password(block: PemBlock) -> bool:
    """Whether the key is encrypted."""
    return block.label.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in block.text


def opened_der(block: PemBlock, password: Secret, name: str) -> bytes:
    """The PKCS#8 form of the key in cosign's file.

    :raises KeyFileError: the password is wrong, or the file asks for too much work or is damaged.
    """
    values = _cosign_values(block, name)
    key = _scrypt(password, values.salt, *values.parameters)
    opened = open_box(key, values.nonce, values.box)
    if opened is None:
        raise KeyFileError(name, _WRONG_PASSWORD, "set COSIGN_PASSWORD to the password of this key")
    return opened


def sealed_file(der: bytes, password: Secret) -> bytes:
    """Cosign's file of a key in PKCS#8."""
    salt, nonce = os.urandom(_SALT), os.urandom(NONCE_SIZE)
    document = {
        "kdf": {"name": "scrypt", "params": {"N": _N, "r": _R, "p": _P}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(sealed_box(_scrypt(password, salt, _N, _R, _P), nonce, der)),
    }
    text = _text(json.dumps(document, separators=(",", ":")).encode())
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {COSIGN_LABELS[0]}-----\n{lines}\n-----END {COSIGN_LABELS[0]}-----\n".encode()


def password_bytes(password: Secret) -> bytes:
    """The password as it was given: a variable may hold bytes that are not UTF-8."""
    return password.reveal().encode(errors="surrogateescape")


def check_work(block: PemBlock, name: str) -> None:
    """Raise `KeyFileError` if decrypting the key in PKCS#8 would take ages or all memory: the file says how much."""
    if block.label != "ENCRYPTED PRIVATE KEY":
        return
    product = 1
    for one in integers(_decoded(block.body.decode("ascii", "replace"), name)) or (_MAX_PRODUCT + 1,):
        product *= max(1, one)
    if product > _MAX_PRODUCT:
        raise KeyFileError(name, "its encryption is damaged, or would take too long to decrypt", _DAMAGED)


class _CosignValues(NamedTuple):
    """What cosign's file has: the parameters are N, r and p."""

    parameters: tuple[int, int, int]
    salt: bytes
    nonce: bytes
    box: bytes


def _cosign_values(block: PemBlock, name: str) -> _CosignValues:
    try:
        document = json.loads(_decoded(block.body.decode("ascii", "replace"), name))
        kdf, cipher = document["kdf"], document["cipher"]
        kinds = (kdf["name"], cipher["name"])
        parameters = tuple(kdf["params"][key] for key in ("N", "r", "p"))
        texts = tuple(_decoded(text, name) for text in (kdf["salt"], cipher["nonce"], document["ciphertext"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KeyFileError(name, "it is not in cosign's format", _DAMAGED) from error
    if kinds != ("scrypt", "nacl/secretbox"):
        raise KeyFileError(name, "its encryption method is not supported", "export it again with a current cosign")
    if len(texts[1]) != NONCE_SIZE or len(texts[2]) < TAG_SIZE:
        raise KeyFileError(name, "it is not in cosign's format", _DAMAGED)
    n, r, p = parameters
    if not _is_bounded(n, r, p):
        raise KeyFileError(name, "decrypting it would take too long or too much memory", _DAMAGED)
    return _CosignValues((n, r, p), *texts)


def _is_bounded(n: object, r: object, p: object) -> bool:
    """Whether these are parameters of scrypt (RFC 7914) that a second or two are enough for."""
    if not all(type(one) is int and 0 < one <= _MAX_WORK for one in (n, r, p)):
        return False
    assert isinstance(n, int)
    assert isinstance(r, int)
    assert isinstance(p, int)
    return n > 1 and n & (n - 1) == 0 and 128 * n * r <= _MAX_MEMORY and n * r * p <= _MAX_WORK


def _scrypt(password: Secret, salt: bytes, n: int, r: int, p: int) -> bytes:
    # Its own limit is 32 MiB, half of what cosign's parameters take.
    memory = 128 * r * (n + p + 2) + (1 << 20)
    return hashlib.scrypt(password_bytes(password), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise KeyFileError(name, "its base 64 is damaged", _DAMAGED) from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
