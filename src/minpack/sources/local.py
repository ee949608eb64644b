"""Opening a base of this host: nothing, a directory, a tarball."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import SCRATCH, BaseKind, OpenBase
from minpack.errors import InputError, StoreError, SumMismatchError, UnknownBaseError, UsageError, reason_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.spec.base_ref import BaseRef
    from minpack.store.store import Store


@contextmanager
def open_local(ref: BaseRef, options: BaseOptions) -> Generator[OpenBase]:
    """A base that nothing is fetched for: nothing, a directory, a tarball.

    :raises MinpackError: as `open_base`.
    """
    if options.sha512 and ref.kind is not BaseKind.TARBALL:
        raise UsageError(
            "--base-sha512", "", f"it is the checksum of a tarball, but {ref.text!r} is not one", "leave it out"
        )
    if ref.kind is BaseKind.SCRATCH:
        from minpack.base.entries import base_of  # noqa: PLC0415

        # Nothing: what minpack brings itself fills in wherever a base has no file of its own.
        yield OpenBase(base_of(SCRATCH, ()), BaseKind.SCRATCH)
    elif ref.kind is BaseKind.DIRECTORY:
        from minpack.base.directory import DirectoryBase  # noqa: PLC0415
        from minpack.base.images import refuse_image  # noqa: PLC0415

        directory = DirectoryBase(ref.name)
        refuse_image(directory, ref.name, is_directory=True)
        yield OpenBase(directory, BaseKind.DIRECTORY)
    else:
        with _open_tarball(ref.name, options) as opened:
            yield opened


@contextmanager
def _open_tarball(path: str, options: BaseOptions) -> Generator[OpenBase]:
    from minpack.base.images import refuse_image  # noqa: PLC0415
    from minpack.base.tarball import open_tarball  # noqa: PLC0415

    if not is_there(path):
        raise UnknownBaseError(path, "no such base or file", near_hint(path))
    if options.sha512:
        _check_sum(path, options.sha512)
    with (
        store_for_unpacked(options) as store,
        open_tarball(path, os.path.basename(path), temporary=options.temporary, store=store) as base,
    ):
        refuse_image(base, path, is_directory=False)
        yield OpenBase(base, BaseKind.TARBALL, size=_size(path), notes=base.notes)


def near_hint(path: str) -> str:
    """What to do where neither a base nor a file is called so."""
    from minpack.catalog.likely import NO_UBUNTU, likely_base  # noqa: PLC0415 - for refusals alone

    hint = "minpack base list shows the names; write a path like ./rootfs or base.tar.gz"
    if path.startswith((".", "/")):
        return hint
    if path.startswith("ubuntu"):
        return NO_UBUNTU
    near = likely_base(path)
    return f"did you mean {near}? {hint}" if near else hint


def is_there(path: str) -> bool:
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


def store_for_unpacked(options: BaseOptions) -> Store:
    """The store, or one that keeps nothing: a tarball of this host's can be opened without."""
    from minpack.store.store import open_store  # noqa: PLC0415

    try:
        return open_store(options.store)
    except StoreError:
        return open_store(None)


def _check_sum(path: str, expected: str) -> None:
    actual = file_sum(path, "sha512")
    if actual != expected.lower():
        raise SumMismatchError(path, "SHA-512", expected, actual, "the file does not match --base-sha512")


def file_sum(path: str, algorithm: str) -> str:
    """The sum of the host's file `path`, in hexadecimal.

    :raises InputError: it cannot be read, or is not a regular file.
    """
    import hashlib  # noqa: PLC0415

    try:
        # A FIFO would else be waited for, and some devices have no end.
        with open(path, "rb", opener=lambda *given: os.open(given[0], given[1] | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(path, "it is not a regular file")
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise InputError(path, reason_of(error)) from error
