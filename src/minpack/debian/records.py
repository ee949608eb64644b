"""The records of Debian's packages in an image: what scanners, and whoever asks for licences, look for.

A package's control paragraph is at ``/var/lib/dpkg/status.d/NAME``, and beside it ``NAME.md5sums`` lists its files
that are there: the form that images without dpkg use since distroless, and that scanners read. Licences are where
Debian Policy, section 12.5, has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import BytesContent, sum_of
from minpack.deb.contents import merged
from minpack.paths import RootPath, join, normal
from minpack.rootfs.entry import Entry, file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minpack.base.walk import Walker

DOCUMENTATION = "/usr/share/doc/"
STATUS = normal("/var/lib/dpkg/status.d")


def record_of(name: str, paragraph: bytes, md5sums: bytes, files: set[bytes], where: str) -> tuple[Entry, Entry]:
    """The control paragraph of a package that has `files`, and the lines of `md5sums` that are of these.

    :param where: what to call the package in messages.
    """
    return (
        file(join(STATUS, name), BytesContent(paragraph, where)),
        file(join(STATUS, f"{name}.md5sums"), BytesContent(_listed(md5sums, files), where)),
    )


def _listed(md5sums: bytes, files: set[bytes]) -> bytes:
    """The lines of a package's list for the files that are there, which may lie below /usr by now."""
    lines = md5sums.splitlines(keepends=True)
    paths = ((line, line.rstrip(b"\n").partition(b"  ")[2]) for line in lines)
    return b"".join(line for line, path in paths if merged(path) in files or b"/" + path in files)


def copyright_path(name: str) -> RootPath:
    """Where the copyright file of a package is."""
    return RootPath(f"{DOCUMENTATION}{name}/copyright")


def copyright_of(name: str, files: Walker) -> Entry | None:
    """The copyright file of a package; None if there is none."""
    path = copyright_path(name)
    # The directory may be a link to that of another package of the same source, which has the file.
    found = files.find_file(path)
    return found._replace(path=path, mode=0o644, uid=0, gid=0, inode=None) if found is not None else None


def linked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, with equal copyright files as hard links: the packages of one source have the same one."""
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.content is not None and entry.path.startswith(DOCUMENTATION):
            yield entry._replace(inode=-1 - first.setdefault(sum_of(entry.content), number))
        else:
            yield entry


def left_note(count: int) -> tuple[str, ...]:
    """What it means that the copyright files of so many packages are not in the image."""
    if not count:
        return ()
    what = "text of 1 package is" if count == 1 else f"texts of {count} packages are"
    return (f"the licence {what} left out: if you distribute the image, you may have to pass on the licences as well",)
