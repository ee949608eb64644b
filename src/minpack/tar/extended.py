"""What extended headers say of the member behind them: pax records, global and of one member, and GNU's long names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.rootfs.access import CAPABILITY, is_capability
from minpack.tar.header import BLOCK
from minpack.tar.sparse import Sparse, SparseForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from minpack.errors import ArchiveError

#: The most records of one header, besides those of a sparse file's pieces; real ones have a dozen, and each takes time.
MAX_RECORDS = 1000
#: The record in which abuild and melange write it (apk-v2(5)).
_SHA1 = b"APK-TOOLS.checksum.SHA1"
_SPARSE = b"GNU.sparse."
_PIECE = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
#: How GNU tar, libarchive and others write extended attributes, and how libarchive does it too: as base64.
_ATTRIBUTE, _ENCODED = b"SCHILY.xattr.", b"LIBARCHIVE.xattr."
#: The most bytes that a name has (linux/limits.h, XATTR_NAME_MAX).
_MAX_ATTRIBUTE = 255
#: What global headers cannot say: there it means nothing.
_MEMBERS_OWN = frozenset(("sparse", "problem", "capability", "attributes"))
#: The most digits of a number of 64 bits; int() is slow on long ones.
_DIGITS = 20


class Extended(NamedTuple):
    """What is said of a member; None where nothing is.

    `sparse` is how its data is to be read, and `problem` why it cannot be. `capability` is its file capabilities,
    `attributes` the names of its other extended attributes.
    """

    path: bytes | None = None
    linkpath: bytes | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    sha1: str = ""
    sparse: Sparse | None = None
    problem: str = ""
    capability: bytes = b""
    attributes: tuple[str, ...] = ()


NOTHING = Extended()


class Extensions:
    """The extended headers that came so far.

    :param refuse: makes the error for the offset of a header and what is wrong with it.
    :param strict: refuse what readers are known to disagree on.
    """

    def __init__(self, refuse: Callable[[int, str], ArchiveError], *, strict: bool) -> None:
        self._refuse = refuse
        self._strict = strict
        self._global: dict[str, Any] = {}
        self.forget()

    def forget(self) -> None:
        """Begin a member: what was said of the last one alone does not count any more."""
        self._flags = b""
        self._long: dict[str, Any] = {}
        self._own: dict[str, Any] = {}
        #: The offset of the first header that says something of the next member; -1 if there is none.
        self.first = -1

    @property
    def said(self) -> bool:
        """Whether anything is said of the next member."""
        return self.first >= 0 or bool(self._global)

    def told(self) -> Extended:
        """What is said of the next member: the most by its own records, then by global ones, then by long names."""
        return NOTHING._replace(**{**self._long, **self._global, **self._own})

    def take(self, at: int, flag: bytes, data: bytes) -> None:
        """Take in the extended header at offset `at`.

        :raises ArchiveError: it is damaged, or says what it cannot.
        """
        if flag == b"g":
            self._take_global(at, data)
            return
        if self._strict and flag in self._flags:
            raise self._refuse(at, "one member has two extended headers of one kind")
        self.first = at if self.first < 0 else self.first
        self._flags += flag
        if flag in b"LK":
            said: dict[str, Any] = {"path" if flag == b"L" else "linkpath": data.partition(b"\0")[0]}
            self._check_once(at, said, self._own)
            self._long |= said
        else:
            said = self._records(at, data)
            self._check_once(at, said, self._long)
            # As GNU tar: the last one is the only one.
            self._own = said

    def _take_global(self, at: int, data: bytes) -> None:
        """What a global header says holds for all members after it, so for none that has begun."""
        said = {key: value for key, value in self._records(at, data).items() if key not in _MEMBERS_OWN}
        if self._strict and (self._flags or not said.keys() <= {"uid", "gid"}):
            raise self._refuse(at, "a global header says what only a member's own can")
        self._global |= said

    def _check_once(self, at: int, said: dict[str, Any], before: dict[str, Any]) -> None:
        if self._strict and any(said.get(key) is not None and key in before for key in ("path", "linkpath")):
            raise self._refuse(at, "one member has two long names")

    def _records(self, at: int, data: bytes) -> dict[str, Any]:
        """What a pax header says, as fields of `Extended`; an empty value takes back what was said before."""
        said: dict[str, Any] = {}
        sparse: dict[bytes, bytes] = {}
        count = 0
        for key, value in self._split(at, data):
            if key not in _PIECE:
                count += 1
            if count > MAX_RECORDS:
                raise self._refuse(at, f"a pax header has more than {MAX_RECORDS} records")
            if key in (b"path", b"linkpath"):
                said[key.decode()] = value or None
            elif key in (b"size", b"uid", b"gid"):
                said[key.decode()] = self._decimal(at, key, value) if value else None
            elif key == _SHA1:
                said["sha1"] = value.decode("utf-8", "surrogateescape")
            elif key.startswith((_ATTRIBUTE, _ENCODED)):
                _take_attribute(said, key, value)
            elif key.startswith(_SPARSE):
                sparse[key.removeprefix(_SPARSE)] = value
        if sparse:
            if self._strict:
                raise self._refuse(
                    at, "a pax header says that its member is a sparse file, which minpack does not read"
                )
            said |= self._sparse(at, len(data), sparse)
        return said

    def _sparse(self, at: int, length: int, told: dict[bytes, bytes]) -> dict[str, Any]:
        """How the member is read that the records of a sparse file are of (GNU tar manual, "PAX Format")."""
        said: dict[str, Any] = {"path": told[b"name"]} if b"name" in told else {}
        version = (told.get(b"major", b"0"), told.get(b"minor", b"0"))
        size = told.get(b"realsize", told.get(b"size"))
        if version == (b"1", b"0"):
            form = SparseForm.DATA
        elif version[0] == b"0" and (b"map" in told or b"numblocks" in told):
            form = SparseForm.RECORD if b"map" in told else SparseForm.RECORDS
        else:
            shown = ".".join(part.decode("ascii", "replace")[:20] for part in version)
            return {**said, "problem": f"it is a sparse file in the form {shown}, which is not known"}
        real = self._decimal(at, b"GNU.sparse.size", size or b"-")
        return {**said, "sparse": Sparse(form, real, at + BLOCK, length)}

    def _decimal(self, at: int, key: bytes, value: bytes) -> int:
        if not value.isdigit() or len(value) > _DIGITS:
            shown = value[:24].decode("utf-8", "surrogateescape")
            raise self._refuse(at, f"a pax header has the {key.decode()} {shown!r}")
        return int(value)

    def _split(self, at: int, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of the records in `data`: a length in digits, a space, ``key=value``, a new line."""
        start = 0
        while start < len(data):
            space = data.find(b" ", start, start + 9)
            digits = data[start:space] if space > start else b""
            end = start + int(digits) if digits.isdigit() else -1
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
                if not self._strict and not data[start:].strip(b"\0"):
                    return  # filled up with zeros: GNU tar and others read no further
                raise self._refuse(at, f"a pax header has a false record at its byte {start}")
            yield key, value
            start = end


def _take_attribute(said: dict[str, Any], key: bytes, value: bytes) -> None:
    """Put an extended attribute into what a header says; of a name in both forms the plain one counts."""
    encoded = key.startswith(_ENCODED)
    name = key.removeprefix(_ENCODED if encoded else _ATTRIBUTE).decode("utf-8", "backslashreplace")[:_MAX_ATTRIBUTE]
    data = _decoded(value) if encoded and name == CAPABILITY else value
    if name == CAPABILITY and is_capability(data):
        if not encoded or "capability" not in said:
            said["capability"] = data
    elif name not in said.get("attributes", ()):
        said["attributes"] = (*said.get("attributes", ()), name)


def _decoded(value: bytes) -> bytes:
    """The bytes of base64 without its padding; none if it is none."""
    from base64 import b64decode  # noqa: PLC0415 - few members have attributes

    try:
        return b64decode(value.rstrip(b"=") + b"=" * (-len(value.rstrip(b"=")) % 4), validate=True)
    except ValueError:
        return b""
