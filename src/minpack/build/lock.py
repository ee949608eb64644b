"""Locks and pipelines: what an image was made of as a lock has it, and refusing to make one of anything else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from minpack._version import __version__
from minpack.base.mirrors import official
from minpack.base.options import BaseKind
from minpack.base.os_release import find_distribution
from minpack.base.walk import Walker
from minpack.content import sum_of
from minpack.errors import LockedError, LockError, MissingLibraryError, NotInBaseError, UsageError
from minpack.lock.values import (
    BASE,
    DATA,
    ON,
    PACKAGE,
    ImageKey,
    Lock,
    LockedBase,
    LockedData,
    LockedFile,
    LockedImage,
    LockedPackage,
    differences,
)
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.paths import ancestors, name
from minpack.plan.model import Origin, ReasonKind
from minpack.rootfs.entry import Kind
from minpack.sources.local import file_sum
from minpack.sources.locked import check_there, locked_ref
from minpack.trust.components import plain
from minpack.trust.licenses import license_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from minpack.base.options import BaseOptions, OpenBase
    from minpack.base.packages import PackageFacts, Packages
    from minpack.content import Content
    from minpack.embedded.base import EmbeddedBase
    from minpack.errors import MinpackError
    from minpack.paths import RootPath
    from minpack.plan.model import Plan, PlannedEntry
    from minpack.program.read import Program
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import ImageSpec
    from minpack.target import Platform

#: The embedded package that has the files of a need.
_DATA = {str(Need.CERTS): "certifi", str(Need.TZ): "tzdata"}


class LockInputs(NamedTuple):
    """All that a plan was made of, open; `platform` is that of the programs, `ref` names the base.

    `on` is the image that is kept below, if there is one; where nothing else was open, it is `base` too.
    """

    spec: ImageSpec
    platform: Platform
    ref: BaseRef
    base: OpenBase
    on: OpenBase | None
    options: BaseOptions
    packages: Packages
    data: EmbeddedBase
    programs: Sequence[Program]
    plan: Plan

    @property
    def key(self) -> ImageKey:
        """What the image is found by."""
        return ImageKey(name(self.programs[0].destination), str(self.platform))


class LockPolicy(Protocol):
    """What `pack` asks of a lock, separately for each image."""

    def select_bases(
        self, name: str, platform: Platform, spec: ImageSpec, options: BaseOptions
    ) -> tuple[ImageSpec, BaseOptions]:
        """The spec with the bases to make the image `name` of, and the options to open them with.

        :param spec: has those that the user named.
        :raises LockError: the lock has nothing for it.
        :raises InputError: the lock's base is not there.
        :raises UsageError: packages are not to be fetched, and there are some.
        """

    def verify_plan(self, made: LockInputs) -> None:
        """Raise `LockedError` if what was planned may not be written. Called before anything is."""


class LockVerifier:
    """Lets an image be made of what `lock`, read from the file `path`, names, and of nothing else."""

    def __init__(self, lock: Lock, path: str) -> None:
        self._lock = lock
        self._path = path

    def select_bases(
        self, name: str, platform: Platform, spec: ImageSpec, options: BaseOptions
    ) -> tuple[ImageSpec, BaseOptions]:
        """The bases that the lock names, unless the user names others, and options that open what the lock has."""
        key = ImageKey(name, str(platform))
        found = self._lock.find(key)
        if found is None:
            raise LockedError(self._path, *_unknown(self._lock, key))
        image = self._lock.images[found]
        if any(base.use != ON for base in image.others):
            hint = "use a newer minpack, or rewrite it with this one: minpack lock"
            raise LockError(self._path, "its image has bases for what this minpack does not know", hint)
        if options.packages is None and image.packages:
            hint = "leave it out, and unset MINPACK_NO_PACKAGES"
            raise UsageError("--no-packages", "", "the lock names packages", hint)
        return _with_bases(spec, image), options._replace(locked=image)

    def verify_plan(self, made: LockInputs) -> None:
        """Raise `LockedError` if what was planned differs from the lock."""
        locked = made.options.locked
        assert locked is not None, "internal error: the base was not opened as the lock says"
        # Base and packages were, and not all packages are looked into again.
        now = locked._replace(files=_locked_files(made), data=_locked_data(made))
        found = differences(locked, now)
        if found:
            raise LockedError(self._path, found, *_hint(locked, now))

    @contextmanager
    def refusing(self) -> Generator[None]:
        """Let what is missing in the block be a difference: the lock lacks it, and the distribution may well have it.

        :raises LockedError: a library, a file that is needed, or a package that is wanted is missing.
        """
        try:
            yield
        except MissingLibraryError as error:
            found = dict.fromkeys(("library", name, "", f"needed by {by}") for name, by, _ in error.missing)
            raise self._refusal(error, *found) from error
        except NotInBaseError as error:
            raise self._refusal(error, ("file", error.path, "", "needed")) from error
        except UsageError as error:
            if error.option != "--package":
                raise
            raise self._refusal(error, ("package", error.value, "", "wanted by --package")) from error

    def _refusal(self, error: MinpackError, *found: tuple[str, str, str, str]) -> LockedError:
        """The error that these differ, of the platform that `error` is of."""
        refusal = LockedError(self._path, found)
        if error.platform:
            refusal.for_platform(error.platform)
        return refusal


def _with_bases(spec: ImageSpec, image: LockedImage) -> ImageSpec:
    """The spec with the lock's base, and the image below, where it names none."""
    on = locked_ref(image.on) if spec.on is None and image.on is not None else spec.on
    return spec._replace(base=spec.base or locked_ref(image.base), on=on)


