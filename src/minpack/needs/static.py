"""What a static program of C or Rust says that it needs: the paths that its C library has within it.

musl is linked object by object, so that each path tells which functions are there. Of glibc all look-ups of users,
groups, hosts and services come together or not at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from minpack.needs.binary import Binary

#: Only glibc has it (`elf/dl-tunables.c`), and only musl the text for an error number that is none (`strerror.c`).
_GLIBC_MARK, _MUSL_MARK = b"GLIBC_TUNABLES", b"No error information"
_OPENSSLDIR = rb"OPENSSLDIR: \"(/[^\"\0]{1,200})\""
#: What OpenSSL has besides wherever certificates are read (`crypto/x509/x509_def.c`, include/internal/cryptlib.h): the
#: text before is in a file of its own, which a static program may lack. The directories of certificates and private
#: keys beside it tell it from other lists of places, as OCaml's and Haskell's.
_CERT_FILE = rb"\0(/[\x21-\x7e]{1,200})/cert\.pem\0"
#: What static glibc names: itself, the unwinder, name services, and what knows names of hosts that are not ASCII.
_OF_GLIBC = ("libc.so", "libgcc_s.so.", "libnss_", "libidn2.so.", "libpthread.so.", "libm.so.", "libdl.so.")
#: More names are no list of what one program opens.
MAX_NAMES = 50
#: A file of libssl, as its errors name it.
LIBSSL = b"ssl/ssl_lib.c"
#: What ncurses and others search for descriptions of terminals.
TERMINFO = b"/usr/share/terminfo"
_SHELL = b"/bin/sh"
_MUSL_PATHS = (
    (Need.PASSWD, Verdict.LIKELY, b"/etc/passwd"),
    (Need.GROUP, Verdict.LIKELY, b"/etc/group"),
    (Need.SERVICES, Verdict.OPTIONAL, b"/etc/services"),
    (Need.DNS, Verdict.RUNTIME, b"/etc/resolv.conf"),
    (Need.TZ, Verdict.OPTIONAL, b"/usr/share/zoneinfo"),
)
#: glibc's default for hosts since 2.35 (bug 28700); before, an absent nsswitch.conf meant DNS first.
FILES_FIRST = b"files dns"


def static_libc(binary: Binary) -> str:
    """``glibc``, ``musl``, or empty if neither can be told."""
    found = binary.which((_GLIBC_MARK, _MUSL_MARK))
    return "glibc" if _GLIBC_MARK in found else "musl" if _MUSL_MARK in found else ""


def static_signals(binary: Binary, paths: Collection[bytes], libc: str, *, is_rust: bool) -> Iterator[Signal]:
    """What the paths in the data of a static program say.

    :param paths: its `needs.paths.paths_of`.
    """
    text = b"\n".join(paths)
    if TERMINFO in text:
        # Crates of Rust do without; with C it is ncurses.
        yield Signal(Need.TERMINFO, Verdict.OPTIONAL if is_rust else Verdict.LIKELY, _string(binary, TERMINFO))
    if libc != "glibc":
        for need, verdict, path in _MUSL_PATHS:
            if path in text:
                yield Signal(need, verdict, _string(binary, path))
        if not is_rust and any(found.endswith(_SHELL) for found in paths):
            yield Signal(Need.SHELL, Verdict.LIKELY, _string(binary, b"/bin/sh"))
        return
    if b"/etc/nsswitch.conf" in text:
        so = ": it looks up users, groups, hosts or services, and which of these cannot be told"
        for need in (Need.PASSWD, Need.GROUP, Need.SERVICES, Need.PROTOCOLS):
            yield Signal(need, Verdict.MAYBE, _string(binary, b"/etc/nsswitch.conf", so))
        if FILES_FIRST not in binary.which((FILES_FIRST,)):
            so = ", and is glibc before 2.35, which without it asks DNS before /etc/hosts"
            yield Signal(Need.NSSWITCH, Verdict.REQUIRED, _string(binary, b"/etc/nsswitch.conf", so))
    if b"/etc/gai.conf" in text:
        yield Signal(Need.DNS, Verdict.RUNTIME, _string(binary, b"/etc/gai.conf"))
    if not is_rust and any(found.endswith(_SHELL) for found in paths):
        yield Signal(Need.SHELL, Verdict.MAYBE, _string(binary, b"/bin/sh"))
    if b"/etc/localtime" in text:
        yield Signal(Need.TZ, Verdict.OPTIONAL, _string(binary, b"/etc/localtime"))


def opened_by_name(binary: Binary) -> tuple[str, ...]:
    """The libraries that a static program with glibc names besides those that glibc itself names: dlopen opens such."""
    found = binary.matches(re.compile(rb"lib[\w+.-]{1,60}\.so(?:\.\d{1,5}){0,3}\0"), MAX_NAMES)
    names = sorted(text[:-1].decode() for text in found)
    return tuple(name for name in names if not name.startswith(_OF_GLIBC))


def openssl_directory(binary: Binary) -> str:
    """OpenSSL's own OPENSSLDIR, empty if the file does not have OpenSSL (crypto/cversion.c)."""
    default, is_asked = "", False
    for _, data, size in binary.pieces(binary.ranges()):
        if data.find(b"OPENSSLDIR: ", 0, size) >= 0:
            match = re.compile(_OPENSSLDIR).search(data, 0, size)
            if match is not None:
                return match[1].decode("utf-8", "surrogateescape")
        is_asked = is_asked or data.find(b"SSL_CERT_FILE\0", 0, size) >= 0
        if not default and data.find(b"/cert.pem\0", 0, size) >= 0:
            match = re.compile(_CERT_FILE).search(data, 0, size)
            default = match[1].decode("utf-8", "surrogateescape") if match is not None else ""
    return default if is_asked and default and _has_all(binary, default) else ""


def _has_all(binary: Binary, directory: str) -> bool:
    """Whether it has the other paths of x509_def.c, of certificates and of private keys."""
    start = directory.encode("utf-8", "surrogateescape")
    needles = {start + b"/certs\0", start + b"/private\0"}
    return binary.which(needles) == needles


def _string(binary: Binary, text: bytes, so: str = "") -> Evidence:
    name = text.decode()
    return Evidence(Seen.STRING, name, binary.path, f"contains {name}{so}")
