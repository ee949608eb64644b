"""Root certificates that a program has within itself, whatever its language."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minpack.needs.binary import Binary

#: Roots that browsers trust, as their names stand in a certificate's or a trust anchor's DER.
_FIRST = b"ISRG Root X1"
_OTHERS = (
    b"DigiCert Global Root G2",
    b"GlobalSign Root CA",
    b"Amazon Root CA 1",
    b"USERTrust RSA Certification Authority",
    b"Starfield Services Root Certificate Authority - G2",
    b"SwissSign Gold CA - G2",
)
#: How many of the others a list has at least. Tests and documentation name one or two.
ENOUGH = 4
_PEM = b"-----BEGIN CERTIFICATE-----"
#: A program has a few certificates of its own, for tests and the like; a bundle has more than a hundred.
MANY = 50


def embedded_roots(binary: Binary) -> str:
    """What tells that the file has a list of root certificates within itself; empty if nothing does."""
    has_first, count = False, 0
    for _, data, size in binary.pieces(binary.ranges()):
        has_first = has_first or data.find(_FIRST, 0, size) >= 0
        count += data.count(_PEM, 0, size)
    if count >= MANY:
        return f"{count} certificates as PEM"
    found = binary.which(_OTHERS) if has_first else ()
    return f"{_FIRST.decode()} and {len(found)} more well-known roots" if len(found) >= ENOUGH else ""
