"""Keys of every form that others write, and what is none; what openssl verifies, and what it signs."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from nacl.secret import SecretBox

from minpack.errors import KeyFileError
from minpack.registry.secret import Secret
from minpack.trust.keys import SigningKey, new_key_pair, read_public_key, read_signing_key
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "pass word/ä"  # noqa: S105 - of keys that are made here
DATA = b"what is signed"
KINDS = {
    "P-256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "P-384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "P-521": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"),
    "RSA-2048": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "Ed25519": ("-algorithm", "ED25519"),
}
OTHERS = {
    "secp256k1": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
    "RSA-1024": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"),
    "X25519": ("-algorithm", "X25519"),
    "Ed448": ("-algorithm", "ED448"),
}


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    """What openssl prints."""
    command = (need_tool("openssl"), *arguments)
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def generated(kind: str) -> bytes:
    """A new key in PKCS#8."""
    return openssl("genpkey", *{**KINDS, **OTHERS}[kind])


def public(pem: bytes) -> bytes:
    """The public key of a private one."""
    return openssl("pkey", "-pubout", data=pem)


def read(pem: bytes, password: str | None = None) -> SigningKey:
    """The key in a file; asked for a password where none is expected, it fails."""

    def given() -> Secret:
        assert password is not None
        return Secret(password)

    return read_signing_key(pem, "K", given)


def refusal(pem: bytes, password: str | None = None) -> KeyFileError:
    """The error that a file is refused with."""
    with pytest.raises(KeyFileError) as caught:
        read(pem, password)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies_what_is_signed(kind: str, tmp_path: Path) -> None:
    """With SHA-256 whatever the curve; the same bytes each time, and `verifies` agrees."""
    pem = generated(kind)
    key = read(pem)
    signature = key.sign(DATA)
    assert key.is_deterministic
    assert key.sign(DATA) == signature
    (tmp_path / "pub").write_bytes(public(pem))
    (tmp_path / "sig").write_bytes(signature)
    (tmp_path / "data").write_bytes(DATA)
    verify: tuple[str, ...]
    if kind == "Ed25519":
        verify = ("pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-rawin", "-sigfile", "sig", "-in", "data")
    else:
        verify = ("dgst", "-sha256", "-verify", "pub", "-signature", "sig", "data")
    subprocess.run((need_tool("openssl"), *verify), cwd=tmp_path, check=True, capture_output=True)
    other = read_public_key((tmp_path / "pub").read_bytes(), "K.pub")
    assert (other.kind, other.hint) == (kind, key.hint)
    assert other.verifies(signature, DATA)
    assert not other.verifies(signature, DATA + b"x")
    assert not read_public_key(public(generated("P-256")), "K.pub").verifies(signature, DATA)
    der = openssl("pkey", "-pubin", "-outform", "DER", data=other.pem)
    assert key.hint == base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.mark.parametrize(("kind", "form"), [
    ("P-256", ("ec",)),
    ("P-256", ("ec", "-aes256", "-passout", f"pass:{PASSWORD}")),
    ("P-256", ("pkcs8", "-topk8", "-passout", f"pass:{PASSWORD}")),
    ("P-256", ("pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{PASSWORD}")),
    ("P-256", ("pkcs8", "-topk8", "-iter", "600000", "-passout", f"pass:{PASSWORD}")),
    ("RSA-2048", ("rsa", "-traditional")),
    ("Ed25519", ("pkcs8", "-topk8", "-passout", f"pass:{PASSWORD}")),
])  # fmt: skip
def test_every_form_of_a_key_is_the_same_key(kind: str, form: tuple[str, ...]) -> None:
    """SEC1, PKCS#1 and PKCS#8, encrypted or not; a wrong password is called that."""
    pem = generated(kind)
    written = openssl(*form, data=pem)
    encrypted = "-passout" in form
    assert read(written, PASSWORD if encrypted else None).hint == read(pem).hint
    if encrypted:
        error = refusal(written, "wrong")
        assert error.reason == "the password is wrong, or the file is damaged"
        assert "COSIGN_PASSWORD" in (error.hint or "")


