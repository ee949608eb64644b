"""Libraries that are known to open others, or files of their own, when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.strings import find_strings
from minpack.ld.late import LateLibrary, Level
from minpack.ld.opening import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.ld.closure import Closure, LoadedObject


#: Why, and which paths, by how the soname begins; ``{lib}`` is the directory the library lies in. Sources are the
#: projects' own build files.
_PATHS = {
    "libpam.so.": ("is PAM, which loads the modules that its service files name", "/etc/pam.d", "{lib}/security"),
    "libsasl2.so.": ("is SASL, which loads its mechanisms", "{lib}/sasl2"),
    "libkrb5.so.": ("is Kerberos, which loads plugins", "/etc/krb5.conf", "{lib}/krb5/plugins"),
    "libp11-kit.so.": ("is p11-kit, which loads modules", "/usr/share/p11-kit/modules", "{lib}/pkcs11"),
    "libgio-2.0.so.": ("is GIO, which loads modules, for TLS among others", "{lib}/gio/modules"),
    "libgdk_pixbuf-2.0.so.": ("is gdk-pixbuf, which loads image loaders", "{lib}/gdk-pixbuf-2.0"),
    "libgtk-3.so.": ("is GTK, which loads input methods and themes", "{lib}/gtk-3.0", "/usr/share/themes"),
    "libQt5Gui.so.": ("is Qt, which loads its platform plugin", "{lib}/qt5/plugins/platforms"),
    "libQt6Gui.so.": ("is Qt, which loads its platform plugin", "{lib}/qt6/plugins/platforms"),
    "libasound.so.": ("is ALSA, which reads its configuration and loads plugins", "/usr/share/alsa", "{lib}/alsa-lib"),
    "libmagic.so.": ("is libmagic, which reads its database", "/usr/share/misc/magic.mgc", "/usr/lib/file/magic.mgc"),
}
#: What Mozilla's NSS searches for by name.
_NSS_MODULES = (("libsoftokn3.so",), ("libfreeblpriv3.so", "libfreebl3.so"), ("libnssckbi.so",))
#: What `openssl version -a` shows, as libcrypto has it (OpenSSL crypto/cversion.c), and what lies there.
_OPENSSL = rb'(OPENSSLDIR|ENGINESDIR|MODULESDIR): "(/[^"]+)"'
_OPENSSL_FILES = {
    b"OPENSSLDIR": ("its configuration", ("/openssl.cnf",)),
    b"ENGINESDIR": ("engines, if its configuration names any", ("",)),
    b"MODULESDIR": ("the providers of old and of validated algorithms", ("/legacy.so", "/fips.so")),
}


def known_late(closure: Closure) -> Iterator[LateLibrary]:
    """Hints for the libraries of the closure that are known.

    :raises InputError: one of them cannot be read.
    """
    for loaded in closure.objects:
        soname = loaded.info.soname or ""
        if soname.startswith("libcrypto.so."):
            yield from _openssl(loaded)
        if soname == "libnss3.so":
            for names in _NSS_MODULES:
                yield LateLibrary(names, Level.HINT, loaded.path, "is NSS, which loads its own modules")
        for start, (why, *paths) in _PATHS.items():
            if soname.startswith(start):
                places = tuple(path.replace("{lib}", origin_of(loaded.path)) for path in paths)
                yield LateLibrary((), Level.HINT, loaded.path, why, places)


def _openssl(loaded: LoadedObject) -> Iterator[LateLibrary]:
    content = loaded.entry.content
    assert content is not None, f"internal error: {loaded.path} has no content"
    for match in find_strings(content, loaded.info, rb'DIR: "/', _OPENSSL):
        what, names = _OPENSSL_FILES[match[1]]
        directory = match[2].decode("utf-8", "surrogateescape")
        why = f"opens {what}: it has the string {match[0].decode('utf-8', 'replace')}"
        yield LateLibrary((), Level.HINT, loaded.path, why, tuple(directory + name for name in names))
