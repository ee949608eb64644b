"""The lists of users and groups that a tree has (passwd(5), group(5)), as far as names and numbers go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.rootfs.etc_files import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from minpack.base.walk import Walker
    from minpack.content import Content

#: Larger files are no lists of users.
MAX_LIST = 1 << 20
#: System users are below (Debian Policy, section 9.2.2; LSB, "User ID Ranges").
FIRST_USER = 1000


def is_system(ids: Collection[int]) -> bool:
    """Whether these are the numbers of a system user other than root, or of its group."""
    return all(0 < number < FIRST_USER for number in ids)


def listed_ids(base: Walker, path: str, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and numbers of each line of passwd(5) or group(5) that is as it should be, of a name the first."""
    entry = base.find_file(path)
    if entry is not None and entry.content is not None:
        yield from ids_in(entry.content, count)


def ids_in(content: Content, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """As `listed_ids`, of a list itself; nothing of one that is too large.

    :raises InputError: it cannot be read.
    """
    if content.size > MAX_LIST:
        return
    seen = set()
    for line in read_all(content, MAX_LIST).decode("utf-8", "replace").splitlines():
        name, _, *rest = (*line.split(":"), "", "")
        if name not in seen and all(_is_number(text) for text in rest[:count]):
            seen.add(name)
            yield name, tuple(int(number) for number in rest[:count])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID))
