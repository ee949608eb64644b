"""Opening the base that a lock names: the same bytes, from the store or from where the lock says, or a refusal."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.locked_fetch import LockedDownload, LockedSource, fetch_locked
from minpack.base.mirrors import mirrored
from minpack.base.options import BaseKind, OpenBase
from minpack.base.tarball import open_tarball
from minpack.errors import InputError, LockedError, UsageError
from minpack.lock.values import ON
from minpack.sources.local import file_sum, open_local
from minpack.spec.base_ref import DOCKER_ARCHIVE, OCI, BaseRef, ImageRef, parse_base
from minpack.store.store import open_store
from minpack.target import target_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.lock.values import LockedBase, LockedImage
    from minpack.progress import Progress
    from minpack.target import Platform


@contextmanager
def open_locked(
    ref: BaseRef, platform: Platform, options: BaseOptions, locked: LockedImage, progress: Progress
) -> Generator[OpenBase]:
    """The base that `locked` names, open until the block is left.

    :param ref: what --base names, which must be the same.
    :raises LockedError: it is another, or its bytes are others.
    :raises MinpackError: as `minpack.sources.open.open_base`.
    """
    if options.sha512:
        raise UsageError("--base-sha512", "", "the lock has the sum of its base", "leave it out, or leave out --locked")
    _check_same(ref, locked)
    if ref.kind is BaseKind.RELEASE:
        opener = _open_release(options, locked, progress)
    elif ref.kind is BaseKind.PACKAGES:
        opener = _open_debian(platform, options, locked, progress)
    elif ref.kind is BaseKind.IMAGE:
        opener = _open_image(ref, platform, options, locked.base, locked.lock, progress)
    else:
        if ref.kind is BaseKind.TARBALL:
            _check_tarball(ref.name, locked)
        opener = open_local(ref, options)
    with opener as opened:
        yield opened


def _check_same(ref: BaseRef, locked: LockedImage) -> None:
    """Raise `LockedError` if `ref` cannot be the base that `locked` names, `InputError` if that is not there."""
    base = locked.base
    if ref.name == base.name:
        check_there(base)
    if ref.kind != base.kind or (ref.is_named and ref.name not in (base.name, base.release)):
        raise LockedError(locked.lock, (("base", ref.text, *_told(base, ref)),), _OTHER_HINT)


@contextmanager
def open_locked_on(
    ref: BaseRef, platform: Platform, options: BaseOptions, locked: LockedImage, progress: Progress
) -> Generator[OpenBase]:
    """The image that `locked` names to put another on, open until the block is left.

    :param ref: what --on names, which must be the same.
    :raises LockedError: it is another, or there is none.
    :raises MinpackError: as `minpack.sources.image.open_image`.
    """
    base = locked.on
    if base is None:
        raise LockedError(locked.lock, (("on", ref.text, "", "named by --on"),), _OTHER_ON_HINT)
    if ref.name == base.name:
        check_there(base)
    with _open_image(ref, platform, options, base, locked.lock, progress) as opened:
        yield opened


def check_there(base: LockedBase) -> None:
    """Raise `InputError` if the lock's base is a path of this host and is not where it was."""
    path = locked_ref(base).path
    if path is not None and not os.path.exists(path):
        what, option = ("image below", "--on") if base.use == ON else ("base", "--base")
        hint = f"it is the lock's {what}; say with {option} where it is"
        raise InputError(path, "no such file or directory", hint=hint)


def locked_ref(base: LockedBase) -> BaseRef:
    """What a lock names: of an image by its transport, else it is a path, whether anything is there or not."""
    if base.kind in (BaseKind.TARBALL, BaseKind.DIRECTORY):
        return BaseRef(BaseKind(base.kind), base.name, base.name)
    found = parse_base(base.name)
    if base.kind != BaseKind.IMAGE or str(found.image) == base.name:
        return found
    transport = OCI if os.path.isdir(base.name) else DOCKER_ARCHIVE
    return BaseRef(BaseKind.IMAGE, base.name, base.name, ImageRef(transport, base.name))


def _told(base: LockedBase, ref: BaseRef) -> tuple[str, str]:
    """The locked base and the one that was named, told apart."""
    return (base.name, ref.text) if base.name != ref.text else (f"a {base.kind}", f"a {ref.kind}")


_OTHER_HINT = "leave out --base to take the lock's; minpack lock with this --base writes another lock"
_OTHER_ON_HINT = "leave it out; minpack lock with this --on writes another lock"


def _check_tarball(path: str, locked: LockedImage) -> None:
    base = locked.base
    actual = file_sum(path, "sha256")
    if actual != base.sha256:
        sums = (f"sha256:{base.sha256}", f"sha256:{actual}")
        raise LockedError(locked.lock, (("base", path, *sums),))


@contextmanager
def _open_image(
    ref: BaseRef, platform: Platform, options: BaseOptions, base: LockedBase, lock: str, progress: Progress
) -> Generator[OpenBase]:
    from minpack.sources.image import open_image  # noqa: PLC0415 - for images alone

    with open_image(ref, platform, options, progress, base.digest) as opened:
        if opened.digest != base.digest:
            kind = ON if base.use == ON else "base"
            raise LockedError(lock, ((kind, base.name, base.digest, opened.digest),))
        yield opened


@contextmanager
def _open_release(options: BaseOptions, locked: LockedImage, progress: Progress) -> Generator[OpenBase]:
    from minpack.catalog.alpine import find_release, support_note  # noqa: PLC0415 - for bases of Alpine

    base = locked.base
    with open_store(options.store) as store:
        source = LockedSource(locked.lock, options, store, progress)
        fetched = fetch_locked(LockedDownload(("base", base.name), base.url, base.sha256, base.size), source)
        with (
            fetched.blob as blob,
            open_tarball(blob, base.release, temporary=options.temporary, store=store, sha256=base.sha256) as opened,
        ):
            url, _ = mirrored(base.url, options, debian=False)
            release = find_release(base.release, base.url.rpartition("-")[2].partition(".")[0])
            note = support_note(release, options.today) if release is not None else None
            notes = (*((note,) if note else ()), *fetched.notes, *((store.problem,) if store.problem else ()))
            yield OpenBase(opened, BaseKind.RELEASE, url, base.sha256, base.size, notes, base.release)


@contextmanager
def _open_debian(
    platform: Platform, options: BaseOptions, locked: LockedImage, progress: Progress
) -> Generator[OpenBase]:
    from minpack.catalog.debian import find_debian, support_note  # noqa: PLC0415 - for bases of Debian
    from minpack.debian.base import DebianBase  # noqa: PLC0415
    from minpack.debian.locked import LockedArchive  # noqa: PLC0415

    base = locked.base
    release, arch = find_debian(base.name), target_of(platform).debian
    if release is None or arch is None or arch not in release.arches:
        raise LockedError(locked.lock, (("base", base.name, str(platform), "no release that is known"),))
    with open_store(options.store) as store:
        archive = LockedArchive(
            base.name, arch, locked, LockedSource(locked.lock, options, store, progress, debian=True)
        )
        with DebianBase(archive) as opened:
            url, _ = mirrored(base.url, options, debian=True)
            notes = tuple(note for note in (support_note(release, options.today), store.problem) if note)
            yield OpenBase(opened, BaseKind.PACKAGES, url, base.sha256, 0, notes, base.release)
