"""Paths and other texts within a program that tell of needs, whatever its C library says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.needs.binary import open_binary
from minpack.needs.detect import read_program
from minpack.needs.need import Need, Signal, Verdict
from minpack.needs.paths import ca_signal, paths_of, zone_signals, zones_in
from support.elfmaker import ET_EXEC, MACHINES, make_elf

if TYPE_CHECKING:
    from minpack.needs.findings import Findings


def program(strings: bytes) -> bytes:
    """A static program of no language that is known, with these strings."""
    return make_elf("x86_64", type_=ET_EXEC, dynamic=False, code=MACHINES["x86_64"].exit_program(0) + strings)


def found(strings: bytes) -> Findings:
    """What is read of a program with these strings."""
    content = BytesContent(program(strings))
    return read_program(content, read_elf(content), "/app", (), glibc=False)


def only(findings: Findings, need: Need) -> Signal | None:
    """The strongest signal of a need."""
    signals = [one for one in findings.signals if one.need is need]
    return max(signals, key=lambda one: one.verdict.rank, default=None)


@pytest.mark.parametrize(
    "before", [b"\0", b"\x22", b"\x22\0\0\0\0\0\0\0", b"text", b"/none:"], ids=["C", "length", "long", "Rust", "joined"]
)
def test_a_path_is_found_whatever_stands_before_it(before: bytes) -> None:
    """Pascal and Nim write the length there, Rust and Go the text before, and lists have a colon."""
    content = BytesContent(program(before + b"/etc/ssl/certs/ca-certificates.crt\0"))
    with open_binary(content, read_elf(content), "/app") as binary:
        parts = {part for path in paths_of(binary) for part in path.split(b":")}
    assert b"/etc/ssl/certs/ca-certificates.crt" in parts


@pytest.mark.parametrize("path", [b"/etc/ssl/certs/ca-certificates.crt", b"/etc/pki/tls/certs/ca-bundle.crt"])
def test_the_path_of_a_bundle_asks_for_certificates(path: bytes) -> None:
    """Whoever has it opens it."""
    signal = only(found(b"\0" + path + b"\0"), Need.CERTS)
    assert signal is not None
    assert (signal.verdict, signal.evidence.text) == (Verdict.LIKELY, f"contains {path.decode()}")


def test_a_list_of_places_with_ssl_cert_file_is_no_openssl() -> None:
    """OCaml's and Haskell's lists have both; OpenSSL has the directory of private keys too."""
    places = b"\0SSL_CERT_FILE\0/etc/ssl/cert.pem\0/etc/ssl/certs\0"
    assert (found(places).openssl, getattr(only(found(places), Need.CERTS), "verdict", None)) == ((), Verdict.LIKELY)
    openssl = found(places + b"/etc/ssl/private\0")
    assert openssl.openssl == ("/etc/ssl",)
    assert getattr(only(openssl, Need.CERTS), "verdict", None) is Verdict.OPTIONAL


def test_the_default_of_a_tls_library_is_no_word_of_its_user() -> None:
    """Programs that only hash something are linked to OpenSSL too."""
    paths = frozenset((b"/etc/ssl/certs/ca-certificates.crt",))
    assert ca_signal(paths, "/lib/libgnutls.so.30", soname="libgnutls.so.30") is None
    signal = ca_signal(paths, "/lib/libgit2.so.1.5", soname="libgit2.so.1.5")
    assert signal is not None
    assert signal.evidence.text == "libgit2.so.1.5 contains /etc/ssl/certs/ca-certificates.crt"


@pytest.mark.parametrize(
    ("paths", "is_static", "zones"),
    [
        ((b"/usr/share/zoneinfo/Europe/Berlin",), False, ("Europe/Berlin",)),
        ((b"/usr/share/zoneinfo/Europe/Berlin", b"/usr/share/zoneinfo/UTC"), True, ("Europe/Berlin", "UTC")),
        ((b"/usr/share/zoneinfo/Europe/Berlin", b"/usr/share/zoneinfo/"), True, ("Europe/Berlin",)),
        ((b"/usr/share/zoneinfo/Europe/Berlin", b"/usr/share/zoneinfo"), False, None),
        ((b"/usr/share/zoneinfo/%s",), False, None),
        ((b"/usr/share/zoneinfo/tzdata.zi",), False, None),
    ],
)
def test_paths_of_zones_name_them_or_all(
    paths: tuple[bytes, ...], is_static: bool, zones: tuple[str, ...] | None
) -> None:
    """A static program has the path of all from its C library too, which says nothing."""
    signals = tuple(zone_signals(paths, "/app", soname="", is_static=is_static))
    assert [(one.need, one.verdict) for one in signals] == [(Need.TZ, Verdict.LIKELY)]
    assert zones_in(paths, is_static=is_static) == zones


def test_the_zones_of_a_c_library_are_no_evidence() -> None:
    """It reads them if TZ names one; ICU and GLib find out which zone is set."""
    paths = frozenset((b"/usr/share/zoneinfo/",))
    assert not list(zone_signals(paths, "/app", soname="", is_static=True))
    for soname in ("libc.so.6", "libicuuc.so.72", "libglib-2.0.so.0"):
        assert not list(zone_signals(paths, f"/lib/{soname}", soname=soname, is_static=False))
    assert list(zone_signals(paths, "/lib/libgphobos.so.3", soname="libgphobos.so.3", is_static=False))


@pytest.mark.parametrize(
    ("strings", "names"),
    [
        (b"\0libz.so.1\0libnss_files.so.2\0libc.so.6\0", "libz.so.1"),
        (b"\0libnss_files.so.2\0libc.so.6\0libidn2.so.0\0", ""),
        (b"\0lib%s.so\0", ""),
    ],
)
def test_a_static_program_that_names_a_library_is_told_what_that_takes(strings: bytes, names: str) -> None:
    """Static glibc opens it, with the libc that it was built with; musl's static library opens nothing."""
    advice = found(b"GLIBC_TUNABLES" + strings).advice
    assert [one.option for one in advice] == ["--add-lib"] * bool(names)
    assert all(f"--add-lib {names} packs" in one.text for one in advice)
    assert not found(b"No error information" + strings).advice
