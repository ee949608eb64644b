"""``.PKGINFO``, what a package says of itself (apk-package(5)): ``key = value`` lines, some keys repeated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.apk.names import is_package_name, parse_dependencies, parse_provides
from minpack.apk.version import is_version
from minpack.errors import PackageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from minpack.apk.names import Dependency, Provided

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: The digits of 63 bits; int() is slow on many more.
_MAX_DIGITS = 18


class Control(NamedTuple):
    """A package's own description. Texts are as written; names that may be several are separated by spaces.

    `size` is that of its files in bytes, `built` seconds since 1970, `datahash` the SHA-256 of its data stream in
    hexadecimal.
    """

    name: str
    version: str
    arch: str
    datahash: str
    description: str = ""
    url: str = ""
    license: str = ""
    origin: str = ""
    maintainer: str = ""
    commit: str = ""
    built: int = 0
    size: int = 0
    provider_priority: int = 0
    depend: str = ""
    provide: str = ""
    install_if: str = ""
    replace: str = ""
    scripts: tuple[str, ...] = ()

    @property
    def depends(self) -> tuple[Dependency, ...]:
        """What it needs."""
        return parse_dependencies(self.depend)

    @property
    def provides(self) -> tuple[Provided, ...]:
        """What it provides besides its own name."""
        return parse_provides(self.provide)


def parse_control(data: bytes, scripts: tuple[str, ...], what: str) -> Control:
    """The control that the bytes of a ``.PKGINFO`` state.

    :param scripts: the names of the package's install scripts.
    :param what: what to call the package in errors.
    :raises PackageError: its name, version, architecture or datahash is missing or cannot be one.
    """
    fields: dict[str, list[str]] = {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            fields.setdefault(key.strip(), []).append(value.strip())

    def one(key: str) -> str:
        return fields[key][-1] if key in fields else ""

    def all_of(key: str) -> str:
        return " ".join(fields.get(key, ()))

    for key, good in (("pkgname", is_package_name), ("pkgver", is_version), ("arch", is_arch), ("datahash", _is_sum)):
        if not good(one(key)):
            reason = f"its .PKGINFO has the {key} {one(key)[:100]!r}" if one(key) else f"its .PKGINFO has no {key}"
            raise PackageError(what, reason, "the package is damaged, or was not made by abuild or melange")
    return Control(
        one("pkgname"),
        one("pkgver"),
        one("arch"),
        one("datahash"),
        one("pkgdesc"),
        one("url"),
        one("license"),
        one("origin"),
        one("maintainer"),
        one("commit"),
        number_in(one("builddate")),
        number_in(one("size")),
        number_in(one("provider_priority")),
        all_of("depend"),
        all_of("provides"),
        all_of("install_if"),
        all_of("replaces"),
        scripts,
    )


def number_in(text: str) -> int:
    """The number that `text` is; 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else 0


def is_arch(text: str) -> bool:
    """Whether a package can be for an architecture of that name; ``noarch`` is one."""
    return re.fullmatch(r"[a-z0-9_]{1,40}", text, re.ASCII) is not None


def _is_sum(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None