def _hint(locked: LockedImage, now: LockedImage) -> tuple[str, ...]:
    """What to do where embedded data is of another version, which is installed with minpack; else nothing."""
    have = {data.name: data.version for data in now.data}
    others = [f"{name}=={version}" for name, version, _ in locked.data if have.get(name, version) != version]
    return (
        (f"install {' and '.join(others)} in minpack's environment, or renew the lock with minpack update",)
        if others
        else ()
    )


def _unknown(lock: Lock, key: ImageKey) -> tuple[tuple[tuple[str, str, str, str]], str]:
    """What differs where the lock has no such image, and what to do."""
    if names := lock.names(key.platform):
        hint = f"for {key.platform} it has {', '.join(names)}; minpack lock with this program adds it"
        return (("image", key.name, "", "wanted"),), hint
    has = f"it has {', '.join(lock.platforms) or 'no platform'}"
    return (("platform", key.platform, "", "wanted"),), f"{has}; run minpack lock with this program to add its platform"


class LockRecorder:
    """Takes what images are made of, for a lock; `before` is what the lock has of each.

    :param known: whether the lock must know the images already.
    """

    def __init__(self, before: Lock, path: str, *, known: bool) -> None:
        self._before = before
        self._path = path
        self._known = known
        self._images: dict[ImageKey, LockedImage] = {}

    @property
    def images(self) -> tuple[tuple[ImageKey, LockedImage], ...]:
        """What each image is made of, in the order of their keys."""
        return tuple(sorted(self._images.items()))

    def select_bases(
        self, name: str, platform: Platform, spec: ImageSpec, options: BaseOptions
    ) -> tuple[ImageSpec, BaseOptions]:
        """The bases that the user names, else those that the lock has of this image."""
        key = ImageKey(name, str(platform))
        found = self._before.replaced(self._key(key))
        if found is None and self._known:
            raise self._no_image(key)
        if spec.base is not None or spec.on is not None or found is None:
            return spec, options
        image = self._before.images[found]
        if options.packages is None and image.base.kind == BaseKind.PACKAGES:
            raise UsageError("--no-packages", "", f"{image.base.name} is made only of packages", "leave it out")
        for base in (image.base, *((image.on,) if image.on is not None else ())):
            check_there(base)
        return _with_bases(spec, image), options

    def verify_plan(self, made: LockInputs) -> None:
        """Record what was planned, whatever it is."""
        self._images[self._key(made.key)] = locked_image(made)

    def _key(self, key: ImageKey) -> ImageKey:
        """What the lock calls the image, or is to."""
        return key if self._before.version == 1 or not self._known else self._before.find(key) or key

    def _no_image(self, key: ImageKey) -> LockError:
        if names := self._before.names(key.platform):
            hint = f"it has {', '.join(names)}; minpack lock adds one"
            return LockError(self._path, f"it has no image {key.name} for {key.platform}", hint)
        has = f"it has {', '.join(self._before.platforms) or 'none'}"
        return LockError(self._path, f"it has no platform {key.platform}", f"{has}; minpack lock adds one")


def locked_image(made: LockInputs) -> LockedImage:
    """What the plan is made of, as a lock has it: of the base, packages and embedded data, not of the user's files.

    :raises MinpackError: a file cannot be read.
    """
    programs = ((program.destination, f"sha256:{sum_of(program.content)}") for program in made.programs)
    return LockedImage(
        _locked_base(made),
        _locked_packages(made),
        _locked_files(made),
        _locked_data(made),
        tuple(sorted((("minpack", __version__), *programs))),
        others=_locked_others(made),
    )


def _locked_base(made: LockInputs) -> LockedBase:
    system = find_distribution(Walker(made.packages.known(made.base.base)).find_file)
    found = _named_base(made)
    if system is None or found.kind == BaseKind.SCRATCH:
        return found
    return found._replace(system=plain(system.id), system_version=plain(system.version))


