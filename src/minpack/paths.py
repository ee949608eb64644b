"""`RootPath`: an absolute path inside a root, never a host path.

A `RootPath` is normal: it starts with one ``/``, has no empty, ``.`` or ``..``
part and no slash at its end (the root itself is ``/``). Bytes that are no
UTF-8 are kept as surrogate escapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

from minpack.errors import BadValueError

if TYPE_CHECKING:
    from collections.abc import Iterable

RootPath = NewType("RootPath", str)

ROOT = RootPath("/")

#: Longest path and longest part of one, in bytes (Linux, limits.h).
PATH_MAX = 4096
NAME_MAX = 255


def normal(text: str) -> RootPath:
    """`text` as a root path, with ``.`` and ``..`` taken as text; above the root is the root.

    Symbolic links are not looked at: where they matter, use `base.walk.Walker`.
    """
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return RootPath("/" + "/".join(parts))


def parse_root_path(text: str) -> RootPath:
    """The root path a user wrote.

    :raises BadValueError: it is not absolute, has a ``..`` part, is too long, or holds a NUL or half a character.
    """
    if not text.startswith("/"):
        # What a shell would have expanded has no other place in the image.
        example = "/data" if text.startswith(("~", "$")) else normal(text)
        raise BadValueError(text, "a path in the image must be absolute", f"begin it with a slash: {example}")
    if ".." in text.split("/"):
        raise BadValueError(text, "a path in the image must not have '..' parts", f"write {normal(text)}")
    try:
        encoded = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadValueError(text, "the path holds half a character") from error
    if b"\0" in encoded:
        raise BadValueError(text, "the path holds a NUL")
    if len(encoded) >= PATH_MAX or any(len(part) > NAME_MAX for part in encoded.split(b"/")):
        raise BadValueError(text, f"a path has at most {PATH_MAX - 1} bytes, and each part {NAME_MAX}")
    return normal(text)


def parent(path: RootPath) -> RootPath:
    """The directory that `path` lies in; of the root, the root."""
    return RootPath(path[: path.rfind("/")] or "/")


def name(path: RootPath) -> str:
    """The last part of `path`; of the root, nothing."""
    return path[path.rfind("/") + 1 :]


def join(directory: RootPath, part: str) -> RootPath:
    """The path of `part`, one name, in `directory`."""
    return RootPath(f"/{part}" if directory == "/" else f"{directory}/{part}")


def ancestors(path: RootPath) -> tuple[RootPath, ...]:
    """Every directory above `path` from the top down, without the root and without `path`."""
    found: list[RootPath] = []
    at = path.find("/", 1)
    while at != -1:
        found.append(RootPath(path[:at]))
        at = path.find("/", at + 1)
    return tuple(found)


def directories_above(paths: Iterable[RootPath]) -> set[RootPath]:
    """Every directory above any of `paths`, without the root; each is looked at once, however deep they are."""
    found: set[RootPath] = set()
    for path in paths:
        above = parent(path)
        while above != ROOT and above not in found:
            found.add(above)
            above = parent(above)
    return found


def sort_key(path: RootPath) -> tuple[bytes, ...]:
    """Orders paths by their parts, bytewise, so that a directory comes before what is in it."""
    return tuple(path.encode("utf-8", "surrogateescape").split(b"/"))
