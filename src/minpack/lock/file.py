"""Reading and writing lock files: TOML, sorted, the same bytes for the same lock.

Keys that are not known are passed over: a newer minpack may write more in the same version. Version 1 had one image for
each platform and one base; it is read, and never written. Names of files are bytes, and
TOML is UTF-8: in paths and targets of links a byte that is not UTF-8 is written ``%FF``, and ``%`` itself ``%25``.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from typing import TYPE_CHECKING, Any

import tomli_w

from minpack.errors import LockError, OutputError, reason_of
from minpack.host.atomic import new_file, opened_directly
from minpack.host.overwrite import file_place
from minpack.lock.values import (
    FILES,
    ON,
    VERSION,
    ImageKey,
    Lock,
    LockedBase,
    LockedData,
    LockedFile,
    LockedImage,
    LockedPackage,
)
from minpack.paths import RootPath, normal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Far more bytes than any lock has: all time zones and their packages have some 100,000.
MAX_LOCK = 16 << 20
_HEAD = "# What the image was made of. Written by minpack lock and minpack update; minpack --locked builds from it.\n"
_IMAGE = "image"
#: So much of a file shows whether it is text, and bytes that no text has: every tar and every compressed file has some.
_HEAD_SIZE = 512
_BINARY = {*range(8), *range(14, 27), *range(28, 32)}
_KINDS = ("scratch", "directory", "tarball", "release", "packages", _IMAGE)
_DIGEST = r"sha256:[0-9a-f]{64}"
_USE = r"[a-z][a-z0-9-]{0,30}"
_SUMS = {"sha256": r"[0-9a-f]{64}", "sha1": r"[0-9a-f]{40}"}
#: Names of packages (Debian Policy, section 5.6.7; Alpine's have capitals too): files of an image are called by them.
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
#: What is in versions of Python's packages (Version specifiers, "Appendix: Parsing version strings").
_VERSION = r"[A-Za-z0-9.!+_-]+"
#: What an image of version 1 is called that no program is noted of.
_NAMELESS = "image"
_ADDRESS = r"https?://[^\s/?#]+/[^\s?#]+"
_FILE = re.compile(
    r"(?P<origin>base|(?:package|data) [^ ]+) "
    r"(?:(?P<mode>[0-7]{4}) (?:sha256:(?P<sha256>[0-9a-f]{64})|directory)|link:(?P<link>.+))",
    re.ASCII | re.DOTALL,
)
_DAMAGED = "restore it from version control, or delete it and run minpack lock again"
_MERGED = "keep one side of the merge, and run minpack lock for each program again"
#: What git writes before the first of two versions (git-merge(1), "How conflicts are presented").
_CONFLICT = re.compile(r"^<<<<<<< ", re.MULTILINE)
#: Strings and comments, in which dots mean nothing (TOML 1.0.0, "String"); then more dots than any key of a lock has.
_NO_KEY = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{0,5}'
    r"|'''(?:[^']|'(?!''))*+'{0,5}"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?|#[^\n]*",
    re.DOTALL,
)
_DEEP = re.compile(r"(?:\.[\w \t-]*+){17}")


def read_lock(path: str) -> Lock:
    """The lock in the file `path`.

    :raises LockError: it cannot be read, is damaged, or is of a version that is not known.
    """
    try:
        with open(path, "rb", opener=_opener) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_LOCK + 1) if regular else b""
    except FileNotFoundError as error:
        raise LockError(
            path, "no such file", "create it with minpack lock APP, or name another with --lock FILE"
        ) from error
    except OSError as error:
        raise LockError(path, reason_of(error), "--lock FILE names another") from error
    if not regular:
        raise LockError(path, "it is not a regular file", "--lock FILE names another")
    if len(data) > MAX_LOCK:
        raise LockError(path, f"it has more than {MAX_LOCK} bytes", _DAMAGED)
    return _Reading(path).lock(_document(data, path))


def _document(data: bytes, path: str) -> dict[str, Any]:
    """The TOML in `data`, with or without a byte order mark, which editors on Windows write."""
    text = ""
    try:
        text = data.decode("utf-8-sig")
        return parse_toml(text)
    except (ValueError, RecursionError) as error:
        conflict = _CONFLICT.search(text)
        if conflict is not None:
            line = text.count("\n", 0, conflict.start()) + 1
            raise LockError(path, f"it has merge conflict markers, from line {line} on", _MERGED) from error
        raise LockError(path, f"it is not TOML: {_objection(error)}", _DAMAGED) from error


def parse_toml(text: str) -> dict[str, Any]:
    """The TOML in `text`, whoever wrote it.

    :raises ValueError: it is none.
    :raises RecursionError: it is nested too deeply.
    """
    # tomllib takes time by the square of the number of a key's parts.
    if _DEEP.search(_NO_KEY.sub("", text)):
        raise RecursionError
    return tomllib.loads(text)


def _objection(error: Exception) -> str:
    """What is wrong with a text that is not TOML."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    # Numbers and dates that Python cannot hold come with Python's own words.
    return str(error) if "(at " in str(error) else "a number or date in it is out of range"