def test_parameters_before_a_key_are_passed_over() -> None:
    """As openssl ecparam writes them."""
    pem = openssl("ecparam", "-genkey", "-name", "prime256v1")
    assert pem.startswith(b"-----BEGIN EC PARAMETERS")
    assert read(pem).public.kind == "P-256"


def cosign_file(der: bytes, label: str = "SIGSTORE", **changes: Any) -> bytes:
    """The file that cosign would write, by PyNaCl, with smaller parameters or changed ones."""
    params = {"N": 1024, "r": 8, "p": 1} | changes.pop("params", {})
    salt, nonce = b"s" * 32, b"n" * 24
    key = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=1024, r=8, p=1, dklen=32)
    box = SecretBox(key).encrypt(der, nonce).ciphertext
    document: dict[str, Any] = {
        "kdf": {"name": "scrypt", "params": params, "salt": base64.b64encode(salt).decode()},
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(box).decode(),
    } | changes
    return cosign_pem(json.dumps(document).encode(), label)


def cosign_pem(data: bytes, label: str = "SIGSTORE") -> bytes:
    """`data` as cosign's PEM."""
    kind = f"ENCRYPTED {label} PRIVATE KEY"
    return f"-----BEGIN {kind}-----\n{base64.b64encode(data).decode()}\n-----END {kind}-----\n".encode()


@pytest.mark.parametrize("label", ["SIGSTORE", "COSIGN"])
@pytest.mark.parametrize("kind", ["P-256", "RSA-2048", "Ed25519"])
def test_files_of_cosign_are_read(kind: str, label: str) -> None:
    """Under both names, with every kind of key."""
    pem = generated(kind)
    der = openssl("pkey", "-outform", "DER", data=pem)
    file = cosign_file(openssl("pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", data=der), label)
    assert read(file, PASSWORD).hint == read(pem).hint
    assert refusal(file, "wrong").reason == "the password is wrong, or the file is damaged"


@pytest.mark.parametrize("password", [PASSWORD, ""])
def test_a_new_key_is_as_cosign_writes_it(password: str) -> None:
    """Encrypted with its parameters, which PyNaCl opens; an empty password is one too."""
    pair = new_key_pair(Secret(password))
    assert pair.private.startswith(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    document = json.loads(base64.b64decode(b"".join(pair.private.splitlines()[1:-1])))
    assert document["kdf"]["params"] == {"N": 65536, "r": 8, "p": 1}
    salt = base64.b64decode(document["kdf"]["salt"])
    key = hashlib.scrypt(password.encode(), salt=salt, n=65536, r=8, p=1, dklen=32, maxmem=100 << 20)
    der = SecretBox(key).decrypt(
        base64.b64decode(document["ciphertext"]), base64.b64decode(document["cipher"]["nonce"])
    )
    assert openssl("pkey", "-inform", "DER", "-pubout", data=der) == pair.public
    assert read(pair.private, password).hint == read_public_key(pair.public, "K.pub").hint


def test_a_new_key_without_a_password_is_plain() -> None:
    """PKCS#8, of another key each time."""
    first, second = new_key_pair(None), new_key_pair(None)
    assert public(first.private) == first.public != second.public
    assert first.private.startswith(b"-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize(("changes", "reason"), [
    ({"params": {"N": 1 << 24}}, "too long or too much memory"),
    ({"params": {"N": 1 << 20, "r": 9}}, "too long or too much memory"),
    ({"params": {"p": 1 << 20}}, "too long or too much memory"),
    ({"params": {"N": 1000}}, "too long or too much memory"),
    ({"params": {"N": -1}}, "too long or too much memory"),
    ({"params": {"N": True}}, "too long or too much memory"),
    ({"params": {"N": 1e3}}, "too long or too much memory"),
    ({"kdf": {}}, "not in cosign's format"),
    ({"cipher": {"name": "nacl/secretbox", "nonce": "AAAA"}}, "not in cosign's format"),
    ({"cipher": {"name": "aes", "nonce": "AAAA"}}, "method is not supported"),
    ({"ciphertext": "AAAA"}, "not in cosign's format"),
    ({"ciphertext": "?"}, "its base 64 is damaged"),
    ({"ciphertext": 5}, "not in cosign's format"),
])  # fmt: skip
def test_a_file_of_cosign_that_asks_for_too_much_is_refused(changes: dict[str, Any], reason: str) -> None:
    """Before any work is done."""
    assert reason in refusal(cosign_file(b"", **changes), PASSWORD).reason


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "not a key in PEM"),
    (b"\x7fELF", "not a key in PEM"),
    (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "it is damaged"),
    (b"-----BEGIN EC PRIVATE KEY-----\n?\n-----END EC PRIVATE KEY-----\n", "it is damaged"),
    (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "it is a key of OpenSSH"),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it is a certificate"),
    (b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n", "it holds a DSA PRIVATE KEY"),
    (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "damaged, or would take"),
    (cosign_pem(b"[]"), "not in cosign's format"),
    (cosign_pem(b"[" * 9000), "not in cosign's format"),
    (cosign_pem(b"\xff"), "not in cosign's format"),
])  # fmt: skip
def test_what_is_no_private_key_is_refused(data: bytes, reason: str) -> None:
    """With what it is instead."""
    assert reason in refusal(data, PASSWORD).reason


