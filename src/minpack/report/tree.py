"""A closure as text. Every function returns lines; nothing is printed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.report.human import human

if TYPE_CHECKING:
    from minpack.ld.bind import Proof
    from minpack.ld.closure import Closure, LoadedObject, Missing
    from minpack.ld.late import LateLibrary
    from minpack.resolving import Resolved


def tree_lines(resolved: Resolved, *, considered: bool) -> list[str]:
    """The closure as a tree: each object once with its needs, where it was found and by which rule."""
    closure = resolved.closure
    lines = [_head(closure)]
    if closure.interpreter is None:
        lines += ["", "a static program: it has no loader, and needs no libraries"]
        return lines
    lines += [f"  interpreter {closure.interpreter.path}", *_branches(closure)]
    total = sum(loaded.entry.size for loaded in closure.objects)
    count = len(closure.objects)
    lines += ["", f"{count} object{'s' if count > 1 else ''}, {human(total)}, from {resolved.base}"]
    for missing in closure.missing:
        lines += _missing_lines(missing, considered=considered)
    if closure.missing and not considered:
        lines.append("hint: --all shows every directory considered")
    return lines + _proof_lines(resolved.proof) + late_lines(resolved.late)


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


def _branches(closure: Closure) -> list[str]:
    by_path = {loaded.path: loaded for loaded in closure.objects}
    edges: dict[str, list[tuple[str, str]]] = {}
    for edge in closure.edges:
        edges.setdefault(edge.needed_by, []).append((edge.name, edge.path))
    lines = []
    shown: set[str] = set()
    todo = [(1, name, path) for name, path in reversed(edges.get(closure.program.path, []))]
    while todo:
        depth, name, path = todo.pop()
        lines.append("  " * depth + _object_line(name, by_path.get(path), again=path in shown))
        if path and path not in shown:
            shown.add(path)
            todo += [(depth + 1, *edge) for edge in reversed(edges.get(path, []))]
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
