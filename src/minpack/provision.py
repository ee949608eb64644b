"""The files that needs bring: taken from the base when it has them, else from minpack's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from minpack.content import BytesContent, read_all
from minpack.errors import InputError, NotInBaseError, UsageError
from minpack.needs.need import Need, Verdict
from minpack.paths import join, normal
from minpack.placing import host_file, plain
from minpack.rootfs.entry import Entry, Kind, directory, file
from minpack.rootfs.etcfiles import NSSWITCH, group, passwd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.needs.need import Decision
    from minpack.paths import RootPath
    from minpack.request import Request

#: Where distributions keep the CA bundle, in the order Go looks for it (crypto/x509/root_linux.go).
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
#: Where OpenSSL looks by itself on Alpine; a link to the bundle there.
OPENSSL_LINK = "/etc/ssl/cert.pem"
ZONEINFO = normal("/usr/share/zoneinfo")
#: Second copies of all zones, with and without leap seconds, that only some distributions have.
ZONE_COPIES = ("posix", "right")
MAX_BUNDLE = 16 << 20


class Provided(NamedTuple):
    """An entry that a need brings; `source` is ``base`` or ``default``."""

    entry: Entry
    need: Need
    source: str
    text: str


class Provision(NamedTuple):
    """All entries that needs bring, and the variables that point to them."""

    files: tuple[Provided, ...]
    env: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


def provide(
    request: Request, decisions: tuple[Decision, ...], base: Walker, default: Walker, added: frozenset[RootPath]
) -> Provision:
    """The files of every need that is packed.

    :param base: the base with the user's files laid over it.
    :param added: where the user's files are: they take the place of what needs would bring.
    :raises NotInBaseError: neither `base` nor `default` has one.
    :raises InputError: the file of --ca-file cannot be used.
    :raises UsageError: the user's own bundle is in the place that --ca-file would go to.
    """
    packed = {decision.need: "; ".join(decision.evidence) for decision in decisions if decision.packed}
    files: list[Provided] = []
    env: list[tuple[str, str]] = []
    if Need.CERTS in packed:
        certs = tuple(_certs(request, base, default, packed[Need.CERTS]))
        if request.ca_file is not None and certs[0].entry.path in added:
            reason = f"--add puts another file at {certs[0].entry.path!r}"
            raise UsageError("--ca-file", request.ca_file, reason, "put the certificates into that file")
        files += certs
        env.append(("SSL_CERT_FILE", certs[0].entry.path))
    if Need.TZ in packed:
        files += _zones(request.zone, base, default, packed[Need.TZ])
        if request.zone is not None:
            env.append(("TZ", request.zone))
    if Need.OS_RELEASE in packed:
        files += _taken(base, "/etc/os-release", Need.OS_RELEASE, packed[Need.OS_RELEASE])
    files += _own(request, packed)
    kept = tuple(provided for provided in files if provided.entry.path not in added)
    return Provision(kept, tuple(env), tuple(_host_notes(kept)) if base.base.name == "/" else ())


def _host_notes(files: tuple[Provided, ...]) -> Iterator[str]:
    """What comes from the host itself and is not the same on every host."""
    taken = [provided for provided in files if provided.source == "base" and provided.entry.kind is Kind.FILE]
    for provided in taken:
        if provided.need is Need.CERTS:
            yield f"the CA bundle is this host's own: {provided.entry.path}"
    if any(provided.need is Need.TZ for provided in taken):
        yield "the time zones are this host's own"


def _own(request: Request, packed: dict[Need, str]) -> Iterator[Provided]:
    """Files of minpack's own, never the base's."""
    user = request.run.user
    entries = {
        Need.TMP: directory(normal("/tmp"), 0o1777),  # noqa: S108 - the image's
        Need.PASSWD: file(normal("/etc/passwd"), BytesContent(passwd(user))),
        Need.GROUP: file(normal("/etc/group"), BytesContent(group(user))),
        Need.NSSWITCH: file(normal("/etc/nsswitch.conf"), BytesContent(NSSWITCH)),
        # Random uids, as some platforms assign, must be able to enter it.
        Need.HOME: directory(normal(user.home), 0o755, user.uid, user.gid),
    }
    for need, entry in entries.items():
        if need in packed and entry.path != "/nonexistent":
            yield Provided(entry, need, "default", packed[need])


def lacking(decisions: tuple[Decision, ...], base: Walker) -> tuple[Need, ...]:
    """The needs that are required and of which the base has nothing; packages are asked before minpack's own data."""
    has = {Need.CERTS: any(base.find_file(path) for path in BUNDLES), Need.TZ: base.walk(ZONEINFO).entry is not None}
    required = (one.need for one in decisions if one.packed and one.verdict is Verdict.REQUIRED)
    return tuple(need for need in required if not has.get(need, True))