def _opener(path: str, flags: int) -> int:
    # Should it be a named pipe, opening it must not wait for a writer.
    return os.open(path, flags | os.O_NONBLOCK)


def is_lock(path: str) -> bool:
    """Whether there is a file at `path` that may be a lock: one of text, as no archive is."""
    try:
        with open(path, "rb", opener=_opener) as file:
            head = file.read(_HEAD_SIZE) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b"\0"
    except (OSError, ValueError):
        return False
    return not set(head) & _BINARY


def lock_bytes(lock: Lock) -> bytes:
    """The file that `lock` is written as."""
    images: dict[str, dict[str, Any]] = {}
    for key, image in sorted(lock.images.items()):
        images.setdefault(_quoted(key.name), {})[key.platform] = _image(image)
    document = {"version": VERSION, "images": images}
    return f"{_HEAD}{tomli_w.dumps(document)}".encode()


def holds(path: str, lock: Lock) -> bool:
    """Whether the file `path` is `lock` already, byte for byte."""
    data = lock_bytes(lock)
    try:
        with open(path, "rb", opener=_opener) as file:
            return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.read(len(data) + 1) == data
    except OSError:
        return False


def write_lock(lock: Lock, path: str) -> None:
    """Write `lock` to the file `path`, whole or not at all.

    :raises OutputError: it cannot be written; what was there before is untouched.
    """
    try:
        # Whoever calls this has read it: it is a lock, or nothing.
        direct = file_place(path, force=True).direct
        with opened_directly(path) if direct else new_file(path, force=True) as out:
            out.write(lock_bytes(lock))
    except OutputError as error:
        full = isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space, or name" if full else "name"
        raise OutputError(path, error.reason, f"{hint} a file that you may write with --lock FILE") from error


def _image(image: LockedImage) -> dict[str, Any]:
    tables = {
        "bases": {base.use: _filled(base._asdict(), "use") for base in (image.base, *sorted(image.others))},
        "packages": {package.name: _filled(package._asdict(), "name") for package in sorted(image.packages)},
        "files": {_quoted(file.path): _quoted(str(file)) for file in sorted(image.files)},
        "data": {data.name: _filled(data._asdict(), "name") for data in sorted(image.data)},
        "notes": {_quoted(key): _quoted(value) for key, value in sorted(image.notes)},
    }
    return {key: table for key, table in tables.items() if table}


