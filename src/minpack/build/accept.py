"""Whether images that are made may be delivered: they are small enough, and pass their smoke test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.errors import MinpackError, TooLargeError
from minpack.excerpt import listed
from minpack.images.open import FoundImage
from minpack.oci.image import Index
from minpack.plan.reasons import sizes_by_reason
from minpack.progress import pause
from minpack.spec.base_ref import DOCKER_ARCHIVE, ImageRef

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from minpack.base.options import BaseOptions
    from minpack.images.smoke import Smoked
    from minpack.oci.image import BuiltImage
    from minpack.oci.layer import Layer
    from minpack.output.target import OutputSpec
    from minpack.plan.model import Plan
    from minpack.progress import Progress
    from minpack.spec.acceptance import Acceptance, SmokeSpec
    from minpack.target import Platform

#: Of what an image has bytes for, so many reasons are told.
MOST_REASONS = 10


class Acceptor:
    """Looks at images before they are delivered; `smoked` says how the smoke test of each went.

    :param plans: what they are made of, of all platforms.
    :param below: the bytes of the tars of the image that each is on.
    :param smaller: options that make them smaller, whatever they are made of.
    :param to: where they are written.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        plans: Sequence[Plan],
        below: Mapping[Platform, int],
        smaller: Sequence[str],
        options: BaseOptions,
        to: OutputSpec,
        progress: Progress,
    ) -> None:
        self._acceptance = acceptance
        self._plans = {plan.config.platform: plan for plan in plans}
        self._below = below
        self._smaller = tuple(smaller)
        self._options = options
        self._to = to
        self._progress = progress
        self.smoked: dict[Platform, Smoked] = {}

    def __call__(self, index: Index, layers: Sequence[Sequence[Layer]]) -> None:
        """Raise an error if an image is not to be delivered.

        :raises TooLargeError: it has more bytes than it may.
        :raises SmokeTestError: its smoke test failed.
        :raises MinpackError: it cannot be run here, or not be read.
        """
        pause(self._progress)
        for image, own in zip(index.images, layers, strict=True):
            with _of_platform(image, index):
                self._check_sizes(image, sum(layer.unpacked_size for layer in own))
        for image in index.images:
            with _of_platform(image, index):
                if self._acceptance.smoke is not None:
                    self.smoked[image.platform] = self._smoke(image, self._acceptance.smoke)

    def _check_sizes(self, image: BuiltImage, own: int) -> None:
        """Raise `TooLargeError` if an image is larger than it may be.

        :param own: the bytes of the tars of the layers that were made.
        """
        most = self._acceptance
        self._check_size(image, "packed", image.size, most.max_size, "--max-size")
        unpacked = own + self._below.get(image.platform, 0)
        self._check_size(image, "unpacked", unpacked, most.max_unpacked, "--max-unpacked")

    def _check_size(self, image: BuiltImage, what: str, size: int, most: int | None, option: str) -> None:
        if most is None or size <= most:
            return
        reasons = sizes_by_reason(self._plans[image.platform])[:MOST_REASONS]
        spare = [*(one.option for one in reasons if one.option), *self._smaller]
        hint = f"allow more with {option}{f', or make it smaller with {listed(spare)}' if spare else ''}"
        rows = tuple((f"{one.text}{_files(one.files)}", one.size) for one in reasons)
        raise TooLargeError(self._to.references[0].familiar, what, size, most, rows, hint)

    def _smoke(self, image: BuiltImage, spec: SmokeSpec) -> Smoked:
        from minpack.images.smoke import smoke  # noqa: PLC0415 - where one is asked for

        name = self._to.references[0].familiar
        place = self._to.path if self._to.path not in (None, "-") else None
        found = FoundImage(ImageRef(DOCKER_ARCHIVE, place or self._options.temporary), name, Index((image,)))
        # Nobody else reads what is unpacked for it.
        smoked = smoke(found, spec, self._options._replace(store=None))
        smoked.check(name)
        return smoked


def _files(count: int) -> str:
    return f" ({count} files)" if count > 1 else ""


@contextmanager
def _of_platform(image: BuiltImage, index: Index) -> Generator[None]:
    """Let errors say which platform they are of, where there are several."""
    try:
        yield
    except MinpackError as error:
        if len(index.images) > 1:
            error.for_platform(str(image.platform))
        raise
