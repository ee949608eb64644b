"""What was packed, as text. Every function returns lines; nothing is printed here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.excerpt import few, listed, shorten
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.oci.compression import Compression
from minpack.paths import RootPath, name, parent
from minpack.plan.model import Origin, ReasonKind
from minpack.report.human import human
from minpack.report.needs import SMALL, caller_lines, left_out, why
from minpack.rootfs.entry import Kind
from minpack.spec.image import SHELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.packages import PackageId
    from minpack.build.base_image import BaseImage
    from minpack.build.inputs import Input
    from minpack.build.pack import Packed
    from minpack.build.push import Pushed
    from minpack.elf.strip import Weight
    from minpack.oci.documents import ImageConfig
    from minpack.oci.image import BuiltImage
    from minpack.oci.reference import Reference
    from minpack.output.target import WrittenOutput, WrittenTarget
    from minpack.plan.model import Plan, PlannedEntry
    from minpack.rootfs.entry import Entry
    from minpack.shared.use import CacheUse
    from minpack.target import Platform

MOST_NAMES = 3
MANY_PLATFORMS = 8
NOTHING_WRITTEN = "nothing was written (--dry-run)"
#: More are shown by the directory that holds them all, even if it is at the top.
MANY_FILES = 100
#: What compressing harder saves in images of at least so many bytes, of which gzip leaves at most that part.
SMALLER = "about 10 to 20 % smaller with --compress small --zstd (takes longer)"
LEAST_WORTH, MOST_SHRUNK = 1_000_000, 0.6
#: Of files with symbol tables or debug sections so many are told of.
MOST_WEIGHED = 8
#: What has the bytes of a file; those of a hard link count where the file is.
_FILES = (Kind.FILE, Kind.HARDLINK)
_SOURCES = {
    Origin.PROGRAM: "yours",
    Origin.ADDED: "yours",
    Origin.BASE: "base",
    Origin.PACKAGE: "package",
    Origin.DEFAULT: "minpack",
}


def pack_lines(
    packed: Packed, references: tuple[Reference, ...], *, verbose: bool, host: Platform | None = None
) -> list[str]:
    """The closing summary: the image, what is in it, where it went, what to do next.

    :param host: the platform of this machine, where it is known.
    """
    platform = str(packed.plan.config.platform)
    lines = _head(packed.written, references, platform, packed.inputs, verbose=verbose)
    if packed.written is None:
        lines.append(row("size", files_size(packed)))
    if packed.written is None or packed.written.image is not None:
        lines += config_lines(packed.plan.config)
    lines += [row("smoke test", _smoke(packed))] if packed.smoked is not None else []
    lines += ["", *contents_lines(packed, verbose=verbose), *absent_lines(packed, verbose=verbose)]
    if packed.written is None:
        return [*lines, "", NOTHING_WRITTEN]
    start = RunCommand(packed.plan.config.platform, host)
    return [*lines, *cache_lines(packed.cache), "", *output_lines(packed.written, start)]


def _smoke(packed: Packed) -> str:
    assert packed.smoked is not None, "internal error: there was no smoke test"
    from minpack.report.findings import smoke_text  # noqa: PLC0415 - where there was one

    return smoke_text(packed.smoked)


def cache_lines(use: CacheUse | None) -> list[str]:
    """What shared caches had, if any is named."""
    if use is None:
        return []
    from minpack.report.shared import cache_text  # noqa: PLC0415 - for shared caches alone

    return [row("cache", cache_text(use))]


def files_size(packed: Packed) -> str:
    """How much there is to write."""
    return f"{human(sum(entry.size for entry in packed.plan.all))} of files"


def contents_lines(packed: Packed, *, verbose: bool) -> list[str]:
    """What is in the image."""
    trusted = "as locked" if packed.locked else "signature verified"
    lines = [*_groups(packed.plan, trusted, verbose=verbose), *_symbol_lines(packed)]
    return [*lines, *(_from_packages(packed.plan, trusted) if verbose else [])]


def absent_lines(packed: Packed, *, verbose: bool) -> list[str]:
    """What is not in the image, and may be missed; with more detail also every file that is."""
    lines = [row("left out", f"{'':>8}  {'':<7}  {text}") for text in left_out(packed.plan.decisions, verbose=verbose)]
    if packed.late:
        files = f"{len(packed.late)} file{'s' if len(packed.late) > 1 else ''} it may load at run time"
        lines.append(row("optional", f"{'':>8}  {'':<7}  {files} (-v lists them, --add-lib packs one)"))
    callers = caller_lines(packed.plan.decisions, verbose=verbose)
    lines += ["", *callers] if callers else []
    if verbose:
        from minpack.report.reasons import reason_lines  # noqa: PLC0415 - as the next
        from minpack.report.tree import demand_lines, late_lines, variant_lines  # noqa: PLC0415 - if asked for

        lines += [
            "",
            *reason_lines(packed.plan),
            "",
            *_files(packed.plan),
            *late_lines(packed.late),
            *variant_lines(packed.variants),
        ]
        lines += [line for path, demanded in packed.demands for line in demand_lines(demanded, path)]
        lines += _kubernetes_lines(packed.plan.config)
    if packed.unpacked:
        from minpack.report.unpacked import unpacked_lines  # noqa: PLC0415 - for few programs

        lines += unpacked_lines(packed.unpacked, verbose=verbose)
    return lines


def base_image_lines(made: BaseImage, host: Platform | None = None) -> list[str]:
    """The closing summary of an image of a whole base.

    :param host: the platform of this machine, where it is known.
    """
    lines = _head(made.written, made.written.references, str(made.platform), made.inputs, verbose=False)
    start = RunCommand(made.platform, host, made.cmd, interactive=made.cmd == (SHELL,))
    return [*lines, *cache_lines(made.cache), "", *output_lines(made.written, start)]


def _head(
    written: WrittenOutput | None,
    references: tuple[Reference, ...],
    platform: str,
    inputs: tuple[Input, ...],
    *,
    verbose: bool,
) -> list[str]:
    """Name, digest and sizes of the image."""
    image = written.image if written is not None else None
    if written is not None and image is None:
        lines = [f"root file system for {platform}", row("size", f"{human(written.size)}")]
    else:
        lines = [f"{', '.join(reference.familiar for reference in references)}  {platform}"]
    if written is not None and image is not None:
        lines += [row("digest", str(written.digest))] if written.digest is not None else []
        lines += [row("image id", str(image.image_id))] if verbose or written.digest is None else []
        lines.append(row("size", sizes(image, written)))
        lines += [row("", SMALLER)] if _could_be_smaller(written) else []
    bases = [item for item in inputs if item.kind in ("on", "base") and item.name != "scratch"]
    return [*lines, *(row(item.kind, item.name) for item in bases)]


def _could_be_smaller(written: WrittenOutput) -> bool:
    """Whether the other setting saves more than a twentieth, as it did for every image that was measured of this kind.

    Source: docs/decisions/zstd.md. What hardly shrinks with gzip does not with zstd either.
    """
    packed = sum(layer.descriptor.size for layer in written.layers)
    unpacked = sum(layer.unpacked_size for layer in written.layers)
    is_gzip = any(layer.descriptor.media_type == Compression.BALANCED.media_type for layer in written.layers)
    return is_gzip and packed >= LEAST_WORTH and packed < MOST_SHRUNK * unpacked and not written.unpacked_below


def sizes(image: BuiltImage, written: WrittenOutput) -> str:
    """How much an image takes in a registry and where it runs."""
    text = f"{human(image.size)} packed, {human(written.unpacked_size)} unpacked"
    if all(layer.descriptor.media_type == Compression.NONE.media_type for layer in image.layers):
        text = f"{human(written.unpacked_size)}, not compressed"
    count = len(image.layers)
    return f"{text}, {count} layer{'s' if count > 1 else ''}"


def config_lines(config: ImageConfig) -> list[str]:
    """How the image is run."""
    rows = [
        ("entrypoint", listed((*config.entrypoint, *config.cmd), separator=" ")),
        ("user", config.user),
        *(("env", text) for text in few((shorten(f"{name}={value}") for name, value in config.env), MOST_NAMES)),
        ("ports", listed(config.exposed)),
        ("health", _health(config)),
    ]
    return [row(label, value) for label, value in rows if value]


def _health(config: ImageConfig) -> str:
    """The health check, if there is one."""
    if config.health is None:
        return ""
    from minpack.report.health import health_text  # noqa: PLC0415 - for --health alone

    return shorten(health_text(config.health))


def _kubernetes_lines(config: ImageConfig) -> list[str]:
    """The health check as a probe of Kubernetes, to paste into a container's specification."""
    if config.health is None:
        return []
    from minpack.report.health import kubernetes_lines  # noqa: PLC0415 - for --health alone

    return ["", *kubernetes_lines(config.health)]


