"""What is kept between runs, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.report.human import human

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.store.directory import StoredFile
    from minpack.store.prune import Pruned

#: What the endings of names mean; all others are leftovers and unfinished downloads.
_KINDS = {
    "blob": "downloads",
    "tar": "unpacked bases",
    "layer": "compressed layers",
    "json": "records",
    "index": "records",
}
_OTHER = "unfinished"


def cache_lines(directory: str, files: Sequence[StoredFile]) -> list[str]:
    """Where it lies, and how much there is of what."""
    rows = [("directory", directory)]
    rows += [
        (kind, f"{human(size)} in {count} {'file' if count == 1 else 'files'}") for kind, count, size in _sums(files)
    ]
    rows.append(("all", human(sum(file.size for file in files))))
    width = max(len(name) for name, _ in rows)
    return [f"{name:{width}}  {text}" for name, text in rows]


def cache_document(directory: str, files: Sequence[StoredFile]) -> dict[str, Any]:
    """``minpack.cache/1``."""
    return {
        "schema": "minpack.cache/1",
        "directory": directory,
        "size": sum(file.size for file in files),
        "kinds": [{"kind": kind, "files": count, "size": size} for kind, count, size in _sums(files)],
    }


def pruned_lines(done: Pruned) -> list[str]:
    """What was removed and what is left."""
    return [
        f"removed  {human(done.removed_bytes)} in {done.removed} {'file' if done.removed == 1 else 'files'}",
        f"left     {human(done.left_bytes)} in {done.left} {'file' if done.left == 1 else 'files'}",
    ]


def pruned_document(done: Pruned) -> dict[str, Any]:
    """``minpack.pruned/1``."""
    return {
        "schema": "minpack.pruned/1",
        "removed": {"files": done.removed, "size": done.removed_bytes},
        "left": {"files": done.left, "size": done.left_bytes},
    }


def _sums(files: Sequence[StoredFile]) -> list[tuple[str, int, int]]:
    """Each kind there is, the number of its files and their bytes."""
    found: dict[str, list[int]] = {}
    for file in files:
        found.setdefault(_KINDS.get(file.name.rpartition(".")[2], _OTHER), []).append(file.size)
    kinds = dict.fromkeys((*_KINDS.values(), _OTHER))
    return [(kind, len(sizes), sum(sizes)) for kind in kinds if (sizes := found.get(kind))]
