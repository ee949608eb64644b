"""The process that a finished image means: its program, user, variables and directory, as runtimes understand them.

Source: image-spec, config.md and conversion.md.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.errors import EntrypointError
from minpack.images.finding import Finding
from minpack.images.users import find_user
from minpack.namedtuple import NamedTuple
from minpack.sandbox.child import HOST_NAME
from minpack.sandbox.values import ProcessSpec
from minpack.spec.image import DEFAULT_PATH

if TYPE_CHECKING:
    from minpack.base.interface import Base
    from minpack.oci.documents import ImageConfig
    from minpack.sandbox.values import Bind

_NUMBER = re.compile(r"[0-9]{1,10}")
_RTMIN = re.compile(r"SIGRTMIN(?:\+([0-9]{1,2}))?")
_RTMAX = re.compile(r"SIGRTMAX(?:-([0-9]{1,2}))?")


class RunOptions(NamedTuple):
    """What is to be different from what the image says; what is None or empty is the image's.

    `arguments` take the place of its command; `env` is added to its variables. `seconds` is how long the program may
    run, 0 for ever; `terminal` is whether it has one.
    """

    arguments: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    workdir: str | None = None
    binds: tuple[Bind, ...] = ()
    network: bool = False
    seconds: float = 0.0
    terminal: str = ""


def process_of(config: ImageConfig, base: Base, name: str, options: RunOptions) -> ProcessSpec:
    """The process that the image means with these options.

    :param base: the image's tree.
    :param name: what to call the image in errors.
    :raises EntrypointError: it names no program, or no user that there is.
    """
    arguments = (*config.entrypoint, *(options.arguments or config.cmd))
    if not arguments:
        raise EntrypointError(name, "it names no program", "give one after the image: minpack run IMAGE PROGRAM")
    found = find_user(options.user if options.user is not None else config.user, Walker(base))
    if isinstance(found, Finding):
        raise EntrypointError(name, found.reason, "choose another user with --user UID:GID")
    uid, gid, groups = found.user
    return ProcessSpec(
        arguments,
        _environment(config, options, found.home or "/"),
        options.workdir or config.workdir,
        uid,
        gid,
        # The first one too, or a program could leave it (moby, GHSA-rc4r-wh2q-q6c4).
        tuple(dict.fromkeys((gid, *groups))),
        options.binds,
        options.network,
        options.seconds,
        _signal_number(config.stop_signal),
    )


def _environment(config: ImageConfig, options: RunOptions, home: str) -> tuple[tuple[str, str], ...]:
    """In Docker's order: its own, the image's, the user's; and the home directory last."""
    found = {"PATH": DEFAULT_PATH, "HOSTNAME": HOST_NAME}
    found |= {"TERM": options.terminal} if options.terminal else {}
    found |= dict(config.env) | dict(options.env)
    return tuple((found if found.get("HOME") else found | {"HOME": home}).items())


def _signal_number(text: str) -> int:
    """The number of a signal as images name it; SIGTERM's where this host knows none of that name."""
    if _NUMBER.fullmatch(text):
        return int(text) if 0 < int(text) < signal.NSIG else signal.SIGTERM
    above, below = _RTMIN.fullmatch(text), _RTMAX.fullmatch(text)
    if above is not None:
        return min(signal.SIGRTMIN + int(above[1] or 0), signal.SIGRTMAX)
    if below is not None:
        return max(signal.SIGRTMAX - int(below[1] or 0), signal.SIGRTMIN)
    return getattr(signal, text, signal.SIGTERM) if re.fullmatch(r"SIG[A-Z0-9]{2,8}", text) else signal.SIGTERM
