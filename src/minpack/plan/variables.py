"""What variables of the image name: libraries to preload, certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from minpack.ld.closure import Closure
    from minpack.plan.model import Plan

_CERTS = ("SSL_CERT_FILE", "SSL_CERT_DIR")
#: The variables that are looked at.
NAMED = frozenset(("LD_PRELOAD", *_CERTS))


def check_preloaded(
    env: Mapping[str, str], closures: Sequence[Closure], base: str, allowed: Collection[str] = ()
) -> None:
    """Raise `UsageError` if LD_PRELOAD names what no program preloads.

    :param base: the base's name.
    :param allowed: names of libraries that may be missing.
    """
    names = env.get("LD_PRELOAD", "").replace(":", " ").split()
    if names and all(closure.libc is None for closure in closures):
        reason = "a static program has no loader that would preload it"
        raise UsageError("--env", f"LD_PRELOAD={env['LD_PRELOAD']}", reason, "leave it out")
    loaded = {name for closure in closures for one in closure.objects for name in (one.name, one.path, one.entry.path)}
    for name in names:
        # A name with a token ($LIB) is loaded by another one, which the loader makes of it.
        if name not in loaded and name not in allowed and "$" not in name:
            hint = f"add the library with --add SRC:DST and give that path, or allow it: --allow-missing {name}"
            raise UsageError("--env", f"LD_PRELOAD={env['LD_PRELOAD']}", f"{base} has no {name} that loads", hint)


def certificate_notes(env: Mapping[str, str], plan: Plan) -> Iterator[str]:
    """Notes of variables that name certificates which the image does not have: a volume may bring them."""
    tree = Walker(base_of("the packed tree", plan.all))
    for variable in _CERTS:
        paths = env.get(variable, "").split(":") if variable == "SSL_CERT_DIR" else [env.get(variable, "")]
        for path in paths:
            if path.startswith("/") and tree.walk(path).entry is None:
                yield f"{variable} names {path}, which is not in the image: mount it, or add it with --add SRC:{path}"
