"""The files that needs bring: taken from the base when it has them, else from minpack's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent, read_all
from minpack.errors import NotInBaseError, UsageError
from minpack.excerpt import listed
from minpack.needs.decide import WITHOUT
from minpack.needs.need import Need, Verdict
from minpack.paths import normal
from minpack.provision.places import BUNDLES, DATABASES, ZONEINFO
from minpack.provision.values import ProvidedFiles, Provision, SystemUsers, taken
from minpack.rootfs.entry import Kind, file
from minpack.rootfs.etc_files import NSSWITCH, group, passwd
from minpack.rootfs.modes import TMP, standard_directories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.base.walk import Walker
    from minpack.ld.closure import Closure
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.paths import RootPath
    from minpack.rootfs.entry import Entry
    from minpack.spec.image import ImageSpec

#: By what scanners know a distribution whose os-release they pass over: trivy, pkg/fanal/analyzer/os/debian and ubuntu.
_VERSION_FILES = {b"debian": "/etc/debian_version", b"ubuntu": "/etc/lsb-release"}
_MAX_OS_RELEASE = 1 << 16


def provide(
    spec: ImageSpec,
    decisions: tuple[Decision, ...],
    findings: Findings,
    base: Walker,
    default: Walker,
    added: frozenset[RootPath],
    closures: Sequence[Closure] = (),
) -> Provision:
    """The files of every need that is packed.

    :param base: the base with the user's files laid over it.
    :param added: where the user's files are: they take the place of what needs would bring.
    :raises NotInBaseError: neither `base` nor `default` has what the user wants, or what a program cannot do without.
    :raises InputError: the file of --ca-file cannot be used.
    :raises UsageError: the user's own bundle is in the place that --ca-file would go to.
    """
    packed = {decision.need: decision for decision in decisions if decision.packed}
    asked = _as_set(spec)
    files: list[ProvidedFiles] = []
    env: list[tuple[str, str]] = []
    if Need.CERTS in packed:
        from minpack.provision.certs import certs  # noqa: PLC0415 - for programs that need them

        bundle = tuple(certs(spec.ca_file, findings, base, default, reason(packed[Need.CERTS])))
        _check_ca_file(spec, bundle[0], added)
        files += bundle
        env.append(("SSL_CERT_FILE", bundle[0].entry.path))
    if Need.TZ in packed:
        files += _zones(asked, packed[Need.TZ], findings, base, default)
    if spec.zone is not None and Need.TZ in packed:
        env.append(("TZ", spec.zone))
    if spec.locale is not None:
        env.append(("LANG", spec.locale))
    if Need.OS_RELEASE in packed:
        files += _os_release(packed[Need.OS_RELEASE], base)
    absent = set()
    for need in DATABASES:
        if need in packed:
            found = tuple(_from_base(asked, packed[need], findings, base, closures, added))
            files += found
            absent |= set() if found else {need}
    users = _system_users(spec, findings, base)
    files += _own(spec, {need: reason(decision) for need, decision in packed.items()}, users)
    kept = tuple(provided for provided in files if not _is_replaced(provided.entry, base, added))
    made = tuple(one._replace(packed=False) if one.need in absent else one for one in decisions)
    users_notes = _user_notes(spec, users.missing, base) if "/etc/passwd" not in added else ()
    return Provision(kept, tuple(env), made, (*_absent_notes(packed, absent, base), *users_notes))


def _as_set(spec: ImageSpec) -> ImageSpec:
    """The spec with the zone and the locale that variables of the image name, where no option does."""
    if not spec.run.env:
        return spec
    from minpack.needs.environment import locale_of, zone_of  # noqa: PLC0415 - where variables are set

    env = dict(spec.run.env)
    _, locale = locale_of(env) or ("", None)
    return spec._replace(zone=spec.zone or zone_of(env), locale=spec.locale or locale)


def _is_replaced(entry: Entry, base: Walker, added: frozenset[RootPath]) -> bool:
    """Whether the user has another file there. Directories are put together, and neither is the other."""
    if entry.path not in added or entry.kind is Kind.DIRECTORY:
        return False
    there = base.lstat(entry.path)
    return there is None or there.kind is not Kind.DIRECTORY


def lacking(decisions: tuple[Decision, ...], base: Walker) -> tuple[Need, ...]:
    """The needs that are wanted, or without which a program fails, and of which the base has nothing.

    Packages are asked for them before minpack's own data is taken.
    """
    wanted = (one for one in decisions if one.packed and (one.said or one.verdict is Verdict.REQUIRED))
    return tuple(one.need for one in wanted if not _has(base, one.need))


def _has(base: Walker, need: Need) -> bool:
    places = {Need.CERTS: BUNDLES, Need.TZ: (ZONEINFO,)}.get(need)
    if places is None and need in DATABASES:
        places = DATABASES[need].places
    return not places or any(base.walk(path).entry is not None for path in places)


def reason(decision: Decision) -> str:
    """Why a need is packed: the option that says so, else the evidence."""
    return decision.said or decision.why


def _check_ca_file(spec: ImageSpec, bundle: ProvidedFiles, added: frozenset[RootPath]) -> None:
    if spec.ca_file is not None and bundle.entry.path in added:
        text = f"--add puts another file at {bundle.entry.path!r}"
        raise UsageError("--ca-file", spec.ca_file, text, "put the certificates into that file")


def _zones(
    spec: ImageSpec, decision: Decision, findings: Findings, base: Walker, default: Walker
) -> Iterator[ProvidedFiles]:
    """All zones, but those alone that the user or the program names."""
    from minpack.provision.zones import all_zones, named_zones  # noqa: PLC0415 - for programs that need them

    why = reason(decision)
    named = findings.zones
    if Need.TZ in spec.wanted or (spec.zone is None and not named):
        yield from all_zones(base, default, why)
        return
    zones = dict.fromkeys((*((spec.zone,) if spec.zone is not None else ()), *(named or ())))
    yield from named_zones(tuple(zones), spec.zone, base, default, why)


def _from_base(
    spec: ImageSpec,
    decision: Decision,
    findings: Findings,
    base: Walker,
    closures: Sequence[Closure],
    added: frozenset[RootPath],
) -> Iterator[ProvidedFiles]:
    """The files of a need that minpack has no data for.

    :raises NotInBaseError: the base has none, and the user wants them or the program fails without.
    """
    from minpack.provision.data import data  # noqa: PLC0415 - for the few programs that need any

    need = decision.need
    # musl has its own locales, and needs no files for UTF-8.
    if need is Need.LOCALE and findings.static_libc != "glibc" and not any(one.libc == "glibc" for one in closures):
        return
    found = data(need, base, closures, spec.locale, reason(decision))
    path, what, _ = DATABASES[need]
    # A variable may be set for what the image is to hold, or for what it runs on: it is told then.
    asked = decision.said and not decision.said.startswith("-e ")
    if not found and (asked or decision.verdict is Verdict.REQUIRED) and path not in added:
        hint = f"choose a base that has it, add it with --add, or leave it out with --no-need {need}"
        raise NotInBaseError(base.base.name, path, what, hint)
    yield from found or ()


def _os_release(decision: Decision, base: Walker) -> tuple[ProvidedFiles, ...]:
    path = "/etc/os-release"
    found = tuple(taken(base, path, Need.OS_RELEASE, reason(decision)))
    known_by = _VERSION_FILES.get(_distribution(found))
    if known_by is not None:
        found += tuple(taken(base, known_by, Need.OS_RELEASE, reason(decision)))
    if decision.said and not found:
        hint = f"choose a base that has it, or leave out {decision.said}"
        raise NotInBaseError(base.base.name, path, "which names the distribution", hint)
    return found


def _distribution(found: Sequence[ProvidedFiles]) -> bytes:
    """The ID that an os-release file states (os-release(5)); empty if there is none."""
    contents = (one.entry.content for one in found)
    content = next((one for one in contents if one is not None and one.size <= _MAX_OS_RELEASE), None)
    lines = read_all(content, _MAX_OS_RELEASE).splitlines() if content is not None else []
    return next((line[3:].strip(b" \"'") for line in lines if line.startswith(b"ID=")), b"")


def _absent_notes(packed: dict[Need, Decision], absent: set[Need], base: Walker) -> Iterator[str]:
    if Need.LOCALE in absent and packed[Need.LOCALE].said == f"--need {Need.LOCALE}":
        yield f"{packed[Need.LOCALE].said} packs nothing: only glibc reads locales from files"
    for need, database in DATABASES.items():
        if need in absent and packed[need].said.startswith("-e "):
            yield f"{packed[need].said}: {base.base.name} has no such locale, so programs run in the C locale"
        if need in absent and not packed[need].said:
            where, why = f"{database.name} is not in {base.base.name}", packed[need].why
            yield f"{where}, and the program {why}: without it, {WITHOUT.get(need, 'it may fail')}"


def host_notes(files: tuple[ProvidedFiles, ...]) -> Iterator[str]:
    """Notes of what comes from this host itself, where that is the base, and is not the same on every host."""
    found = [provided for provided in files if provided.source == "base" and provided.entry.kind is Kind.FILE]
    for provided in found:
        if provided.need is Need.CERTS:
            yield f"the CA bundle comes from this host: {provided.entry.path}"
    if any(provided.need is Need.TZ for provided in found):
        yield "the time zones come from this host"


def _system_users(spec: ImageSpec, findings: Findings, base: Walker) -> SystemUsers:
    """The users of the base that programs look up, or that files belong to by name."""
    owners: tuple[str, ...] = ()
    if spec.additions or spec.directories:
        from minpack.program.owners import owner_names  # noqa: PLC0415 - where something is added

        owners = owner_names(spec)
    if not (findings.users or owners):
        return SystemUsers()
    from minpack.provision.users import system_users  # noqa: PLC0415 - for daemons alone

    return system_users(findings.users, base, owners)


def _user_notes(spec: ImageSpec, missing: Sequence[str], base: Walker) -> Iterator[str]:
    """A program's own name is in it for other reasons too, and nothing is told of that."""
    programs = [path.rpartition("/")[2] for path in spec.programs]
    names = [user for user in missing if user not in programs]
    if names:
        who = f"the user{'s' if names[1:] else ''} {listed(names)}"
        why = f"the program names {who} and looks users up, and {base.base.name} has none"
        yield f"{why}: --add FILE:/etc/passwd gives a list of yours"


def _own(spec: ImageSpec, packed: dict[Need, str], users: SystemUsers) -> Iterator[ProvidedFiles]:
    """Files of minpack's own, never the base's; of that the system users that programs look up."""
    user = spec.run.user
    standard = standard_directories(user, any_user=spec.run.any_user)
    entries = {
        Need.TMP: standard[TMP],
        Need.PASSWD: file(normal("/etc/passwd"), BytesContent(passwd(user) + users.passwd)),
        Need.GROUP: file(normal("/etc/group"), BytesContent(group(user) + users.group)),
        Need.NSSWITCH: file(normal("/etc/nsswitch.conf"), BytesContent(NSSWITCH)),
        Need.HOME: standard.get(normal(user.home)),
    }
    for need, entry in entries.items():
        if need in packed and entry is not None:
            yield ProvidedFiles(entry, need, "default", packed[need])
