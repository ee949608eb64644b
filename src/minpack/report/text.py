"""Results as text. Every function returns lines; nothing is printed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.plan import From, ReasonKind
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.catalog import Offer
    from minpack.base.open import OpenBase
    from minpack.base_facts import BaseFacts
    from minpack.deliver import Delivered
    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure, LoadedObject, Missing
    from minpack.pipeline import Packed, Resolved
    from minpack.plan import Plan, PlannedEntry

UNITS = ("B", "kB", "MB", "GB", "TB")
MOST_NAMES = 3
#: Needs that have a line of their own.
COSTLY = ("certs", "tz")


def human(size: int) -> str:
    """A size with its decimal unit, as ``9.94 MB``."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(UNITS) - 1:  # noqa: PLR2004
        value, unit = value / 1000, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.3g} {UNITS[unit]}" if value < 100 else f"{value:.0f} {UNITS[unit]}"  # noqa: PLR2004


def pack_lines(packed: Packed, *, verbose: bool) -> list[str]:
    """The closing summary: the image, what is in it, where it went, what to do next."""
    lines = image_lines(packed.delivered, str(packed.plan.config.platform))
    lines += ["", *_groups(packed.plan)]
    if verbose:
        lines += ["", *_files(packed.plan)]
    left_out = [f"{d.need} ({d.evidence[0]})" for d in packed.plan.decisions if not d.packed and d.need in COSTLY]
    if left_out:
        lines += ["", f"  left out: {', '.join(left_out)}"]
    if packed.delivered is None:
        return [*lines, "", "nothing was written (--dry-run)"]
    return [*lines, "", *output_lines(packed.delivered)]


def image_lines(delivered: Delivered | None, platform: str) -> list[str]:
    """Name, digest and sizes of the image."""
    image = delivered.image if delivered is not None else None
    if image is None:
        return [f"root file system for {platform}"]
    names = ", ".join(reference.familiar for reference in image.references)
    count = len(image.layers)
    sizes = f"{human(image.size)} packed, {human(image.unpacked_size)} unpacked"
    return [
        f"{names}  {platform}",
        f"  digest    {image.digest}",
        f"  image id  {image.image_id}",
        f"  size      {sizes}, {count} layer{'s' if count > 1 else ''}",
    ]


def output_lines(delivered: Delivered) -> list[str]:
    """Where everything went, and what to type next."""
    lines = []
    for output in delivered.outputs:
        if output.path == "-":
            lines.append(f"wrote {human(delivered.size)} to stdout")
        elif output.path is not None:
            lines.append(f"wrote {output.path} ({human(delivered.size)})")
        else:
            lines.append(f"loaded {output.reference} into the engine")
    next_ = _next(delivered)
    return [*lines, f"next: {next_}"] if next_ else lines


def _next(delivered: Delivered) -> str:
    first = delivered.outputs[0] if delivered.outputs else None
    if first is None:
        return ""
    image = delivered.image
    name = image.references[0].familiar if image is not None and image.references else ""
    if any(output.reference for output in delivered.outputs):
        return f"docker run --rm {name}"
    if first.format == "archive" and first.path != "-":
        return f"docker load -i {_quoted(first.path or '')} && docker run --rm {name}"
    if first.format == "oci":
        return f"skopeo inspect oci:{_quoted(first.path or '')}"
    if first.format == "tar" and first.path != "-":
        return f"docker import {_quoted(first.path or '')}"
    return ""


def _quoted(path: str) -> str:
    import shlex  # noqa: PLC0415

    return shlex.quote(path)


def _group(planned: PlannedEntry) -> str:
    kind = planned.reason.kind
    if kind is ReasonKind.PROGRAM:
        return "program"
    if kind is ReasonKind.ADDED:
        return "added"
    if kind is ReasonKind.NEED:
        return planned.reason.need if planned.reason.need in COSTLY else "small files"
    return "libraries"


def _groups(plan: Plan) -> list[str]:
    names = ("program", "libraries", "added", *COSTLY, "small files")
    groups: dict[str, list[PlannedEntry]] = {name: [] for name in names}
    for planned in plan.entries:
        if planned.entry.kind is Kind.FILE or (planned.reason.need and planned.entry.kind is Kind.DIRECTORY):
            groups[_group(planned)].append(planned)
    return [_group_line(name, members) for name, members in groups.items() if members]


def _group_line(name: str, members: Sequence[PlannedEntry]) -> str:
    size = sum(planned.entry.size for planned in members)
    files = [planned for planned in members if planned.entry.kind is Kind.FILE] or members
    shown = ", ".join(planned.entry.path for planned in files[:MOST_NAMES])
    more = f", … {len(files) - MOST_NAMES} more" if len(files) > MOST_NAMES else ""
    return f"  {name:<12} {human(size):>8}  {_SOURCES[members[0].source]:<7}  {shown}{more}"


_SOURCES = {
    From.PROGRAM: "yours",
    From.ADDED: "yours",
    From.BASE: "base",
    From.PACKAGE: "package",
    From.DEFAULT: "minpack",
}