def _certs(request: Request, base: Walker, default: Walker, why: str) -> Iterator[Provided]:
    """The bundle first, at its own path, then what leads to it."""
    found = _find_bundle(base, default)
    if found is None:
        raise NotInBaseError(base.base.name, BUNDLES[0], "the CA bundle", "leave it out with --no-need certs")
    bundle, source = found
    if request.ca_file is not None:
        yield Provided(_with_ca(bundle, request.ca_file), Need.CERTS, source, f"{why}; --ca-file {request.ca_file}")
    else:
        yield Provided(plain(bundle), Need.CERTS, source, why)
    leading = _taken(base, OPENSSL_LINK, Need.CERTS, "where OpenSSL looks for the CA bundle")
    if leading and leading[-1].entry.path == bundle.path:
        yield from leading[:-1]


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
        raise InputError(path, "it holds a private key", hint="give the certificates alone: all may read the image")
    assert bundle.content is not None, "internal error: a bundle without content"
    own = read_all(bundle.content, MAX_BUNDLE)
    data = own.rstrip(b"\n") + b"\n" + extra.strip().replace(b"\r\n", b"\n") + b"\n"
    return plain(bundle)._replace(content=BytesContent(data, bundle.content.where))


def _zones(zone: str | None, base: Walker, default: Walker, why: str) -> Iterator[Provided]:
    """All zones, or the one of --tz with the links that lead to it."""
    walker, source = (base, "base") if base.walk(ZONEINFO).entry is not None else (default, "default")
    if zone is None:
        yield from _all_zones(walker, source, why)
        return
    found = _taken(walker, f"{ZONEINFO}/{zone}", Need.TZ, why, source)
    if not found:
        raise NotInBaseError(base.base.name, f"{ZONEINFO}/{zone}", "a time zone", "name one as Europe/Berlin")
    yield from found


def _all_zones(walker: Walker, source: str, why: str) -> Iterator[Provided]:
    walk = walker.walk(ZONEINFO)
    for passed in walk.trail:
        yield Provided(plain(passed), Need.TZ, source, why)
    todo = [walk.entry.path] if walk.entry is not None else []
    while todo:
        here = todo.pop()
        for part in walker.base.listdir(here):
            entry = walker.lstat(join(here, part))
            if entry is None or entry.kind is Kind.SPECIAL or (here == ZONEINFO and part in ZONE_COPIES):
                continue
            if entry.kind is Kind.DIRECTORY:
                todo.append(entry.path)
            yield Provided(plain(entry), Need.TZ, source, why)


def _taken(walker: Walker, path: str, need: Need, why: str, source: str = "base") -> tuple[Provided, ...]:
    """The file at `path` and the links on the way to it; nothing if there is none."""
    walk = walker.walk(path)
    if walk.entry is None or walk.entry.kind is not Kind.FILE:
        return ()
    links = (entry for entry in walk.trail if entry.kind is Kind.SYMLINK)
    return tuple(Provided(plain(entry), need, source, why) for entry in (*links, walk.entry))
