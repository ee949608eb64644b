"""Types of the functions that callers give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from minpack.build.pack import Packed
from minpack.oci.image import Artifact, Index
from minpack.oci.layer import Layer
from minpack.output.write import WrittenImages
from minpack.paths import RootPath
from minpack.registry.client import RegistryClient
from minpack.registry.repository import ImageRepository

#: Called often, and must return quickly: with the task, the bytes done, and the bytes in all, or None if not known.
Progress = Callable[[str, int, int | None], None]
#: Makes the artifacts about the written images, which are given in the order of their platforms.
ArtifactMaker = Callable[[tuple[Packed, ...], WrittenImages], Sequence[Artifact]]
#: Makes files that go into the planned image, by path.
FileMaker = Callable[[Packed], Mapping[RootPath, bytes]]
#: Writes more to a repository that already has all of an image's blobs, before the image gets its tags there.
RegistryStep = Callable[[RegistryClient, ImageRepository, Index], object]
#: Examines finished images and the layers of each, as they were written; raises an error to refuse them.
AcceptStep = Callable[[Index, Sequence[Sequence[Layer]]], object]
