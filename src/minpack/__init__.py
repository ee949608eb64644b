"""minpack turns a program into the smallest container image that works.

    from minpack import BaseOptions, Format, ImageSpec, Network, OutputSpec, pack, parse_reference

    spec = ImageSpec(("./myapp",))
    options = BaseOptions(store=None, network=Network(), today="2026-01-31")
    output = OutputSpec(Format.ARCHIVE, "myapp.tar", (parse_reference("myapp"),))
    packed = pack(spec, options, output)
    print(packed.digest)

docs/library.md has more. `__all__` is the public library; all other modules but `minpack.errors`, which has the errors,
are private. Values are immutable, and nothing here reads the environment, the clock or the working directory.
"""

from minpack._version import __version__

# As typing's, which takes longer to import than `minpack --version` to answer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from minpack.base.interface import Base
    from minpack.base.open_bases import BaseMemory, OpenBases
    from minpack.base.options import BaseKind, BaseOptions, OpenBase, PackageOptions
    from minpack.base.walk import Walker
    from minpack.build.inspect import Inspected
    from minpack.build.lock import LockPolicy
    from minpack.build.pack import Packed
    from minpack.build.push import LocalImage, Pushed
    from minpack.build.tree import ResolvedTree
    from minpack.cluster.executor import Cluster, OpenCluster
    from minpack.content import BytesContent, Content
    from minpack.digest import Digest
    from minpack.elf.info import ElfInfo, ElfKind
    from minpack.errors import MinpackError
    from minpack.host.overwrite import HostInput
    from minpack.ld.closure import Closure, Environment, FoundBy, LateName, Libc
    from minpack.library.bases import open_base, open_session
    from minpack.library.callbacks import AcceptStep, ArtifactMaker, FileMaker, Progress, RegistryStep
    from minpack.library.commands import inspect, pack, push, resolve_tree
    from minpack.library.elf import read_elf, resolve_closure
    from minpack.library.parsers import (
        parse_addition,
        parse_base,
        parse_capability,
        parse_directory,
        parse_health,
        parse_link,
        parse_owner,
        parse_platform,
        parse_reference,
        parse_root_path,
        parse_user,
    )
    from minpack.lock.values import LockedImage
    from minpack.needs.need import Need
    from minpack.net.network import Limits, Network, SharedDownloads
    from minpack.oci.compression import Compression
    from minpack.oci.image import Artifact
    from minpack.oci.reference import Reference
    from minpack.output.target import BesideFile, Format, OutputSpec, WrittenOutput, WrittenTarget
    from minpack.output.write import WrittenImages
    from minpack.paths import RootPath
    from minpack.plan.model import Plan
    from minpack.registry.options import Login, RegistryOptions
    from minpack.registry.repository import ImageRepository
    from minpack.registry.secret import Secret
    from minpack.rootfs.etc_files import User
    from minpack.shared.options import CacheOptions
    from minpack.shared.use import CacheUse
    from minpack.sources.session import Session
    from minpack.spec.acceptance import Acceptance, SmokeSpec
    from minpack.spec.base_ref import BaseRef, ImageRef
    from minpack.spec.capability import Capability
    from minpack.spec.health import Health, HealthKind, HealthTest
    from minpack.spec.image import Check, ImageSpec, RunConfig
    from minpack.spec.owners import OwnerName
    from minpack.spec.values import AddedDirectory, AddedLink, Addition
    from minpack.target import Platform, Target

