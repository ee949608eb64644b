"""`BaseRef`: the base that a user names, parsed once; nothing else looks at the text."""

from __future__ import annotations

import os
import re

from minpack.base.options import SCRATCH, BaseKind
from minpack.namedtuple import NamedTuple

#: Names that are looked up in a catalogue; a file of such a name is meant by ``./NAME``.
_NAME = r"[a-z]+-[a-z0-9][a-z0-9.-]*"
_TARBALL = r"\.(tar|tgz|txz|tzst|tbz2?|gz|xz|zst|bz2)$"
#: What a path begins with that cannot be the name of an image.
_PATH = r"[./~]"
#: Where every tar that is not older than POSIX's says that it is one.
_MAGIC = (257, 262)
#: What compressed files begin with: gzip, xz, bzip2, zstd.
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")
#: This host's own root, by its shortest path.
HOST = "/"


#: Where an image is, as skopeo and podman spell it in front of its name (containers-transports(5)).
DOCKER, OCI, OCI_ARCHIVE, DOCKER_ARCHIVE, DOCKER_DAEMON = _TRANSPORTS = (
    *("docker", "oci", "oci-archive", "docker-archive", "docker-daemon"),
)
#: That of a name which an engine is asked for, and then a registry; it is not written.
ANYWHERE = ""
#: Those that minpack does not read.
_OTHERS = ("dir", "containers-storage", "ostree", "sif", "tarball", "containerd")


class ImageRef(NamedTuple):
    """An image: `name` is a path of this host, the name in an engine, or a reference to a registry, or to both.

    `tag` is its name in a layout or archive that may have several; empty for the only one.
    """

    transport: str
    name: str
    tag: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it is a file or directory of this host."""
        return self.transport in (OCI, OCI_ARCHIVE, DOCKER_ARCHIVE)

    def __str__(self) -> str:
        if self.transport == ANYWHERE:
            return self.name
        slashes = "//" if self.transport == DOCKER else ""
        return f"{self.transport}:{slashes}{self.name}" + (f":{self.tag}" if self.tag else "")


class BaseRef(NamedTuple):
    """A base that was named, whether or not it exists.

    `name` is what a base of this kind is found by: a path of this host, ``/`` for its root by whatever path; a name of
    the catalogue, of Debian's releases with the number; of an image, its `image` as text. `text` is what the user
    wrote, for messages.
    """

    kind: BaseKind
    name: str
    text: str
    image: ImageRef | None = None

    @property
    def path(self) -> str | None:
        """The path of this host that it is; None for what is no path."""
        if self.image is not None:
            return self.image.name if self.image.is_local else None
        return self.name if self.kind in (BaseKind.DIRECTORY, BaseKind.TARBALL) else None

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this host."""
        return self.path is not None

    @property
    def is_named(self) -> bool:
        """Whether it is looked up in the catalogue, and fetched."""
        return self.kind in (BaseKind.RELEASE, BaseKind.PACKAGES)

    @property
    def is_pulled(self) -> bool:
        """Whether it is an image of a registry."""
        return self.image is not None and self.image.transport == DOCKER

    @property
    def is_host(self) -> bool:
        """Whether it is this host's own root."""
        return self.kind is BaseKind.DIRECTORY and self.name == HOST


SCRATCH_BASE = BaseRef(BaseKind.SCRATCH, SCRATCH, SCRATCH)
HOST_BASE = BaseRef(BaseKind.DIRECTORY, HOST, HOST)


def parse_base(text: str) -> BaseRef:
    """The base that `text` names, the first that it can be of these.

    Nothing, an image by its transport, a name of the catalogue, a path, which is looked at, an image of a registry if
    it has a slash, a colon or an ``@``; else a path where nothing is.

    :raises BadValueError: it names an image, and images have no such names.
    """
    if text == SCRATCH:
        return SCRATCH_BASE
    named = parse_transported(text)
    if named is not None:
        return _image_base(named, text)
    if "/" not in text and re.fullmatch(_NAME, text) and not re.search(_TARBALL, text):
        from minpack.catalog.debian import find_debian, is_debian  # noqa: PLC0415 - for names alone

        if not is_debian(text):
            return BaseRef(BaseKind.RELEASE, text, text)
        release = find_debian(text)
        return BaseRef(BaseKind.PACKAGES, release.name if release is not None else text, text)
    if os.path.isdir(text):
        if os.path.isfile(os.path.join(text, "oci-layout")) and os.path.isfile(os.path.join(text, "index.json")):
            return BaseRef(BaseKind.IMAGE, text, text, ImageRef(OCI, text))
        return BaseRef(BaseKind.DIRECTORY, HOST if _is_host(text) else text, text)
    if _may_be_archive(text):
        from minpack.oci.files import is_image_archive  # noqa: PLC0415 - for images alone

        if is_image_archive(text):
            return BaseRef(BaseKind.IMAGE, text, text, ImageRef(DOCKER_ARCHIVE, text))
    elif _may_be_reference(text):
        return _image_base(_transported(DOCKER, text, text), text)
    return BaseRef(BaseKind.TARBALL, text, text)


