"""The options about registries that a run reads: those of bases, and shared caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.cli.effects import names_cache
from minpack.cli.options import selected
from minpack.cli.registry import RegistryAccess, with_registry
from minpack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.options import BaseOptions
    from minpack.registry.options import RegistryOptions
    from minpack.spec.base_ref import BaseRef


def with_registries(
    options: BaseOptions,
    given: Mapping[str, Any],
    *refs: BaseRef,
    push: RegistryOptions | None = None,
    lock: str | None = None,
) -> BaseOptions:
    """As `with_registry`, and with the shared caches that are named.

    :raises UsageError: nothing is kept that could be written to a cache, or see there.
    """
    access = selected(RegistryAccess, given)
    if not names_cache(given):
        return with_registry(options, access, *refs, push=push, lock=lock)
    from minpack.shared.options import CacheOptions  # noqa: PLC0415 - for shared caches alone

    reads, writes = given["caches"], given["cache_write"]
    if writes is not None and options.store is None:
        hint = "choose a directory with --cache-dir DIR"
        raise UsageError("--cache-write", "", "there is no home directory to cache anything in", hint)
    caches = (*reads, *((writes,) if writes is not None else ()))
    options = with_registry(options, access, *refs, push=push, lock=lock, caches=caches)
    assert options.registry is not None, "internal error: nobody said how registries are reached"
    return options._replace(cache=CacheOptions(options.registry, reads, writes, given.get("verify_cache", False)))
