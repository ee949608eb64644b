"""What a platform is told of an image that it is to run: its reference, a name, and how it is run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError
from minpack.images.choose import chosen_image
from minpack.images.names import names_in_file
from minpack.images.open import open_found
from minpack.images.workload import Workload, read_workload
from minpack.namedtuple import NamedTuple
from minpack.oci.reference import default_reference, parse_image
from minpack.oci.select import select_image
from minpack.spec.base_ref import DOCKER_DAEMON

if TYPE_CHECKING:
    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform

#: A label as DNS has it (RFC 1123): the most that every object of Kubernetes takes for a name.
MAX_NAME = 63
_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"


class Deployment(NamedTuple):
    """An image that is to be run under `name`; `reference` has a digest if it is `pinned`, and no `tag` then."""

    name: str
    reference: str
    tag: str
    pinned: bool
    platform: Platform
    workload: Workload
    notes: tuple[str, ...] = ()


def parse_name(text: str) -> str:
    """The name of an object of a platform.

    :raises BadValueError: it is no DNS label.
    """
    if len(text) <= MAX_NAME and re.fullmatch(_NAME, text, re.ASCII):
        return text
    better = _label(text)
    hint = f"write {OPTION} {better}" if better != text else None
    raise BadValueError(text, f"a name has at most {MAX_NAME} of a-z, 0-9 and -, and - neither first nor last", hint)


def read_deployment(
    ref: ImageRef,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None,
    machine: Platform | None,
    *,
    any_user: bool = False,
    reference: str = "",
    name: str = "",
) -> Deployment:
    """How to run the image that `ref` names.

    :param platform: whose image is looked at; without, this machine's, if there are several.
    :param any_user: whether the platform chooses the user.
    :param reference: what the image will be called, if not as it is here.
    :param name: of the object; without, that of the image.
    :raises MinpackError: there is no such image, or it cannot be read.
    """
    # All platforms': what is pinned is the index, from which each node takes its own.
    with open_found(ref, options, progress) as found:
        images = found.built.images
        image = chosen_image(found, machine) if platform is None else select_image(images, platform, found.name)
        workload = read_workload(image, found.name, options, any_user=any_user)
        called, notes = (reference, ()) if reference else _reference(ref, found, options)
    named = parse_image(called)
    return Deployment(
        name or _label(named.name.rpartition("/")[2]),
        # Podman 4 and CRI-O take no tag beside a digest.
        str(named._replace(tag="") if named.digest else named),
        *(named.tag, bool(named.digest), image.platform, workload, notes),
    )


def _reference(ref: ImageRef, found: FoundImage, options: BaseOptions) -> tuple[str, tuple[str, ...]]:
    """How the image is called where it is run, and a note of what that takes."""
    if found.repository is not None:
        named = parse_image(found.ref.name)
        return named._replace(digest=str(found.built.digest)).familiar, ()
    if found.ref.transport == DOCKER_DAEMON:
        called = found.ref.name
        if called.startswith("sha256:"):
            called = default_reference("app").familiar
        where = "the image is in this engine"
    else:
        names = names_in_file(ref, options)
        stem = re.sub(r"\.(tar|oci)(\.\w+)?$", "", ref.name.rstrip("/").rpartition("/")[2])
        called = names[0].familiar if names else default_reference(stem).familiar
        where = "the image is in a file"
    return called, (f"{where}: push it, and name it with --image, or load it where {called} is to run",)


def _label(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower())[:MAX_NAME].strip("-") or "app"
