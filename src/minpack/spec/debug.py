"""What an image for debugging has besides the image itself: its tools, and what they are put beside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import BadValueError
from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath

if TYPE_CHECKING:
    from minpack.spec.base_ref import BaseRef

#: Where all tools are: nothing of the image is there, so nothing of it is shadowed.
DEBUG_ROOT = RootPath("/.debug")
#: What the tag of an image for debugging ends with.
DEBUG_SUFFIX = "-debug"
#: A tag has that many characters at most (distribution-spec, "Pulling manifests").
_MOST_TAG = 128
#: The names of packages, as apk has them (apk-package(5)).
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*", re.ASCII)
#: More packages than anybody lists.
_MOST_PACKAGES = 100
#: Names of containers (moby's `names.RestrictedNamePattern`), and of pods (RFC 1123, as Kubernetes has them).
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
_POD = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)


class ToolsSpec(NamedTuple):
    """The tools: the shell of `base`, None for the newest Alpine of the catalogue, and the packages that are added."""

    base: BaseRef | None = None
    packages: tuple[str, ...] = ()


class AttachTarget(NamedTuple):
    """A running container that tools are put beside: in an engine, or in a `pod`."""

    container: str
    pod: str = ""
    namespace: str = ""


def parse_tools(text: str) -> tuple[str, ...]:
    """The packages in `text`, separated by commas.

    :raises BadValueError: one is not the name of a package.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if not _PACKAGE.fullmatch(name):
            raise BadValueError(text, f"{name!r} is not the name of a package", "write names with commas: strace,gdb")
    if len(names) > _MOST_PACKAGES:
        raise BadValueError(text, f"it names more than {_MOST_PACKAGES} packages", "name those that you need")
    return names


def parse_attach(text: str) -> AttachTarget:
    """The container that `text` names: ``NAME`` or ``[NAMESPACE/]pod/POD/CONTAINER``.

    :raises BadValueError: it names none.
    """
    if "/" not in text:
        if not _CONTAINER.fullmatch(text):
            raise BadValueError(text, "it is not the name or ID of a container", "docker ps lists those that run")
        return AttachTarget(text)
    parts = text.split("/")
    namespace = parts.pop(0) if len(parts) == _NAMESPACED else ""
    if len(parts) != _NAMESPACED - 1 or parts[0] not in ("pod", "pods", "po"):
        hint = "write pod/POD/CONTAINER, with NAMESPACE/ in front if it is not your current one"
        raise BadValueError(text, "it does not name a container of a pod", hint)
    wrong = next((part for part in (*parts[1:], *filter(None, [namespace])) if not _POD.fullmatch(part)), None)
    if wrong is not None:
        raise BadValueError(text, f"{wrong!r} is not a name that Kubernetes has", "kubectl get pods lists them")
    return AttachTarget(parts[2], parts[1], namespace)


#: The parts of a container of a pod with its namespace.
_NAMESPACED = 4


def debug_tag(tag: str) -> str:
    """The tag of the image for debugging of the image with that tag."""
    return f"{tag[: _MOST_TAG - len(DEBUG_SUFFIX)]}{DEBUG_SUFFIX}"
