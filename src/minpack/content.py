"""The bytes of one file, wherever they lie: opened when needed, read in bounded pieces.

Files are read, not mapped: a file that is cut short while it is mapped kills
the process with SIGBUS, a read just comes back short (mmap(2), "SIGBUS").
"""

from __future__ import annotations

import os
from errno import ENAMETOOLONG
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from minpack.errors import ChangedInputError, InputError, reason_of
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")

#: What to do about a file that may not be read.
DENIED = "run minpack as a user who may read it"
#: Bytes held at once while a content is summed.
SUM_PIECE = 1 << 20


class Reader(Protocol):
    """An open `Content`."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end, none from outside.

        :raises InputError: the system could not read them.
        """

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, short only at the end.

        :raises InputError: the system could not read them.
        """

    def __enter__(self) -> Reader: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Content(Protocol):
    """The bytes of a file of known size."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    @property
    def where(self) -> str:
        """Where the bytes come from, for messages."""

    def open(self) -> Reader:
        """Something to read them from; close it by leaving its ``with`` block."""


class BytesContent(NamedTuple):
    """Bytes in memory."""

    data: bytes
    where: str = "minpack's own data"

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @property
    def key(self) -> str:
        """What identifies these bytes without reading them: their SHA-256."""
        import hashlib  # noqa: PLC0415

        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    def open(self) -> Reader:
        """A reader of the bytes."""
        return BytesReader(self.data)


class FileContent(NamedTuple):
    """`size` bytes of a file of this host, from `start` on.

    With `mtime`, in nanoseconds, it is a whole file as it was then: reading it fails if it has changed.
    """

    where: str
    size: int
    start: int = 0
    mtime: int | None = None

    def open(self) -> Reader:
        """Open the file.

        :raises InputError: it cannot be opened any more.
        :raises ChangedInputError: it is not the file that was planned; so too when it is closed.
        """
        try:
            # Should a named pipe have come to lie here, opening it must not wait for a writer.
            descriptor = _open(self.where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            hint = DENIED if isinstance(error, PermissionError) else None
            raise InputError(self.where, reason_of(error), hint=hint) from error
        reader = FileReader(descriptor, self.start, self.size, owned=True, where=self.where, mtime=self.mtime)
        try:
            reader.check()
        except BaseException:
            release(descriptor)
            raise
        return reader


class RangeContent(NamedTuple):
    """`size` bytes of an already open file, from `start` on; its owner keeps it open."""

    descriptor: int
    start: int
    size: int
    where: str

    def open(self) -> Reader:
        """A reader of the range."""
        return FileReader(self.descriptor, self.start, self.size, owned=False, where=self.where)


class Piece(NamedTuple):
    """`size` bytes from `at` on: those of `data`, or without it those of the source from `start` on."""

    at: int
    size: int
    start: int = 0
    data: bytes | None = None


class JoinedContent(NamedTuple):
    """Pieces of another content and of new bytes, by their offsets; what is between them is zeros."""

    where: str
    size: int
    source: Content
    pieces: tuple[Piece, ...]

    def open(self) -> Reader:
        """A reader of the pieces.

        :raises InputError: the source cannot be opened any more.
        """
        return JoinedReader(self)


class JoinedReader:
    """Reads pieces where they lie."""

    def __init__(self, content: JoinedContent) -> None:
        self._content = content
        self._source = content.source.open()

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end."""
        if offset < 0 or size <= 0:
            return b""
        buffer = bytearray(max(0, min(size, self._content.size - offset)))
        return bytes(buffer[: self.readinto_at(memoryview(buffer), offset)])

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, short only at the end."""
        want = min(len(buffer), self._content.size - offset) if offset >= 0 else 0
        if want <= 0:
            return 0
        buffer[:want] = bytes(want)
        for piece in self._content.pieces:
            begin, end = max(piece.at, offset), min(piece.at + piece.size, offset + want)
            if begin >= end:
                continue
            part, within = buffer[begin - offset : end - offset], begin - piece.at
            if piece.data is not None:
                part[:] = piece.data[within : within + len(part)]
            elif (count := self._source.readinto_at(part, piece.start + within)) != len(part):
                return begin - offset + count
        return want

    def __enter__(self) -> Reader:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)


