"""Where bases have what needs are about."""

from __future__ import annotations

from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need

#: Where distributions keep the CA bundle, in the order Go looks for it (crypto/x509/root_linux.go).
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
ZONEINFO = "/usr/share/zoneinfo"


class Database(NamedTuple):
    """Data that is taken from the base alone: `what` it is and `name` where it is, for messages; `places` it can be at.

    Without `places` the programs' C library says where.
    """

    name: str
    what: str
    places: tuple[str, ...] = ()


#: services(5), protocols(5), the lists of media types that Go, Python and others read; of terminals (term(5)) those
#: places where Debian's and Alpine's ncurses look.
DATABASES = {
    Need.SERVICES: Database("/etc/services", "the list of services", ("/etc/services",)),
    Need.PROTOCOLS: Database("/etc/protocols", "the list of protocols", ("/etc/protocols",)),
    Need.MIME: Database("/etc/mime.types", "the list of media types", ("/etc/mime.types", "/usr/share/mime/globs2")),
    Need.TERMINFO: Database(
        "/usr/share/terminfo", "descriptions of terminals", ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")
    ),
    Need.GCONV: Database("gconv-modules", "glibc's character set converters"),
    Need.LOCALE: Database("/usr/lib/locale", "the locale as a directory"),
}
