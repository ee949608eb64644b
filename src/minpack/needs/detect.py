"""What programs and their libraries need, read from the files alone; nothing is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.elf.format import PT_GNU_PROPERTY
from minpack.elf.info import ElfKind
from minpack.excerpt import listed
from minpack.needs.binary import open_binary
from minpack.needs.findings import Advice, Findings, Module
from minpack.needs.golang.buildinfo import BuildInfo, read_go_build
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from minpack.content import Content
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure, LoadedObject
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.needs.binary import Binary
    from minpack.needs.paths import PathCache

#: More names are no list for a command line.
MOST_NAMES = 5
#: Other TLS libraries than OpenSSL have the path of the CA bundle built in.
_BUNDLE_SONAMES = ("libcurl", "libgnutls.so.")
_BUNDLE = rb"/(?:etc|usr)/[\w./+-]+(?:\.crt|\.pem)"
_OPENSSLDIR = rb'OPENSSLDIR: "(/[^"]+)"'


def find_needs(
    closures: Sequence[Closure], symbols: SymbolsOf, paths: PathCache | None = None, *, why: bool = False
) -> Findings:
    """What the programs and libraries of an image need together; what describes a program is the first one's.

    :param symbols: gives the symbols of an object.
    :param paths: gives the paths within an object, where somebody has asked before.
    :param why: look for the callers too.
    :raises InputError: a file cannot be read.
    :raises MalformedElfError: a table of an object cannot be true.
    """
    found = []
    paths = paths or _path_cache(closures)
    for closure in closures:
        imports = _imports_of(closure.program, symbols) if closure.libc is not None else frozenset()
        content = closure.program.entry.content
        assert content is not None, f"internal error: {closure.program.path} has no content"
        glibc = closure.libc == "glibc"
        one = read_program(content, closure.program.info, closure.program.path, imports, glibc=glibc, why=why)
        found.append(_with_libraries(one, closure, symbols, paths) if paths is not None else one)
    together = _together(found)
    return with_why_warning(together, closures[0].program.path) if why else together


def with_why_warning(findings: Findings, path: str) -> Findings:
    """The findings of the program at `path` with a warning if no callers were found, which were looked for."""
    if any(findings.callers.values()):
        return findings
    reason = "it reads the machine code of Go programs only"
    if findings.language == "Go":
        reason = "none of its readable functions leads to a need"
    return findings._replace(warnings=(*findings.warnings, f"--why shows nothing for {path!r}: {reason}"))


def read_program(
    content: Content, info: ElfInfo, path: str, imports: Collection[str], *, glibc: bool, why: bool = False
) -> Findings:
    """What the program at the image's `path` needs by itself.

    :param imports: what it imports; nothing for a static program.
    :param glibc: whether its interpreter is glibc's.
    :raises InputError: it cannot be read.
    """
    with open_binary(content, info, path) as binary:
        findings = _by_language(binary, imports, glibc=glibc, why=why)
        if not _is_static(info):
            from minpack.needs.native import import_signals  # noqa: PLC0415 - for dynamic programs alone

            own = import_signals(imports, path, soname="", is_program=True, glibc=glibc)
            findings = findings._replace(signals=(*findings.signals, *own))
        elif any(segment.type == PT_GNU_PROPERTY for segment in info.segments):
            from minpack.needs.level import x86_warning  # noqa: PLC0415 - what C compilers make static has such notes

            # Of dynamic programs all objects count: see `ld.demands`.
            findings = findings._replace(warnings=(*findings.warnings, *x86_warning(content, info, path)))
        return findings._replace(payload=binary.overlay)


def _by_language(binary: Binary, imports: Collection[str], *, glibc: bool, why: bool) -> Findings:
    """Go first: it tells most, and its programs may have Rust within them as data."""
    build = read_go_build(binary)
    if build is not None:
        return _go_findings(binary, build, why=why)
    from minpack.needs.paths import paths_of  # noqa: PLC0415 - not for programs of Go

    paths = paths_of(binary)
    findings = _compiled(binary, paths)
    if not imports:
        return findings
    from minpack.needs.literals import literal_signals, users_in  # noqa: PLC0415 - for dynamic programs alone

    signals = (*findings.signals, *literal_signals(binary, paths, imports, glibc=glibc))
    # Other languages than C import what looks users up whether or not they do.
    return findings._replace(signals=signals, users=users_in(binary, imports) if not findings.language else ())


def _compiled(binary: Binary, paths: Collection[bytes]) -> Findings:
    """What a program of another language than Go says by itself, whatever it imports."""
    from minpack.needs import rust, static  # noqa: PLC0415 - not for programs of Go
    from minpack.needs.paths import ca_signal, zone_signals, zones_in  # noqa: PLC0415

    is_static = _is_static(binary.info)
    libc = static.static_libc(binary) if is_static else ""
    directory = static.openssl_directory(binary)
    findings = Findings(static_libc=libc, openssl=(directory,) if directory else ())
    is_rust = rust.is_rust(binary) and not _is_javascript(binary)
    if is_rust:
        found = rust.read_rust(binary, paths)
        toolchain = f"rustc {found.version}" if found.version else ""
        findings = findings._replace(language="Rust", toolchain=toolchain, modules=found.crates, signals=found.signals)
    else:
        findings = _other(binary, findings)
    if is_static:
        own = tuple(static.static_signals(binary, paths, libc, is_rust=is_rust))
        findings = findings._replace(signals=(*findings.signals, *own))
        if libc == "glibc" and not is_rust:
            findings = findings._replace(
                advice=(*findings.advice, *_opening(binary.path, static.opened_by_name(binary)))
            )
    if not is_rust:
        listed = ca_signal(paths, binary.path, soname="", without=directory)
        zones = tuple(zone_signals(paths, binary.path, soname="", is_static=is_static))
        signals = (*findings.signals, *((listed,) if listed is not None else ()), *zones)
        findings = findings._replace(signals=signals, zones=zones_in(paths, is_static=is_static) if zones else None)
    if directory and not any(signal.need is Need.CERTS for signal in findings.signals):
        has_libssl = static.LIBSSL in binary.which((static.LIBSSL,))
        inside = _openssl_inside(binary.path, directory, has_libssl=has_libssl)
        findings = findings._replace(signals=(*findings.signals, inside))
    return findings


def _opening(path: str, names: Sequence[str]) -> Iterator[Advice]:
    """What to do about the libraries that a static program names."""
    if names:
        packs = " ".join(f"--add-lib {name}" for name in names[:MOST_NAMES])
        text = (
            f"{path!r} is static and names {listed(names)}: to open that with dlopen it also needs the libc that it was"
            f" built with; {packs} packs both from the base"
        )
        yield Advice(text, "--add-lib")


def _is_static(info: ElfInfo) -> bool:
    return info.kind in (ElfKind.STATIC, ElfKind.STATIC_PIE)


def _go_findings(binary: Binary, build: BuildInfo, *, why: bool) -> Findings:
    from minpack.needs.golang.detect import read_go  # noqa: PLC0415 - for programs of Go alone

    program = read_go(binary, build)
    callers = {}
    if why:
        from minpack.needs.golang.why import callers as read_callers  # noqa: PLC0415 - reads all machine code

        callers = read_callers(binary, program)
    signals = program.signals
    if program.table is None:
        signals = tuple(_unread(binary.path))
    main = build.main if build.main.name else Module(build.package, "")
    warnings = program.warnings
    if build.cpus:
        from minpack.needs.level import go_warning  # noqa: PLC0415 - few programs have such a setting

        warnings += (go_warning(build.cpus, binary.path),)
    return Findings(
        language="Go",
        toolchain=build.version,
        main=main,
        modules=build.modules,
        static_libc=_go_libc(binary, build),
        signals=signals,
        zones=program.zones,
        warnings=warnings,
        callers=callers,
    )


def _go_libc(binary: Binary, build: BuildInfo) -> str:
    """The C library within a program of cgo that an external linker made static."""
    if not _is_static(binary.info) or build.settings.get("CGO_ENABLED") == "0":
        return ""
    from minpack.needs.static import static_libc  # noqa: PLC0415 - for programs of cgo alone

    return static_libc(binary)


def _unread(path: str) -> Iterator[Signal]:
    for need in (Need.CERTS, Need.TZ):
        text = "is a Go program whose functions cannot be read"
        yield Signal(need, Verdict.MAYBE, Evidence(Seen.BUILD, "", path, text))


def _is_javascript(binary: Binary) -> bool:
    from minpack.needs.runtimes import has_rust_as_data  # noqa: PLC0415 - where there is something of Rust

    return has_rust_as_data(binary)


def _other(binary: Binary, findings: Findings) -> Findings:
    """A runtime that is known, else what C and C++ may have within them: root certificates."""
    from minpack.needs.roots import embedded_roots  # noqa: PLC0415 - not for programs of Go
    from minpack.needs.runtimes import LOCALE, runtime_of, runtime_signals  # noqa: PLC0415

    runtime = runtime_of(binary)
    if runtime is not None:
        signals = runtime_signals(runtime, binary.path)
        findings = findings._replace(language=runtime.name, signals=signals)
        # musl has UTF-8 whatever the locale.
        if not runtime.warning or (runtime.option == LOCALE and findings.static_libc == "musl"):
            return findings
        return findings._replace(advice=(Advice(f"a program of {runtime.name}: {runtime.warning}", runtime.option),))
    roots = embedded_roots(binary)
    if not roots:
        return findings
    text = f"embeds root certificates ({roots})"
    return findings._replace(
        signals=(Signal(Need.CERTS, Verdict.OPTIONAL, Evidence(Seen.STRING, roots, binary.path, text)),)
    )


def _openssl_inside(path: str, directory: str, *, has_libssl: bool) -> Signal:
    """Without libssl, which speaks TLS, few ask for certificates."""
    verdict, what = (Verdict.MAYBE, "OpenSSL") if has_libssl else (Verdict.OPTIONAL, "OpenSSL's libcrypto")
    text = f"contains {what}, which looks for certificates in {directory}"
    return Signal(Need.CERTS, verdict, Evidence(Seen.STRING, directory, path, text))


def _path_cache(closures: Sequence[Closure]) -> PathCache | None:
    """What reads the paths of loaded objects; None if all programs are static."""
    if all(closure.libc is None for closure in closures):
        return None
    from minpack.needs.paths import PathCache  # noqa: PLC0415 - for dynamic programs alone

    return PathCache()


def _with_libraries(findings: Findings, closure: Closure, symbols: SymbolsOf, paths: PathCache) -> Findings:
    """The findings with what the libraries of the closure need."""
    if closure.libc is None:
        return findings
    from minpack.needs.native import import_signals  # noqa: PLC0415 - not for static programs
    from minpack.needs.paths import zones_in  # noqa: PLC0415

    signals, named = list(findings.signals), [findings.zones] if _loads_zones(findings.signals) else []
    openssl, bundles = list(findings.openssl), list(findings.bundles)
    for loaded in closure.objects[1:]:
        soname = loaded.info.soname or ""
        imports = _imports_of(loaded, symbols)
        signals += import_signals(imports, loaded.path, soname=soname, is_program=False, glibc=closure.libc == "glibc")
        found = tuple(_path_signals(loaded, soname, paths))
        named += [zones_in(paths(loaded), is_static=False)] if _loads_zones(found) else []
        signals += found
        if soname.startswith("libcrypto.so."):
            openssl += _matches(loaded, b"OPENSSLDIR: ", _OPENSSLDIR)
        if soname.startswith(_BUNDLE_SONAMES):
            bundles += _matches(loaded, rb"\.(?:crt|pem)\0", b"(" + _BUNDLE + b")")
    return findings._replace(
        signals=tuple(signals),
        zones=_all_zones(named),
        openssl=tuple(dict.fromkeys(openssl)),
        bundles=tuple(dict.fromkeys(bundles)),
    )


def _path_signals(loaded: LoadedObject, soname: str, paths: PathCache) -> Iterator[Signal]:
    from minpack.needs.native import is_silent  # noqa: PLC0415 - not for static programs
    from minpack.needs.paths import ca_signal, zone_signals  # noqa: PLC0415

    if is_silent(soname):
        return
    listed = ca_signal(paths(loaded), loaded.path, soname=soname or loaded.name)
    if listed is not None:
        yield listed
    yield from zone_signals(paths(loaded), loaded.path, soname=soname or loaded.name, is_static=False)


def _loads_zones(signals: Sequence[Signal]) -> bool:
    return any(one.need is Need.TZ and one.verdict.rank >= Verdict.MAYBE.rank for one in signals)


def _all_zones(named: Sequence[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """All zones that are named, None unless each that loads any names them all."""
    known = [zones for zones in named if zones is not None]
    return tuple(sorted({zone for zones in known for zone in zones})) if known and len(known) == len(named) else None


def _imports_of(loaded: LoadedObject, symbols: SymbolsOf) -> frozenset[str]:
    from minpack.needs.native import telling_imports  # noqa: PLC0415 - not for static programs

    return telling_imports(symbols(loaded))


def _matches(loaded: LoadedObject, mark: bytes, pattern: bytes) -> list[str]:
    from minpack.elf.strings import find_strings  # noqa: PLC0415 - for libraries alone

    content = loaded.entry.content
    assert content is not None, f"internal error: {loaded.path} has no content"
    return [match[1].decode("utf-8", "surrogateescape") for match in find_strings(content, loaded.info, mark, pattern)]


def _together(found: Sequence[Findings]) -> Findings:
    """All findings as one. Zones are known only if each program that loads any names them all."""
    first = found[0]
    if len(found) == 1:
        return first
    zones = _all_zones([one.zones for one in found if _loads_zones(one.signals)])
    callers = {need: called for one in reversed(found) for need, called in one.callers.items()}
    return first._replace(
        static_libc=first.static_libc,
        signals=tuple(signal for one in found for signal in one.signals),
        zones=zones,
        openssl=tuple(dict.fromkeys(directory for one in found for directory in one.openssl)),
        bundles=tuple(dict.fromkeys(path for one in found for path in one.bundles)),
        warnings=tuple(dict.fromkeys(text for one in found for text in one.warnings)),
        advice=tuple(dict.fromkeys(advice for one in found for advice in one.advice)),
        callers=callers,
    )
