"""What is private in a base, by its path and by what it holds."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from minpack.content import BytesContent
from minpack.paths import RootPath
from minpack.plan.secrets import MAX_TEXT, holds_key, why_private

PRIVATE = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/security/opasswd",
    "/etc/krb5.keytab",
    "/etc/ssl/private/server.pem",
    "/etc/pki/tls/private/localhost.key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/wireguard/wg0.conf",
    "/root/.bashrc",
    "/home/me/lib/liba.so",
    "/var/lib/git/.ssh/id_rsa",
    "/run/secrets/token",
    "/proc/self/environ",
    "/sys/kernel/notes",
    "/dev/mem",
]
PUBLIC = [
    "/etc/passwd",
    "/etc/os-release",
    "/etc/shadow.d/x",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/lib/libc.so.6",
    "/usr/lib/home/liba.so",
    "/rootfs/lib/liba.so",
    "/opt/app/lib/liba.so",
    "/devel/liba.so",
]


@pytest.mark.parametrize("path", PRIVATE)
def test_private_paths(path: str) -> None:
    """These are for their owners' eyes, or no files of a system."""
    assert why_private(RootPath(path))


@pytest.mark.parametrize("path", PUBLIC)
def test_public_paths(path: str) -> None:
    """These may be in any image, though they look alike."""
    assert not why_private(RootPath(path))


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "])
def test_private_keys(kind: str) -> None:
    """Every kind of PEM private key is known, wherever it stands in a text."""
    assert holds_key(BytesContent(f"# a comment\n-----BEGIN {kind}PRIVATE KEY-----\nMAo=\n".encode()))


def test_what_holds_no_key() -> None:
    """Certificates and public keys are not private keys, nor is what is too large for a text."""
    assert not holds_key(BytesContent(b"-----BEGIN CERTIFICATE-----\nMAo=\n-----BEGIN PUBLIC KEY-----\n"))
    assert not holds_key(BytesContent(bytes(MAX_TEXT) + b"-----BEGIN PRIVATE KEY-----"))


@pytest.mark.parametrize("module", ["cryptography/hazmat/primitives/serialization/ssh.py"])
def test_a_module_that_knows_how_keys_begin_is_none(module: str) -> None:
    """A constant ends right behind the line that it is; a key within quotes goes on."""
    path = Path(sysconfig.get_path("platlib"), module)
    text = path.read_bytes()
    assert b"PRIVATE KEY-----" in text
    assert not holds_key(BytesContent(text))
    assert holds_key(BytesContent(text + b'{"key": "-----BEGIN PRIVATE KEY-----\\nMAo=\\n-----END PRIVATE KEY-----"}'))