def row(label: str, value: str) -> str:
    """A line of the summary."""
    return f"  {label:<12} {value}"


class RunCommand(NamedTuple):
    """What starting the image takes: `cmd` is None where it starts by itself, empty where it has nothing to start."""

    platform: Platform
    host: Platform | None
    cmd: tuple[str, ...] | None = None
    interactive: bool = False

    @property
    def foreign(self) -> str:
        """The option that an engine of another architecture needs; empty where none is needed."""
        same = self.host is None or self.host.architecture == self.platform.architecture
        return "" if same else f"--platform {self.platform} "

    def command(self, name: str) -> str:
        """The command that runs the image of that name; empty if nothing would be run."""
        if self.cmd == ():
            return ""
        return f"docker run --rm {'-it ' if self.interactive else ''}{self.foreign}{name}"


def output_lines(written: WrittenOutput, start: RunCommand) -> list[str]:
    """Where everything went, and what to type next."""
    lines = []
    for output in written.outputs:
        if output.path == "-":
            lines.append(f"wrote {human(written.size)} to stdout")
        elif output.is_beside:
            lines.append(f"wrote {output.path}")
        elif output.path is not None:
            lines.append(f"wrote {output.path} ({human(written.size)})")
        elif output.format == "engine":
            engine = output.engine if output.engine not in ("", "docker") else "the engine"
            lines.append(f"loaded {output.reference} into {engine}")
    about = len(written.built.artifacts) if written.built is not None else 0
    lines += pushed_lines([output for output in written.outputs if output.format == "registry"], about)
    next_ = _next(written, start)
    return [*lines, f"next: {next_}"] if next_ else lines


