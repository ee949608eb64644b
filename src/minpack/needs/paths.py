"""The absolute paths among a file's constants, and what those say of needs that C libraries do not decide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.needs.binary import open_binary
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from minpack.ld.closure import LoadedObject
    from minpack.needs.binary import Binary

#: Found whatever stands before: compilers of Nim and Pascal write a length there, those of Go and Rust the text before.
#: For the same reason a path may run on into the next text.
PATHS = re.compile(rb"/(?:bin|etc|lib(?:32|64)?|opt|s?bin|share|srv|usr|var)/[\x21-\x7e]{1,255}")
MAX_PATHS = 20_000
#: The CA bundles and directories of distributions, as programs and libraries that look for them list them.
CA_PATHS = frozenset(
    b"/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem"
    b" /etc/ssl/certs /etc/pki/tls/certs/ca-bundle.crt /etc/pki/tls/cert.pem /etc/pki/tls/cacert.pem"
    b" /etc/pki/tls/certs /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ca-certificates/extracted/cadir"
    b" /etc/ca-certificates/extracted/tls-ca-bundle.pem /etc/openssl/certs/ca-certificates.crt /etc/certs"
    b" /usr/local/share/certs/ca-root-nss.crt /usr/local/share/certs /usr/share/ssl/certs/ca-bundle.crt"
    b" /var/lib/ca-certificates/ca-bundle.pem /etc/ssl/certs/cacert.pem /usr/local/etc/ssl/cert.pem".split()
)
_ZONEINFO = b"/usr/share/zoneinfo"
#: A zone's name (tz's theory.html, "Timezone identifiers"): parts that begin with a capital.
_ZONE = rb"/usr/share/zoneinfo/([A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*)*)"
#: TLS libraries, whose own default is no word of who uses them, and libraries that find out by it which zone is set.
_TLS = ("libssl.so.", "libcrypto.so.", "libgnutls", "libcurl", "libnss3.so", "libmbed", "libp11-kit.so.")
_ZONE_FINDERS = ("libc.so.", "libc.musl-", "ld-", "libicu", "libglib-2.0.so.", "libstdc++.so.")


class PathCache:
    """The paths of each loaded object, read once; to be passed to all who want them."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[bytes]] = {}

    def __call__(self, loaded: LoadedObject) -> frozenset[bytes]:
        """`paths_of` the object.

        :raises InputError: it cannot be read.
        """
        entry = loaded.entry
        if entry.path not in self._known:
            assert entry.content is not None, f"internal error: {entry.path} has no content"
            with open_binary(entry.content, loaded.info, entry.path) as binary:
                self._known[entry.path] = paths_of(binary)
        return self._known[entry.path]


def paths_of(binary: Binary) -> frozenset[bytes]:
    """At most `MAX_PATHS` texts among the file's constants that begin as an absolute path does."""
    return binary.matches(PATHS, MAX_PATHS)


def ca_signal(paths: Collection[bytes], path: str, *, soname: str, without: str = "") -> Signal | None:
    """What a path of a CA bundle among `paths` says of the file at `path`.

    :param soname: empty for a program.
    :param without: the directory in which the file's own OpenSSL looks.
    """
    if soname.startswith(_TLS):
        return None
    parts = {part.rstrip(b"/") for found in paths for part in found.split(b":")}
    own = without.encode("utf-8", "surrogateescape")
    found = sorted(part for part in parts & CA_PATHS if not own or part not in (own + b"/cert.pem", own + b"/certs"))
    return Signal(Need.CERTS, Verdict.LIKELY, _has(path, found[0], soname)) if found else None


def zone_signals(paths: Collection[bytes], path: str, *, soname: str, is_static: bool) -> Iterator[Signal]:
    """What paths of time zones say: that of one zone names it, that of all tells that zones are looked up by name.

    :param soname: empty for a program.
    :param is_static: a static program has the path of all from its C library too.
    """
    if soname.startswith(_ZONE_FINDERS):
        return
    zones = sorted(found for found in paths if found.startswith(_ZONEINFO))
    named = [found for found in zones if re.fullmatch(_ZONE, found)]
    rest = [found for found in zones if found not in named]
    told = named if is_static else rest or named
    if told:
        yield Signal(Need.TZ, Verdict.LIKELY, _has(path, told[0], soname))


def zones_in(paths: Collection[bytes], *, is_static: bool) -> tuple[str, ...] | None:
    """The zones that paths name, None if there is one of all zones."""
    zones = [found for found in paths if found.startswith(_ZONEINFO)]
    named = sorted(match[1].decode() for found in zones if (match := re.fullmatch(_ZONE, found)))
    return tuple(named) if is_static or len(named) == len(zones) else None


def _has(path: str, text: bytes, soname: str) -> Evidence:
    subject = f"{path.rpartition('/')[2]} " if soname else ""
    name = text.decode()
    return Evidence(Seen.STRING, name, path, f"{subject}contains {name}")
