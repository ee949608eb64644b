"""All that is known of one finished image: what it is, how it runs, and what each file of it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.layered import LayeredBase
from minpack.base.walk import tree_below
from minpack.errors import UnreadableImageError
from minpack.images.check import CheckedImage, check_image
from minpack.images.choose import chosen_image
from minpack.images.compare import compare_side
from minpack.images.diff import image_side
from minpack.images.graph import LibraryGraph, library_graph
from minpack.images.open import open_found
from minpack.images.sbom import image_contents
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, sort_key
from minpack.reach.find import Searched, find_reach
from minpack.reach.groups import find_reasons, find_running
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.base.walk import Walker
    from minpack.images.check import ExaminedTree
    from minpack.images.compare import Compared, Comparing
    from minpack.images.diff import ImageDiff
    from minpack.images.open import FoundImage
    from minpack.images.settings import ImageSettings
    from minpack.needs.need import Decision
    from minpack.oci.image import BuiltImage
    from minpack.reach.groups import FileReason, Running
    from minpack.reach.model import Reach
    from minpack.rootfs.entry import Entry
    from minpack.spec.base_ref import ImageRef
    from minpack.trust.components import Component, Contents


class ReportedFile(NamedTuple):
    """A file, link or device of the image, and why it is there.

    Of a file with several names the first has the bytes, and `link` of the others is that. `package` has its version,
    and is empty for what is of none.
    """

    path: RootPath
    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    link: str
    sha256: str
    package: str
    reason: FileReason


class ReasonTotal(NamedTuple):
    """What the files with one reason are together."""

    reason: FileReason
    size: int
    files: int


class ImageReport(NamedTuple):
    """One image. `difference` is that from another, None where none was given."""

    name: str
    image: BuiltImage
    unpacked: int
    settings: ImageSettings
    checked: CheckedImage
    files: tuple[ReportedFile, ...]
    graph: LibraryGraph
    needs: tuple[Decision, ...]
    contents: Contents
    difference: ImageDiff | None = None

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def totals(self) -> tuple[ReasonTotal, ...]:
        """The bytes of each reason, the most first."""
        found: dict[str, ReasonTotal] = {}
        for file in self.files:
            one = found.get(file.reason.label, ReasonTotal(file.reason, 0, 0))
            found[file.reason.label] = one._replace(size=one.size + file.size, files=one.files + 1)
        return tuple(sorted(found.values(), key=lambda one: (-one.size, one.reason.label)))


def report_image(ref: ImageRef, how: Comparing, against: Compared | None = None) -> ImageReport:
    """What is known of the image that `ref` names, and how it differs from `against`.

    :raises UnreadableImageError: its configuration or a layer is damaged.
    :raises MinpackError: an image is not there, or cannot be had.
    """
    with open_found(ref, how.options, how.progress, how.platform) as found:
        image = chosen_image(found, how.machine)
        made: list[ImageReport] = []

        def examine(examined: ExaminedTree) -> None:
            report = _report(found, image, examined, how)
            if against is not None:
                side = image_side(found.name, image, examined.tree, report.unpacked, how.packages)
                report = report._replace(difference=compare_side(against, side, image, how))
            made.append(report)

        checked = check_image(image, found.name, how.options, examine=examine)
        if not made:
            raise UnreadableImageError(found.name, checked.findings[0].reason, "minpack check lists all problems")
        return made[0]._replace(checked=checked)


def _report(found: FoundImage, image: BuiltImage, examined: ExaminedTree, how: Comparing) -> ImageReport:
    """All but the findings, which are not complete yet."""
    tree, running = examined.tree, find_running(examined)
    assert isinstance(tree.base, LayeredBase), "internal error: it is an image's"
    contents = image_contents(found, image, tree.base, how.progress)
    return ImageReport(
        found.name,
        image,
        tree.base.unpacked_size,
        examined.settings,
        CheckedImage(image.platform, image.digest, ()),
        tuple(_files(tree, running, find_reach(Searched(tree, examined.settings)), contents)),
        library_graph(running.closures),
        running.needs.decisions,
        contents,
    )


def _files(tree: Walker, running: Running, reach: Reach, contents: Contents) -> Iterator[ReportedFile]:
    """All that is no directory, in the order of paths."""
    packages = {one.key: component_text(one) for one in contents.components if one.kind.is_of_distribution}
    owners = {file.path: packages[file.owner] for file in contents.files if file.owner in packages}
    sums = {file.path: file.sha256 for file in contents.files}
    reason_of, first = find_reasons(running, reach, tree, owners), dict[int, RootPath]()
    entries = [one for _, one in tree_below(tree.base, ROOT) if one is not None and one.kind is not Kind.DIRECTORY]
    for entry in sorted(entries, key=lambda one: sort_key(one.path)):
        where = first.setdefault(entry.inode, entry.path) if entry.inode is not None else entry.path
        yield ReportedFile(
            entry.path,
            *_content(entry, where),
            sums.get(entry.path, ""),
            owners.get(entry.path, ""),
            reason_of(entry.path),
        )


def _content(entry: Entry, first: RootPath) -> tuple[Kind, int, int, int, int, str]:
    """What kind of thing it is, its bytes, mode and owner, and where it leads."""
    is_further = first != entry.path
    kind = Kind.HARDLINK if is_further else entry.kind
    link = first if is_further else entry.link
    return kind, 0 if is_further else entry.size, entry.mode, entry.uid, entry.gid, link


def component_text(component: Component) -> str:
    """A package by its name and version."""
    return f"{component.name} {component.version}".rstrip()