def _named_base(made: LockInputs) -> LockedBase:
    opened = made.base
    name, sha256 = made.ref.name, opened.sha256
    if made.ref.kind is BaseKind.SCRATCH:
        # Nothing of its own is open then where an image is below.
        return LockedBase(name, made.ref.kind)
    if opened.kind is BaseKind.TARBALL and not sha256:
        sha256 = file_sum(name, "sha256")
    url = official(opened.url, made.options, debian=opened.kind is BaseKind.PACKAGES) if opened.url else ""
    if opened.kind is BaseKind.IMAGE:
        return _locked_image_base(name, opened)
    return LockedBase(name, opened.kind, opened.release, url, sha256, opened.size)


def _locked_others(made: LockInputs) -> tuple[LockedBase, ...]:
    """The image below, if there is one."""
    if made.on is None:
        return ()
    assert made.spec.on is not None, "internal error: it is on an image"
    return (_locked_image_base(made.spec.on.name, made.on)._replace(use=ON),)


def _locked_image_base(name: str, opened: OpenBase) -> LockedBase:
    """An image: where it is pulled from says its name; what it is, its digest."""
    return LockedBase(name, opened.kind, digest=opened.digest, index_digest=opened.index_digest)


def _locked_packages(made: LockInputs) -> tuple[LockedPackage, ...]:
    """All that were fetched: one that gave no file may have given the licence of another."""
    archived, debian = made.packages.archived(), made.base.kind is BaseKind.PACKAGES
    return tuple(
        sorted(
            LockedPackage(
                *(one.name, one.version, one.arch, one.repository, official(one.url, made.options, debian=debian)),
                *(one.sha256, one.size, archived.get(one.name, ""), one.signed_by),
                *_said(made.packages.facts(one)),
            )
            for one in made.packages.fetched
        )
    )


def _said(facts: PackageFacts) -> tuple[str, str, str]:
    """What a package says of itself, as a lock has it: who maintains it, its licence, its source."""
    source = f"{facts.source} {facts.source_version}".rstrip() if facts.source else ""
    return plain(facts.supplier), license_of(facts.licenses).expression, plain(source)


def _locked_data(made: LockInputs) -> tuple[LockedData, ...]:
    named = ((one.name.partition(" "), one.sha256) for one in made.data.versions())
    return tuple(sorted(LockedData(name, version, sha256) for (name, _, version), sha256 in named))


def _locked_files(made: LockInputs) -> tuple[LockedFile, ...]:
    """What was taken; of directories those alone that nothing that was taken is in: paths may lead through them."""
    found = [one for planned in made.plan.entries if (one := _locked_file(planned, made)) is not None]
    above = {directory for one in found if not one.is_directory for directory in ancestors(one.path)}
    return tuple(sorted(one for one in found if not one.is_directory or one.path not in above))


def _locked_file(planned: PlannedEntry, made: LockInputs) -> LockedFile | None:
    """The entry as a lock has it; None for what minpack or the user made."""
    entry, origin = planned.entry, _origin(planned, made)
    content = entry.content
    if made.spec.ca_file is not None and planned.reason.need == Need.CERTS and entry.kind is Kind.FILE:
        content = _without_ca_file(entry.path, made)
        origin = origin if content is not None else ""
    if not origin:
        return None
    if entry.kind is Kind.SYMLINK:
        return LockedFile(entry.path, origin, link=entry.link)
    if content is None:
        return LockedFile(entry.path, origin, entry.mode)
    return LockedFile(entry.path, origin, entry.mode, sum_of(content))


def _without_ca_file(path: RootPath, made: LockInputs) -> Content | None:
    """The bundle that certificates of the user's own are added to, of a base that has no sum; None of any other."""
    bundle = Walker(made.base.base).find_file(path) if made.base.kind is BaseKind.DIRECTORY else None
    return bundle.content if bundle is not None else None


def _origin(planned: PlannedEntry, made: LockInputs) -> str:
    if planned.source is Origin.PACKAGE and planned.package is not None:
        return f"{PACKAGE} {planned.package.name}"
    if planned.source in (Origin.BASE, Origin.PACKAGE):
        return BASE
    if planned.source is not Origin.DEFAULT or planned.entry.kind is not Kind.FILE:
        return ""
    if planned.reason.kind is ReasonKind.DATABASE:
        # It is made of the base's own, which a sum of the base stands for.
        return BASE if made.base.kind is BaseKind.DIRECTORY else ""
    data = _DATA.get(planned.reason.need, "")
    return f"{DATA} {data}" if data else ""
