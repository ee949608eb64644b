"""Which image of a finished one is meant, where a command is about one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import UsageError
from minpack.excerpt import listed
from minpack.oci.select import select_image

if TYPE_CHECKING:
    from minpack.images.open import FoundImage
    from minpack.oci.image import BuiltImage
    from minpack.target import Platform


def chosen_image(found: FoundImage, machine: Platform | None) -> BuiltImage:
    """The only image there is, else that for `machine`.

    :param machine: this one; None if it is none that images know.
    :raises UsageError: there are several, and this machine is not known.
    :raises WrongTargetError: there are several, and none is for this machine.
    """
    images = found.built.images
    if len(images) == 1:
        return images[0]
    if machine is None:
        has = listed(str(image.platform) for image in images)
        raise UsageError("--platform", "", f"the image is for {has}", "name one: --platform OS/ARCH")
    return select_image(images, machine, found.name)
