"""Opening whatever --base names: nothing, a directory, a tarball, an image, or a release of the catalogue."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind, OpenBase, PackageOptions
from minpack.errors import UnknownBaseError, UsageError
from minpack.progress import no_progress
from minpack.sources.local import open_local
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from minpack.base.options import BaseOptions
    from minpack.debian.archive import DebianArchive
    from minpack.progress import Progress
    from minpack.spec.base_ref import BaseRef
    from minpack.target import Platform

#: Those that are the same for all images. A directory is looked at when it is asked, and what is made of packages has
#: those that one image wants: there the indexes of the archive stay open.
_STAYING = frozenset((BaseKind.TARBALL, BaseKind.RELEASE, BaseKind.IMAGE))


@contextmanager
def open_base(
    ref: BaseRef, platform: Platform, options: BaseOptions, progress: Progress = no_progress
) -> Generator[OpenBase]:
    """Open the base that `ref` names, until the block is left.

    :param platform: the platform to open the base for.
    :raises UnknownBaseError: there is no such file and no such name.
    :raises ArchiveError: a tarball is damaged or unsafe.
    :raises ImageBaseError: a tarball is a container bundle, or has a tree inside it in another way.
    :raises InputError: it cannot be read.
    :raises SumMismatchError: a tarball is not the expected one.
    :raises UsageError: a checksum is given, and the base is not a tarball.
    """
    opener: AbstractContextManager[OpenBase]
    if options.bases is not None and ref.kind in _STAYING and options.locked is None and options.cache is None:
        key = (ref, platform, _without_time(options))
        opener = options.bases.use(key, ref.path, lambda: _staying(_opener(ref, platform, options, progress)))
    else:
        opener = _opener(ref, platform, options, progress)
    with opener as opened:
        yield opened


def _opener(
    ref: BaseRef, platform: Platform, options: BaseOptions, progress: Progress
) -> AbstractContextManager[OpenBase]:
    if options.locked is not None:
        from minpack.sources.locked import open_locked  # noqa: PLC0415 - for locked builds alone

        return open_locked(ref, platform, options, options.locked, progress)
    if ref.kind is BaseKind.RELEASE:
        return _open_release(ref.text, platform, options, progress)
    if ref.kind is BaseKind.PACKAGES:
        return _open_debian(ref.text, platform, options, progress)
    if ref.kind is BaseKind.IMAGE:
        from minpack.sources.image import open_image  # noqa: PLC0415 - for images alone

        return open_image(ref, platform, options, progress)
    return open_local(ref, options)


@contextmanager
def _staying(opener: AbstractContextManager[OpenBase]) -> Generator[OpenBase]:
    """The base with a memory, for the images that follow."""
    from minpack.base.open_bases import BaseMemory  # noqa: PLC0415 - for many images alone

    with opener as opened, ExitStack() as stack:
        yield opened._replace(memory=BaseMemory(stack))


def _without_time(options: BaseOptions) -> BaseOptions:
    """The options as another image has them that is made of the same later."""
    packages = options.packages._replace(now=0) if options.packages is not None else None
    return options._replace(packages=packages, bases=None)


@contextmanager
def _open_release(name: str, platform: Platform, options: BaseOptions, progress: Progress) -> Generator[OpenBase]:
    from minpack.alpine.release import fetch_named_base  # noqa: PLC0415
    from minpack.base.tarball import open_tarball  # noqa: PLC0415
    from minpack.catalog.alpine import MIRROR, parse_name  # noqa: PLC0415
    from minpack.store.store import open_store  # noqa: PLC0415

    arch = alpine_arch(platform)
    if parse_name(name) is None and os.path.lexists(name):
        raise UnknownBaseError(name, "unknown base", f"for the file or directory here, write ./{name}")
    if arch is None:
        raise UnknownBaseError(name, "the distribution has no such architecture", "give a directory or a tarball")
    with (
        open_store(options.store) as store,
        fetch_named_base(
            name,
            arch,
            store=store,
            network=options.network,
            today=options.today,
            mirror=options.mirror or MIRROR,
            sha512=options.sha512,
            progress=progress,
        ) as fetched,
        open_tarball(
            fetched.content,
            fetched.release.name,
            temporary=options.temporary,
            store=store,
            sha256=fetched.sha256,
        ) as base,
    ):
        notes = (*fetched.notes, *((store.problem,) if store.problem else ()))
        yield OpenBase(base, BaseKind.RELEASE, fetched.url, fetched.sha256, fetched.size, notes, fetched.release.name)


@contextmanager
def _open_debian(name: str, platform: Platform, options: BaseOptions, progress: Progress) -> Generator[OpenBase]:
    """A release of Debian; its sum is that of the signed release of its main suite."""
    from minpack.catalog.debian import MIRROR, RELEASES, find_debian, support_note  # noqa: PLC0415
    from minpack.deb.trust import debian_keys, keys_in  # noqa: PLC0415
    from minpack.debian.archive import open_archive  # noqa: PLC0415
    from minpack.debian.base import DebianBase  # noqa: PLC0415
    from minpack.debian.suite import SuiteContext  # noqa: PLC0415
    from minpack.net.mirror import mirror_address  # noqa: PLC0415
    from minpack.store.store import open_store  # noqa: PLC0415
    from minpack.target import target_of  # noqa: PLC0415

    release = find_debian(name)
    if release is None:
        names = ", ".join(r.name for r in reversed(RELEASES))
        if os.path.lexists(name):
            raise UnknownBaseError(name, "unknown base", f"for the file or directory here, write ./{name}")
        from minpack.catalog.likely import likely_base  # noqa: PLC0415 - for refusals alone

        near = likely_base(name)
        question = f"did you mean {near}? " if near else ""
        raise UnknownBaseError(name, "unknown base", f"{question}the Debian bases are {names}")
    if options.sha512:
        raise UsageError(
            "--base-sha512", "", f"it is the checksum of a tarball, but {name!r} is not one", "leave it out"
        )
    # Debian's ARM with a floating-point unit begins at v7.
    arch = target_of(platform).debian if platform.variant != "v6" else None
    if arch is None:
        hint = "minpack base list shows the architectures"
        if platform.variant == "v6":
            hint = "its armhf is for v7: --platform linux/arm/v7 makes an image for that"
        raise UnknownBaseError(name, f"it has no {platform}", hint)
    mirror, network = mirror_address(options.debian_mirror or MIRROR, options.network)

    @contextmanager
    def opener() -> Generator[DebianArchive]:
        with open_store(options.store) as store:
            wanted = options.packages or PackageOptions(0)
            keys = keys_in(wanted.keys) if wanted.keys else debian_keys()
            refuses = (options.refresh, wanted.locked, wanted.current)
            place = SuiteContext(store, network, options.today, keys, progress, *refuses)
            with open_archive(release, arch, mirror, place) as opened:
                yield opened

    stays = options.bases is not None and options.cache is None
    key = (release.name, arch, _without_time(options)) if stays else ()
    with (
        options.bases.use(key, None, opener) if options.bases is not None and stays else opener() as archive,
        # The packages that one image fetches are not in the next one's base.
        DebianBase(archive) as base,
    ):
        if options.complete:
            archive.files()
        notes = (*archive.notes, support_note(release, options.today), archive.store.problem)
        url = archive.suite.url
        kept = tuple(note for note in notes if note)
        sha256 = archive.release.sha256
        yield OpenBase(base, BaseKind.PACKAGES, url, sha256, notes=kept, release=archive.release.release.version)