def image_lines(pushed: Pushed, host: Platform | None = None) -> list[str]:
    """The closing summary of a finished image that was pushed.

    :param host: the platform of this machine, where it is known.
    """
    index = pushed.built
    platforms = [image.platform for image in index.images]
    layers = {layer.descriptor.digest for image in index.images for layer in image.layers}
    size = sum(blob.descriptor.size for blob in index.blobs)
    start = RunCommand(platforms[0], host)
    return [
        f"{pushed.image.path}  {listed(map(str, platforms), MANY_PLATFORMS)}",
        row("digest", str(index.digest)),
        row("size", f"{human(size)}, {len(layers)} layer{'s' if len(layers) > 1 else ''}"),
        *([row("artifacts", str(len(index.artifacts)))] if index.artifacts else []),
        "",
        *pushed_lines(pushed.targets),
        f"next: docker pull {start.foreign if len(platforms) == 1 else ''}{pushed.targets[0].by_digest}",
    ]


def pushed_lines(targets: Sequence[WrittenTarget], artifacts: int = 0) -> list[str]:
    """Names that were pushed, and how much had to be sent for all of them.

    :param artifacts: how many documents and signatures about it were pushed with it.
    """
    about = f" with {artifacts} artifact{'s' if artifacts > 1 else ''}" if artifacts else ""
    lines = [f"pushed {target.reference}{about}" for target in targets]
    if targets:
        sent = targets[0].sent
        lines[-1] += f" ({human(sent)} sent)" if sent else " (nothing sent: the registry had all layers)"
    return lines


