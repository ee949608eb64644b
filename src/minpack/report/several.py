"""What was packed for several platforms, as text: a line for each, and what is true of all of them once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.report.human import human
from minpack.report.text import (
    NOTHING_WRITTEN,
    RunCommand,
    absent_lines,
    cache_lines,
    config_lines,
    contents_lines,
    files_size,
    output_lines,
    row,
    sizes,
)
from minpack.spec.image import SHELL
from minpack.target import best_platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.build.base_image import BaseImage
    from minpack.build.pack import Packed
    from minpack.oci.reference import Reference
    from minpack.output.target import WrittenOutput
    from minpack.target import Platform


def several_lines(
    packed: Packed, references: tuple[Reference, ...], *, verbose: bool, host: Platform | None
) -> list[str]:
    """The closing summary of an image for several platforms; the contents of each only with more detail."""
    names = ", ".join(reference.familiar for reference in references)
    lines = [f"{names}  {len(packed.images)} platforms", *_whole_lines(packed.written)]
    lines += _platform_lines(packed, verbose=verbose)
    bodies = [config_lines(one.plan.config) for one in packed.images]
    lines += _shared(packed, bodies)
    if verbose:
        for one in packed.images:
            body = [*contents_lines(one, verbose=True), *absent_lines(one, verbose=True)]
            lines += ["", _platform(one), *body]
    else:
        absent = _shared(packed, [absent_lines(one, verbose=False) for one in packed.images])
        lines += ["", *absent] if absent else []
    if packed.written is None:
        return [*lines, "", NOTHING_WRITTEN]
    platforms = [one.plan.config.platform for one in packed.images]
    runs = best_platform(host, platforms) if host is not None else None
    start = RunCommand(runs or platforms[0], host)
    return [*lines, *cache_lines(packed.cache), "", *output_lines(packed.written, start)]


def _whole_lines(written: WrittenOutput | None) -> list[str]:
    """The digest and the size of all together."""
    if written is None or written.built is None:
        return []
    lines = [row("digest", str(written.digest))] if written.digest is not None else []
    if written.built.document is not None:
        # What platforms share counts once, as registries keep it.
        lines.append(row("size", f"{human(sum(blob.descriptor.size for blob in written.built.blobs))} packed"))
    return lines


def _platform_lines(packed: Packed, *, verbose: bool) -> list[str]:
    """A line for each platform, with its base if they differ in that."""
    bases = [", ".join(item.name for item in one.inputs if item.kind in ("on", "base")) for one in packed.images]
    alike = len(set(bases)) == 1
    label = "on" if any(item.kind == "on" for item in packed.inputs) else "base"
    lines = [row(label, bases[0])] if alike and bases[0] != "scratch" else []
    width = max(len(_platform(one)) for one in packed.images)
    for one, base in zip(packed.images, bases, strict=True):
        written = one.written
        if written is not None and written.image is not None:
            text = sizes(written.image, written)
        else:
            text = f"{files_size(one)}{', not loaded' if written is not None else ''}"
        lines.append(row(f"{_platform(one):<{width}}", text if alike else f"{text}, {base}"))
        if verbose and written is not None and written.image is not None and written.image_digest is not None:
            lines.append(row("", str(written.image_digest)))
    return lines


def _shared(packed: Packed, bodies: Sequence[Sequence[str]]) -> list[str]:
    """The lines of all platforms, each once; those that are not of all of them behind their platform's name."""
    common = [line for line in bodies[0] if all(line in body for body in bodies)]
    lines = list(common)
    for one, body in zip(packed.images, bodies, strict=True):
        own = [line for line in body if line not in common]
        lines += [f"  on {_platform(one)}:", *(f"  {line}" for line in own)] if own else []
    return lines


def _platform(packed: Packed) -> str:
    return str(packed.plan.config.platform)


def several_bases_lines(made: BaseImage, host: Platform | None = None) -> list[str]:
    """The closing summary of an image of a whole base for several platforms.

    :param host: the platform of this machine, where it is known.
    """
    names = ", ".join(reference.familiar for reference in made.written.references)
    lines = [f"{names}  {len(made.images)} platforms", *_whole_lines(made.written)]
    width = max(len(str(one.platform)) for one in made.images)
    for one in made.images:
        image = one.written.image
        text = sizes(image, one.written) if image is not None else "not loaded"
        lines.append(row(f"{one.platform!s:<{width}}", f"{text}, {one.inputs[0].name}"))
    platforms = [one.platform for one in made.images]
    runs = best_platform(host, platforms) if host is not None else None
    start = RunCommand(runs or platforms[0], host, made.cmd, interactive=made.cmd == (SHELL,))
    return [*lines, *cache_lines(made.cache), "", *output_lines(made.written, start)]