def _filled(values: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The values that are not empty; text as `_quoted`."""
    return {
        key: _quoted(value) if isinstance(value, str) else value
        for key, value in values.items()
        if value and key not in without
    }


def _quoted(text: str) -> str:
    return re.sub("[%\udc80-\udcff]", lambda match: f"%{ord(match[0]) & 0xFF:02X}", text)


def _plain(text: str) -> str:
    """What `_quoted` made of, or any other text."""

    def byte(match: re.Match[str]) -> str:
        value = int(match[1], 16)
        return chr(value) if value < 0x80 else chr(0xDC00 + value)  # noqa: PLR2004 - ASCII's end

    return re.sub("%([0-9A-F]{2})", byte, text)


def _is_file_name(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


class _Reading:
    """Takes a document apart; every error names the key that is wrong."""

    def __init__(self, path: str) -> None:
        self._path = path

    def lock(self, document: dict[str, Any]) -> Lock:
        version = document.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self._error("version", "is not a version of a lock" if "version" in document else "is missing")
        if version > VERSION:
            reason = f"it has version {version}, and this minpack reads versions 1 and {VERSION}"
            raise LockError(self._path, reason, "use a newer minpack, or rewrite it with this one: minpack lock")
        return self._version_1(document) if version == 1 else self._version_2(document)

    def _version_1(self, document: dict[str, Any]) -> Lock:
        """One image, for each platform; it is called as its first program that a note is about."""
        platforms = self._table(document, "platforms", "")
        images = {}
        for platform in platforms:
            where = f'platforms."{platform}"'
            table = self._table(platforms, platform, "platforms")
            base = self._base(self._table(table, "base", where, required=True), f"{where}.base")
            image = self._image(table, where, (base,))
            programs = (name.rpartition("/")[2] for name, _ in image.notes if name.startswith("/"))
            images[ImageKey(next(filter(_is_file_name, programs), _NAMELESS), platform)] = image
        return Lock(images, version=1)

    def _version_2(self, document: dict[str, Any]) -> Lock:
        found, images = self._table(document, "images", ""), {}
        for name in found:
            key, above = _plain(name), f'images."{name}"'
            if not _is_file_name(key):
                raise self._error(above, "is not the name of a program")
            platforms = self._table(found, name, "images")
            for platform in platforms:
                where = f'{above}."{platform}"'
                table = self._table(platforms, platform, above)
                images[ImageKey(key, platform)] = self._image(table, where, self._bases(table, where))
        return Lock(images)

    def _bases(self, table: dict[str, Any], where: str) -> tuple[LockedBase, ...]:
        """The base of which files are taken, then all others."""
        bases, here = self._table(table, "bases", where, required=True), f"{where}.bases"
        for use in bases:
            if not re.fullmatch(_USE, use, re.ASCII):
                raise self._error(f"{here}.{use}", "is not a use of a base")
        first = self._base(self._table(bases, FILES, here, required=True), f"{here}.{FILES}")
        names = sorted(use for use in bases if use != FILES)
        others = [self._base(self._table(bases, use, here), f"{here}.{use}", use) for use in names]
        for base in others:
            if base.use == ON and base.kind != _IMAGE:
                raise self._error(f"{here}.{ON}.kind", f"is not {_IMAGE}")
        return (first, *others)

    def _image(self, table: dict[str, Any], where: str, bases: tuple[LockedBase, ...]) -> LockedImage:
        return LockedImage(
            bases[0],
            tuple(self._package(*each) for each in self._each(table, "packages", where)),
            self._files(self._table(table, "files", where), f"{where}.files"),
            tuple(self._data(*each) for each in self._each(table, "data", where)),
            self._notes(self._table(table, "notes", where), f"{where}.notes"),
            self._path,
            bases[1:],
        )

    def _each(self, table: dict[str, Any], key: str, where: str) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Each table in the table `key`, with its name before it and where it is behind it."""
        found, here = self._table(table, key, where), f"{where}.{key}"
        return ((name, self._table(found, name, here), f"{here}.{name}") for name in sorted(found))

    def _base(self, table: dict[str, Any], where: str, use: str = FILES) -> LockedBase:
        base = LockedBase(
            self._text(table, "name", where),
            self._text(table, "kind", where),
            self._text(table, "release", where, optional=True),
            self._url(table, where, optional=True),
            self._sum(table, "sha256", where, optional=True),
            self._size(table, where, optional=True),
            self._text(table, "digest", where, optional=True),
            use,
            self._text(table, "index_digest", where, optional=True),
            self._text(table, "system", where, optional=True),
            self._text(table, "system_version", where, optional=True),
        )
        if base.kind not in _KINDS:
            raise self._error(f"{where}.kind", f"is none of {', '.join(_KINDS)}")
        if base.kind == "release" and not (base.release and base.url and base.sha256 and base.size):
            raise self._error(where, "lacks release, url, sha256 or size")
        if base.kind == "tarball" and not base.sha256:
            raise self._error(where, "lacks sha256")
        if not re.fullmatch(_DIGEST, base.digest, re.ASCII) and (base.digest or base.kind == _IMAGE):
            raise self._error(f"{where}.digest", "is not a digest" if base.digest else "is missing")
        if base.index_digest and not re.fullmatch(_DIGEST, base.index_digest, re.ASCII):
            raise self._error(f"{where}.index_digest", "is not a digest")
        return base

    def _package(self, name: str, table: dict[str, Any], where: str) -> LockedPackage:
        if not re.fullmatch(_NAME, name, re.ASCII):
            raise self._error(where, "is not the name of a package")
        return LockedPackage(
            name,
            self._text(table, "version", where),
            self._text(table, "arch", where),
            self._text(table, "repository", where),
            self._url(table, where),
            self._sum(table, "sha256", where),
            self._size(table, where),
            self._sum(table, "sha1", where, optional=True),
            self._text(table, "signed_by", where, optional=True),
            self._text(table, "supplier", where, optional=True),
            self._text(table, "license", where, optional=True),
            self._text(table, "source", where, optional=True),
        )

    def _files(self, table: dict[str, Any], where: str) -> tuple[LockedFile, ...]:
        found = []
        for key in table:
            path = RootPath(_plain(key))
            match = _FILE.fullmatch(_plain(self._text(table, key, where, quoted=True)))
            if match is None or normal(path) != path or "\0" in path:
                raise self._error(f'{where}."{key}"', "is not a path with origin and sum")
            mode = int(match["mode"], 8) if match["mode"] else 0o777
            found.append(LockedFile(path, match["origin"], mode, match["sha256"] or "", match["link"] or ""))
        return tuple(sorted(found))

    def _data(self, name: str, table: dict[str, Any], where: str) -> LockedData:
        data = LockedData(name, self._text(table, "version", where), self._sum(table, "sha256", where))
        if not re.fullmatch(_VERSION, data.version, re.ASCII):
            raise self._error(f"{where}.version", "is not a version of a package of Python's")
        return data

    def _notes(self, table: dict[str, Any], where: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((_plain(key), self._text(table, key, where, optional=True)) for key in table))

    def _table(self, table: dict[str, Any], key: str, where: str, *, required: bool = False) -> dict[str, Any]:
        value = table.get(key, {} if where and not required else None)
        if not isinstance(value, dict):
            raise self._error(f"{where}.{key}".lstrip("."), "is not a table" if key in table else "is missing")
        return value

    def _text(
        self, table: dict[str, Any], key: str, where: str, *, optional: bool = False, quoted: bool = False
    ) -> str:
        value = table.get(key, "" if optional else None)
        if not isinstance(value, str) or not (value or optional):
            raise self._error(f"{where}.{key}", "is not text" if key in table else "is missing")
        return value if quoted else _plain(value)

    def _url(self, table: dict[str, Any], where: str, *, optional: bool = False) -> str:
        value = self._text(table, "url", where, optional=optional)
        if value and not re.fullmatch(_ADDRESS, value):
            raise self._error(f"{where}.url", "is not an http:// or https:// address")
        return value

    def _sum(self, table: dict[str, Any], key: str, where: str, *, optional: bool = False) -> str:
        value = self._text(table, key, where, optional=optional)
        if not re.fullmatch(_SUMS[key], value, re.ASCII) and not (optional and key not in table):
            raise self._error(f"{where}.{key}", "is not a hexadecimal checksum")
        return value

    def _size(self, table: dict[str, Any], where: str, *, optional: bool = False) -> int:
        value = table.get("size", 0 if optional else None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._error(f"{where}.size", "is not a number of bytes" if "size" in table else "is missing")
        return value

    def _error(self, key: str, reason: str) -> LockError:
        return LockError(self._path, f"{key} {reason}", _DAMAGED)
