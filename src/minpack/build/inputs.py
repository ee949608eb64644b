"""What an image was made from: its base, the packages, and embedded data, each with its sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.namedtuple import NamedTuple
from minpack.sources.local import file_sum

if TYPE_CHECKING:
    from minpack.base.options import OpenBase
    from minpack.base.packages import Packages
    from minpack.embedded.base import EmbeddedBase
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.spec.base_ref import BaseRef


class Input(NamedTuple):
    """Something an image was made from; `sha256` is empty where nothing has one sum."""

    kind: str
    name: str
    sha256: str = ""
    size: int = 0
    url: str = ""
    version: str = ""


def base_input(ref: BaseRef, opened: OpenBase, *, sums: bool) -> Input:
    """The base as an input, of an image with its digest.

    :param sums: compute the sum of a local tarball that nothing else took.
    """
    if opened.kind is BaseKind.TARBALL and not opened.sha256:
        from minpack.base.tarball import TarballBase  # noqa: PLC0415 - it is imported where there is one

        known = opened.base.sha256 if isinstance(opened.base, TarballBase) else ""
        sha256 = known or (file_sum(ref.name, "sha256") if sums else "")
        return Input("base", opened.base.name, sha256, opened.size)
    if opened.kind is BaseKind.IMAGE:
        return image_input("base", opened)
    return Input("base", opened.base.name, opened.sha256, opened.size, opened.url)


def image_input(kind: str, opened: OpenBase) -> Input:
    """An image as an input, with the digest of its manifest."""
    return Input(kind, opened.base.name, opened.digest.removeprefix("sha256:"), opened.size, opened.url)


def package_inputs(plan: Plan, packages: Packages) -> tuple[Input, ...]:
    """The packages that were fetched and that files of the plan are from."""
    used = {planned.package for planned in plan.entries}
    return tuple(Input("package", p.name, p.sha256, p.size, p.url, p.version) for p in packages.fetched if p in used)


def data_inputs(data: EmbeddedBase) -> tuple[Input, ...]:
    """The embedded data that was used, with the version it is of."""
    return tuple(Input("data", *row) for row in data.versions())


def file_sums(plan: Plan, algorithm: str = "sha256") -> dict[RootPath, str]:
    """The sum of each file by its path, in hexadecimal, where none is written."""
    from minpack.oci.layer import sums_of  # noqa: PLC0415 - for plans alone

    return dict(sums_of(plan.all, algorithm))
