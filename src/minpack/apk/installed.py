"""``lib/apk/db/installed``, which packages are in a root and which files are theirs: read and written.

Rules: apk-tools' `src/database.c` and `doc/apk-v2.5.scd`: the lines of an index, then for each directory ``F:`` and
``M:``, for each file in it ``R:``, ``a:`` and ``Z:``; an empty line ends a package. Any order and empty values are
taken, as other tools write them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import PackageError
from minpack.namedtuple import NamedTuple
from minpack.paths import PATH_MAX, ROOT, RootPath, normal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.apk.checksum import Checksum
    from minpack.apk.control import Control

#: More bytes than any root's database has: a full desktop's has some 20 MB.
MAX_INSTALLED = 64 << 20
#: The most files and directories in it, and the most characters of all their paths.
MAX_FILES = 2_000_000
MAX_NAMES = 256 << 20
#: What a file has that no line gives a mode.
_FILE_MODE = 0o644
#: The lines of files; others are kept as they are.
_FILE_KEYS = frozenset("FMRaZ")
_MODE = re.compile(r"\d+:\d+:([0-7]{1,5})(?:$|:)", re.ASCII)


class InstalledFile(NamedTuple):
    """A file or link of a package; `checksum` is as written, empty where there is none."""

    path: RootPath
    checksum: str = ""
    mode: int = _FILE_MODE


class InstalledPackage(NamedTuple):
    """A package of a root; `lines` are those that describe it, as written, in order; `directories` are sorted."""

    name: str
    version: str
    arch: str
    lines: tuple[str, ...]
    files: tuple[InstalledFile, ...]
    directories: tuple[RootPath, ...] = ()


def parse_installed(data: bytes) -> tuple[InstalledPackage, ...]:
    """The packages of a database; what has no name is left out.

    :raises PackageError: it has too many files root, or one with a longer path.
    """
    text = data.decode("utf-8", "surrogateescape")
    names = _Names()
    return tuple(found for block in text.split("\n\n") if (found := _package(block.split("\n"), names)) is not None)


class _Names:
    """Counts the files of a database and their bytes: each line has a name, and each file its directory's too."""

    def __init__(self) -> None:
        self._files = 0
        self._bytes = 0

    def path(self, text: str) -> RootPath:
        """The path that `text` is.

        :raises PackageError: it is longer than any, or there are too many.
        """
        self._files += 1
        self._bytes += len(text)
        if len(text) >= PATH_MAX or self._files > MAX_FILES or self._bytes > MAX_NAMES:
            reason = "it has too many files root, or one with a longer path"
            raise PackageError("/lib/apk/db/installed", reason, "use another base")
        return normal(text)


def field_of(lines: Iterable[str], key: str) -> str:
    """The value of the last of a package's `lines` that has the key, a letter; empty without one."""
    return next((line[2:] for line in reversed(tuple(lines)) if line.startswith(f"{key}:")), "")


def _package(lines: list[str], names: _Names) -> InstalledPackage | None:
    kept: list[str] = []
    files: list[InstalledFile] = []
    directory = ""
    directories: set[RootPath] = set()
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon:
            continue
        if key == "F":
            directory = value
            directories.add(names.path(f"/{value}"))
        elif key == "R":
            files.append(InstalledFile(names.path(f"{directory}/{value}")))
        elif key == "Z" and files:
            files[-1] = files[-1]._replace(checksum=value)
        elif key == "a" and files:
            files[-1] = files[-1]._replace(mode=_mode(value))
        elif key not in _FILE_KEYS:
            kept.append(line)
    fields = {line[:1]: line[2:] for line in kept}
    if not fields.get("P"):
        return None
    known = tuple(sorted(directories.difference((ROOT,))))
    return InstalledPackage(fields["P"], fields.get("V", ""), fields.get("A", ""), tuple(kept), tuple(files), known)


def _mode(text: str) -> int:
    """The mode in ``uid:gid:mode[:xattrs]``."""
    match = _MODE.match(text)
    return int(match[1], 8) if match is not None else _FILE_MODE


def installed_lines(control: Control, control_sum: Checksum, size: int) -> tuple[str, ...]:
    """The lines that describe a package of the file size `size`, as apk-tools would write them once it is installed."""
    lines = [f"C:{control_sum}", f"P:{control.name}", f"V:{control.version}", f"A:{control.arch}"]
    lines += [f"S:{size}", f"I:{control.size}"]
    optional = (
        ("T", control.description),
        ("U", control.url),
        ("L", control.license),
        ("o", control.origin),
        ("m", control.maintainer),
        ("t", str(control.built or "")),
        ("c", control.commit),
        ("k", str(control.provider_priority or "")),
        ("D", control.depend),
        ("p", control.provide),
        ("i", control.install_if),
    )
    return (*lines, *(f"{key}:{value}" for key, value in optional if value))


def write_installed(packages: Iterable[InstalledPackage]) -> bytes:
    """A database of the packages, sorted by name, their files by directory and name; directories are root's, 0755."""
    text = "".join("\n".join((*one.lines, *_file_lines(one))) + "\n\n" for one in sorted(packages))
    return text.encode("utf-8", "surrogateescape")


def _file_lines(package: InstalledPackage) -> list[str]:
    lines: list[str] = []
    directory = None
    files = [(*_split(file.path), file) for file in package.files]
    folders = [(path[1:], "", InstalledFile(path)) for path in package.directories]
    for folder, name, file in sorted((*folders, *files)):
        if folder != directory:
            directory = folder
            lines.append(f"F:{folder}")
        if not name:
            continue
        lines.append(f"R:{name}")
        lines += [f"a:0:0:{file.mode:o}"] if file.mode != _FILE_MODE else []
        lines += [f"Z:{file.checksum}"] if file.checksum else []
    return lines


def _split(path: RootPath) -> tuple[str, str]:
    folder, _, name = path[1:].rpartition("/")
    return folder, name
