"""The SBOM of a finished image, whoever made it: of each platform, and of all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.images.tree import open_tree
from minpack.oci.config import read_config
from minpack.oci.reference import parse_image
from minpack.paths import name, normal
from minpack.spec.base_ref import DOCKER
from minpack.trust.components import Sbom, Subject
from minpack.trust.tree import describe_tree

if TYPE_CHECKING:
    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.oci.image import BuiltImage
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.trust.components import Contents


def image_sbom(found: FoundImage, options: BaseOptions, progress: Progress, created: int = 0) -> Sbom:
    """What `found` is made of: all its images, of which each has its part.

    :param created: what is said of when the SBOM was made, in seconds since 1970.
    :raises MinpackError: a layer or a file cannot be read, or a database in it is damaged.
    """
    called, built = image_name(found), found.built
    images = tuple(_contents(called, one, found.name, options, progress) for one in built.images)
    several = built.document is not None and len(images) > 1
    return Sbom(Subject(called, str(built.digest)) if several else images[0].subject, images, created)


def image_name(found: FoundImage) -> str:
    """What an SBOM calls the image: its repository in a registry, or what its file is called."""
    if found.ref.transport == DOCKER:
        named = parse_image(found.ref.name)
        return f"{named.host}/{named.name}"
    return name(normal(found.name)).removesuffix(".tar") or found.name


def _contents(called: str, image: BuiltImage, shown: str, options: BaseOptions, progress: Progress) -> Contents:
    with open_tree(image, shown, options) as base:
        return _described(called, image, shown, base, progress)


def image_contents(found: FoundImage, image: BuiltImage, base: Base, progress: Progress) -> Contents:
    """What one image of `found` contains, whose tree is open as `base`.

    :raises MinpackError: as `image_sbom`.
    """
    return _described(image_name(found), image, found.name, base, progress)


def _described(called: str, image: BuiltImage, shown: str, base: Base, progress: Progress) -> Contents:
    subject = Subject(called, str(image.digest), str(image.platform), image.platform.architecture)
    return describe_tree(subject, base, _programs(image, shown), progress)


def _programs(image: BuiltImage, shown: str) -> tuple[RootPath, ...]:
    """The program that the image runs, if its configuration names it by its path."""
    config = read_config(image, shown)
    command = (*config.entrypoint, *config.cmd)
    return (normal(command[0]),) if command and command[0].startswith("/") else ()
