"""Opening whatever --base names: nothing, a directory, a tarball, or a release from the catalogue."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from minpack.content import reason_of
from minpack.errors import InputError, StoreError, SumMismatchError, UnknownBaseError, UsageError
from minpack.namedtuple import NamedTuple
from minpack.target import alpine_arch

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.tree import Base
    from minpack.lock.values import LockedImage
    from minpack.progress import Progress
    from minpack.store.network import Network
    from minpack.store.store import Store
    from minpack.target import Platform

SCRATCH = "scratch"
#: Names that are looked up in a catalogue; a file of such a name is meant by ``./NAME``.
_NAME = r"[a-z]+-[a-z0-9][a-z0-9.-]*"
_TARBALL = r"\.(tar|tgz|txz|tzst|tbz2?|gz|xz|zst|bz2)$"


class BaseKind(StrEnum):
    """What a base is; a closed list, used in JSON."""

    SCRATCH = "scratch"
    DIRECTORY = "directory"
    TARBALL = "tarball"
    RELEASE = "release"
    PACKAGES = "packages"


class PackageOptions(NamedTuple):
    """How packages are fetched from the repositories that a base names.

    `keys` is a directory of the public keys to trust instead of the base's, empty for those; `now` is in seconds since
    1970; `locked` refuses an index or release that is older than one seen before, which is else a note.
    """

    now: int
    keys: str = ""
    locked: bool = False


class BaseOptions(NamedTuple):
    """Where named bases come from and are kept.

    `store` is the store's directory or None for none, `mirror` and `sha512` are
    empty for the catalogue's, `today` is ``YYYY-MM-DD``. `packages` is None where
    nothing is to be fetched from repositories.
    """

    store: str | None
    network: Network
    today: str
    mirror: str = ""
    sha512: str = ""
    #: Where compressed tarballs are unpacked to, in files without a name.
    temporary: str = "/tmp"  # noqa: S108
    packages: PackageOptions | None = None
    #: As `mirror`, for Debian's archive.
    debian_mirror: str = ""
    #: Look anew for what may have changed since it was fetched today.
    refresh: bool = False
    #: Fetch all that tells what there is, whether it is asked for or not.
    complete: bool = False
    #: What the base and its packages are, and nothing else; None where they are looked for.
    locked: LockedImage | None = None


class OpenBase(NamedTuple):
    """An open base and its facts.

    `sha256` and `size` are those of a tarball, `url` of one that was fetched; of packages, those of the signed release.
    """

    base: Base
    kind: BaseKind
    url: str = ""
    sha256: str = ""
    size: int = 0
    notes: tuple[str, ...] = ()
    #: The point release that a name meant; empty for what has none.
    release: str = ""


def is_name(text: str) -> bool:
    """Whether `text` is looked up in the catalogue, and not a path."""
    return bool(re.fullmatch(_NAME, text)) and not re.search(_TARBALL, text)


@contextmanager
def open_base(text: str, platform: Platform, options: BaseOptions, progress: Progress) -> Generator[OpenBase]:
    """The base that `text` names, open until the block is left.

    :param platform: the one to fetch the base for.
    :raises UnknownBaseError: there is no such file and no such name.
    :raises ArchiveError: a tarball is damaged or unsafe.
    :raises ImageBaseError: it is an image.
    :raises InputError: it cannot be read.
    :raises SumMismatchError: a tarball is not the expected one.
    :raises UsageError: a sum is given, and the base is no tarball.
    """
    if options.locked is not None:
        from minpack.base.locked import open_locked  # noqa: PLC0415 - for locked builds alone

        opener = open_locked(text, platform, options, options.locked, progress)
    elif is_name(text):
        from minpack.base.debiancatalog import is_debian  # noqa: PLC0415

        opener = (_open_debian if is_debian(text) else _open_release)(text, platform, options, progress)
    else:
        opener = open_local(text, options)
    with opener as opened:
        yield opened


@contextmanager
def open_local(text: str, options: BaseOptions) -> Generator[OpenBase]:
    """The base that `text` names, which is no name of a catalogue.

    :raises MinpackError: as `open_base`.
    """
    if options.sha512 and (text == SCRATCH or os.path.isdir(text)):
        raise UsageError("--base-sha512", "", f"it is the sum of a tarball, and {text!r} is none", "leave it out")
    if text == SCRATCH:
        from minpack.base.entries import base_of  # noqa: PLC0415

        # Nothing: what minpack brings itself fills in wherever a base has no file of its own.
        yield OpenBase(base_of(SCRATCH, ()), BaseKind.SCRATCH)
    elif os.path.isdir(text):
        from minpack.base.directory import DirectoryBase  # noqa: PLC0415
        from minpack.base.images import refuse_image  # noqa: PLC0415

        directory = DirectoryBase(text)
        refuse_image(directory, text, is_directory=True)
        yield OpenBase(directory, BaseKind.DIRECTORY)
    else:
        with _open_tarball(text, options) as opened:
            yield opened


@contextmanager
def _open_release(name: str, platform: Platform, options: BaseOptions, progress: Progress) -> Generator[OpenBase]:
    from minpack.base.catalog import parse_name  # noqa: PLC0415
    from minpack.base.named import MIRROR, fetch_named_base  # noqa: PLC0415
    from minpack.base.tarball import open_tarball  # noqa: PLC0415
    from minpack.store.store import open_store  # noqa: PLC0415

    arch = alpine_arch(platform)
    if parse_name(name) is None and os.path.lexists(name):
        raise UnknownBaseError(name, "no base has that name", f"the file or directory here is meant by ./{name}")
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
    from minpack.base.debian import DebianBase  # noqa: PLC0415
    from minpack.base.debianarchive import open_archive  # noqa: PLC0415
    from minpack.base.debiancatalog import MIRROR, RELEASES, find_debian, support_note  # noqa: PLC0415
    from minpack.base.debiansuite import Place  # noqa: PLC0415
    from minpack.base.named import mirror_address  # noqa: PLC0415
    from minpack.deb.trust import debian_keys, keys_in  # noqa: PLC0415
    from minpack.store.store import open_store  # noqa: PLC0415
    from minpack.target import target_of  # noqa: PLC0415

    release = find_debian(name)
    if release is None:
        names = ", ".join(r.name for r in reversed(RELEASES))
        if os.path.lexists(name):
            raise UnknownBaseError(name, "no base has that name", f"the file or directory here is meant by ./{name}")
        from minpack.base.likely import likely_base  # noqa: PLC0415 - for refusals alone

        near = likely_base(name)
        question = f"did you mean {near}? " if near else ""
        raise UnknownBaseError(name, "no base has that name", f"{question}of Debian there are {names}")
    if options.sha512:
        raise UsageError("--base-sha512", "", f"it is the sum of a tarball, and {name!r} is none", "leave it out")
    # Debian's ARM with a floating-point unit begins at v7.
    arch = target_of(platform).debian if platform.variant != "v6" else None
    if arch is None:
        hint = "minpack base list shows the architectures"
        if platform.variant == "v6":
            hint = "its armhf is for v7: --platform linux/arm/v7 makes an image for that"
        raise UnknownBaseError(name, f"it has no {platform}", hint)
    mirror, network = mirror_address(options.debian_mirror or MIRROR, options.network)
    with open_store(options.store) as store:
        own = options.packages.keys if options.packages is not None else ""
        keys = keys_in(own) if own else debian_keys()
        refuses = options.packages is not None and options.packages.locked
        place = Place(store, network, options.today, keys, progress, options.refresh, refuses)
        with open_archive(release, arch, mirror, place) as archive, DebianBase(archive) as base:
            if options.complete:
                archive.libraries()
            notes = (*archive.notes, support_note(release, options.today), store.problem)
            url = archive.suite.url
            kept = tuple(note for note in notes if note)
            sha256 = archive.release.sha256
            yield OpenBase(base, BaseKind.PACKAGES, url, sha256, notes=kept, release=archive.release.release.version)


@contextmanager
def _open_tarball(path: str, options: BaseOptions) -> Generator[OpenBase]:
    from minpack.base.images import refuse_image  # noqa: PLC0415
    from minpack.base.tarball import open_tarball  # noqa: PLC0415

    if not _is_there(path):
        raise UnknownBaseError(path, "there is no base and no file of that name", _near(path))
    if options.sha512:
        _check_sum(path, options.sha512)
    with (
        _store_for_unpacked(options) as store,
        open_tarball(path, os.path.basename(path), temporary=options.temporary, store=store) as base,
    ):
        refuse_image(base, path, is_directory=False)
        yield OpenBase(base, BaseKind.TARBALL, size=_size(path), notes=base.notes)


def _near(path: str) -> str:
    """What to do where neither a base nor a file is called so."""
    from minpack.base.likely import NO_UBUNTU, likely_base  # noqa: PLC0415 - for refusals alone

    hint = "minpack base list shows the names; a path needs a slash or an ending, as ./rootfs or base.tar.gz"
    if path.startswith((".", "/")):
        return hint
    if path.startswith("ubuntu"):
        return NO_UBUNTU
    near = likely_base(path)
    return f"did you mean {near}? {hint}" if near else hint


def _is_there(path: str) -> bool:
    """Whether something lies there.

    :raises InputError: the system does not say.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise InputError(path, reason_of(error)) from error
    return True


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise InputError(path, reason_of(error)) from error


def _store_for_unpacked(options: BaseOptions) -> Store:
    """The store, or one that keeps nothing: a tarball of this host's can be opened without."""
    from minpack.store.store import open_store  # noqa: PLC0415

    try:
        return open_store(options.store)
    except StoreError:
        return open_store(None)


def _check_sum(path: str, expected: str) -> None:
    actual = file_sum(path, "sha512")
    if actual != expected.lower():
        raise SumMismatchError(path, "SHA-512", expected, actual, "it is not the file that --base-sha512 means")


def file_sum(path: str, algorithm: str) -> str:
    """The sum of the host's file `path`, in hexadecimal.

    :raises InputError: it cannot be read, or is no regular file.
    """
    import hashlib  # noqa: PLC0415

    try:
        # A FIFO would else be waited for, and some devices have no end.
        with open(path, "rb", opener=lambda *given: os.open(given[0], given[1] | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(path, "it is no regular file")
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise InputError(path, reason_of(error)) from error
