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

#: Called often with what is going on, of which so many bytes are done, and the number of all or None; returns quickly.
Progress = Callable[[str, int, int | None], None]
#: Makes the artifacts about images that are written, in the order of their platforms.
ArtifactMaker = Callable[[tuple[Packed, ...], WrittenImages], Sequence[Artifact]]
#: Makes files that go into the image that is planned, by their paths.
FileMaker = Callable[[Packed], Mapping[RootPath, bytes]]
#: Writes something more to a repository that has all of an image, before the image has its names there.
RegistryStep = Callable[[RegistryClient, ImageRepository, Index], object]
#: Looks at images that are made, and at what writing showed of the layers of each; raises an error to refuse them.
AcceptStep = Callable[[Index, Sequence[Sequence[Layer]]], object]
