"""The data that programs need besides what they name: certificates, time zones, lists of users and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import MinpackError
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import find_needs
from minpack.needs.environment import zone_of
from minpack.needs.need import Need, Verdict
from minpack.paths import RootPath, name
from minpack.provision.data import LOCALES, gconv_directories
from minpack.provision.places import BUNDLES, DATABASES, ZONEINFO
from minpack.reach.model import AskedAs
from minpack.rootfs.entry import Kind
from minpack.spec.image import SHELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.oci.documents import ImageConfig
    from minpack.reach.collect import Collector

_FILES = {
    Need.PASSWD: ("/etc/passwd",),
    Need.GROUP: ("/etc/group",),
    Need.NSSWITCH: ("/etc/nsswitch.conf",),
    Need.OS_RELEASE: ("/etc/os-release", "/etc/debian_version", "/etc/lsb-release"),
    Need.TMP: ("/tmp", "/var/tmp"),  # noqa: S108 - the image's
    Need.DNS: ("/etc/hosts", "/etc/resolv.conf", "/etc/host.conf", "/etc/gai.conf"),
}
#: What glibc reads of other names of locales.
_ALIASES = ("/etc/locale.alias", "/usr/share/locale/locale.alias")
#: What libraries read whose names compilers put into their code in pieces.
_OF_LIBRARIES = {
    "libfontconfig.so.": ("/etc/fonts", "/usr/share/fontconfig", "/usr/share/fonts", "/usr/local/share/fonts"),
}
#: They convert from the character set of the locale alone.
_OF_LOCALES = ("libidn.so.", "libidn2.so.", "libpsl.so.", "libunistring.so.", "libreadline.so.")
#: What glibc reads of converters, whether or not it needs one.
_CONVERTERS = ("gconv-modules.cache", "gconv-modules", "gconv-modules.d")


def add_data(
    collector: Collector, closures: Sequence[Closure], config: ImageConfig, symbols: SymbolsOf
) -> tuple[Decision, ...]:
    """Ask for the data that the programs of these closures need, as far as it is there; what was decided of each."""
    if not closures:
        return ()
    _add_of_libraries(collector, closures)
    try:
        findings = find_needs(closures, symbols)
    except MinpackError:
        # What a damaged table hides nobody knows.
        return ()
    glibc = any(closure.libc == "glibc" for closure in closures)
    decisions = decide(findings, NeedOptions(env=config.env), glibc=glibc)
    for decision in decisions:
        if decision.said or decision.verdict.asks or decision.verdict is Verdict.RUNTIME:
            _add(_Adding(collector, closures, config, findings), decision)
    return decisions


class _Adding:
    """What it takes to ask for the data of one need."""

    def __init__(
        self, collector: Collector, closures: Sequence[Closure], config: ImageConfig, findings: Findings
    ) -> None:
        self.collector = collector
        self.closures = closures
        self.env = dict(config.env)
        self.findings = findings

    def places(self, decision: Decision) -> tuple[str, ...]:
        """Where the data of a need is, if it is there."""
        need = decision.need
        is_sure = bool(decision.said) or decision.verdict.rank >= Verdict.MAYBE.rank
        if need is Need.CERTS:
            inside = [f"{directory}/{one}" for directory in self.findings.openssl for one in ("cert.pem", "certs")]
            return (*BUNDLES, *inside, *self.findings.bundles)
        if need is Need.TZ:
            zone = zone_of(self.env)
            named = (ZONEINFO,) if is_sure and zone is None else (f"{ZONEINFO}/{zone}",) if zone else ()
            return ("/etc/localtime", "/etc/timezone", *named)
        if need is Need.LOCALE:
            # Whoever made locales for the image wants them set, by a variable or by what a program is configured with.
            return (LOCALES, *_ALIASES)
        if need is Need.GCONV:
            directories = gconv_directories(self.closures)
            if is_sure or any(not name(RootPath(one.path)).startswith(_OF_LOCALES) for one in decision.evidence):
                # Which converters a program opens its input says.
                return directories
            return tuple(f"{above}/{one}" for above in directories for one in _CONVERTERS)
        if need is Need.SHELL:
            return (SHELL,) if is_sure else ()
        return DATABASES[need].places if need in DATABASES else _FILES.get(need, ())


def _add_of_libraries(collector: Collector, closures: Sequence[Closure]) -> None:
    for closure in closures:
        for loaded in closure.opened:
            for start, places in _OF_LIBRARIES.items():
                if (loaded.info.soname or "").startswith(start):
                    for place in places:
                        collector.add_whole(place, AskedAs.NEED, "reads it", loaded.entry.path)


def _add(adding: _Adding, decision: Decision) -> None:
    by = adding.closures[0].program.entry.path
    for evidence in decision.evidence:
        by = next(
            (one.entry.path for closure in adding.closures for one in closure.opened if one.path == evidence.path), by
        )
    kind = AskedAs.PROGRAM if decision.need is Need.SHELL else AskedAs.NEED
    text = f"may need it: {decision.need} ({decision.why})"
    for place in adding.places(decision):
        _add_data(adding.collector, place, kind, text, by)


def _add_data(collector: Collector, place: str, kind: AskedAs, text: str, by: RootPath) -> None:
    entry = collector.add_path(place, kind, text, by)
    if entry is not None and entry.kind is Kind.DIRECTORY and place not in _FILES[Need.TMP]:
        collector.add_inside(entry)
