"""A closure as text. Every function returns lines; nothing is printed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.report.human import human, version_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.ld.bind import Proof
    from minpack.ld.closure import Closure, Edge, LoadedObject, Missing
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.variants import Variant
    from minpack.resolving import Resolved

#: The level of every x86-64 CPU, of which there is nothing to say.
BASELINE = "x86-64"


def tree_lines(resolved: Resolved, *, considered: bool) -> list[str]:
    """The closure as a tree: each object once with its needs, where it was found and by which rule."""
    closure = resolved.closure
    lines = [_head(closure)]
    if closure.interpreter is None:
        lines += ["", "a static program: it has no loader, and needs no libraries"]
        return lines
    lines += [f"  interpreter {closure.interpreter.path}"]
    lines += _branches(closure.program.path, closure.edges, closure.objects, considered=considered)
    lines += _audit_lines(closure, considered=considered)
    sizes = {loaded.path: loaded.entry.size for loaded in closure.opened}
    total, count = sum(sizes.values()), len(sizes)
    lines += ["", f"{count} object{'s' if count > 1 else ''}, {human(total)}, from {resolved.base}"]
    for missing in closure.missing:
        lines += _missing_lines(missing, considered=considered)
    if closure.missing and not considered:
        lines.append("hint: --all shows every directory considered")
    lines += variant_lines(resolved.variants)
    lines += _proof_lines(resolved.proof)
    if resolved.demands is not None:
        lines += demand_lines(resolved.demands, closure.program.path)
    return lines + late_lines(resolved.late)


def variant_lines(variants: tuple[Variant, ...]) -> list[str]:
    """What is there for better CPUs and is passed over, one line each."""
    if not variants:
        return []
    lines = ["for better CPUs, and passed over:"]
    return lines + [f"  {v.path}  ({f'instead of {v.instead_of}' if v.instead_of else 'alone'})" for v in variants]


def demand_lines(demanded: Demands, program: str) -> list[str]:
    """What the program demands of the machine, one line each; nothing if none of its objects says so."""
    lines = []
    if demanded.kernel is not None:
        version = version_text(demanded.kernel)
        lines.append(f"{program} needs Linux {version} or newer: {demanded.kernel_by} says so")
    if demanded.isa not in ("", BASELINE):
        lines.append(f"{program} needs a CPU with {demanded.isa}: {demanded.isa_by} says so")
    return lines


def late_lines(libraries: tuple[LateLibrary, ...]) -> list[str]:
    """What may be opened later and is not there, one line each with the evidence."""
    if not libraries:
        return []
    lines = ["it may open later, and has not:"]
    for library in libraries:
        what = " or ".join(library.sonames) or ", ".join(library.paths)
        lines.append(f"  {what}  ({library.level}: {library.needed_by} {library.evidence})")
    return lines


def _proof_lines(proof: Proof | None) -> list[str]:
    """The verdict of the load proof."""
    if proof is None:
        return []
    from minpack.ld.verdict import latent, reasons  # noqa: PLC0415 - only when something was proved

    if not proof.loads:
        return ["it would not start:", *(f"  {reason}" for reason in reasons(proof))]
    late = latent(proof)
    lines = [f"it loads: {proof.looked_up} symbols looked up, {len(late)} of them bound to nothing until called"]
    return lines + [f"  {u.symbol}{f'@{u.version}' if u.version else ''}, in {u.needed_by}" for u in late]


def _head(closure: Closure) -> str:
    program = closure.program
    what = f"{program.info.kind}, {program.info.target}"
    return f"{program.path}  {human(program.entry.size)}  {what}{f', {closure.libc}' if closure.libc else ''}"


def _audit_lines(closure: Closure, *, considered: bool) -> list[str]:
    """What audits the program, each with all that is loaded for it, or why it does not."""
    lines = []
    for audit in closure.audits:
        lines.append(f"  audit {audit.name}{f' => ignored: {audit.problem}' if audit.problem else ''}")
        for line in _branches(closure.program.path, audit.edges, audit.objects, considered=considered):
            lines.append(f"  {line}")  # noqa: PERF401 - a line each
    return lines


def _branches(program: str, edges: Sequence[Edge], objects: Sequence[LoadedObject], *, considered: bool) -> list[str]:
    """What the program needs, and what that needs, each object's needs once; with `considered` where it was sought."""
    by_path = {loaded.path: loaded for loaded in objects}
    needs: dict[str, list[Edge]] = {}
    for edge in edges:
        needs.setdefault(edge.needed_by, []).append(edge)
    lines = []
    shown: set[str] = set()
    todo = [(1, edge) for edge in reversed(needs.get(program, []))]
    while todo:
        depth, edge = todo.pop()
        lines.append("  " * depth + _object_line(edge.name, by_path.get(edge.path), again=edge.path in shown))
        if considered:
            lines += [f"{'  ' * depth}    looked into {c.directory}  ({c.rule})" for c in edge.considered]
        if edge.path and edge.path not in shown:
            shown.add(edge.path)
            todo += [(depth + 1, below) for below in reversed(needs.get(edge.path, []))]
    return lines


def _object_line(name: str, loaded: LoadedObject | None, *, again: bool) -> str:
    if loaded is None:
        return f"{name} => not found"
    size = "" if again else f"  {human(loaded.entry.size)}"
    return f"{name} => {loaded.path}  ({loaded.found_by}){size}"


def _missing_lines(missing: Missing, *, considered: bool) -> list[str]:
    """What is missing, and every directory considered for it."""
    lines = [f"missing: {missing.name}, needed by {missing.needed_by}"]
    if considered:
        lines += [f"  {c.directory}  ({c.rule})" for c in missing.considered]
    return lines


def why_lines(chain: tuple[LoadedObject, ...]) -> list[str]:
    """Why an object is there: each line's object needs the next line's."""
    lines = []
    for depth, loaded in enumerate(chain):
        rule = f"  ({loaded.name}, found by {loaded.found_by})" if depth else ""
        lines.append(f"{'  ' * depth}{loaded.path}{rule}")
    return lines
