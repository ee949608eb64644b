"""The releases of Debian that can be named as bases, and how each is laid out.

There is no tarball of them: files are taken from the packages of Debian's archive (`minpack.debian.base`).
Support-end dates are those of the long-term support (wiki.debian.org, "LTS"); the loaders' paths are those of glibc
(its `sysdeps/unix/sysv/linux/*/shlib-versions` and `ld.abi` files), the directories' names those of Debian's
multiarch tuples (dpkg, `data/tupletable`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.paths import RootPath, normal

if TYPE_CHECKING:
    from minpack.catalog.alpine import CatalogEntry

#: Debian's mirror, and that of its security updates.
MIRROR = "https://ftp.debian.org/debian"
SECURITY_MIRROR = "https://security.debian.org/debian-security"


class DebianRelease(NamedTuple):
    """A release of Debian; `support_end` is the last day of long-term support, ``YYYY-MM-DD``."""

    number: str
    codename: str
    support_end: str
    arches: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that --base takes: ``debian-12``."""
        return f"debian-{self.number}"


class ReleaseLayout(NamedTuple):
    """Where an architecture has its libraries and its loader, both absolute and in a merged /usr."""

    libraries: RootPath
    loader: RootPath


def _layout(libraries: str, loader: str) -> ReleaseLayout:
    return ReleaseLayout(normal(libraries), normal(loader))


#: The oldest first.
RELEASES = (
    DebianRelease(
        *("12", "bookworm", "2028-06-30"),
        ("amd64", "arm64", "armel", "armhf", "i386", "mips64el", "mipsel", "ppc64el", "s390x"),
    ),
    DebianRelease(
        *("13", "trixie", "2030-06-30"),
        ("amd64", "arm64", "armel", "armhf", "i386", "ppc64el", "riscv64", "s390x"),
    ),
)
_LAYOUTS = {
    "amd64": _layout("/usr/lib/x86_64-linux-gnu", "/usr/lib64/ld-linux-x86-64.so.2"),
    "arm64": _layout("/usr/lib/aarch64-linux-gnu", "/usr/lib/ld-linux-aarch64.so.1"),
    "armel": _layout("/usr/lib/arm-linux-gnueabi", "/usr/lib/ld-linux.so.3"),
    "armhf": _layout("/usr/lib/arm-linux-gnueabihf", "/usr/lib/ld-linux-armhf.so.3"),
    "i386": _layout("/usr/lib/i386-linux-gnu", "/usr/lib/ld-linux.so.2"),
    "mips64el": _layout("/usr/lib/mips64el-linux-gnuabi64", "/usr/lib64/ld.so.1"),
    "mipsel": _layout("/usr/lib/mipsel-linux-gnu", "/usr/lib/ld.so.1"),
    "ppc64el": _layout("/usr/lib/powerpc64le-linux-gnu", "/usr/lib64/ld64.so.2"),
    "riscv64": _layout("/usr/lib/riscv64-linux-gnu", "/usr/lib/ld-linux-riscv64-lp64d.so.1"),
    "s390x": _layout("/usr/lib/s390x-linux-gnu", "/usr/lib/ld64.so.1"),
}
_NAME = r"debian(-[a-z0-9.]+)*"


def debian_catalogue() -> tuple[CatalogEntry, ...]:
    """The lines of the catalogue, the oldest release first; its codename stands for the newest point release."""
    from minpack.catalog.alpine import CatalogEntry  # noqa: PLC0415 - for the list of bases alone

    return tuple(CatalogEntry(r.name, r.codename, tuple(sorted(r.arches)), r.support_end) for r in RELEASES)


def is_debian(name: str) -> bool:
    """Whether `name` asks for a release of Debian, be there such a one or not."""
    return re.fullmatch(_NAME, name, re.ASCII) is not None


def find_debian(name: str) -> DebianRelease | None:
    """The release called ``debian-12`` or ``debian-bookworm``."""
    return next((r for r in RELEASES if name in (r.name, f"debian-{r.codename}")), None)


def support_note(release: DebianRelease, today: str) -> str:
    """What to tell whoever uses `release` on the day `today` after its support has ended; else nothing."""
    if today <= release.support_end:
        return ""
    return f"Debian {release.number} has had no security updates since {release.support_end}"


def layout_of(arch: str) -> ReleaseLayout:
    """The layout of `arch`, Debian's name of an architecture that some release has."""
    return _LAYOUTS[arch]


def fitting_releases(arch: str, today: str) -> tuple[str, ...]:
    """Names of releases for `arch`, Debian's name, that are supported on the day `today`, the newest first."""
    return tuple(r.name for r in reversed(RELEASES) if arch in r.arches and today <= r.support_end)
