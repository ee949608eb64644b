"""`ImageSpec`: what the user meant, with every default filled in."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.paths import RootPath
from minpack.rootfs.etc_files import DEFAULT_USER, User
from minpack.spec.values import PROGRAM_DIRECTORY, AddedDirectory, AddedLink, Addition, _quoted

if TYPE_CHECKING:
    from minpack.needs.need import Need
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.capability import Capability
    from minpack.spec.health import Health
    from minpack.spec.owners import OwnerName
    from minpack.target import Platform

#: What Docker sets where an image does not (oci defaults), set explicitly for every engine.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What system(3) and popen(3) start.
SHELL = "/bin/sh"


class RunConfig(NamedTuple):
    """How the image's configuration says to run it; None and empty values mean the default."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    user: User = DEFAULT_USER
    workdir: RootPath = RootPath("/")
    exposed: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    stop_signal: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    #: Whatever belongs to `user` is for group 0 too, so that the platform may choose another user.
    any_user: bool = False
    #: How engines ask whether a container is healthy; None where that was not said.
    health: Health | None = None


class Check(StrEnum):
    """How much to prove about a program before packing it."""

    NONE = "none"
    #: Every symbol the loader would look up at the start is found.
    LOAD = "load"


class ImageSpec(NamedTuple):
    """One image to make, of `programs`: paths of this host, the first being the entrypoint.

    A single program goes to `destination` if that is set; otherwise programs go into `directory` under their own
    names. Programs of several platforms make an image for each platform, with the same programs.
    """

    programs: tuple[str, ...]
    #: None for the default: nothing for static programs, and the lock's where there is one.
    base: BaseRef | None = None
    platform: Platform | None = None
    destination: RootPath | None = None
    directory: RootPath = PROGRAM_DIRECTORY
    additions: tuple[Addition, ...] = ()
    directories: tuple[AddedDirectory, ...] = ()
    links: tuple[AddedLink, ...] = ()
    libraries: tuple[str, ...] = ()
    wanted: frozenset[Need] = frozenset()
    unwanted: frozenset[Need] = frozenset()
    zone: str | None = None
    ca_file: str | None = None
    locale: str | None = None
    run: RunConfig = RunConfig()
    created: int = 0
    compression: Compression = Compression.BALANCED
    single_layer: bool = False
    threads: int = 1
    check: Check = Check.LOAD
    #: Find the functions that cause each need.
    why: bool = False
    #: Leave symbol tables and debug sections out of the programs.
    strip: bool = False
    #: Packages of the base's distribution that go in whole.
    packages: tuple[str, ...] = ()
    #: Pack the copyright files of the packages that files are from.
    package_data: bool = True
    #: The umask of this host: permissions of a file beyond it were set on purpose.
    umask: int = 0o022
    #: Libraries that may be missing: the host's container runtime brings them.
    allowed_missing: frozenset[str] = frozenset()
    #: Change the interpreter and runpath of the packed copies to the base's.
    retarget: bool = False
    #: Files, directories and patterns of the base.
    taken: tuple[str, ...] = ()
    #: Refuse what is otherwise a note: added files that would not load, and broken links.
    strict: bool = False
    #: The image to put the programs on, with what it lacks; its layers are kept.
    on: BaseRef | None = None
    #: The settings that come from that image: ``user``, ``workdir``.
    inherits: frozenset[str] = frozenset()
    #: The platforms to make images for, if several; empty means those of the programs.
    platforms: tuple[Platform, ...] = ()
    #: Bases for single platforms, which take precedence over `base`.
    bases: tuple[tuple[Platform, BaseRef], ...] = ()
    #: The owner of additions that state none; None means root.
    owner: User | OwnerName | None = None
    #: Patterns of what is left out of added directories, as in gitignore(5).
    excluded: tuple[str, ...] = ()
    #: The file capabilities of the first program, in place of those that its file has on this host.
    capabilities: tuple[Capability, ...] = ()


def unexpanded(run: RunConfig) -> tuple[str, ...]:
    """A note for each variable whose value names another one: images have values as they are written."""
    return tuple(filter(None, (_unexpanded(key, value) for key, value in run.env)))


def _unexpanded(key: str, value: str) -> str:
    found = re.search(r"(?<!\$)\$(?:\{(\w+)\}|([A-Z_][A-Z0-9_]*)\b)", value, re.ASCII) if "$" in value else None
    name = (found[1] or found[2]) if found is not None else ""
    # These the dynamic loader expands (ld.so(8), "Dynamic string tokens").
    if found is None or (key.startswith("LD_") and name in ("ORIGIN", "LIB", "PLATFORM")):
        return ""
    whole = _quoted(f"{key}={value.replace(found[0], DEFAULT_PATH)}")
    instead = f"write --env {whole}" if name == "PATH" else "write the value itself"
    return f"--env {key} has {found[0]} in it, which neither images nor engines expand: {instead}"
