"""Values from the text that users write, with the arguments checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack import paths, target
from minpack.library.check import checked
from minpack.oci import reference
from minpack.rootfs import etc_files
from minpack.spec import base_ref, capability, health, owners, values

if TYPE_CHECKING:
    from minpack.spec.base_ref import BaseRef

parse_addition = checked(values.parse_addition)
parse_capability = checked(capability.parse_capability)
parse_directory = checked(values.parse_directory)
parse_health = checked(health.parse_health)
parse_link = checked(values.parse_link)
parse_owner = checked(owners.parse_owner)
parse_platform = checked(target.parse_platform)
parse_reference = checked(reference.parse_reference)
parse_root_path = checked(paths.parse_root_path)
parse_user = checked(etc_files.parse_user)


@checked
def parse_base(text: str | os.PathLike[str]) -> BaseRef:
    """The base that `text` names: ``scratch``, a name of the catalogue, an image, or a path of this host.

    What is at a path is looked at, and nothing is fetched.

    :raises BadValueError: it is written like an image, and is not a name that images can have.
    """
    return base_ref.parse_base(os.fspath(text))
