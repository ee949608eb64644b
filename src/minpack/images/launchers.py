"""What programs start that only start others: env(1), the small inits of containers, and a shell with one command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.rootfs.entry import Entry

_SHELLS = frozenset(("sh", "bash", "ash", "dash", "ksh", "zsh"))
#: Inits that start the rest of their arguments, and those of their options that take a value.
_INITS = {"tini": "evp", "tini-static": "evp", "docker-init": "evp", "catatonit": "", "dumb-init": "r"}
#: A command of one program with plain arguments; anything else a shell makes more of.
_PLAIN = re.compile(r"\s*(?:exec\s+)?([A-Za-z0-9_./+-]+)(?:\s+[A-Za-z0-9_./+:,@%=-]+)*\s*", re.ASCII)
#: What shells do themselves (POSIX.1-2024, "Special Built-In Utilities" and XCU 1.7, and those of bash and busybox).
_BUILT_IN = frozenset(
    re.findall(
        r"\S+",
        ". : alias bg break builtin caller case cd command continue declare dirs disown do done echo elif else enable"
        " esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs kill let local"
        " logout mapfile popd printf pushd pwd read readonly return select set shift shopt source suspend test then"
        " time times trap true type typeset ulimit umask unalias unset until wait while",
    )
)
#: More bytes than any shell has.
_MOST_SHELL = 16 << 20


def started_by(arguments: Sequence[str], program: Entry) -> str:
    """The program that `program` starts when it is called with `arguments`; empty where that cannot be told.

    :param program: the file that the first argument leads to.
    """
    name, rest = arguments[0].rpartition("/")[2], list(arguments[1:])
    if name == "env":
        return _of_env(rest)
    if name in _INITS:
        return _of_init(rest, _INITS[name])
    if name in _SHELLS and len(rest) > 1 and rest[0] == "-c":
        return _of_shell(rest[1], program)
    return ""


def _of_env(rest: list[str]) -> str:
    while rest and "=" in rest[0] and not rest[0].startswith("-"):
        rest.pop(0)
    return rest[0] if rest and not rest[0].startswith("-") else ""


def _of_init(rest: list[str], with_value: str) -> str:
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option.startswith("--") or (len(option) == 2 and option[1] in with_value):  # noqa: PLR2004 - as -p
            # Of these it depends on the version what follows.
            return ""
    return rest[0] if rest else ""


def _of_shell(command: str, shell: Entry) -> str:
    plain = _PLAIN.fullmatch(command)
    if plain is None or plain[1] in _BUILT_IN or "=" in plain[1]:
        return ""
    return "" if _has_applet(shell, plain[1]) else plain[1]


def _has_applet(shell: Entry, name: str) -> bool:
    """Whether the shell may have a command within itself, as busybox has: the names lie there one after the other."""
    if shell.content is None or shell.size > _MOST_SHELL:
        return True
    try:
        return f"\0{name}\0".encode() in read_all(shell.content, _MOST_SHELL)
    except InputError:
        return True
