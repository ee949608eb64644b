"""What scanners find of the tools: a database of packages, and an SBOM, both below `DEBUG_ROOT`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.apk.installed import MAX_INSTALLED, parse_installed, write_installed
from minpack.base.entries import base_of
from minpack.content import BytesContent, read_all
from minpack.oci.documents import canonical
from minpack.paths import RootPath
from minpack.progress import no_progress
from minpack.rootfs.entry import file
from minpack.sources.installed import DEBUG_DATABASE
from minpack.spec.debug import DEBUG_ROOT
from minpack.trust.components import Sbom, Subject
from minpack.trust.sbom import SbomFormat, render_sbom
from minpack.trust.tree import describe_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from minpack.base.packages import Packages
    from minpack.rootfs.entry import Entry
    from minpack.target import Platform

#: Scanners know an SBOM by the end of its name, wherever it is.
SBOM = RootPath(f"{DEBUG_ROOT}/share/sbom/debug-tools{SbomFormat.SPDX.suffix}")
NAME = "minpack-debug-tools"


def installed_database(
    packages: Packages, entries: Sequence[Entry], places: Mapping[RootPath, RootPath], changed: Collection[RootPath]
) -> Iterator[Entry]:
    """The database of the packages that `entries` are of, with their files at their new places.

    :param changed: places of files whose bytes are not the package's, and have no sum there.
    """
    for database in packages.database(entries):
        assert database.content is not None, "internal error: a database has content"
        known = []
        for one in parse_installed(read_all(database.content, MAX_INSTALLED)):
            moved = (file._replace(path=places[file.path]) for file in one.files)
            files = tuple(each._replace(checksum="") if each.path in changed else each for each in moved)
            known.append(one._replace(files=files, directories=()))
        yield file(RootPath(DEBUG_DATABASE), BytesContent(write_installed(known)))


def sbom_file(entries: Sequence[Entry], platform: Platform) -> Entry:
    """The SBOM of the tools, with all files: the same whatever image they are on."""
    subject = Subject(NAME, "", str(platform), platform.architecture)
    contents = describe_tree(subject, base_of(NAME, entries), (), no_progress)
    return file(SBOM, BytesContent(canonical(render_sbom(Sbom(subject, (contents,)), SbomFormat.SPDX))))
