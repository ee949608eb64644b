"""What texts among the constants of a program say, beside the functions that it imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from minpack.needs.binary import Binary

_SHELLS = (b"/bin/sh", b"/usr/bin/sh")
#: Functions that start a program, by its path or by its name.
_STARTING = frozenset(
    ("posix_spawn", "posix_spawnp", "execv", "execve", "execvp", "execvpe", "execl", "execle", "execlp")
)
_SETTING = frozenset(("setlocale", "newlocale"))
#: Of glibc the locales C and POSIX are built in, and no other (`locale/findlocale.c`).
_LOCALES = (b"\0C.UTF-8\0", b"\0C.utf8\0", b"\0en_US.UTF-8\0", b"\0en_US.utf8\0")
#: What tmux says before it ends; programs that have such a text end without.
_NEEDS_LOCALE = b"need UTF-8 locale"
#: Users that daemons run as, each with a name that hardly means anything else where users are looked up (Debian's
#: base-passwd(8), the packages of the servers, and the defaults of their sources).
USERS = ("www-data", "nginx", "postgres", "haproxy", "memcache", "sshd", "_apt", "messagebus", "systemd-network")
_USER_FUNCTIONS = frozenset(("getpwnam", "getpwnam_r", "getgrnam", "getgrnam_r"))


def literal_signals(
    binary: Binary, paths: Collection[bytes], imports: Collection[str], *, glibc: bool
) -> Iterator[Signal]:
    """What they say of a dynamic program.

    :param paths: its `needs.paths.paths_of`.
    :param imports: its `native.telling_imports`.
    :param glibc: whether it runs with glibc.
    """
    shell = next((one for one in _SHELLS if one in paths), None)
    starts = sorted(_STARTING.intersection(imports))
    if shell is not None and starts:
        yield _signal(binary, Need.SHELL, Verdict.LIKELY, shell, starts[0])
    sets = sorted(_SETTING.intersection(imports))
    if glibc and sets:
        found = binary.which((*_LOCALES, _NEEDS_LOCALE))
        named = next((one.strip(b"\0") for one in _LOCALES if one in found), None)
        if _NEEDS_LOCALE in found:
            yield _signal(binary, Need.LOCALE, Verdict.REQUIRED, _NEEDS_LOCALE, sets[0])
        elif named is not None:
            yield _signal(binary, Need.LOCALE, Verdict.LIKELY, named, sets[0])


def users_in(binary: Binary, imports: Collection[str]) -> tuple[str, ...]:
    """The system users that a dynamic program names and looks up."""
    if not _USER_FUNCTIONS.intersection(imports):
        return ()
    needles = {b"\0" + user.encode() + b"\0": user for user in USERS}
    return tuple(sorted(needles[found] for found in binary.which(needles)))


def _signal(binary: Binary, need: Need, verdict: Verdict, text: bytes, imported: str) -> Signal:
    said = f'imports {imported} and contains "{text.decode()}"'
    return Signal(need, verdict, Evidence(Seen.STRING, text.decode(), binary.path, said))
