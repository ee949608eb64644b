"""The files that needs bring: whose they are, where they lie, and what points to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.build.plan import need_options
from minpack.content import BytesContent, read_all
from minpack.errors import InputError, NotInBaseError, UsageError
from minpack.needs.decide import decide
from minpack.needs.findings import Findings
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict
from minpack.paths import RootPath
from minpack.provision.provide import host_notes, provide
from minpack.rootfs.entry import Entry, Kind, directory, file, symlink
from minpack.rootfs.etc_files import User
from minpack.spec.image import ImageSpec, RunConfig

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.provision.values import Provision

PEM = b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
DEFAULT = (
    file(RootPath(BUNDLE), BytesContent(PEM)),
    file(RootPath("/usr/share/zoneinfo/UTC"), BytesContent(b"TZif")),
    file(RootPath("/usr/share/zoneinfo/Europe/Berlin"), BytesContent(b"TZif2")),
)


def text(path: str, data: bytes = b"data") -> Entry:
    """A file with that text."""
    return file(RootPath(path), BytesContent(data))


def signal(need: Need, verdict: Verdict) -> Signal:
    """Something that was seen in a program."""
    return Signal(need, verdict, Evidence(Seen.FUNCTION, "f", "/app", "calls f"))


def provided(
    *base: Entry,
    request: ImageSpec = ImageSpec(()),  # noqa: B008 - immutable
    unwanted: tuple[Need, ...] = (),
    glibc: bool = False,
    added: tuple[str, ...] = (),
    findings: Findings = Findings(signals=(signal(Need.CERTS, Verdict.REQUIRED),)),  # noqa: B008 - immutable
) -> Provision:
    """What a request gets out of such a base, with the default data behind it; by default for a TLS client."""
    decisions = decide(findings, need_options(request._replace(unwanted=frozenset(unwanted))), glibc=glibc)
    walkers = (Walker(base_of("base", base)), Walker(base_of("scratch", DEFAULT)))
    return provide(request, decisions, findings, *walkers, frozenset(RootPath(path) for path in added))


def sources(provision: Provision, need: Need) -> dict[str, str]:
    """Where each file of a need is from."""
    return {item.entry.path: item.source for item in provision.files if item.need is need}


def test_the_bundle_is_the_bases_if_it_has_one() -> None:
    """Else it is minpack's; SSL_CERT_FILE names it either way."""
    assert sources(provided(), Need.CERTS) == {BUNDLE: "default"}
    found = provided(text(BUNDLE, PEM))
    assert sources(found, Need.CERTS) == {BUNDLE: "base"}
    assert ("SSL_CERT_FILE", BUNDLE) in found.env


def test_nothing_is_brought_that_nothing_asks_for() -> None:
    """Without a word of TLS or zones in the files there is neither, but what costs nothing is there."""
    found = provided(text(BUNDLE, PEM), findings=Findings())
    assert {item.need for item in found.files} == {Need.TMP, Need.PASSWD, Need.GROUP, Need.HOME}
    assert found.env == ()


@pytest.mark.parametrize(
    ("verdict", "packed"),
    [
        (Verdict.REQUIRED, True),
        (Verdict.LIKELY, True),
        (Verdict.MAYBE, True),
        (Verdict.OPTIONAL, False),
        (Verdict.NOT_NEEDED, False),
    ],
)
def test_certificates_and_zones_by_verdict(verdict: Verdict, packed: bool) -> None:
    """What may be needed is there; what the program does without, or has itself, is not."""
    found = provided(findings=Findings(signals=(signal(Need.CERTS, verdict), signal(Need.TZ, verdict))))
    assert bool(sources(found, Need.CERTS)) == bool(sources(found, Need.TZ)) == packed


