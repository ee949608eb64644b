"""Where in a root a member goes, by the name that a tar has of it."""

from __future__ import annotations

from minpack.paths import NAME_MAX, PATH_MAX

#: More than any root file system has: each costs memory, and compresses to almost nothing.
MAX_ENTRIES = 500_000
#: The most bytes of all paths and links together, those of implied directories too.
MAX_NAMES = 64 * 1024 * 1024


class UnsafeNameError(ValueError):
    """A name that leads out of the root, or that no file has; the text says why."""


def member_parts(name: bytes) -> list[bytes]:
    """The parts of the normal, absolute path of a member; that of the root has none.

    As GNU tar has it, slashes at the begin are taken off, and no name is the root's.

    :raises UnsafeNameError: it has a ``..`` part, holds a NUL, or is too long.
    """
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise UnsafeNameError(f"{shown(name)} has a '..' part")
    _check_parts(name, parts)
    return parts


def link_parts(name: bytes) -> list[bytes]:
    """The parts of the path of a hard link's target; as GNU tar has it, what is before a ``..`` part does not count.

    :raises UnsafeNameError: it holds a NUL, or is too long.
    """
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        del parts[: len(parts) - parts[::-1].index(b"..")]
    _check_parts(name, parts)
    return parts


def shown(name: bytes) -> str:
    """A name as it is shown in errors: quoted, and shortened if it is long."""
    text = name.decode("utf-8", "surrogateescape")
    return repr(text if len(text) <= 100 else f"{text[:60]}…{text[-30:]}")  # noqa: PLR2004 - what fits on a line


def _check_parts(name: bytes, parts: list[bytes]) -> None:
    if b"\0" in name:
        raise UnsafeNameError("its name holds a NUL")
    if len(name) > NAME_MAX and (1 + sum(map(len, parts)) + len(parts) > PATH_MAX or max(map(len, parts)) > NAME_MAX):
        raise UnsafeNameError("its name is too long")