#: Where each public name lives. They are imported when they are used: `minpack --version` needs none of them.
_HOMES = {
    "AcceptStep": "minpack.library.callbacks",
    "Acceptance": "minpack.spec.acceptance",
    "AddedDirectory": "minpack.spec.values",
    "AddedLink": "minpack.spec.values",
    "Addition": "minpack.spec.values",
    "Artifact": "minpack.oci.image",
    "ArtifactMaker": "minpack.library.callbacks",
    "Base": "minpack.base.interface",
    "BaseKind": "minpack.base.options",
    "BaseMemory": "minpack.base.open_bases",
    "BaseOptions": "minpack.base.options",
    "BaseRef": "minpack.spec.base_ref",
    "BesideFile": "minpack.output.target",
    "BytesContent": "minpack.content",
    "CacheOptions": "minpack.shared.options",
    "CacheUse": "minpack.shared.use",
    "Capability": "minpack.spec.capability",
    "Check": "minpack.spec.image",
    "Closure": "minpack.ld.closure",
    "Cluster": "minpack.cluster.executor",
    "Compression": "minpack.oci.compression",
    "Content": "minpack.content",
    "Digest": "minpack.digest",
    "ElfInfo": "minpack.elf.info",
    "ElfKind": "minpack.elf.info",
    "Environment": "minpack.ld.closure",
    "FileMaker": "minpack.library.callbacks",
    "Format": "minpack.output.target",
    "FoundBy": "minpack.ld.closure",
    "Health": "minpack.spec.health",
    "HealthKind": "minpack.spec.health",
    "HealthTest": "minpack.spec.health",
    "HostInput": "minpack.host.overwrite",
    "ImageRef": "minpack.spec.base_ref",
    "ImageRepository": "minpack.registry.repository",
    "ImageSpec": "minpack.spec.image",
    "Inspected": "minpack.build.inspect",
    "LateName": "minpack.ld.closure",
    "Libc": "minpack.ld.closure",
    "Limits": "minpack.net.network",
    "LocalImage": "minpack.build.push",
    "LockPolicy": "minpack.build.lock",
    "LockedImage": "minpack.lock.values",
    "Login": "minpack.registry.options",
    "MinpackError": "minpack.errors",
    "Need": "minpack.needs.need",
    "Network": "minpack.net.network",
    "OpenBase": "minpack.base.options",
    "OpenBases": "minpack.base.open_bases",
    "OpenCluster": "minpack.cluster.executor",
    "OutputSpec": "minpack.output.target",
    "OwnerName": "minpack.spec.owners",
    "PackageOptions": "minpack.base.options",
    "Packed": "minpack.build.pack",
    "Plan": "minpack.plan.model",
    "Platform": "minpack.target",
    "Progress": "minpack.library.callbacks",
    "Pushed": "minpack.build.push",
    "Reference": "minpack.oci.reference",
    "RegistryOptions": "minpack.registry.options",
    "RegistryStep": "minpack.library.callbacks",
    "ResolvedTree": "minpack.build.tree",
    "RootPath": "minpack.paths",
    "RunConfig": "minpack.spec.image",
    "Secret": "minpack.registry.secret",
    "Session": "minpack.sources.session",
    "SharedDownloads": "minpack.net.network",
    "SmokeSpec": "minpack.spec.acceptance",
    "Target": "minpack.target",
    "User": "minpack.rootfs.etc_files",
    "Walker": "minpack.base.walk",
    "WrittenImages": "minpack.output.write",
    "WrittenOutput": "minpack.output.target",
    "WrittenTarget": "minpack.output.target",
    "inspect": "minpack.library.commands",
    "open_base": "minpack.library.bases",
    "open_session": "minpack.library.bases",
    "pack": "minpack.library.commands",
    "parse_addition": "minpack.library.parsers",
    "parse_base": "minpack.library.parsers",
    "parse_capability": "minpack.library.parsers",
    "parse_directory": "minpack.library.parsers",
    "parse_health": "minpack.library.parsers",
    "parse_link": "minpack.library.parsers",
    "parse_owner": "minpack.library.parsers",
    "parse_platform": "minpack.library.parsers",
    "parse_reference": "minpack.library.parsers",
    "parse_root_path": "minpack.library.parsers",
    "parse_user": "minpack.library.parsers",
    "push": "minpack.library.commands",
    "read_elf": "minpack.library.elf",
    "resolve_closure": "minpack.library.elf",
    "resolve_tree": "minpack.library.commands",
}

__all__ = [
    "AcceptStep",
    "Acceptance",
    "AddedDirectory",
    "AddedLink",
    "Addition",
    "Artifact",
    "ArtifactMaker",
    "Base",
    "BaseKind",
    "BaseMemory",
    "BaseOptions",
    "BaseRef",
    "BesideFile",
    "BytesContent",
    "CacheOptions",
    "CacheUse",
    "Capability",
    "Check",
    "Closure",
    "Cluster",
    "Compression",
    "Content",
    "Digest",
    "ElfInfo",
    "ElfKind",
    "Environment",
    "FileMaker",
    "Format",
    "FoundBy",
    "Health",
    "HealthKind",
    "HealthTest",
    "HostInput",
    "ImageRef",
    "ImageRepository",
    "ImageSpec",
    "Inspected",
    "LateName",
    "Libc",
    "Limits",
    "LocalImage",
    "LockPolicy",
    "LockedImage",
    "Login",
    "MinpackError",
    "Need",
    "Network",
    "OpenBase",
    "OpenBases",
    "OpenCluster",
    "OutputSpec",
    "OwnerName",
    "PackageOptions",
    "Packed",
    "Plan",
    "Platform",
    "Progress",
    "Pushed",
    "Reference",
    "RegistryOptions",
    "RegistryStep",
    "ResolvedTree",
    "RootPath",
    "RunConfig",
    "Secret",
    "Session",
    "SharedDownloads",
    "SmokeSpec",
    "Target",
    "User",
    "Walker",
    "WrittenImages",
    "WrittenOutput",
    "WrittenTarget",
    "__version__",
    "inspect",
    "open_base",
    "open_session",
    "pack",
    "parse_addition",
    "parse_base",
    "parse_capability",
    "parse_directory",
    "parse_health",
    "parse_link",
    "parse_owner",
    "parse_platform",
    "parse_reference",
    "parse_root_path",
    "parse_user",
    "push",
    "read_elf",
    "resolve_closure",
    "resolve_tree",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_HOMES[name]), name)
    import sys  # noqa: PLC0415

    # With both, Python's message says which name was likely meant.
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    """The public names."""
    return __all__