def _files(plan: Plan) -> list[str]:
    """Every entry with its reason."""
    lines = []
    for planned in plan.entries:
        entry = planned.entry
        kind = {Kind.DIRECTORY: "d", Kind.SYMLINK: "l"}.get(entry.kind, "-")
        link = f" -> {entry.link}" if entry.link else ""
        lines.append(
            f"  {kind}{entry.mode:04o} {entry.uid:>5}:{entry.gid:<5} {entry.size:>10} {entry.path}{link}"
            f"  [{planned.source}: {planned.reason.text}]"
        )
    return lines


def tree_lines(resolved: Resolved, *, considered: bool) -> list[str]:
    """The closure as a tree: each object once with its needs, where it was found and by which rule."""
    closure = resolved.closure
    by_path = {loaded.path: loaded for loaded in closure.objects}
    edges: dict[str, list[tuple[str, str]]] = {}
    for edge in closure.edges:
        edges.setdefault(edge.needed_by, []).append((edge.name, edge.path))
    program = closure.program
    lines = [
        f"{program.path}  {human(program.entry.size)}  {program.info.kind}, {program.info.target}, {_libc(closure)}"
    ]
    if closure.interpreter is not None:
        lines.append(f"  interpreter {closure.interpreter.path}")
    shown: set[str] = set()
    todo = [(1, name, path) for name, path in reversed(edges.get(program.path, []))]
    while todo:
        depth, name, path = todo.pop()
        lines.append("  " * depth + _object_line(name, by_path.get(path), again=path in shown))
        if path and path not in shown:
            shown.add(path)
            todo += [(depth + 1, *edge) for edge in reversed(edges.get(path, []))]
    total = sum(loaded.entry.size for loaded in closure.objects)
    count = len(closure.objects)
    lines += ["", f"{count} object{'s' if count > 1 else ''}, {human(total)}, from {resolved.base}"]
    for missing in closure.missing:
        lines += missing_lines(missing, considered=considered)
    return lines


def why_lines(closure: Closure, name: str) -> list[str] | None:
    """The chain from the program to the object called `name`; None if there is none in the closure."""
    wanted = next((o for o in closure.objects if name in (o.name, o.path, o.entry.path, o.info.soname)), None)
    if wanted is None:
        return None
    by_path = {loaded.path: loaded for loaded in closure.objects}
    chain: list[LoadedObject] = []
    at: LoadedObject | None = wanted
    while at is not None:
        chain.append(at)
        at = by_path.get(at.needed_by) if at.needed_by else None
    lines = []
    for depth, loaded in enumerate(reversed(chain)):
        rule = f"  ({loaded.name}, found by {loaded.found_by})" if depth else ""
        lines.append(f"{'  ' * depth}{loaded.path}{rule}")
    return lines


def missing_lines(missing: Missing, *, considered: bool) -> list[str]:
    """What is missing, and every directory considered for it."""
    lines = [f"missing: {missing.name}, needed by {missing.needed_by}"]
    if considered:
        lines += [f"    {c.directory}  ({c.rule})" for c in missing.considered]
    return lines


def _libc(closure: Closure) -> str:
    return closure.libc or "no dynamic loader"


def _object_line(name: str, loaded: LoadedObject | None, *, again: bool) -> str:
    if loaded is None:
        return f"{name} => not found"
    size = "" if again else f"  {human(loaded.entry.size)}"
    return f"{name} => {loaded.path}  ({loaded.found_by}){size}"


def inspect_lines(path: str, info: ElfInfo, platform: str | None, bases: tuple[str, ...]) -> list[str]:
    """What a file is."""
    rows = [
        ("file", path),
        ("kind", str(info.kind)),
        ("target", f"{info.target} ({platform})" if platform else str(info.target)),
        ("size", human(info.size)),
        ("interpreter", info.interpreter),
        ("soname", info.soname),
        ("needed", ", ".join(info.needed)),
        ("rpath", info.rpath),
        ("runpath", info.runpath),
        ("bases", ", ".join(bases)),
    ]
    return [f"{label:<12} {value}" for label, value in rows if value]


def base_info_lines(opened: OpenBase, facts: BaseFacts) -> list[str]:
    """What a base is."""
    rows = [
        ("base", facts.name),
        ("kind", str(opened.kind)),
        ("system", facts.system),
        *(("loader", f"{loader.path} ({loader.libc}, {loader.target})") for loader in facts.loaders),
        ("url", opened.url),
        ("sha256", opened.sha256),
        ("size", human(opened.size) if opened.size else ""),
    ]
    return [f"{label:<8} {value}" for label, value in rows if value]


def base_lines(offers: tuple[Offer, ...], today: str) -> list[str]:
    """The catalogue, the newest first."""
    lines = [f"{'name':<14}{'newest':<12}{'support':<24}architectures"]
    for offer in reversed(offers):
        if not offer.support_end:
            support = "rolling"
        else:
            support = f"until {offer.support_end}" if today <= offer.support_end else f"ended {offer.support_end}"
        lines.append(f"{offer.name:<14}{offer.newest:<12}{support:<24}{' '.join(offer.arches)}")
    return lines
