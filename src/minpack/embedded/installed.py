"""The files of a Python package, each as it was installed: its RECORD has the sum and the size of every one.

RECORD is a table of path, sum and size that the installer wrote (PyPA, "Recording installed projects"). Some
distributions of Linux leave it out of their packages. Nothing of a package is imported or run.
"""

from __future__ import annotations

import hashlib
import os
from binascii import b2a_base64
from typing import TYPE_CHECKING

from minpack.content import BytesReader
from minpack.errors import BaseError, reason_of
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.content import Reader

#: No file that is taken from a package is larger, and no RECORD either.
_MOST = 16 << 20
_SUM = "sha256="
_FOR_URLS = bytes.maketrans(b"+/", b"-_")


class InstalledContent(NamedTuple):
    """The bytes of a package's file, of which RECORD says that they have this `sum`: no others can be read."""

    where: str
    size: int
    sum: str
    package: str

    @property
    def key(self) -> str:
        """What identifies these bytes without reading them: the sum that RECORD has of them."""
        return self.sum

    def open(self) -> Reader:
        """A reader of the bytes, which are read here and checked.

        :raises BaseError: they cannot be read, or are not as they were installed.
        """
        data = read_file(self.where, self.size + 1)
        if (_sum_of(data), len(data)) != (self.sum, self.size):
            raise _changed(self.package, self.where)
        return BytesReader(data)


class PythonPackage(NamedTuple):
    """An installed package: its directory, and what RECORD says of the files there: sum and size by path.

    `record` is None where there is no RECORD.
    """

    name: str
    directory: str
    record: Mapping[str, tuple[str, int]] | None

    def content(self, path: str) -> InstalledContent:
        """The file at `path`, which RECORD has."""
        assert self.record is not None, "internal error: there is no RECORD"
        total, size = self.record[path]
        return InstalledContent(f"{self.directory}/{path}", size, total, self.name)

    def read(self, path: str, hint: str = "") -> tuple[bytes, bytes]:
        """The file at `path` as it was installed, where there is a RECORD, and what was added at its end since.

        :param hint: what else to do if it was changed in another way.
        :raises BaseError: it cannot be read, or was changed after it was installed.
        """
        data = read_file(f"{self.directory}/{path}")
        if self.record is None:
            return data, b""
        total, size = self.record.get(path, ("", 0))
        if _sum_of(data[:size]) != total:
            raise _changed(self.name, f"{self.directory}/{path}", hint)
        return data[:size], data[size:]

    @property
    def version(self) -> str:
        """What the package calls `__version__`, read and not run."""
        text = read_file(f"{self.directory}/__init__.py").decode("utf-8", "replace")
        line = next((line for line in text.splitlines() if line.startswith("__version__")), "")
        return line.partition("=")[2].strip().strip("\"'") or "unknown"


def find_package(name: str) -> PythonPackage:
    """The installed package `name`, which is not imported.

    :raises BaseError: it is not installed as files.
    """
    from importlib.machinery import PathFinder  # noqa: PLC0415

    spec = PathFinder.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places or not os.path.isdir(places[0]):
        raise BaseError("scratch", f"the package {name} is not installed as files", f"pip install {name}")
    return PythonPackage(name, places[0], _record(places[0], name))


def read_file(path: str, most: int = _MOST) -> bytes:
    """The bytes of a file of a package, up to so many.

    :raises BaseError: it cannot be read.
    """
    most = min(most, _MOST)
    try:
        # Should a named pipe lie here, opening it must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            data = os.read(descriptor, most)
            while data and len(data) < most and (more := os.read(descriptor, most - len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BaseError("scratch", f"{os.path.basename(path)}: {reason_of(error)}", "install minpack again") from error


def _record(directory: str, name: str) -> dict[str, tuple[str, int]] | None:
    """What RECORD says of the files in the package's directory.

    An installer that was told to put packages into a directory (pip's --target) leaves the RECORD of an older version
    there: that one counts in which the package's own module is.
    """
    above = os.path.dirname(directory)
    found = [
        _parsed(read_file(f"{above}/{one}/RECORD"), f"{name}/")
        for one in sorted(os.listdir(above))
        if one.lower().startswith(f"{name}-") and one.endswith(".dist-info") and os.path.exists(f"{above}/{one}/RECORD")
    ]
    if len(found) > 1:
        module = read_file(f"{directory}/__init__.py")
        found.sort(key=lambda record: record.get("__init__.py") == (_sum_of(module), len(module)))
    return found[-1] if found else None


def _parsed(data: bytes, prefix: str) -> dict[str, tuple[str, int]]:
    """The rows of a RECORD below `prefix` that have a SHA-256 and a size. Paths there need no quotes."""
    rows = {}
    for line in data.decode("utf-8", "replace").splitlines():
        path, _, rest = line.partition(",")
        total, _, size = rest.partition(",")
        if path.startswith(prefix) and total.startswith(_SUM) and size.isdecimal():
            rows[path[len(prefix) :]] = (total, int(size))
    return rows


def _sum_of(data: bytes) -> str:
    """The SHA-256 of `data` as RECORD writes it: in base64 for URLs, without padding."""
    encoded = b2a_base64(hashlib.sha256(data).digest(), newline=False).translate(_FOR_URLS, b"=")
    return _SUM + encoded.decode("ascii")


def _changed(package: str, where: str, hint: str = "") -> BaseError:
    again = f"pip install --force-reinstall {package}"
    return BaseError("scratch", f"{where!r} was changed after it was installed", f"{again}; {hint}" if hint else again)
