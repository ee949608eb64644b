"""What a Go program needs, and who in it calls for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.needs.golang.functions import FunctionTable, find_functions, named_functions
from minpack.needs.golang.rules import FALLBACK_ROOTS, NAMES, ROOTS_MODULES, ZONES, clients, signals
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict
from minpack.needs.roots import embedded_roots

if TYPE_CHECKING:
    from minpack.needs.binary import Binary
    from minpack.needs.golang.buildinfo import BuildInfo

#: Zones that Go has built in (`time.LoadLocation`).
_BUILT_IN = ("", "UTC", "Local")


class GoProgram(NamedTuple):
    """What was read of a Go program. `names` are those of `rules.NAMES` that it has, with where their texts are.

    `zones` are the time zones that it loads, if all calls that load one name it; else None.
    """

    build: BuildInfo
    table: FunctionTable | None
    names: dict[bytes, int]
    signals: tuple[Signal, ...]
    zones: tuple[str, ...] | None
    warnings: tuple[str, ...] = ()


def read_go(binary: Binary, build: BuildInfo) -> GoProgram:
    """The program, which says of how it was built what `build` has."""
    table = find_functions(binary)
    if table is None:
        return GoProgram(build, None, {}, (), None, (_unreadable(build),))
    names = named_functions(binary, table, NAMES)
    texts = frozenset(name.decode() for name in names)
    found = signals(texts, binary.path, embedded=_embedded(binary, build, texts), minor=build.minor)
    program = GoProgram(build, table, names, tuple(found), None)
    return _with_zones(binary, program)


def _unreadable(build: BuildInfo) -> str:
    if build.version and build.minor < 16:  # noqa: PLR2004 - see `functions`
        return f"built by {build.version}: the functions of Go before 1.16 are not read, so its needs are a guess"
    return "a Go program with an unreadable function table (as made by garble): its needs are a guess"


def _embedded(binary: Binary, build: BuildInfo, names: frozenset[str]) -> str:
    """How the program embeds root certificates; only looked for in TLS clients."""
    if not clients(names):
        return ""
    if FALLBACK_ROOTS in names:
        return FALLBACK_ROOTS
    module = next((module.name for module in build.modules if module.name in ROOTS_MODULES), "")
    return module or embedded_roots(binary)


def _with_zones(binary: Binary, program: GoProgram) -> GoProgram:
    """The program with the zones it names, if it names all that it loads."""
    likely = any(signal.need is Need.TZ and signal.verdict is Verdict.LIKELY for signal in program.signals)
    if not likely or program.table is None:
        return program
    from minpack.needs.golang.zones import constant_zones  # noqa: PLC0415 - for programs that load zones alone

    zones = constant_zones(binary, program.table, program.names[ZONES.encode()])
    if zones is None:
        return program
    kept = tuple(sorted(zone for zone in set(zones) - set(_BUILT_IN) if not _is_refused(zone)))
    told = ", ".join(f'"{zone}"' for zone in sorted(set(zones)))
    verdict = Verdict.LIKELY if kept else Verdict.NOT_NEEDED
    text = f"calls {ZONES} only with {told}" + ("" if kept else ", for which Go reads no file")
    signal = Signal(Need.TZ, verdict, Evidence(Seen.FUNCTION, ZONES, binary.path, text))
    others = tuple(one for one in program.signals if one.need is not Need.TZ)
    return program._replace(signals=(*others, signal), zones=kept)


def _is_refused(zone: str) -> bool:
    """Whether Go refuses the name, as it leads out of the directory of zones (`time.LoadLocation`)."""
    return ".." in zone or zone.startswith(("/", "\\"))
