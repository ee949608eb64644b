"""Owners of files as a user writes them: by number, or by a name of the image's lists of users and groups."""

from __future__ import annotations

import re

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple
from minpack.rootfs.etc_files import MAX_ID, User

#: What useradd(8) takes for a name, and the dots and capitals that others allow.
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"


class OwnerName(NamedTuple):
    """An owner with at least one part given by name; an empty `group` means the user's group in /etc/passwd."""

    user: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.user}:{self.group}" if self.group else self.user


def parse_owner(text: str) -> User | OwnerName:
    """The owner written ``USER[:GROUP]``, each by number or name; a number alone is also the group's.

    :raises BadValueError: it does not have that form.
    """
    return parse_owner_parts(text.split(":"), text, f"for example {OPTION} 1000:1000 or {OPTION} nonroot")


def parse_owner_parts(parts: list[str], text: str, hint: str) -> User | OwnerName:
    """The owner that one or two `parts` of `text` say.

    :raises BadValueError: they say none.
    """
    if len(parts) > 2:  # noqa: PLR2004 - a user and a group
        raise BadValueError(text, "it is not USER[:GROUP]", hint)
    for part in parts:
        if not (_is_number(part) or re.fullmatch(_NAME, part, re.ASCII)):
            raise BadValueError(text, f"{part!r} is not a number up to {MAX_ID} or a user's name", hint)
    if all(map(_is_number, parts)):
        return User(int(parts[0]), int(parts[-1]))
    return OwnerName(*parts)


def _is_number(text: str) -> bool:
    return re.fullmatch("[0-9]{1,10}", text, re.ASCII) is not None and int(text) <= MAX_ID
