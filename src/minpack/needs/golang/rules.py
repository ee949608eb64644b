"""Which functions of a Go program say that it needs something, and which only seem to.

The linker drops what nothing leads to, so that a function is there says that something may call it. The names are those
of Go's standard library; that they tell, and that the obvious ones (`crypto/x509.loadSystemRoots` is in every server)
do not, was measured on programs built by Go 1.21 to 1.27.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class GoRule(NamedTuple):
    """Any of `functions` says `verdict` of `need`."""

    need: Need
    verdict: Verdict
    functions: tuple[str, ...]


ZONES = "time.LoadLocation"
#: What connects as a TLS client with the system's roots, or reads them.
TLS_CLIENTS = (
    "net/http.(*Transport).dialConn",
    "crypto/tls.Dial",
    "crypto/tls.DialWithDialer",
    "crypto/tls.(*Dialer).DialContext",
    "crypto/x509.SystemCertPool",
    "net/smtp.(*Client).StartTLS",
)
#: Since Go 1.24 servers have the first through the second, which speaks HTTP/2 without TLS.
PLAIN_CLIENT, PLAIN_HELPER = "crypto/tls.Client", "net/http.unencryptedTLSConn"
#: In every program that can check a certificate. Servers can, which all have the second; without it nothing but the
#: program itself asks for that.
ROOTS_POOL, TLS = "crypto/x509.systemRootsPool", "crypto/tls.(*Conn).clientHandshake"
FALLBACK_ROOTS = "crypto/x509.SetFallbackRoots"
EMBEDDED_ZONES = "time/tzdata.loadFromEmbeddedTZData"
LOCAL_ZONE = "time.initLocal"
#: Packages of roots that call SetFallbackRoots, or that make a pool of their own.
ROOTS_MODULES = ("github.com/breml/rootcerts", "github.com/gwatts/rootcerts", "golang.org/x/crypto/x509roots/fallback")

RULES = (
    GoRule(
        Need.PASSWD,
        Verdict.LIKELY,
        ("os/user.Current", "os/user.lookupUser", "os/user.lookupUserId", "os/user.lookupUnixUid"),
    ),
    GoRule(
        Need.GROUP,
        Verdict.LIKELY,
        ("os/user.lookupGroup", "os/user.lookupGroupId", "os/user.listGroups", "os/user.listGroupsFromReader"),
    ),
    GoRule(
        Need.TMP,
        Verdict.LIKELY,
        ("os.CreateTemp", "os.MkdirTemp", "io/ioutil.TempFile", "io/ioutil.TempDir"),
    ),
    GoRule(
        Need.MIME,
        Verdict.OPTIONAL,
        ("mime.TypeByExtension", "mime.ExtensionsByType"),
    ),
    GoRule(Need.SERVICES, Verdict.OPTIONAL, ("net.LookupPort",)),
    GoRule(Need.DNS, Verdict.RUNTIME, ("net.(*Resolver).goLookupIPCNAMEOrder", "net.dnsReadConfig")),
    GoRule(
        Need.SHELL,
        Verdict.OPTIONAL,
        ("os/exec.(*Cmd).Start", "os.StartProcess"),
    ),
)
#: From this minor version on Go asks /etc/hosts first though there is no nsswitch.conf (golang.org/issue/35305).
FILES_FIRST = 16

#: All names that matter, as they are looked for in the program.
NAMES = frozenset(
    name.encode()
    for names in (
        (ZONES, *TLS_CLIENTS, PLAIN_CLIENT, PLAIN_HELPER, ROOTS_POOL, TLS, FALLBACK_ROOTS, EMBEDDED_ZONES, LOCAL_ZONE),
        *(rule.functions for rule in RULES),
    )
    for name in names
)


def clients(names: Collection[str]) -> tuple[str, ...]:
    """Those of `names` by which the program is a TLS client that checks servers against the system's roots."""
    found = tuple(name for name in TLS_CLIENTS if name in names)
    if not found and PLAIN_CLIENT in names and PLAIN_HELPER not in names:
        return (PLAIN_CLIENT,)
    return found


def signals(names: Collection[str], path: str, *, embedded: str, minor: int) -> Iterator[Signal]:
    """What the functions of the program at `path` say.

    :param names: those of `NAMES` that it has.
    :param embedded: how it embeds root certificates, empty if it has none.
    :param minor: of Go's version.
    """
    yield from _certs(names, path, embedded)
    yield from _zones(names, path)
    for rule in RULES:
        found = next((name for name in rule.functions if name in names), None)
        if found is not None:
            yield Signal(rule.need, rule.verdict, _calls(found, path))
    if minor < FILES_FIRST and "net.dnsReadConfig" in names:
        text = f"is built by Go 1.{minor}, which without it asks DNS before /etc/hosts"
        yield Signal(Need.NSSWITCH, Verdict.REQUIRED, Evidence(Seen.BUILD, f"go1.{minor}", path, text))


def _certs(names: Collection[str], path: str, embedded: str) -> Iterator[Signal]:
    found = clients(names)
    if found and embedded:
        text = f"is a TLS client ({found[0]}) and embeds root certificates: {embedded}"
        yield Signal(Need.CERTS, Verdict.OPTIONAL, Evidence(Seen.STRING, embedded, path, text))
    elif found:
        for name in found:
            yield Signal(Need.CERTS, Verdict.REQUIRED, _calls(name, path))
    elif ROOTS_POOL in names and TLS not in names:
        text = f"checks certificates without TLS ({ROOTS_POOL})"
        yield Signal(Need.CERTS, Verdict.LIKELY, Evidence(Seen.FUNCTION, ROOTS_POOL, path, text))
    elif ROOTS_POOL in names:
        text = "has crypto/x509 only through a TLS server"
        yield Signal(Need.CERTS, Verdict.NOT_NEEDED, Evidence(Seen.FUNCTION, ROOTS_POOL, path, text))
    else:
        text = "has no TLS client among its functions"
        yield Signal(Need.CERTS, Verdict.NOT_NEEDED, Evidence(Seen.FUNCTION, "", path, text))


def _zones(names: Collection[str], path: str) -> Iterator[Signal]:
    if ZONES in names and EMBEDDED_ZONES in names:
        text = "embeds the time zones (time/tzdata)"
        yield Signal(Need.TZ, Verdict.NOT_NEEDED, Evidence(Seen.FUNCTION, EMBEDDED_ZONES, path, text))
    elif ZONES in names:
        yield Signal(Need.TZ, Verdict.LIKELY, _calls(ZONES, path))
    elif LOCAL_ZONE in names:
        text = f"has {LOCAL_ZONE}"
        yield Signal(Need.TZ, Verdict.OPTIONAL, Evidence(Seen.FUNCTION, LOCAL_ZONE, path, text))
    else:
        text = "never asks for a time zone"
        yield Signal(Need.TZ, Verdict.NOT_NEEDED, Evidence(Seen.FUNCTION, "", path, text))


def _calls(name: str, path: str) -> Evidence:
    return Evidence(Seen.FUNCTION, name, path, f"calls {name}")
