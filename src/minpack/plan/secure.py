"""What loaders ignore in programs with file capabilities, for whoever is not root (ld.so(8), "Secure-execution mode").

musl ignores the same: variables always, and ``$ORIGIN`` of the program (`ldso/dynlink.c`, `fixup_rpath`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import EntrypointError
from minpack.ld.closure import FoundBy
from minpack.paths import parent
from minpack.rootfs.capability import unusual
from minpack.spec.capability import capability_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.ld.closure import Closure, LoadedObject
    from minpack.rootfs.etc_files import User
    from minpack.spec.image import ImageSpec

#: Variables that find libraries, by the rule that says that one did.
_VARIABLES = {FoundBy.LIBRARY_PATH: "LD_LIBRARY_PATH", FoundBy.PRELOAD: "LD_PRELOAD"}
#: Where ``$ORIGIN`` may lead all the same: loaders search there anyway.
_TRUSTED = r"(/usr)?/lib(32|64|x32)?(/[a-z0-9_]+-linux-[a-z0-9]+)?"


def check_secure(closures: Sequence[Closure], user: User) -> None:
    """Raise `EntrypointError` if a program with capabilities finds a library in a way that its loader ignores then."""
    for closure in closures:
        for loaded, reason in unheeded(closure, user):
            hint = f"link it with the runpath {parent(loaded.entry.path)}; --check none packs it anyway"
            raise EntrypointError(closure.program.path, f"it finds {loaded.name} by {reason}", hint)


def unheeded(closure: Closure, user: User) -> Iterator[tuple[LoadedObject, str]]:
    """The libraries that a program with capabilities does not find for all that, and by what it would."""
    if not closure.program.entry.capability or user.uid == 0:
        return
    for loaded, what in _found_unsafely(closure):
        yield loaded, f"{what}, which its loader ignores in programs with file capabilities"


def _found_unsafely(closure: Closure) -> Iterator[tuple[LoadedObject, str]]:
    by_path = {loaded.path: loaded for loaded in closure.objects}
    for loaded in closure.objects:
        variable = _VARIABLES.get(loaded.found_by)
        if variable is not None:
            yield loaded, variable
        elif loaded.found_by in (FoundBy.RPATH, FoundBy.RUNPATH) and not _is_trusted(loaded):
            needing = by_path.get(loaded.needed_by, closure.program).info
            if "ORIGIN" in (needing.runpath or needing.rpath or ""):
                yield loaded, f"$ORIGIN in its {loaded.found_by}"


def _is_trusted(loaded: LoadedObject) -> bool:
    return re.fullmatch(_TRUSTED, parent(loaded.entry.path)) is not None


def escalation_note(spec: ImageSpec) -> str:
    """When a program has not the capabilities that were asked for, or has them anyway."""
    names = ", ".join(dict.fromkeys(f"cap_{one.name}" for one in spec.capabilities))
    if spec.run.user.uid == 0 and unusual(capability_data(spec.capabilities)):
        return f"root needs no --cap: the --cap-add that the program needs now gives root as much by itself ({names})"
    if spec.run.user.uid == 0:
        return f"--cap changes nothing for root, whom containers give their capabilities anyway ({names})"
    return (
        f"without privilege escalation the program runs without {names} (docker run --security-opt no-new-privileges,"
        " Kubernetes allowPrivilegeEscalation: false)"
    )
