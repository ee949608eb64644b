"""Treemaps of the bytes of files: groups and files as rectangles within each other, by the squarified layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from minpack.namedtuple import NamedTuple
from minpack.report.human import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from minpack.reach.image_report import ReportedFile

    #: A file: left, top, width and height in its group, and the file's number. A group has a label, its bytes and
    #: files, the number of the file whose colour it has, and its members instead.
    Tile: TypeAlias = list["int | str | list[Tile]"]

#: The side of a group, in which the places of its members are given.
UNIT = 10_000
#: The most members of a group that are shown at once; the smaller ones are in a group of their own.
MOST_TILES = 80
#: Each has at least this share of its group: what is smaller cannot be seen, nor divided by.
_LEAST_SHARE = 1 / 5_000
#: Files that lie deeper are in the directory at that depth.
_MOST_DEPTH = 32
#: Width by height of the whole.
ASPECT = 1.7


class Group(NamedTuple):
    """Files, by their numbers, and groups within a group; `size` is all their bytes."""

    label: str
    size: int
    files: tuple[tuple[int, int], ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def total(self) -> int:
        """The files, however deep they are."""
        return len(self.files) + sum(group.total for group in self.groups)

    @property
    def largest(self) -> tuple[int, int]:
        """The size and the number of the largest file, the first of several."""
        found = [*self.files, *(group.largest for group in self.groups)]
        return max(found, key=lambda one: (one[0], -one[1]))


def by_value(files: Sequence[ReportedFile], value: Callable[[ReportedFile], str]) -> Group:
    """The files that have bytes, in a group for each value."""
    found: dict[str, list[tuple[int, int]]] = {}
    for number, file in enumerate(files):
        if file.size:
            found.setdefault(value(file), []).append((file.size, number))
    groups = tuple(Group(label, sum(size for size, _ in rows), tuple(rows)) for label, rows in found.items())
    return Group("", sum(group.size for group in groups), groups=groups)


class _Directory:
    """A directory while files are put into it."""

    def __init__(self) -> None:
        self.files: list[tuple[int, int]] = []
        self.below: dict[str, _Directory] = {}

    def group(self, label: str) -> Group:
        """What is in it; one that has a directory alone is one with it."""
        groups = []
        for name, directory in self.below.items():
            path = name
            while not directory.files and len(directory.below) == 1:
                ((name, directory),) = directory.below.items()  # noqa: PLW2901 - down to where they part
                path = f"{path}/{name}"
            groups.append(directory.group(f"{path}/"))
        total = sum(size for size, _ in self.files) + sum(group.size for group in groups)
        return Group(label, total, tuple(self.files), tuple(groups))


def by_directory(files: Sequence[ReportedFile]) -> Group:
    """The files that have bytes, as deep as their directories."""
    top = _Directory()
    for number, file in enumerate(files):
        if file.size:
            here = top
            for part in file.path.split("/")[1:-1][:_MOST_DEPTH]:
                here = here.below.setdefault(part, _Directory())
            here.files.append((file.size, number))
    return top.group("")


def layout(group: Group, aspect: float = ASPECT) -> list[Tile]:
    """The members of a group where they lie in it, the largest first.

    :param aspect: its width by its height.
    """
    members: list[tuple[int, int, Group | None]] = [(size, number, None) for size, number in group.files]
    members += [(one.size, one.largest[1], one) for one in group.groups]
    members.sort(key=lambda one: (-one[0], one[1]))
    if len(members) > MOST_TILES:
        rest = members[MOST_TILES - 1 :]
        members = [*members[: MOST_TILES - 1], _smaller(rest)]
    places = _places([size for size, _, _ in members], aspect)
    return [_tile(place, member) for place, member in zip(places, members, strict=True)]


def _smaller(rest: Sequence[tuple[int, int, Group | None]]) -> tuple[int, int, Group | None]:
    """A group of all that is smaller than what is shown; of very many in groups again, so that none is deep."""
    if len(rest) > MOST_TILES:
        step = -(-len(rest) // MOST_TILES)
        rest = [_smaller(rest[start : start + step]) for start in range(0, len(rest), step)]
    files = tuple((size, number) for size, number, group in rest if group is None)
    group = Group("", sum(size for size, _, _ in rest), files, tuple(one for _, _, one in rest if one is not None))
    return group.size, group.largest[1], group._replace(label=counted(group.total, "smaller file"))


def _places(sizes: Sequence[int], aspect: float) -> list[dict[str, float]]:
    """Where each lies in a rectangle with the area of 1."""
    import squarify  # noqa: PLC0415 - for a page alone

    least = max(1.0, sum(sizes) * _LEAST_SHARE)
    width, height = aspect**0.5, aspect**-0.5
    # The last one may be larger than those before: a group of many small ones.
    shares = squarify.normalize_sizes([max(size, least) for size in sizes], width, height)
    found: list[dict[str, float]] = squarify.squarify(shares, 0.0, 0.0, width, height)
    return [
        {"x": one["x"] / width, "y": one["y"] / height, "dx": one["dx"] / width, "dy": one["dy"] / height,
         "aspect": one["dx"] / one["dy"]} for one in found
    ]  # fmt: skip


def _tile(place: dict[str, float], member: tuple[int, int, Group | None]) -> Tile:
    size, number, group = member
    corners: Iterable[int] = (round(place[side] * UNIT) for side in ("x", "y", "dx", "dy"))
    if group is None:
        return [*corners, number]
    return [*corners, group.label, size, group.total, number, layout(group, place["aspect"])]
