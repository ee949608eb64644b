"""Packages with all that they depend on, whole, as apk would install them (apk-package(5), "depend")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import PackageError, UsageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.alpine.packages import AlpinePackages
    from minpack.paths import RootPath

#: More packages than any program depends on, desktops included.
_MOST = 2000
#: What a package may depend on that is no package's name: files, commands, and what pkg-config has.
_OF_FILES = ("/", "cmd:", "pc:", "py3.")


class WholePackages(NamedTuple):
    """Where the files of packages are, and what they depend on that no package has."""

    paths: tuple[RootPath, ...]
    missing: tuple[str, ...]


def add_with_dependencies(packages: AlpinePackages, names: Sequence[str], option: str) -> WholePackages:
    """Fetch the packages `names`, unless they are installed, and all that they depend on.

    Commands and files that they depend on are taken for those of busybox.

    :param option: what names them, for errors.
    :raises UsageError: no such package.
    :raises MinpackError: as `AlpinePackages.add`.
    """
    paths: dict[RootPath, None] = {}
    missing: dict[str, None] = {}
    todo, seen = [_named(packages, name, option) for name in reversed(names)], set[str]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if len(seen) > _MOST:
            raise PackageError(f"package {names[0]}", f"it depends on more than {_MOST} packages")
        paths.update(dict.fromkeys(packages.add(name)))
        for needed in reversed(packages.depends(name)):
            if needed.conflict or needed.name.startswith(_OF_FILES):
                continue
            provider = packages.provider(needed.name)
            if provider:
                todo.append(provider)
            else:
                missing[f"{name} depends on {needed.name}, which no package has"] = None
    return WholePackages(tuple(paths), tuple(missing))


def _named(packages: AlpinePackages, name: str, option: str) -> str:
    """The package itself; a name that others provide is none."""
    found = packages.provider(name)
    if found != name:
        raise UsageError(option, name, "no such package", "packages are looked up by their exact names")
    return name
