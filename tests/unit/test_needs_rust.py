"""What strings of Rust programs tell: where they look for certificates, what they have within, who their crates are."""

from __future__ import annotations

import pytest

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.needs.detect import read_program
from minpack.needs.need import Need, Verdict
from support.gomaker import MAGIC, GoForm, go_program

#: As they stand in programs: texts without an end, one behind the other.
PROBE_1 = b"/var/ssl/usr/share/ssl/usr/local/ssl/usr/local/openssl/usr/local/etc/openssl/etc/pki/ca-trust/extracted/pem"
PROBE_2 = (
    b"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem/etc/ssl/ca-bundle.pem/etc/pki/tls/cacert.pem/etc/ssl/cert.pem"
)
ROOTS = (
    b"ISRG Root X1, DigiCert Global Root G2, GlobalSign Root CA, Amazon Root CA 1,"
    b" USERTrust RSA Certification Authority"
)
PANICS = b"/index.crates.io-1949cf8c6b5b557f/ureq-2.12.1/src/agent.rs/index/ring-0.17.8/src/lib.rs"


def rust(strings: bytes) -> bytes:
    """A program with the mark of Rust, and these strings."""
    made = go_program(GoForm(extra={".comment": b"rustc version 1.95.0 (abc)\0", ".strings": strings})).data
    for name in (b".gopclntab", b".go.buildinfo", MAGIC):
        made = made.replace(name, b"x" * len(name))
    return made


@pytest.mark.parametrize(
    ("strings", "verdict"),
    [
        (PROBE_1, Verdict.REQUIRED),
        (PROBE_2, Verdict.REQUIRED),
        (ROOTS, Verdict.NOT_NEEDED),
        (PROBE_1 + ROOTS, Verdict.MAYBE),
        (PROBE_2 + ROOTS, Verdict.MAYBE),
        (b"ISRG Root X1 is a root, /etc/pki/tls/cacert.pem a file", None),
    ],
)
def test_certificates_by_the_lists_of_crates(strings: bytes, verdict: Verdict | None) -> None:
    """Both lists of openssl-probe say that it needs the system's, the roots of webpki-roots that it does not."""
    content = BytesContent(rust(strings))
    found = read_program(content, read_elf(content), "/app", (), glibc=False)
    assert (found.language, found.toolchain) == ("Rust", "rustc 1.95.0")
    told = [one for one in found.signals if one.need is Need.CERTS]
    assert [one.verdict for one in told] == ([verdict] if verdict is not None else [])
    if verdict in (Verdict.REQUIRED, Verdict.MAYBE):
        assert told[0].evidence.name.encode() in strings


def test_crates_are_those_of_panics() -> None:
    """Name and version stand in the path of the file."""
    content = BytesContent(rust(PANICS))
    found = read_program(content, read_elf(content), "/app", (), glibc=False)
    assert found.modules == (("ring", "0.17.8"), ("ureq", "2.12.1"))
