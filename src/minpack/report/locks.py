"""What `lock` and `update` have to tell, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes
from minpack.report.text import pushed_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.build.push import PushedChanges
    from minpack.build.update import LockUpdate
    from minpack.lock.values import Difference, LockedBase, LockedImage

#: More files than these are counted, unless more is asked for.
MOST_FILES = 12
#: So many digits of a sum tell two apart.
_SHORT = 12


def lock_lines(done: LockUpdate, *, verbose: bool) -> list[str]:
    """What a lock has of each platform now, and what changed if it was there before."""
    lines = [line for one in done.images for line in _lock_lines(one, verbose=verbose)]
    return [*lines, *_cache_lines(done), _written(done)]


def _lock_lines(done: LockUpdate, *, verbose: bool) -> list[str]:
    image = done.image
    lines = [_head(done), _row("base", _base(image.base))]
    lines += [_row("on", image.on.name)] if image.on is not None else []
    if image.packages:
        lines.append(_row("packages", str(len(image.packages))))
        if verbose:
            lines += [f"    {package.name} {package.version}" for package in image.packages]
    lines.append(_row("files", str(len(image.files))))
    if verbose:
        lines += [f"    {file.path}  {file}" for file in image.files]
    lines += [_row("data", f"{data.name} {data.version}") for data in image.data]
    changes = change_lines(done, verbose=verbose)
    return [*lines, *(["", *changes] if changes else []), ""]


def update_lines(done: LockUpdate, *, verbose: bool) -> list[str]:
    """What changed, old → new, on each platform."""
    lines = []
    for one in done.images:
        changes = change_lines(one, verbose=verbose)
        lines += [f"{_head(one)}  {_bases(one.image)}", *(changes or ["  nothing in this image changes"]), ""]
    return [*lines, *_cache_lines(done), _written(done)]


def change_lines(done: LockUpdate, *, verbose: bool) -> list[str]:
    """A line for all that is not as it was: packages with their versions, then files."""
    files = [change for change in done.changes if change.kind == "file"]
    lines = list(_aligned(change for change in done.changes if change.kind != "file"))
    if not files:
        return lines
    shown = files if verbose or len(files) <= MOST_FILES else files[:MOST_FILES]
    lines.append(f"  {_count(len(files), 'file')} in this image {'differs' if len(files) == 1 else 'differ'}:")
    lines += [f"    {_sign(change)} {change.name}" for change in shown]
    left = len(files) - len(shown)
    return [*lines, *([f"    and {left} more (-v shows them)"] if left else [])]


def lock_document(done: LockUpdate) -> dict[str, Any]:
    """``minpack.lock/1``: what the lock has of the first platform, and in ``others`` of further ones."""
    document = {"schema": "minpack.lock/1", **_common(done), **_locked(done)}
    others = [{**_image(one), **_locked(one)} for one in done.others]
    return {**document, "others": others, "cache": _cache(done), "notes": few_notes(done.notes)}


def _cache(done: LockUpdate) -> dict[str, Any] | None:
    if done.cache is None:
        return None
    from minpack.report.shared import cache_object  # noqa: PLC0415 - for shared caches alone

    return cache_object(done.cache)


def _cache_lines(done: LockUpdate) -> list[str]:
    """What shared caches had, if any is named."""
    if done.cache is None:
        return []
    from minpack.report.shared import cache_text  # noqa: PLC0415 - as above

    return [_row("cache", cache_text(done.cache)), ""]


def _locked(done: LockUpdate) -> dict[str, Any]:
    image = done.image
    return {
        "packages": [{key: value or None for key, value in one._asdict().items()} for one in image.packages],
        "files": [
            {
                "path": one.path,
                "origin": one.origin,
                "mode": f"{one.mode:04o}",
                "sha256": one.sha256 or None,
                "link": one.link or None,
            }
            for one in image.files
        ],
        "data": [one._asdict() for one in image.data],
        "changes": _changes(done),
    }


def rebuilt_lines(rebuilt: PushedChanges | None) -> list[str]:
    """Where the image was pushed to that was built from the lock, and where it was there already."""
    if rebuilt is None:
        return []
    lines = pushed_lines(rebuilt.targets)
    return [*lines, *(f"{one} is unchanged: nothing was pushed" for one in rebuilt.unchanged)]


def update_document(done: LockUpdate, rebuilt: PushedChanges | None = None) -> dict[str, Any]:
    """``minpack.update/1``: what changed, of files those of this image; in ``others`` on further platforms."""
    document = {"schema": "minpack.update/1", **_common(done), "changes": _changes(done)}
    image = {
        "digest": str(rebuilt.digest) if rebuilt is not None else None,
        "pushed": [{"reference": one.reference, "sent": one.sent} for one in rebuilt.targets] if rebuilt else [],
        "unchanged": [str(one) for one in rebuilt.unchanged] if rebuilt is not None else [],
    }
    others = [{**_image(one), "changes": _changes(one)} for one in done.others]
    return {**document, "others": others, "cache": _cache(done), **image, "notes": few_notes(done.notes)}


def _common(done: LockUpdate) -> dict[str, Any]:
    image = _image(done)
    bases = {key: image.pop(key) for key in ("base", "on")}
    return {"lock": done.path, **image, "changed": done.changed, "written": done.written, **bases}


def _image(done: LockUpdate) -> dict[str, Any]:
    bases = {"base": _fields(done.image.base), "on": _fields(done.image.on) if done.image.on is not None else None}
    return {"image": done.key.name, "platform": done.key.platform, **bases}


def _fields(base: LockedBase) -> dict[str, Any]:
    return {key: value or None for key, value in base._asdict().items() if key != "use"}


def _changes(done: LockUpdate) -> list[dict[str, Any]]:
    return [
        {"kind": one.kind, "name": one.name, "old": one.locked or None, "new": one.now or None} for one in done.changes
    ]


def _head(done: LockUpdate) -> str:
    return f"{done.path}  {done.key.name}  {done.key.platform}"


def _row(label: str, value: str) -> str:
    return f"  {label:<10} {value}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _bases(image: LockedImage) -> str:
    """The base, unless there is none but the image below, and that."""
    if image.on is None:
        return _base(image.base)
    below = f"on {image.on.name}"
    return below if image.base.kind == "scratch" else f"{_base(image.base)}  {below}"


def _base(base: LockedBase) -> str:
    release = base.release.removeprefix(base.name.partition("-")[0] + "-")
    return f"{base.name} ({release})" if release and release not in base.name else base.name


def _written(done: LockUpdate) -> str:
    if done.written:
        return f"wrote {done.path}"
    return f"{done.path} is unchanged" if not done.changed else f"{done.path} would change; nothing was written"


def _sign(change: Difference) -> str:
    return "+" if not change.locked else "-" if not change.now else "~"


def _aligned(changes: Iterable[Difference]) -> Iterable[str]:
    """Lines of what is named and versioned, the names and old versions in columns."""
    rows = [(f"{change.kind} {change.name}", *_short(change)) for change in changes]
    first = max((len(row[0]) for row in rows), default=0)
    second = max((len(row[1]) for row in rows), default=0)
    return (f"  {name:<{first}}  {old:<{second}} → {new}" for name, old, new in rows)


def _short(change: Difference) -> tuple[str, str]:
    """The old and the new version, and of the same version the first digits of its sums."""
    (old, old_sum), (new, new_sum) = _parts(change.locked), _parts(change.now)
    if old and old == new:
        return f"{old} sha256:{old_sum[:_SHORT]}", f"sha256:{new_sum[:_SHORT]}"
    return old or "none", new or "none"


def _parts(text: str) -> tuple[str, str]:
    version, _, sha256 = text.rpartition("sha256:")
    return (version.rstrip() or sha256[:_SHORT], sha256) if "sha256:" in text else (text, "")
