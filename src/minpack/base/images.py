"""Telling an image from a root file system where one is meant and the other named."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import ImageBaseError, InputError
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from minpack.base.interface import Base

#: More bytes than any document has that names the layers of an image.
_MOST = 1 << 20
#: One of them at the top makes a root file system of what has a `manifest.json` of its own beside it.
_ROOTFS = ("bin", "etc", "lib", "sbin", "usr")
#: What is beside an image's layers, or beside the root file system of a bundle of OCI's, LXC's or Incus's.
_DOCUMENTS = ("manifest.json", "repositories", "config.json", "metadata.yaml")
_OLD_LAYER = "[0-9a-f]{64}"


class _Form(NamedTuple):
    """What an image lies in, and how it is named as a base: `{}` stands for its path."""

    what: str
    remedy: str


_ARCHIVE = _Form(
    "an image archive, as docker save writes it",
    "name it as an image: --base docker-archive:{}",
)
_UNPACKED_ARCHIVE = _ARCHIVE._replace(remedy="make one file of it: tar -C {} -cf saved.tar .; then --base ./saved.tar")
_LAYOUT = _Form("an OCI image layout", "name it as an image: --base oci:{}")
_OCI_ARCHIVE = _Form(
    "an OCI image layout in a tarball",
    "name it as an image: --base oci-archive:{}",
)
_COPY = _Form("an image, as skopeo copies it to a directory", "skopeo copy dir:{} oci:image; then --base oci:image")
_BUNDLE = _Form("a container bundle with a rootfs directory", "name that directory: --base {}/rootfs")
_PACKED_BUNDLE = _Form("a container bundle with a rootfs directory", "tar -xf {}; then --base ./rootfs")


def refuse_image(base: Base, path: str, *, is_directory: bool) -> None:
    """Raise `ImageBaseError` if the base is an image.

    :param path: the host's path of the base, as the user wrote it.
    :raises ImageBaseError: it is one.
    """
    form = _form(base, is_directory=is_directory)
    if form is not None:
        from shlex import quote  # noqa: PLC0415 - for this error alone

        raise ImageBaseError(base.name, form.what, form.remedy.format(quote(path.rstrip("/"))))


def _form(base: Base, *, is_directory: bool) -> _Form | None:
    if _has(base, "oci-layout") and _has(base, "index.json"):
        if is_directory:
            return _LAYOUT
        return _ARCHIVE if _has(base, "manifest.json") else _OCI_ARCHIVE
    if not any(_has(base, name) for name in _DOCUMENTS):
        return None
    top = base.listdir(ROOT)
    if not set(top).isdisjoint(_ROOTFS):
        return None
    if "rootfs" in top and not {"config.json", "metadata.yaml"}.isdisjoint(top):
        return _BUNDLE if is_directory else _PACKED_BUNDLE
    manifest = _read(base, RootPath("/manifest.json")).lstrip()
    if manifest.startswith(b"{") and b'"schemaVersion"' in manifest and _has(base, "version"):
        return _COPY
    is_saved = manifest.startswith(b"[") and b'"Config"' in manifest and b'"Layers"' in manifest
    # Before Docker 1.10 there was no manifest.json.
    if is_saved or any(re.fullmatch(_OLD_LAYER, name) and _has(base, f"{name}/layer.tar") for name in top):
        return _UNPACKED_ARCHIVE if is_directory else _ARCHIVE
    return None


def _has(base: Base, name: str) -> bool:
    """Whether there is a file of that name, or a link as docker save makes to a layer it has written already."""
    entry = base.lstat(RootPath(f"/{name}"))
    return entry is not None and entry.kind in (Kind.FILE, Kind.SYMLINK)


def _read(base: Base, path: RootPath) -> bytes:
    """The bytes of a small file; none if it cannot be read."""
    entry = base.lstat(path)
    if entry is not None and entry.content is not None:
        with suppress(InputError):
            return read_all(entry.content, _MOST)
    return b""