def test_a_key_that_takes_ages_to_decrypt_is_refused() -> None:
    """PKCS#8 says how often its password is hashed: here two thousand million times."""
    many = bytes((0x30, 0x10, 0x30, 0x0E, 0x06, 0x00, 0x30, 0x0A, 0x04, 0x02, 0, 0, 0x02, 0x04)) + b"\x7f\xff\xff\xff"
    text = base64.b64encode(many)
    huge = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
    assert "would take too long" in refusal(huge, "x").reason


def test_parameters_of_an_encrypted_key_that_cannot_be_are_damage() -> None:
    """Scrypt counts in powers of two (RFC 7914); the library has an error of its own for others."""
    command = (need_tool("openssl"), "pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{PASSWORD}")
    made = subprocess.check_output(command, input=generated("P-256"))
    der = base64.b64decode(b"".join(made.splitlines()[1:-1]))
    assert der.count(b"\x02\x02\x40\x00") == 1
    text = base64.encodebytes(der.replace(b"\x02\x02\x40\x00", b"\x02\x02\x40\x01"))
    pem = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    assert "the password is wrong, or the file is damaged" in refusal(pem, PASSWORD).reason


@pytest.mark.parametrize("kind", OTHERS)
def test_kinds_that_cosign_does_not_take_are_refused(kind: str) -> None:
    """Of private keys and of public ones."""
    pem = generated(kind)
    assert "not supported" in refusal(pem).reason
    with pytest.raises(KeyFileError, match="not supported"):
        read_public_key(public(pem), "K.pub")


def test_what_is_no_public_key_is_refused() -> None:
    """With what it is instead."""
    for data, reason in {
        generated("P-256"): "it is a private key",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": "it is a certificate",
        b"ssh-ed25519 AAAA": "it is not a public key in PEM",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n": "it is damaged",
    }.items():
        with pytest.raises(KeyFileError) as caught:
            read_public_key(data, "K.pub")
        assert caught.value.reason == reason


def test_a_key_shows_nothing_of_itself() -> None:
    """Not in its text form, nor in an error."""
    pair = new_key_pair(Secret(PASSWORD))
    assert repr(read(pair.private, PASSWORD)) == "SigningKey(…)"
    assert PASSWORD not in repr(refusal(pair.private, f"{PASSWORD}x").data)