def _next(written: WrittenOutput, start: RunCommand) -> str:
    """What to type next; empty where nothing follows."""
    first = written.outputs[0]
    pushed = next((output.by_digest for output in written.outputs if output.format == "registry"), "")
    if pushed:
        # By the one name that always means this image.
        return start.command(pushed) or f"docker pull {start.foreign}{pushed}"
    references = written.references
    run = start.command(references[0].familiar) if references else ""
    engine = next((output.engine for output in written.outputs if output.format == "engine"), None)
    if engine is not None:
        return run.replace("docker", "podman", 1) if engine == "podman" else run if engine != "containerd" else ""
    if first.path is None or first.path == "-":
        return ""
    path = _quoted(first.path)
    if first.format == "archive":
        return f"docker load -i {path}" + (f" && {run}" if run else "")
    if first.format == "oci":
        # Of several names skopeo wants one; a colon begins it. Of several platforms it shows the host's alone.
        tag = f":{references[0].tag}" if len(references) > 1 else ""
        raw = "--raw " if written.built is not None and written.built.document is not None else ""
        return f"skopeo inspect {raw}oci:{path}{tag}" if ":" not in first.path else ""
    return f"docker import {start.foreign}{path}" if first.format == "tar" else ""


def _quoted(path: str) -> str:
    """`path` as a shell takes it for one word, and no command for an option."""
    path = f"./{path}" if path.startswith("-") else path
    if path and all(letter.isalnum() or letter in "/._-" for letter in path) and path.isascii():
        return path
    import shlex  # noqa: PLC0415 - for hardly any

    return shlex.quote(path)


def _groups(plan: Plan, trusted: str, *, verbose: bool) -> list[str]:
    """A line for each kind of file and where it is from; for a need with what decided."""
    needs = (need for need in Need if need not in SMALL)
    names = ("program", "libraries", "added", "taken", "data", *needs, "small files", "health probe", "packages")
    reasons = {str(decision.need): why(decision, verbose=verbose) for decision in plan.decisions}
    groups: dict[tuple[str, str], list[PlannedEntry]] = {}
    for planned in plan.written:
        if planned.entry.kind in _FILES or (planned.reason.need and planned.entry.kind is Kind.DIRECTORY):
            groups.setdefault((_group(planned), _SOURCES[planned.source]), []).append(planned)
    ordered = sorted(groups.items(), key=lambda item: names.index(item[0][0]))
    sizes = {planned.entry.path: planned.entry.size for planned in plan.written}
    lines = []
    for (group, source), members in ordered:
        # What has several names counts where it is told of first.
        size = sum(sizes.pop(_file_of(planned.entry), 0) for planned in members)
        because = reasons.get(group, "")
        if group == "data":
            because = listed(dict.fromkeys(planned.reason.text for planned in members), MOST_NAMES, "; ")
        if group == "libraries" and source == "package":
            lines.append(row(group, f"{human(size):>8}  from {_packages(members, trusted)}"))
        else:
            lines.append(_group_line(group, source, members, size, because))
    return lines


def _packages(members: Sequence[PlannedEntry], trusted: str) -> str:
    """The packages of fetched files, a few by name, and why they are trusted."""
    found = dict.fromkeys(planned.package for planned in members if planned.package is not None)
    names = listed(f"{package.name} {package.version}" for package in found)
    if len(found) > MOST_NAMES:
        names = f"{len(found)} packages"
    return f"{names}, {trusted.replace('signature', 'signatures') if len(found) > 1 else trusted}"


def _file_of(entry: Entry) -> RootPath:
    """The path at which the bytes of a file are written."""
    return RootPath(entry.link) if entry.kind is Kind.HARDLINK else entry.path


def _group(planned: PlannedEntry) -> str:
    kind = planned.reason.kind
    if kind is ReasonKind.PROGRAM:
        return "program"
    if kind is ReasonKind.ADDED:
        return "added"
    if kind is ReasonKind.TAKEN:
        return "taken" if planned.reason.text.startswith("--take") else "data"
    if kind is ReasonKind.DATABASE:
        return "packages"
    if kind is ReasonKind.HEALTH:
        return "health probe"
    if kind is ReasonKind.NEED:
        return planned.reason.need if planned.reason.need not in SMALL else "small files"
    return "libraries"


def _group_line(name: str, source: str, members: Sequence[PlannedEntry], size: int, reason: str) -> str:
    files = [planned for planned in members if planned.entry.kind in _FILES] or members
    together = _directories([planned.entry.path for planned in files]) if len(files) > MOST_NAMES else ""
    if together:
        return row(name, f"{human(size):>8}  {source:<7}  {together} ({len(files)} files){_because(reason)}")
    shown = ", ".join(shorten(planned.entry.path) for planned in files[:MOST_NAMES])
    more = f", … {len(files) - MOST_NAMES} more" if len(files) > MOST_NAMES else ""
    return row(name, f"{human(size):>8}  {source:<7}  {shown}{more}{_because(reason)}")


