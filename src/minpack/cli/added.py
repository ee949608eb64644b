"""Options about whom files are for: owners of what is added, what is left out, and users that platforms choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minpack.cli.options import Parsed, applied
from minpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.rootfs.etc_files import User
    from minpack.spec.owners import OwnerName


def _owner(text: str) -> User | OwnerName:
    from minpack.spec.owners import parse_owner  # noqa: PLC0415 - where the option is given, as below

    return parse_owner(text)


def _pattern(text: str) -> str:
    from minpack.spec.patterns import parse_pattern  # noqa: PLC0415

    return parse_pattern(text)


added_options = applied(
    click.option(
        "--chown",
        "owner",
        type=Parsed(_owner),
        metavar="USER[:GROUP]",
        help="Owner of added files: a number, or a name in the image's /etc/passwd. Default: root.",
    ),
    click.option(
        "--exclude",
        "excluded",
        multiple=True,
        type=Parsed(_pattern),
        metavar="PATTERN",
        help="Leave matching files out of added directories; repeatable. Patterns are those of .gitignore"
        " (*.log, /build/, !keep.log). A .minpackignore file in the directory does the same.",
    ),
)
any_user_option = click.option(
    "--any-user",
    is_flag=True,
    help="Let any UID with group 0 (as in OpenShift) use the directories of the image's user: home,"
    " working directory, volumes, --dir. Sets HOME.",
)


def check_added(owner: User | OwnerName | None, excluded: Sequence[str], *, adds: bool) -> None:
    """Raise `UsageError` if an option is about what is added, and nothing is.

    :param adds: whether --add is given.
    """
    if adds:
        return
    hint = "name a file or directory with --add SRC:DST, or leave it out"
    if owner is not None:
        raise UsageError("--chown", str(owner), "nothing is added", hint)
    if excluded:
        raise UsageError("--exclude", excluded[0], "nothing is added", hint)
