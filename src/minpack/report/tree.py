"""A closure as text. Every function returns lines; nothing is printed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.excerpt import few, listed, shorten
from minpack.report.human import human, version_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from minpack.build.tree import ResolvedTree
    from minpack.ld.closure import Closure, Considered, Edge, LoadedObject, Missing
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.lookup import Proof
    from minpack.ld.variants import Variant

#: The level of every x86-64 CPU, of which there is nothing to say.
BASELINE = "x86-64"
#: More of what is missing, passed over, or opened later is counted.
MOST = 50
#: More lines are counted, and more directories of all that were considered: the largest programs have some
#: thousand of either.
MOST_LINES, MOST_PLACES = 50_000, 20_000
#: Deeper than so many objects, each needing the next, lines are indented no more.
DEEPEST = 40


def tree_lines(resolved: ResolvedTree, *, considered: bool) -> list[str]:
    """The closure as a tree: each object once with its needs, where it was found and by which rule."""
    closure = resolved.closure
    lines = [_head(closure)]
    if closure.interpreter is None:
        lines += ["", "a static program: no loader, no libraries"]
        return lines
    places = _Places(shown=considered)
    lines += [f"  interpreter {shorten(closure.interpreter.path)}"]
    lines += few(_branches(closure.program.path, closure.edges, closure.objects, places, resolved.allowed), MOST_LINES)
    lines += few(_audit_lines(closure, places), MOST_LINES)
    sizes = {loaded.path: loaded.entry.size for loaded in closure.opened}
    total, count = sum(sizes.values()), len(sizes)
    lines += ["", f"{count} object{'s' if count > 1 else ''}, {human(total)}, from {resolved.base}"]
    for missing in closure.missing[:MOST]:
        lines += _missing_lines(missing, places)
    if len(closure.missing) > MOST:
        lines.append(f"missing: {len(closure.missing) - MOST} more")
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
    lines = (
        f"  {shorten(v.path)}  ({f'instead of {shorten(v.instead_of)}' if v.instead_of else 'alone'})" for v in variants
    )
    return ["for newer CPUs, not packed:", *few(lines, MOST, "  and {} more")]


def demand_lines(demanded: Demands, program: str) -> list[str]:
    """What the program demands of the machine, one line each; nothing if none of its objects says so."""
    lines = []
    if demanded.kernel is not None:
        version = version_text(demanded.kernel)
        lines.append(f"{program} needs Linux {version} or newer, according to {demanded.kernel_by}")
    if demanded.isa not in ("", BASELINE):
        lines.append(f"{program} needs a CPU with {demanded.isa}, according to {demanded.isa_by}")
    return lines


def late_lines(libraries: tuple[LateLibrary, ...]) -> list[str]:
    """What may be opened later and is not there, one line each with the evidence."""
    if not libraries:
        return []
    lines = (
        f"  {listed(library.sonames, separator=' or ') or listed(library.paths)}"
        f"  ({library.level}: {shorten(library.needed_by)} {shorten(library.evidence)})"
        for library in libraries
    )
    return ["not packed, but may be loaded at run time:", *few(lines, 2 * MOST, "  and {} more")]


def _proof_lines(proof: Proof | None) -> list[str]:
    """The verdict of the load proof."""
    if proof is None:
        return []
    from minpack.ld.verdict import latent, reasons, symbol_text  # noqa: PLC0415 - only when something was proved

    if not proof.loads:
        return ["it would not start:", *(f"  {reason}" for reason in reasons(proof))]
    late = latent(proof)
    lines = [f"it loads: {proof.looked_up} symbols looked up, {len(late)} of them undefined until called"]
    names = (f"  {symbol_text(u)}, in {shorten(u.needed_by)}" for u in late)
    return lines + few(names, MOST, "  and {} more")


def _head(closure: Closure) -> str:
    program = closure.program
    what = f"{program.info.kind}, {program.info.target}"
    return f"{shorten(program.path)}  {human(program.entry.size)}  {what}{f', {closure.libc}' if closure.libc else ''}"


class _Places:
    """Makes lines of the directories considered until there were too many; none where they are not to be shown."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._left = MOST_PLACES

    def lines(self, considered: Sequence[Considered], start: str) -> list[str]:
        """A line for each, and for those that are too many one."""
        if not self._shown:
            return []
        texts = (f"{start}{shorten(place.directory)}  ({place.rule})" for place in considered)
        lines = few(texts, self._left, f"{start}{{}} more")
        self._left = max(0, self._left - len(considered))
        return lines


def _audit_lines(closure: Closure, places: _Places) -> Iterator[str]:
    """What audits the program, each with all that is loaded for it, or why it does not."""
    for audit in closure.audits:
        problem = f" => ignored: {shorten(audit.problem)}" if audit.problem else ""
        yield f"  audit {shorten(audit.name)}{problem}"
        for line in _branches(closure.program.path, audit.edges, audit.objects, places):
            yield f"  {line}"


def _branches(
    program: str,
    edges: Sequence[Edge],
    objects: Sequence[LoadedObject],
    places: _Places,
    allowed: Collection[str] = (),
) -> Iterator[str]:
    """What the program needs, and what that needs, each object's needs once; where it was sought if that is wanted."""
    by_path = {loaded.path: loaded for loaded in objects}
    needs: dict[str, list[Edge]] = {}
    for edge in edges:
        needs.setdefault(edge.needed_by, []).append(edge)
    shown: set[str] = set()
    todo = [(1, edge) for edge in reversed(needs.get(program, []))]
    while todo:
        depth, edge = todo.pop()
        indent = "  " * min(depth, DEEPEST)
        found = by_path.get(edge.path)
        excuse = " (--allow-missing)" if found is None and edge.name in allowed else ""
        yield indent + _object_line(edge.name, found, again=edge.path in shown) + excuse
        yield from places.lines(edge.considered, f"{indent}    looked into ")
        if edge.path and edge.path not in shown:
            shown.add(edge.path)
            todo += [(depth + 1, below) for below in reversed(needs.get(edge.path, []))]


def _object_line(name: str, loaded: LoadedObject | None, *, again: bool) -> str:
    if loaded is None:
        return f"{shorten(name)} => not found"
    size = "" if again else f"  {human(loaded.entry.size)}"
    return f"{shorten(name)} => {shorten(loaded.path)}  ({loaded.found_by}){size}"


def _missing_lines(missing: Missing, places: _Places) -> list[str]:
    """What is missing, and the directories considered for it, if they are wanted."""
    lines = [f"missing: {shorten(missing.name)}, needed by {shorten(missing.needed_by)}"]
    return lines + places.lines(missing.considered, "  ")


def why_lines(chain: tuple[LoadedObject, ...]) -> list[str]:
    """Why an object is there: each line's object needs the next line's."""
    lines = []
    for depth, loaded in enumerate(chain):
        rule = f"  ({shorten(loaded.name)}, found by {loaded.found_by})" if depth else ""
        lines.append(f"{'  ' * min(depth, DEEPEST)}{shorten(loaded.path)}{rule}")
    return lines