class BytesReader:
    """Reads from bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end."""
        return self._data[offset : offset + size] if offset >= 0 < size else b""

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, short only at the end."""
        piece = self.read_at(offset, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class FileReader:
    """Reads a range of an open file with pread(2); closes it if it owns it."""

    def __init__(
        self,
        descriptor: int,
        start: int,
        size: int,
        *,
        owned: bool,
        where: str = "an open file",
        mtime: int | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._start = start
        self._size = size
        self._owned = owned
        self._where = where
        self._mtime = mtime

    def check(self) -> None:
        """Raise `ChangedInputError` if the file is not as it was when it was planned.

        :raises InputError: the system does not say, or the file has not as many bytes as it says.
        """
        if self._mtime is None:
            return
        status = file_status(self._descriptor, self._where)
        if (status.st_size, status.st_mtime_ns) != (self._size, self._mtime):
            raise ChangedInputError(self._where, self._size, status.st_size)
        # Files that the kernel makes as they are read (proc(5), sysfs(5)) have no blocks, and any size.
        if status.st_blocks == 0:
            self._check_size()

    def _check_size(self) -> None:
        try:
            last = os.pread(self._descriptor, 1, self._size - 1) if self._size else b"x"
            beyond = os.pread(self._descriptor, 1, self._size)
        except OSError as error:
            raise InputError(self._where, reason_of(error)) from error
        if beyond or not last:
            reason = f"the system reports {self._size} bytes, but it has {'more' if beyond else 'fewer'}"
            raise InputError(self._where, reason, hint="copy it first (cat FILE > COPY) and use the copy")

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end."""
        size = min(size, self._size - offset)
        if size <= 0 or offset < 0:
            return b""
        try:
            data = os.pread(self._descriptor, size, self._start + offset)
            # A read of more than 2 GiB, or of a network's file, may come back short (pread(2), "RETURN VALUE").
            while 0 < len(data) < size:
                more = os.pread(self._descriptor, size - len(data), self._start + offset + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise InputError(self._where, reason_of(error)) from error
        return data

    def readinto_at(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; the number of bytes read, short only at the end."""
        want = min(len(buffer), self._size - offset) if offset >= 0 else 0
        done = 0
        try:
            while done < want:
                count = os.preadv(self._descriptor, [buffer[done:want]], self._start + offset + done)
                if count == 0:
                    break
                done += count
        except OSError as error:
            raise InputError(self._where, reason_of(error)) from error
        return done

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.check()
        finally:
            if self._owned:
                release(self._descriptor)


def file_status(descriptor: int, where: str) -> os.stat_result:
    """What fstat(2) says of an open file.

    :raises InputError: it says nothing, as of a file that is gone from its server (ESTALE).
    """
    try:
        return os.fstat(descriptor)
    except OSError as error:
        raise InputError(where, reason_of(error)) from error


def release(descriptor: int) -> None:
    """Close a file that was only read, or whose bytes are verified by whoever reads them.

    Whatever the system says of it then, nothing that was read is wrong, and the descriptor is free (close(2), "Dealing
    with error returns from close()").
    """
    try:
        os.close(descriptor)
    except OSError:
        return


def _open(path: str, flags: int) -> int:
    """As `os.open`, of a path of any length."""
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            raise
    from minpack.host.deep import open_deep  # noqa: PLC0415 - for paths that the system does not take at once

    return open_deep(path, flags)


def read_all(content: Content, limit: int) -> bytes:
    """All bytes of `content`.

    :param limit: the most bytes to hold in memory.
    :raises InputError: there are more than `limit`.
    :raises ChangedInputError: there are fewer than its size says.
    """
    if content.size > limit:
        raise InputError(content.where, f"it has {content.size} bytes; expected at most {limit}")
    data = bytearray(content.size)
    with content.open() as reader:
        count = reader.readinto_at(memoryview(data), 0)
    if count != content.size:
        raise ChangedInputError(content.where, content.size, count)
    return bytes(data)


def key_of(content: Content) -> str:
    """What fixes the bytes of `content` without reading them from anywhere; empty where only reading tells.

    Contents of one key have the same bytes, or fail when they are read. A kind of content has one by its attribute
    `key`; those of files that may change have none.
    """
    return getattr(content, "key", "")


def remembered(most: int) -> Callable[[Callable[Concatenate[Content, P], T]], Callable[Concatenate[Content, P], T]]:
    """A function of a content that gives anew what it gave for the same key: of so many contents, those asked for last.

    What it raises is not remembered, nor anything of a content without a key. Its other arguments can be hashed.
    """

    def remembering(function: Callable[Concatenate[Content, P], T]) -> Callable[Concatenate[Content, P], T]:
        known: dict[object, T] = {}

        @wraps(function)
        def ask(content: Content, /, *args: P.args, **named: P.kwargs) -> T:
            key = key_of(content)
            if not key:
                return function(content, *args, **named)
            question = (key, args, *named.items())
            found = known.pop(question, None)
            if found is None:
                found = function(content, *args, **named)
            while len(known) >= most:
                known.pop(next(iter(known)), None)
            known[question] = found
            return found

        return ask

    return remembering


def same_content(first: Content, second: Content) -> bool:
    """Whether both are the same file or the same bytes, as far as that shows without reading them."""
    if isinstance(first, FileContent) and isinstance(second, FileContent):
        return first[1:] == second[1:] and _without_dots(first.where) == _without_dots(second.where)
    return first == second


def _without_dots(path: str) -> list[str]:
    """The parts of a host's path but those that say nothing; ``..`` may lead through a link and stays."""
    start = [] if path.startswith("/") else ["."]
    return start + [part for part in path.split("/") if part not in ("", ".")]


def sum_of(content: Content, algorithm: str = "sha256") -> str:
    """The sum of all bytes of `content`, in hexadecimal, read in bounded memory.

    :param algorithm: ``sha256``, or ``sha1`` for formats that want it.
    :raises ChangedInputError: there are fewer than its size says.
    """
    import hashlib  # noqa: PLC0415

    result = hashlib.new(algorithm, usedforsecurity=algorithm != "sha1")
    buffer = memoryview(bytearray(min(SUM_PIECE, max(1, content.size))))
    at = 0
    with content.open() as reader:
        while count := reader.readinto_at(buffer, at):
            result.update(buffer[:count])
            at += count
    if at != content.size:
        raise ChangedInputError(content.where, content.size, at)
    return result.hexdigest()
