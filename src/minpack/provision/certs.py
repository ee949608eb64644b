"""The CA bundle, where programs look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent, read_all
from minpack.errors import InputError, NotInBaseError
from minpack.needs.need import Need
from minpack.paths import normal
from minpack.program.additions import host_file, normalize_mode
from minpack.provision.places import BUNDLES
from minpack.provision.values import ProvidedFiles, link_to, taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.needs.findings import Findings
    from minpack.rootfs.entry import Entry

#: Where OpenSSL looks by itself on Alpine; a link to the bundle there.
OPENSSL_LINK = "/etc/ssl/cert.pem"
MAX_BUNDLE = 16 << 20


def certs(ca_file: str | None, findings: Findings, base: Walker, default: Walker, why: str) -> Iterator[ProvidedFiles]:
    """The bundle first, at its own path, then what leads to it from where the libraries look.

    :raises NotInBaseError: neither `base` nor `default` has one.
    :raises InputError: the file of --ca-file cannot be used.
    """
    found = _find_bundle(base, default)
    if found is None:
        raise NotInBaseError(base.base.name, BUNDLES[0], "the CA bundle", "leave it out with --no-need certs")
    bundle, source = found
    if ca_file is not None:
        yield ProvidedFiles(_with_ca(bundle, ca_file), Need.CERTS, source, f"{why}; --ca-file {ca_file}")
    else:
        yield ProvidedFiles(normalize_mode(bundle), Need.CERTS, source, why)
    leading = taken(base, OPENSSL_LINK, Need.CERTS, "where OpenSSL looks for the CA bundle")
    if leading and leading[-1].entry.path == bundle.path:
        yield from leading[:-1]
    for directory in findings.openssl:
        default_file = normal(f"{directory}/cert.pem")
        yield from link_to(base, default_file, bundle.path, Need.CERTS, "where OpenSSL looks for the CA bundle")
    for path in findings.bundles:
        if path != bundle.path and path in BUNDLES:
            yield from link_to(base, normal(path), bundle.path, Need.CERTS, "where a library looks for the CA bundle")


def _find_bundle(base: Walker, default: Walker) -> tuple[Entry, str] | None:
    """The CA bundle, and whether it is the base's or minpack's own."""
    for walker, source in ((base, "base"), (default, "default")):
        for path in BUNDLES:
            bundle = walker.find_file(path)
            if bundle is not None:
                return bundle, source
    return None


def _with_ca(bundle: Entry, path: str) -> Entry:
    """The bundle with the certificates of the host's file `path` behind its own."""
    extra = read_all(host_file(path), MAX_BUNDLE)
    if b"-----BEGIN CERTIFICATE-----" not in extra:
        raise InputError(path, "it has no PEM certificate", hint="give certificates as -----BEGIN CERTIFICATE-----")
    if b"PRIVATE KEY-----" in extra:
        raise InputError(
            path, "it contains a private key", hint="give the certificates without the key: anyone can read the image"
        )
    assert bundle.content is not None, "internal error: a bundle without content"
    own = read_all(bundle.content, MAX_BUNDLE)
    data = own.rstrip(b"\n") + b"\n" + extra.strip().replace(b"\r\n", b"\n") + b"\n"
    return normalize_mode(bundle)._replace(content=BytesContent(data, bundle.content.where))
