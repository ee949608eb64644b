"""What `outdated` has to tell, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes, listed
from minpack.report.allowance import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.freshness.outdated import Outdated
    from minpack.freshness.values import BaseNow, Change, FileChange, Freshness, Label, Unknown

#: How the suites of Debian's security updates are called: of what is from there, that alone is said.
SECURITY = "-security"
#: Of images that the same is said of, and of the files of a package, so many are shown, unless more is asked for.
_MOST_IMAGES, MOST_FILES = 3, 12


def outdated_lines(found: Outdated, *, verbose: bool) -> list[str]:
    """What has changed, once for all images that the same is said of; nothing of those of which nothing has."""
    lines: list[str] = []
    groups: dict[tuple[Change, ...], list[Freshness]] = {}
    for image in found.images:
        if image.changes:
            groups.setdefault(image.changes, []).append(image)
    for changes, images in groups.items():
        lines += [*(lines and [""]), *_heads(images, verbose=verbose), *_change_lines(changes, verbose=verbose)]
    if verbose:
        more = [line for image in found.images for line in _more_lines(image)]
        lines += [*(lines and more and [""]), *more]
    return lines


def _heads(images: Sequence[Freshness], *, verbose: bool) -> list[str]:
    """Which images it is about."""
    shown = images if verbose or len(images) <= _MOST_IMAGES + 1 else images[:_MOST_IMAGES]
    left = len(images) - len(shown)
    return [*(_label(one.label) for one in shown), *([f"and {left} more images (-v shows them)"] if left else [])]


def _label(label: Label) -> str:
    # A finished image is called as it was named.
    name = f"{label.image}  " if label.image and not label.digest else ""
    return f"{label.source}  {name}{label.platform}"


def _change_lines(changes: Sequence[Change], *, verbose: bool) -> list[str]:
    count = sum(len(change.files) for change in changes)
    lines = [f"  {_files(count)} in this image {'has' if count == 1 else 'have'} changed upstream:"]
    for change in changes:
        lines.append(f"    {_what(change)}")
        shown = change.files if verbose or len(change.files) <= MOST_FILES else change.files[:MOST_FILES]
        lines += [f"      {_sign(file)} {file.path}" for file in shown]
        left = len(change.files) - len(shown)
        lines += [f"      and {left} more (-v shows them)"] if left else []
    return lines


def _what(change: Change) -> str:
    """A package with its versions, and what has the new one."""
    if not change.package:
        return f"{change.repository}: of no package"
    if not change.new:
        return f"{change.package} {change.old}: no longer in any repository"
    versions = f"{change.old} → {change.new}" if change.old else change.new
    told = ["security update"] if change.security else []
    told += [] if change.security and change.repository.endswith(SECURITY) else [change.repository]
    told += [] if change.rebuild else ["not in the base yet"]
    return f"{change.package} {versions}  ({', '.join(told)})"


def _more_lines(image: Freshness) -> list[str]:
    """What has not changed, and what it was compared with."""
    lines = [f"  same files  {one.package} {one.old} → {one.new}  ({one.repository})" for one in image.newer]
    for base in filter(None, (image.base, image.on)):
        lines += [f"  base        {base.name}: {base.old} → {base.new}"] if base.new and base.old != base.new else []
    lines += [f"  asked       {one}" for one in image.looked]
    return [_label(image.label), *(lines or ["  nothing was asked"])]


def unknown_notes(found: Outdated) -> tuple[str, ...]:
    """Notes of what nothing can be said of, once for all images that it is said of."""
    groups: dict[Unknown, list[Label]] = {}
    for image in found.images:
        for unknown in image.unknown:
            groups.setdefault(unknown, []).append(image.label)
    return tuple(_unknown_note(unknown, labels) for unknown, labels in groups.items())


def _unknown_note(unknown: Unknown, labels: Iterable[Label]) -> str:
    images = listed((" ".join(_label(one).split()) for one in labels), _MOST_IMAGES)
    files = f" ({_files(unknown.files)})" if unknown.files else ""
    return f"{images}: nothing is known of {unknown.what}{files}: {unknown.reason}"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _sign(file: FileChange) -> str:
    return "~" if file.new else "-"


def outdated_document(found: Outdated) -> dict[str, Any]:
    """``minpack.outdated/1``: what was found of each image."""
    allowance = Allowance()
    document = {
        "schema": "minpack.outdated/1",
        "outdated": found.is_outdated,
        "images": [_image(image, allowance) for image in found.images],
        "notes": few_notes(found.notes),
    }
    return {**document, "left_out": allowance.left_out}


def _image(image: Freshness, allowance: Allowance) -> dict[str, Any]:
    label = image.label
    return {
        "source": label.source,
        "image": label.image or None,
        "platform": str(label.platform),
        "digest": label.digest or None,
        "outdated": image.is_outdated,
        "base": _base(image.base),
        "on": _base(image.on),
        "changes": [_change(one, allowance) for one in image.changes],
        "newer": allowance.rows(image.newer, lambda one: one._asdict()),
        "unknown": allowance.rows(image.unknown, lambda one: one._asdict()),
        "asked": list(image.looked),
    }


def _base(base: BaseNow | None) -> dict[str, Any] | None:
    return {key: one or None for key, one in base._asdict().items()} if base is not None else None


def _change(change: Change, allowance: Allowance) -> dict[str, Any]:
    files = allowance.rows(change.files, lambda one: {"path": one.path, "old": one.old, "new": one.new or None})
    return {
        "package": change.package or None,
        "old": change.old or None,
        "new": change.new or None,
        "repository": change.repository or None,
        "security": change.security,
        "rebuild": change.rebuild,
        "files": files,
    }
