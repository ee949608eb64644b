"""Treemaps: what areas say is how many bytes there are, and no tree of files makes one too deep or too slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minpack.page.treemap import MOST_TILES, UNIT, Group, by_directory, by_value, layout
from minpack.paths import RootPath
from minpack.reach.groups import FileReason, ReasonGroup
from minpack.reach.image_report import ReportedFile
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

REASON = FileReason(ReasonGroup.UNKNOWN, "")


def file(path: str, size: int) -> ReportedFile:
    """A file that nothing needs."""
    return ReportedFile(RootPath(path), Kind.FILE, size, 0o644, 0, 0, "", "", "", REASON)


def leaves(tiles: list[Any], area: float = 1.0) -> Iterator[tuple[int, float]]:
    """Each file's number and its part of the whole."""
    for tile in tiles:
        part = area * tile[2] * tile[3] / UNIT**2
        if isinstance(tile[4], int):
            yield tile[4], part
        else:
            yield from leaves(tile[8], part)


def depth(tiles: list[Any]) -> int:
    """How many groups lie within each other."""
    return 1 + max((depth(tile[8]) for tile in tiles if len(tile) > 5), default=0)


def assert_apart(tiles: list[Any]) -> None:
    """Tiles lie in their group, and none over another."""
    for one in tiles:
        assert min(one[:4]) >= 0
        assert one[0] + one[2] <= UNIT + 2
        assert one[1] + one[3] <= UNIT + 2
    for number, one in enumerate(tiles):
        for other in tiles[:number]:
            across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
            down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
            assert min(across, down) <= 2, (one[:4], other[:4])
    for tile in tiles:
        if len(tile) > 5:
            assert_apart(tile[8])


def test_areas_are_bytes() -> None:
    """Of files that are not tiny each has the part of the area that it has of the bytes."""
    files = [file(f"/d{number % 3}/f{number}", 1000 + number * 7919 % 8000) for number in range(60)]
    total = sum(one.size for one in files)
    for group in (by_directory(files), by_value(files, lambda one: one.path[:3])):
        tiles = layout(group)
        assert_apart(tiles)
        found = dict(leaves(tiles))
        assert sorted(found) == list(range(60))
        for number, part in found.items():
            assert part == pytest.approx(files[number].size / total, rel=0.05)


def test_every_file_with_bytes_is_there_once() -> None:
    """Those that are too small to be seen lie in a group of their own, and in groups again."""
    files = [file(f"/f{number}", number) for number in range(20_000)]
    tiles = layout(by_directory(files))
    assert len(tiles) == MOST_TILES
    assert tiles[-1][4] == f"{20_000 - MOST_TILES:,} smaller files"
    assert sorted(number for number, _ in leaves(tiles)) == list(range(1, 20_000))
    assert depth(tiles) < 8


def test_a_directory_alone_is_one_with_what_it_is_in() -> None:
    """Until the ways part, or there are files."""
    files = [file("/usr/lib/a/x", 5), file("/usr/lib/a/y", 5), file("/usr/share/doc/z", 5), file("/bin/sh", 3)]
    labels = {group.label: {one.label for one in group.groups} for group in by_directory(files).groups}
    assert labels == {"usr/": {"lib/a/", "share/doc/"}, "bin/": set()}


@pytest.mark.parametrize(
    "sizes",
    [(1,), (1, 1), (10**15, 1), (10**15, *range(1, 300)), (2**62, 2**62, 1, 1)],
    ids=lambda sizes: str(sizes[:3]),
)
def test_sizes_far_apart_are_laid_out(sizes: tuple[int, ...]) -> None:
    """A byte beside a petabyte has a tile too, and nothing is divided by zero."""
    tiles = layout(by_value([file(f"/{number}", size) for number, size in enumerate(sizes)], lambda _: "all"))
    assert len(dict(leaves(tiles))) == len(sizes)
    assert_apart(tiles)


def test_deep_directories_end() -> None:
    """Two thousand directories with a file each, one in the other, are no deeper than a page draws."""
    files = [file("/d" * number + "/f", 1) for number in range(1, 2000)]
    tiles = layout(by_directory(files))
    assert depth(tiles) < 50
    assert len(dict(leaves(tiles))) == len(files)


def test_nothing_is_laid_out_of_nothing() -> None:
    """Files without bytes have no tiles."""
    assert layout(by_directory([file("/empty", 0)])) == []
    assert Group("", 0).total == 0
