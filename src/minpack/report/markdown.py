"""What became of images as Markdown, for the summary page that a CI job has: sizes, findings, what was said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.excerpt import few, few_notes, shorten, visible
from minpack.plan.reasons import sizes_by_reason
from minpack.report.human import growth, human

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.build.fleet import ImageResult
    from minpack.build.pack import Packed
    from minpack.digest import Digest
    from minpack.images.check import CheckedImage
    from minpack.images.diff import ImageDiff, PathChange
    from minpack.oci.reference import Reference
    from minpack.plan.model import Plan
    from minpack.spec.shard import Shard

#: More rows than these are counted; GitHub takes a megabyte for each step.
_MOST_ROWS = 50
#: What Markdown, or HTML in it, could take for a mark: a name is shown as it is, whoever chose it.
_MARKS = re.compile(r"[^\w\s./:,@()=…+-]|_")


def pack_summary(packed: Packed, references: Sequence[Reference]) -> list[str]:
    """An image that was packed: its digest and sizes, by platform, and the bytes for each reason."""
    rows = [_sizes(one) for one in packed.images]
    lines = _heading(references[0].familiar if references else "image")
    if packed.digest is not None:
        lines += [f"Digest `{packed.digest}`", ""]
    lines += _table(("platform", "packed", "unpacked", "digest"), rows)
    for one in packed.images:
        lines += _reasons(one.plan)
    return [*lines, *_notes(packed.notes)]


def _sizes(packed: Packed) -> tuple[str, str, str, str]:
    """The row of one platform; where no image was written, there is little to say."""
    written = packed.written
    image = written.image if written is not None else None
    size, digest = (human(image.size), str(image.digest)) if image is not None else ("", "")
    unpacked = human(written.unpacked_size) if written is not None else ""
    return str(packed.plan.config.platform), size, unpacked, digest


def _reasons(plan: Plan) -> list[str]:
    rows = [(human(one.size), str(one.files), one.text) for one in sizes_by_reason(plan)]
    return _folded(f"Bytes by reason, {plan.config.platform}", _table(("bytes", "files", "reason"), rows))


def build_summary(results: Sequence[ImageResult], shard: Shard | None = None) -> list[str]:
    """Many images, of one shard if that is given: a row for each, and why some failed."""
    rows = [
        (one.name, str(one.state), human(one.size) if one.is_whole and one.size else "", one.digest or "")
        for one in results
    ]
    failures = [f"{one.name}: {one.failure.message}" for one in results if one.failure is not None]
    lines = [
        *_heading(f"Images of shard {shard}" if shard is not None else "Images"),
        *_table(("image", "state", "size", "digest"), rows),
    ]
    return [*lines, *_notes(failures)]


def check_summary(name: str, checked: Sequence[CheckedImage]) -> list[str]:
    """Whether an image starts, on each platform, and what was found."""
    lines = _heading(name)
    verdicts = [
        (str(one.platform or ""), "passes" if one.passes else "fails", str(one.digest or "")) for one in checked
    ]
    lines += _table(("platform", "check", "digest"), verdicts)
    findings = [(str(found.level), found.code, found.path, found.reason) for one in checked for found in one.findings]
    return [*lines, *(_table(("level", "code", "path", "finding"), findings) if findings else [])]


def diff_summary(found: ImageDiff) -> list[str]:
    """What differs between two images: sizes, packages, configuration, files."""
    before, after = found.before, found.after
    lines = [f"Changed since {text_of(before.name)}, {text_of(after.platform)}:", ""]
    if found.is_equal:
        lines = [f"No file has changed since {text_of(before.name)}, {text_of(after.platform)}.", ""]
    if before.packed is not None and after.packed is not None:
        sizes = [("packed", before.packed, after.packed), ("unpacked", before.unpacked or 0, after.unpacked or 0)]
        rows = [(name, human(one), human(other), growth(one, other)) for name, one, other in sizes]
        lines += _table(("size", "before", "after", "change"), rows)
        lines += [f"{len(found.shared)} of {len(after.layers)} layers are the same.", ""]
    for title, changes in (("package", found.packages), ("configuration", found.config)):
        if changes:
            lines += _table((title, "before", "after"), [(one.what, one.before, one.after) for one in changes])
    if found.files:
        files = _table(("", "file", "before", "after", "package"), map(_changed_file, found.files))
        lines += _folded(f"{len(found.files)} files differ" if len(found.files) > 1 else "1 file differs", files)
    return lines


def difference_summary(found: ImageDiff) -> list[str]:
    """As `diff_summary`, below a heading of its own."""
    return [*_heading(found.after.name), *diff_summary(found)]


def _changed_file(change: PathChange) -> tuple[str, str, str, str, str]:
    sizes = ("" if size is None else human(size) for size in (change.before, change.after))
    return (change.kind, change.path, *sizes, change.package)  # type: ignore[return-value] # two sizes


def no_previous_summary(reason: str) -> list[str]:
    """Why nothing is said of what changed."""
    return [f"What changed is not known: {text_of(reason)}", ""]


def same_summary(digest: Digest) -> list[str]:
    """That the name meant this very image before."""
    return [f"Nothing has changed: the name meant `{digest}` before.", ""]


def text_of(text: str) -> str:
    """The text in one line in which Markdown sees no mark."""
    return _MARKS.sub(lambda one: f"&#{ord(one[0])};", visible(shorten(text, 1000)))


def _heading(text: str) -> list[str]:
    return [f"### {text_of(text)}", ""]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = (f"| {' | '.join(map(text_of, row))} |" for row in rows)
    more = f"| and {{}} more |{' |' * (len(head) - 1)}"
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *few(lines, _MOST_ROWS, more), ""]


def _folded(title: str, lines: list[str]) -> list[str]:
    return [f"<details><summary>{text_of(title)}</summary>", "", *lines, "</details>", ""]


def _notes(notes: Iterable[str]) -> list[str]:
    lines = [f"- {text_of(note)}" for note in few_notes(notes)]
    return [*lines, ""] if lines else []
