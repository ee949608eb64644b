"""Why a path is in an image, and what is in it that nothing asks for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind, OpenBase
from minpack.base.walk import Walker, tree_below
from minpack.errors import NotInImageError, UnreadableImageError
from minpack.images.choose import chosen_image
from minpack.images.open import open_found
from minpack.images.settings import read_settings
from minpack.images.tree import open_tree
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, join
from minpack.reach.find import Searched, find_reach
from minpack.reach.model import Asked, AskedAs
from minpack.rootfs.entry import Kind
from minpack.sources.packages import open_packages

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from minpack.base.layered import LayeredBase
    from minpack.base.options import BaseOptions
    from minpack.base.packages import PackageId, Packages
    from minpack.images.open import FoundImage
    from minpack.images.settings import ImageSettings
    from minpack.oci.image import BuiltImage
    from minpack.progress import Progress
    from minpack.reach.model import Reach
    from minpack.rootfs.entry import Entry
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform


#: Why an image has a root directory.
_OF_ROOT = (Asked(ROOT, AskedAs.DIRECTORY, "has it as every system has", RootPath("")),)


class Examined(NamedTuple):
    """An image of one platform with all that it asks for, as long as its tree is open."""

    found: FoundImage
    image: BuiltImage
    settings: ImageSettings
    base: LayeredBase
    tree: Walker
    reach: Reach
    packages: Packages


class ExplainedPath(NamedTuple):
    """Why a path is in the image called `name`: from the image itself to it, what asks for what.

    `chain` is empty if nothing asks for it. `target` is what it leads to, if it is a link to something that is there.
    `users` are the files that need it, of a library; `package` is the one whose file it is.
    """

    name: str
    image: BuiltImage
    entry: Entry
    chain: tuple[Asked, ...]
    target: RootPath | None
    users: tuple[RootPath, ...]
    package: PackageId | None
    interpreter: str


class Unasked(NamedTuple):
    """A file that nothing asks for, and the package whose file it is."""

    path: RootPath
    size: int
    package: PackageId | None


class UnneededFiles(NamedTuple):
    """The files of an image that nothing asks for; `files` and `size` are those of all that it has."""

    name: str
    image: BuiltImage
    unasked: tuple[Unasked, ...]
    files: int
    size: int
    interpreter: str
    notes: tuple[str, ...]

    @property
    def unasked_size(self) -> int:
        """The bytes that nothing asks for."""
        return sum(one.size for one in self.unasked)


@contextmanager
def examined(
    ref: ImageRef,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None,
    machine: Platform | None,
    keep: tuple[str, ...] = (),
) -> Generator[Examined]:
    """The image that `ref` names with all that it asks for; its files can be read until the block is left.

    :param platform: the one whose image is meant, of an index; None for the only one, or that for `machine`.
    :param keep: paths that are asked for whatever the image says.
    :raises UnreadableImageError: its configuration cannot be read.
    :raises MinpackError: there is no such image, or it is damaged.
    """
    with open_found(ref, options, progress, platform) as found:
        image = chosen_image(found, machine)
        settings, findings = read_settings(image, found.name)
        if settings is None:
            raise UnreadableImageError(found.name, findings[0].reason)
        offline = options._replace(packages=None)
        with open_tree(image, found.name, options) as base:
            tree = Walker(base)
            opened = OpenBase(base, BaseKind.IMAGE)
            with open_packages(opened, image.platform, offline, progress) as packages:
                reach = find_reach(Searched(tree, settings, keep))
                yield Examined(found, image, settings, base, tree, reach, packages)


def explain_path(examined_image: Examined, path: RootPath) -> ExplainedPath:
    """Why the image has what is at `path`.

    :raises NotInImageError: it has nothing there.
    """
    tree, reach, name = examined_image.tree, examined_image.reach, examined_image.found.name
    place = tree.locate(path)
    entry = tree.lstat(place.path) if place.blocked is None else None
    if entry is None:
        raise NotInImageError(name, path, "which PATH names")
    target = tree.walk(entry.path).entry if entry.kind is Kind.SYMLINK else None
    return ExplainedPath(
        name,
        examined_image.image,
        entry,
        reach.chain(entry.path) if entry.path != ROOT else _OF_ROOT,
        target.path if target is not None else None,
        reach.users.get(entry.path, ()),
        examined_image.packages.owner(entry),
        reach.interpreter,
    )


def unneeded_files(examined_image: Examined) -> UnneededFiles:
    """All files and links of the image that nothing asks for, in the order of their paths."""
    reach, tree = examined_image.reach, examined_image.tree
    everything = [entry for _, entry in tree_below(tree.base, ROOT) if entry is not None]
    files = [entry for entry in everything if entry.kind in (Kind.FILE, Kind.SYMLINK)]
    unasked = sorted((entry for entry in files if entry.path not in reach.asked), key=lambda entry: entry.path)
    sizes = _sizes(files)
    found = tuple(Unasked(one.path, sizes[one.path], examined_image.packages.owner(one)) for one in unasked)
    return UnneededFiles(
        examined_image.found.name,
        examined_image.image,
        found,
        len(files),
        sum(sizes.values()),
        reach.interpreter,
        (*examined_image.base.notes, *problem_notes(reach)),
    )


def _sizes(files: list[Entry]) -> dict[RootPath, int]:
    """The bytes of each file, those of one with several names once."""
    known: set[int] = set()
    found: dict[RootPath, int] = {}
    for entry in files:
        found[entry.path] = 0 if entry.inode is not None and entry.inode in known else entry.size
        if entry.inode is not None:
            known.add(entry.inode)
    return found


def problem_notes(reach: Reach) -> Iterator[str]:
    """What keeps the image from starting, so that not all can be known of what it asks for."""
    for one in reach.problems:
        yield f"the image does not start: {f'{one.path}: ' if one.path else ''}{one.reason}"


def groups_of(found: UnneededFiles) -> list[tuple[str, str, int, int]]:
    """The unneeded files by package, or by directory where none owns them: name, version, files and bytes.

    The largest come first; a directory ends with a slash.
    """
    groups: dict[tuple[str, str], tuple[int, int]] = {}
    for one in found.unasked:
        key = (one.package.name, one.package.version) if one.package is not None else (_directory(one.path), "")
        files, size = groups.get(key, (0, 0))
        groups[key] = (files + 1, size + one.size)
    rows = [(name, version, files, size) for (name, version), (files, size) in groups.items()]
    return sorted(rows, key=lambda row: (-row[3], -row[2], row[0]))


def _directory(path: RootPath) -> str:
    """The directory that stands for a file that is of no package: its first three parts."""
    parts = path.split("/")[1:-1][:3]
    return f"{join(ROOT, '/'.join(parts))}/" if parts else "/"
