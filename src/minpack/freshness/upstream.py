"""Where images come from, as it is now: each base, release and repository is opened once, however many images ask."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.walk import Walker
from minpack.errors import MinpackError
from minpack.freshness.installed import APK, Installed, installed_in, system_of
from minpack.freshness.repositories import AlpineRepositories, DebianRepositories
from minpack.freshness.states import PackageStates, state_of
from minpack.namedtuple import NamedTuple
from minpack.sources.locked import open_locked
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.store.store import open_store
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import ExitStack

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.freshness.installed import System
    from minpack.freshness.repositories import Repositories
    from minpack.freshness.values import ShippedPackage
    from minpack.lock.values import LockedBase, LockedImage
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform


class OpenUpstream(NamedTuple):
    """A base as it is now; without one, nothing is known.

    `installed` are its packages, and `repositories` those that have newer ones; without, `why` says why there are none.
    `state` says what is at a path, and `owners` has the packages of its files.
    """

    opened: OpenBase | None = None
    tree: Walker | None = None
    installed: Installed = Installed()
    repositories: Repositories | None = None
    why: str = ""
    state: Callable[[RootPath], str] = lambda _: ""
    owners: Mapping[RootPath, ShippedPackage] = MappingProxyType({})


class Upstreams:
    """What images come from. Everything stays open until `stack` is closed.

    :param options: with `refresh`, and packages that must be current: what they give is no older than this run.
    """

    def __init__(self, options: BaseOptions, progress: Progress, stack: ExitStack) -> None:
        self._options = options
        self._progress = progress
        self._stack = stack
        self._states = PackageStates(stack.enter_context(open_store(options.store)))
        self._bases: dict[tuple[str, Platform], OpenUpstream] = {}
        self._locked: dict[tuple[LockedBase, Platform], Installed | None] = {}
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of them."""
        repositories = (one.repositories for one in self._bases.values() if one.repositories is not None)
        of_repositories = (note for one in repositories for note in one.notes)
        return tuple(dict.fromkeys((*self._notes, *of_repositories)))

    def base(self, ref: BaseRef, platform: Platform) -> OpenUpstream:
        """What a base's name means now.

        :raises MinpackError: it cannot be had, or is not to be trusted.
        """
        key = ref.name, platform
        if key not in self._bases:
            opened = self._stack.enter_context(open_base(ref, platform, self._options, self._progress))
            self._notes |= dict.fromkeys(_support_notes(opened, platform, self._options.today))
            self._bases[key] = self._of_base(opened, platform)
        return self._bases[key]

    def system(self, system: System, platform: Platform) -> OpenUpstream:
        """What there is of a distribution that an image says it is of; only those of the catalogue are known.

        :raises MinpackError: it cannot be had, or is not to be trusted.
        """
        name = base_name(system)
        if not name:
            return OpenUpstream(why=_unknown_system(system))
        return self.base(parse_base(name), platform)

    def installed_before(self, image: LockedImage, platform: Platform) -> Installed | None:
        """The packages of the base that a lock has, as it was then; None if it cannot be had any more."""
        key = image.base, platform
        if key not in self._locked:
            try:
                with open_locked(parse_base(image.base.name), platform, self._options, image, self._progress) as opened:
                    self._locked[key] = installed_in(Walker(opened.base))
            except MinpackError:
                self._locked[key] = None
        return self._locked[key]

    def _of_base(self, opened: OpenBase, platform: Platform) -> OpenUpstream:
        if opened.kind is BaseKind.PACKAGES:
            # It has no files but those that are asked for.
            return OpenUpstream(opened, repositories=self._debian(opened))
        tree = Walker(opened.base)
        installed = installed_in(tree)
        repositories, why = self._repositories(tree, installed, platform)
        state = cache(lambda path: state_of(tree.lstat(path)))
        return OpenUpstream(opened, tree, installed, repositories, why, state, installed.owners)

    def _repositories(self, tree: Walker, installed: Installed, platform: Platform) -> tuple[Repositories | None, str]:
        """The repositories of a tree's packages; without, why there are none."""
        found = self._alpine(tree, platform)
        if found is not None:
            return found, ""
        if installed.kind == APK:
            return None, "it names no repositories"
        if not installed.kind:
            return None, installed.why
        system = system_of(tree)
        name = base_name(system)
        if not name.startswith("debian-"):
            return None, _unknown_system(system)
        return self.base(parse_base(name), platform).repositories, ""

    def _alpine(self, tree: Walker, platform: Platform) -> AlpineRepositories | None:
        from minpack.alpine.repository_set import open_repository_set  # noqa: PLC0415 - for roots alone

        arch, packages = alpine_arch(platform) or "", self._options.packages
        assert packages is not None, "internal error: packages are looked at"
        found = open_repository_set(tree, arch, self._options, packages, self._progress, self._stack)
        return AlpineRepositories(found, tree, self._states) if found is not None else None

    def _debian(self, opened: OpenBase) -> DebianRepositories:
        from minpack.debian.archive import DebianArchive  # noqa: PLC0415 - for Debian's packages alone
        from minpack.debian.base import DebianBase  # noqa: PLC0415 - as above

        assert isinstance(opened.base, DebianBase), "internal error: only Debian's bases are made of packages"
        archive = opened.base.archive
        assert isinstance(archive, DebianArchive), "internal error: it is what there is now"
        return DebianRepositories(archive, self._states)


def _support_notes(opened: OpenBase, platform: Platform, today: str) -> Iterator[str]:
    """That the support of a release of the catalogue has ended: nothing of it changes any more."""
    if opened.kind is BaseKind.RELEASE:
        from minpack.catalog import alpine  # noqa: PLC0415 - for Alpine's releases alone

        release = alpine.find_release(opened.release, alpine_arch(platform) or "")
        note = alpine.support_note(release, today) if release is not None else None
    else:
        from minpack.catalog import debian  # noqa: PLC0415 - for Debian's releases alone

        known = debian.find_debian(opened.base.name) if opened.kind is BaseKind.PACKAGES else None
        note = debian.support_note(known, today) if known is not None else None
    if note:
        yield note


def base_name(system: System) -> str:
    """The name of the catalogue that a distribution has; empty if it has none."""
    number = system.version.split(".")
    if system.id == "debian":
        from minpack.catalog.debian import find_debian  # noqa: PLC0415 - for Debian alone

        release = find_debian(f"debian-{number[0]}")
        return release.name if release is not None else ""
    if system.id == "alpine" and all(one.isdecimal() for one in number) and len(number) in (2, 3):
        return f"alpine-{'.'.join(number[:2])}"
    return ""


def _unknown_system(system: System) -> str:
    if not (system.id or system.name):
        return "nothing names its distribution"
    return f"minpack knows no repositories for {system.name or system.id}"
