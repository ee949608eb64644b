"""Whether a finished image passes what is asked for besides that it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.errors import MinpackError
from minpack.excerpt import listed
from minpack.images.finding import Finding, Severity
from minpack.images.smoke import smoke
from minpack.images.tree import open_tree
from minpack.paths import ROOT
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.images.open import FoundImage
    from minpack.images.smoke import Smoked
    from minpack.spec.acceptance import Acceptance, SmokeSpec

#: How many files are told of an image that is too large.
MOST_FILES = 10


def run_smoke(found: FoundImage, spec: SmokeSpec, options: BaseOptions) -> tuple[Smoked, tuple[Finding, ...]]:
    """How the smoke test of an image went, and what is found by that.

    :param found: an image of one platform.
    :raises MinpackError: it cannot be run here.
    """
    try:
        smoked = smoke(found, spec, options)
    except MinpackError as error:
        error.for_platform(str(found.built.images[0].platform))
        raise
    if smoked.passed:
        return smoked, ()
    said = f"; the last line of its output: {smoked.last_lines[-1]}" if smoked.last_lines else ""
    if smoked.absent:
        said += f"; it did not find {listed(smoked.absent, MOST_FILES)}"
    return smoked, (Finding("smoke-test", Severity.ERROR, smoked.command[0], smoked.problem + said, smoked.hint or ""),)


def check_sizes(found: FoundImage, acceptance: Acceptance, options: BaseOptions) -> tuple[Finding, ...]:
    """What is found if an image is larger than it may be.

    :param found: an image of one platform, which can be read.
    :raises MinpackError: a layer cannot be had.
    """
    image = found.built.images[0]
    over = [(image.size, acceptance.max_size, "packed")]
    with open_tree(image, found.name, options) as base:
        over.append((base.unpacked_size, acceptance.max_unpacked, "unpacked"))
        too_large = [(size, most, what) for size, most, what in over if most is not None and size > most]
        largest = _largest(base) if too_large else ""
    return tuple(
        Finding(
            *("size", Severity.ERROR, "", f"it is {size:,} bytes {what}, and the limit is {most:,}{largest}"),
            f"build it with less, or allow more with --max-{'size' if what == 'packed' else what}",
        )
        for size, most, what in too_large
    )


def _largest(base: Base) -> str:
    """The largest files, with their bytes."""
    files = [entry for _, entry in tree_below(base, ROOT) if entry is not None and entry.kind is Kind.FILE]
    largest = sorted(files, key=lambda entry: (-entry.size, entry.path))[:MOST_FILES]
    return f"; the largest files: {listed((f'{one.path} ({one.size:,})' for one in largest), MOST_FILES)}"
