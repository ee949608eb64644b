"""Looking at one program in a finished image: what it is and needs, and what its loader opens there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.walk import Walker
from minpack.build.inspect import inspect_file
from minpack.build.tree import ResolvedTree, idle_notes, proved_closure
from minpack.errors import NotElfError, NotInImageError
from minpack.images.choose import chosen_image
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.ld.symbol_cache import SymbolCache
from minpack.oci.config import read_config
from minpack.paths import normal
from minpack.resolve.closures import audit_notes, closure_with_late, variants_of
from minpack.spec.image import Check, RunConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import BaseOptions
    from minpack.build.inspect import Inspected
    from minpack.content import Content
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform


def resolve_in_image(
    ref: ImageRef, path: str, spec: ImageSpec, options: BaseOptions, progress: Progress, machine: Platform | None
) -> ResolvedTree:
    """As `resolve_tree`, of the program at `path` in an image, with that image's variables and the spec's on top.

    :param machine: this one: of an index its image is meant, unless the spec has a platform.
    :raises NotInImageError: the image has no such file.
    :raises MinpackError: as `resolve_tree` and `open_found`.
    """
    with open_found(ref, options, progress, spec.platform) as found:
        image = chosen_image(found, machine)
        config = read_config(image, found.name)
        env = dict(config.env) | dict(spec.run.env)
        spec = spec._replace(run=RunConfig(env=tuple(env.items()), workdir=normal(config.workdir)))
        with open_tree(image, found.name, options) as base:
            walker = Walker(base)
            _content(walker, path)
            symbols = SymbolCache() if spec.check is not Check.NONE else None
            reader = symbols or SymbolCache(imports_alone=True)
            closure, late, _ = closure_with_late(spec, normal(path), walker, reader)
            proved = proved_closure(closure, None if closure.missing else symbols, found.name, spec.allowed_missing)
            notes = (*base.notes, *audit_notes(closure, symbols), *idle_notes(closure, spec))
            variants = variants_of(spec.run, closure, walker)
            return proved._replace(notes=notes, late=late, variants=variants, allowed=spec.allowed_missing)


def inspect_in_image(
    ref: ImageRef,
    paths: Sequence[str],
    today: str,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None,
    machine: Platform | None,
    *,
    why: bool = False,
    full: bool = False,
) -> tuple[Inspected, ...]:
    """As `inspect`, of the files at these paths in an image.

    :param platform: the one whose image is meant; None for the only one, or that for `machine`.
    :raises NotInImageError: the image has no such file.
    :raises MinpackError: as `inspect` and `open_found`.
    """
    with open_found(ref, options, progress, platform) as found:
        image = chosen_image(found, machine)
        with open_tree(image, found.name, options) as base:
            walker = Walker(base)
            return tuple(inspect_file(one, _content(walker, one), today, why=why, full=full) for one in paths)


def _content(walker: Walker, path: str) -> Content:
    """The file that `path` leads to.

    :raises NotInImageError: there is nothing.
    :raises NotElfError: it is a directory, or something else that is no file.
    """
    entry = walker.walk(normal(path)).entry
    if entry is None:
        raise NotInImageError(walker.base.name, path, "which --path names")
    if entry.content is None:
        raise NotElfError(path, f"a {entry.kind}", "name a program in it")
    return entry.content
