"""What an image ships, as its lock says; and what comes with minpack itself, as it is installed now."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.embedded.base import EmbeddedBase
from minpack.freshness.compare import compare, grouped
from minpack.freshness.installed import Installed
from minpack.freshness.states import differing, state_of, state_of_locked
from minpack.freshness.upstream import OpenUpstream
from minpack.freshness.values import Change, FileChange, Label, Shipped, ShippedPackage, Unknown
from minpack.lock.values import BASE, DATA
from minpack.spec.base_ref import parse_base

if TYPE_CHECKING:
    from minpack.freshness.upstream import Upstreams
    from minpack.freshness.values import Freshness
    from minpack.lock.values import LockedBase, LockedImage
    from minpack.paths import RootPath

_NOTHING = OpenUpstream()


def look_at_locked(label: Label, image: LockedImage, upstreams: Upstreams, embedded: Embedded) -> Freshness:
    """What is found of an image that a lock has.

    :raises MinpackError: something cannot be had, or is not to be trusted.
    """
    upstream, unknown = _upstream(image, label, upstreams)
    states = {file.path: state_of_locked(file) for file in image.files}
    owners = {file.path: _owner(file.origin) for file in image.files if file.origin != BASE}
    of_base = [file.path for file in image.files if file.origin == BASE and not file.is_directory]
    packages = tuple(ShippedPackage(one.name, one.version, one.arch, one.sha256, one.size) for one in image.packages)
    if image.base.kind != BaseKind.PACKAGES:
        installed = _installed(image, label, upstream, upstreams)
        if installed is None:
            unknown += (_lost(image.base, len(of_base)),)
        known = installed.owners if installed is not None else {}
        owners |= {path: known[path].name if path in known else "" for path in of_base}
        packages += tuple(sorted({known[path] for path in of_base if path in known}))
    files = grouped(owners)
    # Of a package none of whose files is shipped, nothing can change; a lock has it for its licence.
    packages = tuple(one for one in packages if one.name in files)
    shipped = Shipped(label, packages, files, lambda path: states.get(path, ""), image.base, image.data, unknown)
    found = compare(shipped, upstream, embedded.changes(shipped))
    if image.on is None:
        return found
    from minpack.freshness.image import look_at_lower  # noqa: PLC0415 - for --on alone

    return found.with_lower(look_at_lower(label, image.on, upstreams))


def _owner(origin: str) -> str:
    kind, _, name = origin.partition(" ")
    return f"{DATA} {name}" if kind == DATA else name


def _upstream(image: LockedImage, label: Label, upstreams: Upstreams) -> tuple[OpenUpstream, tuple[Unknown, ...]]:
    """The base as it is now; where it is not here any more, that is not known."""
    ref = parse_base(image.base.name)
    if image.base.kind == BaseKind.SCRATCH:
        return _NOTHING, ()
    if ref.path is not None and not os.path.exists(ref.path):
        return _NOTHING, (Unknown(f"base {image.base.name}", len(image.files), "it is not here"),)
    return upstreams.base(ref, label.platform), ()


def _installed(image: LockedImage, label: Label, upstream: OpenUpstream, upstreams: Upstreams) -> Installed | None:
    """The packages of the base as it was; None if that cannot be had any more."""
    opened, base = upstream.opened, image.base
    if opened is None:
        return Installed()
    same = {
        BaseKind.RELEASE: opened.sha256 == base.sha256,
        BaseKind.IMAGE: opened.digest == base.digest,
    }
    # Of a tarball or a directory there is but what is there now.
    return (
        upstream.installed if same.get(BaseKind(base.kind), True) else upstreams.installed_before(image, label.platform)
    )


def _lost(base: LockedBase, files: int) -> Unknown:
    reason = "it is no longer available, so the versions of its packages are unknown"
    return Unknown(f"base {base.name} ({base.release or base.digest})", files, reason)


class Embedded:
    """The data that comes with minpack, as it is installed here."""

    def __init__(self) -> None:
        self._base = EmbeddedBase()
        self._states: dict[RootPath, str] = {}

    def changes(self, shipped: Shipped) -> list[Change]:
        """What has changed of it, of the packages of which an image has an older version than is installed.

        :raises BaseError: they are not installed as files.
        """
        return [change for data in shipped.data if (change := self._change(data.name, data.version, shipped))]

    def _change(self, name: str, version: str, shipped: Shipped) -> Change | None:
        found = differing(shipped.files.get(f"{DATA} {name}", ()), shipped.state, self._state)
        now = self._version(name) if found else ""
        if not found or _numbers(now) <= _numbers(version):
            return None
        return Change(name, version, now, "minpack", None, rebuild=True, files=tuple(FileChange(*one) for one in found))

    def _state(self, path: RootPath) -> str:
        if path not in self._states:
            self._states[path] = state_of(self._base.lstat(path))
        return self._states[path]

    def _version(self, name: str) -> str:
        found = (one.name.partition(" ") for one in self._base.versions())
        return next((version for package, _, version in found if package == name), "")


def _numbers(version: str) -> tuple[int, ...]:
    """What orders the versions of certifi and tzdata, which are dates."""
    return tuple(map(int, re.findall(r"\d{1,9}", version)))