def _directories(paths: Sequence[RootPath]) -> str:
    """The directory that has all of many files, or the few that do; empty where that tells less than their names."""
    together = os.path.commonpath(paths)
    if together.count("/") > 1:
        return together
    few_parts = dict.fromkeys("/".join(parent(path).split("/")[:4]) for path in paths)
    if len(few_parts) <= MOST_NAMES and all(place.count("/") > 1 for place in few_parts):
        return ", ".join(few_parts)
    return together if len(paths) > MANY_FILES else ""


def _symbol_lines(packed: Packed) -> list[str]:
    """What symbol tables and debug sections weigh in each program and added library, or weighed.

    A file with several names is told of once.
    """
    files = {entry.path: _file_of(entry) for entry in packed.plan.all}
    found: dict[RootPath, tuple[RootPath, Weight, str]] = {}
    for program in packed.programs:
        advice = "left out" if program.stripped else program.unstripped or "--strip leaves them out"
        found.setdefault(
            files.get(program.destination, program.destination), (program.destination, program.weight, advice)
        )
    for added in packed.added:
        advice = "left out" if added.stripped else "--strip leaves them out"
        found.setdefault(files.get(added.path, added.path), (added.path, added.weight, advice))
    lines = [_symbol_line(name(path), weight, advice) for path, weight, advice in found.values() if any(weight)]
    return few(lines, MOST_WEIGHED, row("symbols", f"{'':>8}  {'yours':<7}  and {{}} more files"))


def _symbol_line(file: str, weight: Weight, advice: str) -> str:
    symbols, debug = weight
    parts = [f"{human(symbols)} symbol tables"] if symbols else []
    parts += [f"{human(debug)} debug sections"] if debug else []
    return row("symbols", f"{human(symbols + debug):>8}  {'yours':<7}  {file}: {', '.join(parts)} ({advice})")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _from_packages(plan: Plan, trusted: str) -> list[str]:
    """A line for each fetched file, with its package and why that is trusted; one for a package with many files."""
    names = {loaded.entry.path: loaded.name for closure in plan.closures for loaded in closure.objects}
    files: dict[PackageId, list[RootPath]] = {}
    for planned in plan.entries:
        wanted = planned.entry.kind is Kind.FILE and planned.reason.kind is not ReasonKind.DATABASE
        if wanted and planned.source is Origin.PACKAGE and planned.package is not None:
            files.setdefault(planned.package, []).append(planned.entry.path)
    rows = []
    for package, paths in files.items():
        said = f"{package.name} {package.version} ({package.repository}, {trusted})"
        if len(paths) > MOST_NAMES:
            rows.append((package.name, f"{os.path.commonpath(paths)} ({len(paths)} files)", said))
        else:
            rows += [(names.get(path, name(path)), path, said) for path in paths]
    return _columns(rows)


def _columns(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    rows = [(shorten(one), shorten(two), shorten(three)) for one, two, three in rows]
    first = max((len(row[0]) for row in rows), default=0)
    second = max((len(row[1]) for row in rows), default=0)
    return [f"  + {name:<{first}}  {path:<{second}}  {said}" for name, path, said in rows]


def _files(plan: Plan) -> list[str]:
    """Every entry with its reason."""
    lines = []
    for planned in plan.written:
        entry = planned.entry
        kind = {Kind.DIRECTORY: "d", Kind.SYMLINK: "l", Kind.HARDLINK: "h"}.get(entry.kind, "-")
        link = {Kind.SYMLINK: f" -> {shorten(entry.link)}", Kind.HARDLINK: f" = {shorten(entry.link)}"}.get(
            entry.kind, ""
        )
        owner = f"{entry.uid}:{entry.gid}"
        lines.append(
            f"  {kind}{entry.mode:04o} {owner:<11} {entry.size:>10} {shorten(entry.path)}{link}"
            f"  [{planned.source}: {shorten(planned.reason.text)}]"
        )
    return lines
