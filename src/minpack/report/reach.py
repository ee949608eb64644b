"""Why something is in an image, what in it nothing asks for, and the image without that, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes, listed, shorten
from minpack.reach.why import groups_of
from minpack.report.allowance import Allowance
from minpack.report.documents import written_object
from minpack.report.findings import smoke_object, smoke_text
from minpack.report.human import human
from minpack.report.text import RunCommand, output_lines, row, sizes
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.packages import PackageId
    from minpack.oci.image import BuiltImage
    from minpack.reach.model import Asked
    from minpack.reach.shrink import ShrunkImage
    from minpack.reach.why import ExplainedPath, Unasked, UnneededFiles
    from minpack.target import Platform

#: Of packages and directories, and of files that need a library, so many are shown, unless all are asked for.
MOST_ROWS, MOST_USERS = 20, 5
#: What the image itself is called, where a chain begins.
_IMAGE = "the image"
NOTHING = "nothing in the image asks for it"


def why_document(found: ExplainedPath) -> dict[str, Any]:
    """``minpack.why/1``; `by` is null where the image itself asks."""
    allowance = Allowance()
    return {
        "schema": "minpack.why/1",
        **_image(found.name, found.image),
        "path": found.entry.path,
        "type": str(found.entry.kind),
        "size": found.entry.size,
        "target": found.target,
        "asked": bool(found.chain),
        "chain": allowance.rows(found.chain, _step),
        "needed_by": list(found.users),
        "package": _package(found.package),
        "interpreter": found.interpreter or None,
        "left_out": allowance.left_out,
    }


def _image(name: str, image: BuiltImage) -> dict[str, Any]:
    return {"image": name, "platform": str(image.platform), "digest": str(image.digest)}


def _step(asked: Asked) -> dict[str, Any]:
    return {"path": asked.path, "kind": str(asked.kind), "by": asked.by or None, "reason": asked.text}


def _package(package: PackageId | None) -> dict[str, Any] | None:
    return {"name": package.name, "version": package.version} if package is not None else None


def why_lines(found: ExplainedPath, *, verbose: bool) -> list[str]:
    """What it is, then the chain: each line says what asks for the next, the last for the path itself."""
    entry = found.entry
    what = f"a {entry.kind}"
    if entry.kind is Kind.SYMLINK:
        what = f"a link to {shorten(entry.link)}" + ("" if found.target else ", which is not there")
    if entry.kind is Kind.FILE:
        what = f"{human(entry.size)}"
    of = f", package {found.package.name} {found.package.version}" if found.package is not None else ""
    lines = [f"{shorten(entry.path)}  {what}{of}", ""]
    if not found.chain:
        return [*lines, f"  {NOTHING}"]
    for number, asked in enumerate(found.chain):
        lines.append(f"  {'  ' * min(number, 10)}{shorten(asked.by) or _IMAGE} {shorten(asked.text)}")
        lines.append(f"  {'  ' * min(number, 10)}-> {shorten(asked.path)}")
    others = [user for user in found.users if user != found.chain[-1].by]
    most = len(others) if verbose else MOST_USERS
    lines += ["", f"  also needed by {listed(others, most)}"] if others else []
    return lines


def unneeded_document(found: UnneededFiles) -> dict[str, Any]:
    """``minpack.unneeded/1``."""
    allowance = Allowance()
    return {
        "schema": "minpack.unneeded/1",
        **_image(found.name, found.image),
        "interpreter": found.interpreter or None,
        "files": len(found.unasked),
        "size": found.unasked_size,
        "all_files": found.files,
        "all_size": found.size,
        "groups": [_group(*one) for one in groups_of(found)],
        "unneeded": allowance.rows(found.unasked, _unasked),
        "notes": few_notes(found.notes),
        "left_out": allowance.left_out,
    }


def _group(name: str, version: str, files: int, size: int) -> dict[str, Any]:
    is_package = bool(version)
    return {
        "package": name if is_package else None,
        "version": version or None,
        "directory": None if is_package else name,
        "files": files,
        "size": size,
    }


def _unasked(one: Unasked) -> dict[str, Any]:
    return {"path": one.path, "size": one.size, "package": one.package.name if one.package is not None else None}


def unneeded_lines(found: UnneededFiles, *, verbose: bool) -> list[str]:
    """How much nothing asks for, and of what: packages, and directories with files of no package."""
    lines = [f"{shorten(found.name)}  {found.image.platform}", *_summary(found)]
    if found.interpreter:
        lines.append(
            row(
                "",
                f"{shorten(found.interpreter)} reads files that minpack cannot know: only unused libraries and"
                f" leftovers are listed",
            )
        )
    if not found.unasked:
        return lines
    groups = groups_of(found)
    shown = groups if verbose else groups[:MOST_ROWS]
    lines.append("")
    for name, version, files, size in shown:
        many = f"{files} file{'s' if files > 1 else ''}"
        lines.append(f"  {human(size):>8}  {many:>11}  {shorten(f'{name} {version}'.rstrip())}")
    left = groups[len(shown) :]
    if left:
        lines.append(
            f"  {human(sum(one[3] for one in left)):>8}  in {len(left)} more (-v shows them, --json each file)"
        )
    return lines


def _summary(found: UnneededFiles) -> list[str]:
    share = f" ({100 * found.unasked_size / found.size:.0f} %)" if found.size else ""
    return [
        row("all", f"{human(found.size)} in {found.files} files and links"),
        row("unneeded", f"{human(found.unasked_size)}{share} in {len(found.unasked)}"),
    ]


def shrink_document(shrunk: ShrunkImage) -> dict[str, Any]:
    """``minpack.shrink/1``."""
    before, left = shrunk.before, shrunk.left
    return {
        "schema": "minpack.shrink/1",
        "image": shrunk.name,
        "platform": str(before.platform),
        "interpreter": left.interpreter or None,
        "before": {"digest": str(before.digest), "size": before.size, "files": left.files, "files_size": left.size},
        "after": {"files": shrunk.files, "files_size": shrunk.size},
        "references": [str(one) for one in shrunk.written.references],
        **written_object(shrunk.written),
        "smoke": smoke_object(shrunk.smoked),
        "left_out": [_group(*one) for one in groups_of(left)],
        "notes": few_notes(shrunk.notes),
    }


def shrink_lines(shrunk: ShrunkImage, host: Platform | None, *, verbose: bool) -> list[str]:
    """The closing summary: sizes before and after, what the largest parts were that were left out, and what to do."""
    written, image, left = shrunk.written, shrunk.written.image, shrunk.left
    references = ", ".join(one.familiar for one in written.references)
    lines = [f"{references if image is not None else 'root file system'}  {shrunk.before.platform}"]
    if image is not None:
        lines += [row("digest", str(written.digest))] if written.digest is not None else []
        lines.append(row("size", sizes(image, written)))
    else:
        lines.append(row("size", human(written.size)))
    lines.append(row("before", f"{human(left.size)} in {left.files} files and links"))
    lines.append(row("left out", f"{human(left.size - shrunk.size)} in {left.files - shrunk.files}"))
    groups = groups_of(left)
    names = (f"{name} ({human(size)})" for name, _, _, size in groups if size)
    lines += [row("", listed(names, len(groups) if verbose else 3))] if groups else []
    lines += [row("smoke test", smoke_text(shrunk.smoked))] if shrunk.smoked is not None else []
    start = RunCommand(shrunk.before.platform, host)
    return [*lines, "", *output_lines(written, start)]
