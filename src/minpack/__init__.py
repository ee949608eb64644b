"""minpack turns a program into the smallest container image that works.

    from minpack import BaseOptions, Format, ImageSpec, Network, OutputSpec, pack, parse_base, parse_reference

    spec = ImageSpec(("./myapp",), base=parse_base("alpine-3.22"))
    options = BaseOptions(store=None, network=Network(), today="2026-01-31")
    output = OutputSpec(Format.ARCHIVE, "myapp.tar", (parse_reference("myapp"),))
    print(pack(spec, options, output).delivered.image.digest)

The stages are functions from one immutable value to the next; ARCHITECTURE.md
has their order. Errors are those of `minpack.errors`. Nothing here reads the
environment, the clock or the working directory.
"""

from __future__ import annotations

from minpack._version import __version__

# As typing's, which takes longer to import than `minpack --version` to answer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from minpack.base.options import BaseOptions, PackageOptions
    from minpack.base.walk import Walker
    from minpack.build.pack import Packed, pack
    from minpack.elf.info import ElfInfo, ElfKind
    from minpack.elf.read import read_elf
    from minpack.errors import MinpackError
    from minpack.ld.closure import Closure, FoundBy
    from minpack.ld.resolve import resolve_closure
    from minpack.net.network import Network
    from minpack.oci.reference import Reference, parse_reference
    from minpack.output.target import Format, OutputSpec, WrittenOutput
    from minpack.plan.model import Plan
    from minpack.sources.open import open_base
    from minpack.sources.session import Session, open_session
    from minpack.spec.base_ref import BaseRef, parse_base
    from minpack.spec.image import ImageSpec, RunConfig
    from minpack.target import Platform, Target

#: Where each public name lives. They are imported when they are used: `minpack --version` needs none of them.
_HOMES = {
    "BaseOptions": "minpack.base.options",
    "BaseRef": "minpack.spec.base_ref",
    "Closure": "minpack.ld.closure",
    "ElfInfo": "minpack.elf.info",
    "ElfKind": "minpack.elf.info",
    "Format": "minpack.output.target",
    "FoundBy": "minpack.ld.closure",
    "ImageSpec": "minpack.spec.image",
    "MinpackError": "minpack.errors",
    "Network": "minpack.net.network",
    "OutputSpec": "minpack.output.target",
    "PackageOptions": "minpack.base.options",
    "Packed": "minpack.build.pack",
    "Plan": "minpack.plan.model",
    "Platform": "minpack.target",
    "Reference": "minpack.oci.reference",
    "RunConfig": "minpack.spec.image",
    "Session": "minpack.sources.session",
    "Target": "minpack.target",
    "Walker": "minpack.base.walk",
    "WrittenOutput": "minpack.output.target",
    "open_base": "minpack.sources.open",
    "open_session": "minpack.sources.session",
    "pack": "minpack.build.pack",
    "parse_base": "minpack.spec.base_ref",
    "parse_reference": "minpack.oci.reference",
    "read_elf": "minpack.elf.read",
    "resolve_closure": "minpack.ld.resolve",
}

__all__ = [
    "BaseOptions",
    "BaseRef",
    "Closure",
    "ElfInfo",
    "ElfKind",
    "Format",
    "FoundBy",
    "ImageSpec",
    "MinpackError",
    "Network",
    "OutputSpec",
    "PackageOptions",
    "Packed",
    "Plan",
    "Platform",
    "Reference",
    "RunConfig",
    "Session",
    "Target",
    "Walker",
    "WrittenOutput",
    "__version__",
    "open_base",
    "open_session",
    "pack",
    "parse_base",
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