def test_the_zones_that_a_program_names() -> None:
    """Those alone are there; with --need tz all are, and --tz adds its own."""
    findings = Findings(signals=(signal(Need.TZ, Verdict.LIKELY),), zones=("Europe/Berlin", "No/Where"))
    berlin, utc = "/usr/share/zoneinfo/Europe/Berlin", "/usr/share/zoneinfo/UTC"
    assert sources(provided(findings=findings), Need.TZ) == {berlin: "default"}
    assert sources(provided(findings=findings, request=ImageSpec((), zone="UTC")), Need.TZ).keys() == {berlin, utc}
    every = provided(findings=findings, request=ImageSpec((), wanted=frozenset((Need.TZ,))))
    assert sources(every, Need.TZ).keys() >= {berlin, utc, "/usr/share/zoneinfo"}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ((), {"/usr/lib/ssl/cert.pem": ("default", BUNDLE)}),
        (
            (symlink(RootPath("/usr/lib/ssl"), "../../etc/tls"), directory(RootPath("/etc/tls"))),
            {"/usr/lib/ssl": ("base", "../../etc/tls"), "/etc/tls/cert.pem": ("default", BUNDLE)},
        ),
        (
            (symlink(RootPath("/usr/lib/ssl/cert.pem"), BUNDLE), text(BUNDLE, PEM)),
            {"/usr/lib/ssl/cert.pem": ("base", BUNDLE)},
        ),
        ((text("/usr/lib/ssl/cert.pem", PEM),), {}),
        (
            (symlink(RootPath("/usr/lib/ssl"), "../../etc/tls"),),
            {"/usr/lib/ssl": ("base", "../../etc/tls"), "/etc/tls/cert.pem": ("default", BUNDLE)},
        ),
        (
            (symlink(RootPath("/usr/lib/ssl"), "/etc/tls"), symlink(RootPath("/etc/tls/cert.pem"), "nowhere")),
            {},
        ),
    ],
)
def test_openssl_finds_the_bundle(base: tuple[Entry, ...], expected: dict[str, tuple[str, str]]) -> None:
    """In its own directory there is a link to the bundle, by the base's own links where it has them."""
    findings = Findings(signals=(signal(Need.CERTS, Verdict.REQUIRED),), openssl=("/usr/lib/ssl",))
    found = provided(*base, findings=findings)
    links = {item.entry.path: (item.source, item.entry.link) for item in found.files if item.entry.link}
    assert links == expected


def test_databases_are_the_bases() -> None:
    """They are packed if the program asks; what the base lacks is told, and refused where nothing goes without."""
    asks = Findings(signals=(signal(Need.SERVICES, Verdict.LIKELY),))
    assert sources(provided(text("/etc/services"), findings=asks), Need.SERVICES) == {"/etc/services": "base"}
    without = provided(findings=asks)
    assert not sources(without, Need.SERVICES)
    assert not next(one.packed for one in without.decisions if one.need is Need.SERVICES)
    assert "/etc/services is not in base" in without.notes[0]
    with pytest.raises(NotInBaseError, match="descriptions of terminals"):
        provided(findings=Findings(signals=(signal(Need.TERMINFO, Verdict.REQUIRED),)))
    with pytest.raises(NotInBaseError, match="list of media types"):
        provided(request=ImageSpec((), wanted=frozenset((Need.MIME,))))


def test_terminals_are_those_in_use() -> None:
    """Of hundreds of descriptions the common ones, from wherever the base has each."""
    base = (text("/lib/terminfo/x/xterm"), text("/usr/share/terminfo/v/vt100"), text("/usr/share/terminfo/w/wy50"))
    found = provided(*base, findings=Findings(signals=(signal(Need.TERMINFO, Verdict.REQUIRED),)))
    assert sources(found, Need.TERMINFO).keys() == {"/lib/terminfo/x/xterm", "/usr/share/terminfo/v/vt100"}


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "de_DE.utf8"])
def test_a_locale_by_either_name(name: str) -> None:
    """Its directory has glibc's form of the name; LANG has the user's."""
    base = (text("/usr/lib/locale/de_DE.utf8/LC_CTYPE"),)
    static = Findings(static_libc="glibc")
    found = provided(*base, request=ImageSpec((), locale=name), findings=static)
    assert "/usr/lib/locale/de_DE.utf8/LC_CTYPE" in sources(found, Need.LOCALE)
    assert ("LANG", name) in found.env
    with pytest.raises(NotInBaseError, match="the locale as a directory"):
        provided(request=ImageSpec((), locale=name), findings=static)
    musl = provided(request=ImageSpec((), locale=name))
    assert (sources(musl, Need.LOCALE), ("LANG", name) in musl.env) == ({}, True)


