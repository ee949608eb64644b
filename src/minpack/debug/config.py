"""How an image for debugging is run: its shell instead of its program; all else is as the image has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.debug.places import BIN, SHELL
from minpack.paths import RootPath
from minpack.spec.debug import DEBUG_ROOT
from minpack.spec.image import DEFAULT_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minpack.base.interface import Base
    from minpack.debug.tools import Tools
    from minpack.oci.documents import ImageConfig

#: What says that an image is for debugging, what it is otherwise, and what the image runs that it was made of.
LABEL, ENTRYPOINT_LABEL, CMD_LABEL = "dev.minpack.debug", "dev.minpack.debug.entrypoint", "dev.minpack.debug.cmd"
#: What would make the tools' loader load libraries of the image, which may be for another C library.
_OF_LOADERS = ("LD_PRELOAD", "LD_LIBRARY_PATH")
#: Where terminals are described (terminfo(5)): in the image as ever, and then among the tools.
_TERMINFO = "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"
_TERMINFO_TOOLS = f"{DEBUG_ROOT}/etc/terminfo:{DEBUG_ROOT}/share/terminfo"
#: Where curl finds certificate authorities by itself, as Alpine and Debian build it.
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")


def debug_config(config: ImageConfig, tools: Tools, tree: Base | None) -> tuple[ImageConfig, tuple[str, ...]]:
    """The configuration with the shell as what is run; all else is the image's, but for what would break the tools."""
    env = dict(config.env)
    dropped = [f"{name}={env.pop(name)}" for name in _OF_LOADERS if name in env]
    # Behind the image's own: no program of the image is shadowed.
    env["PATH"] = f"{env.get('PATH') or DEFAULT_PATH}:{BIN}"
    for variable, value in _variables(tools, tree).items():
        env.setdefault(variable, value)
    labels = dict(config.labels) | {LABEL: "true"}
    for label, said in ((ENTRYPOINT_LABEL, config.entrypoint), (CMD_LABEL, config.cmd)):
        labels |= {label: _json(said)} if said else {}
    notes = tuple(f"{one} is not set, because it would make the tools load libraries from the image" for one in dropped)
    changed = config._replace(entrypoint=(SHELL,), cmd=(), env=tuple(env.items()), labels=tuple(labels.items()))
    return changed, notes


def _json(texts: Sequence[str]) -> str:
    import json  # noqa: PLC0415 - as documents are written

    return json.dumps(list(texts), ensure_ascii=False)


def _variables(tools: Tools, tree: Base | None) -> Mapping[str, str]:
    """Variables that tell tools where their data is, which no program of the image can miss."""
    paths = {entry.path for entry in tools.entries}
    found = {}
    if any(path.startswith(tuple(f"{one}/" for one in _TERMINFO_TOOLS.split(":"))) for path in paths):
        found["TERMINFO_DIRS"] = f"{_TERMINFO}:{_TERMINFO_TOOLS}"
    bundle = RootPath(f"{DEBUG_ROOT}{_CERTIFICATES[0]}")
    if bundle in paths and not (tree is not None and any(tree.lstat(RootPath(one)) for one in _CERTIFICATES)):
        found["CURL_CA_BUNDLE"] = bundle
    return found
