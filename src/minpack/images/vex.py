"""Which of the vulnerabilities that a list names cannot be in an image, because their files are not.

A file counts as being there wherever it is: distributions keep the same library in different directories, and what a
list calls ``/lib/x.so.1`` may be ``/usr/lib/x.so.1.2``. So nothing is claimed that a path alone would make seem true.
"""

from __future__ import annotations

import re
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.errors import BadValueError
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.namedtuple import NamedTuple
from minpack.oci.begins import begins_as_image
from minpack.oci.read import read_image
from minpack.oci.reference import parse_image
from minpack.paths import ROOT, RootPath, join
from minpack.rootfs.entry import Kind
from minpack.trust.vex import Absence, VexFacts, product

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.oci.image import BuiltImage, Index
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform
    from minpack.trust.vex_source import VexSource

_MAGIC = re.compile(r"[*?\[]")
_VERSION = re.compile(r"\.so(?:\.[0-9.]+)?$")


class Presence(NamedTuple):
    """That a file which `path` lists for `vulnerability` is in the image for `platform`, at `found`."""

    vulnerability: str
    platform: str
    path: str
    found: RootPath


class VexResult(NamedTuple):
    """What can be said of an image: `facts` for a document, of which nothing may be left, and what is present."""

    name: str
    facts: VexFacts
    present: tuple[Presence, ...]


def examine(
    ref: ImageRef,
    source: VexSource,
    options: BaseOptions,
    progress: Progress,
    *,
    platform: Platform | None = None,
    name: str = "",
    created: int = 0,
) -> VexResult:
    """What `source` allows to say of the image that `ref` names, on each of its platforms.

    :param platform: the one to look at; None for all.
    :param name: what scanners know the image by; empty for the name that it is found by.
    :raises MinpackError: there is no such image, or it is damaged.
    """
    with open_found(ref, options, progress, platform) as found:
        present = tuple(one for image in found.built.images for one in _present(found, image, source, options))
        called = name or repository_of(found)
        absences = tuple(_absences(source, found.built, present, called))
    return VexResult(found.name, VexFacts(source.author, absences, created), present)


def repository_of(found: FoundImage) -> str:
    """What scanners call the image: by its repository, or the name that its file has, or that of the file."""
    if found.repository is not None:
        return found.repository.name
    if found.ref.is_local:
        return _local_repository(found)
    return found.name if found.name.startswith("sha256:") else parse_image(found.name).name


def _local_repository(found: FoundImage) -> str:
    """What an archive or a layout calls the image, in which a name may be a tag alone; else what the file is called."""
    # Of a compressed archive the name of the file is what can be told without unpacking it again.
    for one in read_image(found.ref.name) if begins_as_image(found.ref.name) is None else ():
        there = {one.built.digest, *(image.digest for image in one.built.images)}
        for name in one.names if found.built.digest in there else ():
            if re.search("[/:]", name):
                with suppress(BadValueError):
                    return parse_image(name).name
    return re.sub(r"\.(tar(\.\w+)?|tgz)$", "", found.name.partition(":")[0])


def _absences(source: VexSource, built: Index, present: Iterable[Presence], name: str) -> Iterator[Absence]:
    """A claim for each vulnerability that one of the images at least has no file of."""
    affected = {(one.vulnerability, one.platform) for one in present}
    for vulnerability, paths in source.vulnerabilities:
        free = [one for one in built.images if (vulnerability, str(one.platform)) not in affected]
        # Scanners ask for the index where a tag has one.
        whole = built.document is not None and _is_whole(built) and len(free) == len(built.images)
        digests = [*([built.digest] if whole else []), *(one.digest for one in free)]
        if digests:
            yield Absence(vulnerability, paths, tuple(product(name, one) for one in digests))


def _is_whole(built: Index) -> bool:
    """Whether every image that the index lists is there: an engine may have saved some of them alone."""
    from minpack.oci.json_node import parsed  # noqa: PLC0415 - for indexes alone

    there = {str(one.digest) for one in built.images} | {str(one.descriptor.digest) for one in built.artifacts}
    document = parsed(built.root_blob.data)
    listed = document.get("manifests", []) if isinstance(document, dict) else []
    return all(isinstance(one, dict) and one.get("digest") in there for one in listed)


def _present(found: FoundImage, image: BuiltImage, source: VexSource, options: BaseOptions) -> Iterator[Presence]:
    """For each vulnerability of which the image has a file, the first one."""
    with open_tree(image, found.name, options) as tree:
        files = FileNames(tree)
        for vulnerability, paths in source.vulnerabilities:
            hit = next(((path, at) for path in paths if (at := files.find(path)) is not None), None)
            if hit is not None:
                yield Presence(vulnerability, str(image.platform), *hit)


class FileNames:
    """The files of a tree by what they are called: of libraries without their versions."""

    def __init__(self, tree: Base) -> None:
        self._walker = Walker(tree)
        self._paths = _by_name(tree)

    def find(self, path: str) -> RootPath | None:
        """Where there is a file that `path` may mean, a pattern too; None if there is none."""
        name = path.rpartition("/")[2]
        if _MAGIC.search(name):
            return next((self._paths[one] for one in sorted(self._paths) if fnmatchcase(one, name)), None)
        there = self._walker.walk(path).entry
        return there.path if there is not None else self._paths.get(name) or self._paths.get(_stem(name))


def _by_name(tree: Base) -> Mapping[str, RootPath]:
    """A path for each name that files and links have, and for the stems of libraries."""
    found: dict[str, RootPath] = {}
    todo = [ROOT]
    while todo:
        here = todo.pop()
        for name in tree.listdir(here):
            path = join(here, name)
            entry = tree.lstat(path)
            if entry is not None and entry.kind is Kind.DIRECTORY:
                todo.append(path)
            else:
                found.setdefault(name, path)
                found.setdefault(_stem(name), path)
    return found


def _stem(name: str) -> str:
    """The name of a library without its version, as ``libz.so``; others as they are."""
    return _VERSION.sub(".so", name)
