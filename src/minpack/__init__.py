"""minpack turns a program into the smallest container image that works.

    from minpack import BaseOptions, Delivery, Format, Network, Request, pack, parse_reference

    options = BaseOptions(store=None, network=Network(), today="2026-01-31")
    delivery = Delivery(Format.ARCHIVE, "myapp.tar", (parse_reference("myapp"),))
    packed = pack(Request(("./myapp",)), base=None, options=options, delivery=delivery)
    print(packed.delivered.image.digest)

The stages are functions from one immutable value to the next; ARCHITECTURE.md
has their order. Errors are those of `minpack.errors`. Nothing here reads the
environment, the clock or the working directory.
"""

from __future__ import annotations

from minpack._version import __version__

# As typing's, which takes longer to import than `minpack --version` to answer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from minpack.base.open import BaseOptions, PackageOptions, open_base
    from minpack.base.walk import Walker
    from minpack.delivery import Delivered, Delivery, Format
    from minpack.elf.info import ElfInfo, ElfKind
    from minpack.elf.read import read_elf
    from minpack.errors import MinpackError
    from minpack.ld.closure import Closure, FoundBy
    from minpack.ld.resolve import resolve_closure
    from minpack.oci.reference import Reference, parse_reference
    from minpack.pipeline import Packed, pack
    from minpack.plan import Plan
    from minpack.request import Request, RunConfig
    from minpack.store.network import Network
    from minpack.target import Platform, Target

#: Where each public name lives. They are imported when they are used: `minpack --version` needs none of them.
_HOMES = {
    "BaseOptions": "minpack.base.open",
    "Closure": "minpack.ld.closure",
    "Delivered": "minpack.delivery",
    "Delivery": "minpack.delivery",
    "ElfInfo": "minpack.elf.info",
    "ElfKind": "minpack.elf.info",
    "Format": "minpack.delivery",
    "FoundBy": "minpack.ld.closure",
    "MinpackError": "minpack.errors",
    "Network": "minpack.store.network",
    "PackageOptions": "minpack.base.open",
    "Packed": "minpack.pipeline",
    "Plan": "minpack.plan",
    "Platform": "minpack.target",
    "Reference": "minpack.oci.reference",
    "Request": "minpack.request",
    "RunConfig": "minpack.request",
    "Target": "minpack.target",
    "Walker": "minpack.base.walk",
    "open_base": "minpack.base.open",
    "pack": "minpack.pipeline",
    "parse_reference": "minpack.oci.reference",
    "read_elf": "minpack.elf.read",
    "resolve_closure": "minpack.ld.resolve",
}

__all__ = [
    "BaseOptions",
    "Closure",
    "Delivered",
    "Delivery",
    "ElfInfo",
    "ElfKind",
    "Format",
    "FoundBy",
    "MinpackError",
    "Network",
    "PackageOptions",
    "Packed",
    "Plan",
    "Platform",
    "Reference",
    "Request",
    "RunConfig",
    "Target",
    "Walker",
    "__version__",
    "open_base",
    "pack",
    "parse_reference",
    "read_elf",
    "resolve_closure",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