@pytest.mark.parametrize("path", ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"])
def test_bundles_of_other_distributions(path: str) -> None:
    """Each lies where its distribution has it, and the variable leads there."""
    found = provided(text(path, PEM))
    assert sources(found, Need.CERTS) == {path: "base"}
    assert found.env == (("SSL_CERT_FILE", path),)


def test_the_link_that_openssl_follows() -> None:
    """It comes along if it leads to the bundle, and only then."""
    link = symlink(RootPath("/etc/ssl/cert.pem"), "certs/ca-certificates.crt")
    assert sources(provided(text(BUNDLE, PEM), link), Need.CERTS) == {BUNDLE: "base", "/etc/ssl/cert.pem": "base"}
    astray = symlink(RootPath("/etc/ssl/cert.pem"), "other.pem")
    assert sources(provided(text(BUNDLE, PEM), astray, text("/etc/ssl/other.pem")), Need.CERTS) == {BUNDLE: "base"}


def test_certificates_of_ones_own(tmp_path: Path) -> None:
    """They stand behind those of the bundle, whatever line ends they have."""
    (tmp_path / "own.pem").write_bytes(PEM.replace(b"MAo=", b"MAs=").replace(b"\n", b"\r\n"))
    found = provided(request=ImageSpec((), ca_file=str(tmp_path / "own.pem")))
    (bundle,) = (item.entry for item in found.files if item.need is Need.CERTS)
    assert bundle.content is not None
    assert read_all(bundle.content, 1000) == PEM + PEM.replace(b"MAo=", b"MAs=")


def test_certificates_of_ones_own_that_are_none(tmp_path: Path) -> None:
    """A file without a certificate, or with a key, is refused, and so is one that would be lost."""
    own = tmp_path / "own.pem"
    request = ImageSpec((), ca_file=str(own))
    for data, words in ((b"", "no PEM certificate"), (PEM + b"-----BEGIN RSA PRIVATE KEY-----", "private key")):
        own.write_bytes(data)
        with pytest.raises(InputError, match=words):
            provided(request=request)
    own.write_bytes(PEM)
    with pytest.raises(UsageError, match="--add puts another file"):
        provided(text(BUNDLE, PEM), request=request, added=(BUNDLE,))


def test_time_zones_by_name() -> None:
    """One zone with the links to it, and TZ set; from minpack's data where the base has none at all."""
    request = ImageSpec((), zone="Europe/Berlin")
    found = provided(request=request)
    assert sources(found, Need.TZ) == {"/usr/share/zoneinfo/Europe/Berlin": "default"}
    assert ("TZ", "Europe/Berlin") in found.env
    linked = provided(
        symlink(RootPath("/usr/share/zoneinfo/Europe/Berlin"), "../CET"),
        text("/usr/share/zoneinfo/CET"),
        request=request,
    )
    assert sources(linked, Need.TZ) == {
        "/usr/share/zoneinfo/Europe/Berlin": "base",
        "/usr/share/zoneinfo/CET": "base",
    }


def test_a_zone_that_is_not_there() -> None:
    """A name that leads to nothing, or to a directory, is told."""
    for zone in ("Nowhere", "Europe"):
        with pytest.raises(NotInBaseError, match="a time zone"):
            provided(request=ImageSpec((), zone=zone))


def test_all_time_zones() -> None:
    """Every zone but the second copies that some distributions have."""
    names = ("Europe/Paris", "posix/Europe/Paris", "right/UTC", "UTC")
    base = [text(f"/usr/share/zoneinfo/{name}") for name in names]
    found = sources(provided(*base, request=ImageSpec((), wanted=frozenset((Need.TZ,)))), Need.TZ)
    assert sorted(path for path in found if path.startswith("/usr/share/zoneinfo/")) == [
        "/usr/share/zoneinfo/Europe",
        "/usr/share/zoneinfo/Europe/Paris",
        "/usr/share/zoneinfo/UTC",
    ]


def test_os_release_is_the_bases() -> None:
    """With the link that leads to it; without one there is none."""
    link = symlink(RootPath("/etc/os-release"), "../usr/lib/os-release")
    found = provided(link, text("/usr/lib/os-release"))
    assert sources(found, Need.OS_RELEASE) == {"/etc/os-release": "base", "/usr/lib/os-release": "base"}
    assert not sources(provided(), Need.OS_RELEASE)
    with pytest.raises(NotInBaseError, match="/etc/os-release"):
        provided(request=ImageSpec((), wanted=frozenset((Need.OS_RELEASE,))))


@pytest.mark.parametrize(
    ("distribution", "path"),
    [
        (b"ID=debian", "/etc/debian_version"),
        (b'NAME=x\nID="ubuntu"\nID_LIKE=debian', "/etc/lsb-release"),
        (b"ID=alpine\nNAME='ID=debian'", None),
        (b"ID_LIKE=debian", None),
    ],
)
def test_scanners_know_distributions_by_another_file_too(distribution: bytes, path: str | None) -> None:
    """Of Debian and Ubuntu trivy does not take os-release's word; what others have at these paths is theirs."""
    others = text("/etc/debian_version"), text("/etc/lsb-release")
    found = sources(provided(text("/etc/os-release", distribution), *others), Need.OS_RELEASE)
    assert set(found) == {"/etc/os-release"} | ({path} if path else set())


def test_users_are_always_minpacks_own() -> None:
    """The base's passwd and group are never taken; nsswitch.conf only goes with glibc."""
    base = (text("/etc/passwd"), text("/etc/group"), text("/etc/nsswitch.conf"))
    for glibc in (False, True):
        found = provided(*base, glibc=glibc)
        assert sources(found, Need.PASSWD) == {"/etc/passwd": "default"}
        assert sources(found, Need.GROUP) == {"/etc/group": "default"}
        assert bool(sources(found, Need.NSSWITCH)) == glibc


@pytest.mark.parametrize(
    ("user", "home"), [(User(65532, 65532), "/home/nonroot"), (User(0, 0), "/root"), (User(1000, 100), "/home/app")]
)
def test_the_home_directory(user: User, home: str) -> None:
    """It is its user's, and others may enter it; nobody has none."""
    found = provided(request=ImageSpec((), run=RunConfig(user=user)))
    (entry,) = (item.entry for item in found.files if item.need is Need.HOME)
    assert entry == Entry(RootPath(home), Kind.DIRECTORY, 0o755, user.uid, user.gid)
    nobody = provided(request=ImageSpec((), run=RunConfig(user=User(65534, 65534))))
    assert not [item for item in nobody.files if item.need is Need.HOME]


@pytest.mark.parametrize("need", Need)
def test_what_is_unwanted_is_left_out(need: Need) -> None:
    """--no-need takes away all of a need's files, and its variable."""
    base = (text(BUNDLE, PEM), text("/etc/os-release"))
    found = provided(*base, unwanted=(need,), glibc=True)
    assert not sources(found, need)
    assert bool(found.env) == (need is not Need.CERTS)


def test_what_the_user_adds_replaces_what_needs_bring() -> None:
    """A file of the user's is found as the base's would be, and stays the user's."""
    found = provided(text(BUNDLE, PEM), text("/etc/passwd"), added=(BUNDLE, "/etc/passwd"))
    assert not sources(found, Need.CERTS)
    assert not sources(found, Need.PASSWD)
    assert found.env == (("SSL_CERT_FILE", BUNDLE),)


def test_what_is_the_hosts_own_is_noted() -> None:
    """Files of / differ from host to host; of other bases nothing needs saying."""
    base = (text(BUNDLE, PEM), text("/usr/share/zoneinfo/UTC"))
    request = ImageSpec((), wanted=frozenset((Need.TZ,)))
    assert tuple(host_notes(provided(*base, request=request).files)) == (
        f"the CA bundle comes from this host: {BUNDLE}",
        "the time zones come from this host",
    )
    assert provided(*base, request=request).notes == ()
    assert tuple(host_notes(provided().files)) == ()


PASSWD = b"root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:34:www:/var/www:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"
GROUP = b"root:x:0:\nweb:x:34:ann\nann:x:1000:\n"


def test_system_users_that_a_program_looks_up_are_the_bases() -> None:
    """With their groups, and without anything else that the base knows of them; of people none is taken."""
    findings = Findings(users=("ann", "www-data"))
    base = (text("/etc/passwd", PASSWD), text("/etc/group", GROUP))
    found = provided(*base, findings=findings)
    contents = {
        str(item.entry.path): read_all(item.entry.content, 1 << 16) for item in found.files if item.entry.content
    }
    assert b"\nwww-data:x:33:34:www-data:/nonexistent:/sbin/nologin\n" in contents["/etc/passwd"]
    assert b"\nweb:x:34:\n" in contents["/etc/group"]
    assert b"ann" not in contents["/etc/passwd"] + contents["/etc/group"]


def test_a_user_that_the_base_lacks_is_told() -> None:
    """Unless it is the program's own name, or the user gives a list."""
    findings = Findings(users=("nginx",))
    told = "the program names the user nginx and looks users up, and base has none: --add FILE:/etc/passwd gives a list"
    (note,) = provided(findings=findings).notes
    assert note.startswith(told)
    assert not provided(findings=findings, added=("/etc/passwd",)).notes
    assert not provided(findings=findings, request=ImageSpec(("/usr/sbin/nginx",))).notes


@pytest.mark.parametrize(
    ("env", "zones"),
    [((("TZ", "Europe/Berlin"),), {"/usr/share/zoneinfo/Europe/Berlin"}), ((("TZ", "CET-1CEST"),), set())],
)
def test_tz_in_the_environment_brings_its_zone(env: tuple[tuple[str, str], ...], zones: set[str]) -> None:
    """A rule is no zone, and needs no file."""
    findings = Findings(signals=(signal(Need.TZ, Verdict.OPTIONAL),))
    found = provided(findings=findings, request=ImageSpec((), run=RunConfig(env=env)))
    assert set(sources(found, Need.TZ)) == zones
    (decision,) = [one for one in found.decisions if one.need is Need.TZ]
    assert (decision.verdict is Verdict.NOT_NEEDED) is not bool(zones)


def test_tz_that_names_no_zone_is_refused() -> None:
    """Programs would run in UTC without a word."""
    with pytest.raises(NotInBaseError, match="Europe/Berln"):
        provided(request=ImageSpec((), run=RunConfig(env=(("TZ", "Europe/Berln"),))))


def test_lang_in_the_environment_brings_its_locale_where_a_program_asks() -> None:
    """Where the base lacks it a note says so: what starts the image may have it."""
    asking = Findings(signals=(signal(Need.LOCALE, Verdict.OPTIONAL),), static_libc="glibc")
    request = ImageSpec((), run=RunConfig(env=(("LANG", "C.UTF-8"),)))
    path = "/usr/lib/locale/C.utf8/LC_CTYPE"
    assert path in sources(provided(text(path), findings=asking, request=request), Need.LOCALE)
    assert not sources(provided(text(path), findings=Findings(), request=request), Need.LOCALE)
    told = provided(findings=asking, request=request).notes
    assert told == ("-e LANG=C.UTF-8: base has no such locale, so programs run in the C locale",)