def _is_host(path: str) -> bool:
    """Whether the directory is this host's root, by whatever path; whoever opens it says why it cannot be read."""
    try:
        return os.path.samefile(path, HOST)
    except OSError:
        return False


def parse_on(text: str) -> BaseRef:
    """The image that `text` names, as `parse_base` has it; a bare word is one of a registry too.

    :raises BadValueError: it names none.
    """
    found = parse_base(text)
    if found.image is not None:
        return found
    from minpack.errors import BadValueError  # noqa: PLC0415 - where something else is named

    if found.kind is not BaseKind.TARBALL or os.path.lexists(text.replace("\0", "")) or re.match(_PATH, text):
        reason = "it is not an image" if found.kind is not BaseKind.TARBALL or os.path.lexists(text) else "no such file"
        hint = "name an image (gcr.io/distroless/static, oci:DIR, ./saved.tar); --base takes files out of any tree"
        raise BadValueError(text, reason, hint)
    return _image_base(_transported(DOCKER, text, text), text)


def parse_transported(text: str) -> ImageRef | None:
    """The image that `text` names with one of skopeo's transports; None if it begins with none.

    :raises BadValueError: it is a transport that minpack does not read, or nothing comes after it.
    """
    transport, colon, rest = text.partition(":")
    if colon and (transport in _TRANSPORTS or transport in _OTHERS) and (transport != DOCKER or rest[:2] == "//"):
        return _transported(transport, rest.removeprefix("//"), text)
    return None


def looks_like_path(text: str) -> bool:
    """Whether nothing but a path is written so, be there a file or not."""
    return re.match(_PATH, text) is not None or re.search(_TARBALL, text) is not None


def _image_base(image: ImageRef, text: str) -> BaseRef:
    return BaseRef(BaseKind.IMAGE, str(image), text, image)


def _transported(transport: str, rest: str, text: str) -> ImageRef:
    """The image that is named behind a transport."""
    from minpack.errors import BadValueError  # noqa: PLC0415 - for images alone
    from minpack.oci.reference import parse_image  # noqa: PLC0415 - as above

    if transport in _OTHERS:
        known = ", ".join(f"{one}:" for one in _TRANSPORTS)
        raise BadValueError(
            text, f"minpack does not read {transport}: images", f"copy it (skopeo copy) to one of {known}"
        )
    if transport == DOCKER:
        return ImageRef(DOCKER, str(parse_image(rest)))
    if transport == DOCKER_DAEMON:
        return ImageRef(DOCKER_DAEMON, rest if rest.startswith("sha256:") else parse_image(rest).familiar)
    path, _, tag = rest.partition(":")
    if not path:
        raise BadValueError(text, "it names no file", f"write {transport}:PATH, or {transport}:PATH:TAG")
    return ImageRef(transport, path, tag)


def _may_be_archive(path: str) -> bool:
    """Whether the file at `path`, if there is one, is a tar, or a compressed one that begins as images do."""
    try:
        # A FIFO would be waited for, and not every device has an end.
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            head = file.read(_MAGIC[1])
        return head[_MAGIC[0] :] == b"ustar" or (head.startswith(_PACKED) and _begins_as_image(path))
    except (OSError, ValueError):
        return False


def _begins_as_image(path: str) -> bool:
    from minpack.oci.begins import begins_as_image  # noqa: PLC0415 - for compressed files alone

    return begins_as_image(path) is True


def _may_be_reference(text: str) -> bool:
    """Whether it is no path that nothing is at, and has what only references to images have."""
    if os.path.lexists(text) if "\0" not in text else True:
        return False
    return re.search("[/:@]", text) is not None and not looks_like_path(text)
