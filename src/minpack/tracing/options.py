"""The options of `minpack pack` that a trace comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minpack.needs.need import Need
    from minpack.paths import RootPath
    from minpack.spec.image import ImageSpec
    from minpack.spec.values import AddedDirectory


class PackOptions(NamedTuple):
    """What is to be packed besides: each part is sorted, and without what another brings."""

    destination: RootPath | None = None
    needs: tuple[Need, ...] = ()
    taken: tuple[RootPath, ...] = ()
    libraries: tuple[str, ...] = ()
    directories: tuple[AddedDirectory, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The options as words of a command line."""
        return tuple(word for option in self.each for word in option)

    @property
    def each(self) -> tuple[tuple[str, str], ...]:
        """Each option with its value."""
        return tuple(self._each())

    def applied(self, spec: ImageSpec) -> ImageSpec:
        """The spec with these options too."""
        known = {one.path for one in spec.directories}
        return spec._replace(
            destination=self.destination or spec.destination,
            wanted=spec.wanted.union(self.needs),
            taken=(*spec.taken, *(path for path in self.taken if path not in spec.taken)),
            libraries=(*spec.libraries, *(name for name in self.libraries if name not in spec.libraries)),
            directories=(*spec.directories, *(one for one in self.directories if one.path not in known)),
        )

    def merged(self, other: PackOptions) -> PackOptions:
        """Both together."""
        directories = {one.path: one for one in (*other.directories, *self.directories)}
        return PackOptions(
            self.destination or other.destination,
            tuple(sorted({*self.needs, *other.needs})),
            _outermost({*self.taken, *other.taken}),
            tuple(sorted({*self.libraries, *other.libraries})),
            tuple(one for _, one in sorted(directories.items())),
        )

    def _each(self) -> Iterator[tuple[str, str]]:
        if self.destination is not None:
            yield "--dest", self.destination
        for need in self.needs:
            yield "--need", str(need)
        for path in self.taken:
            yield "--take", path
        for name in self.libraries:
            yield "--add-lib", name
        for one in self.directories:
            yield "--dir", str(one)


def _outermost(paths: set[RootPath]) -> tuple[RootPath, ...]:
    """The paths without those below another."""
    kept: list[RootPath] = []
    for path in sorted(paths, key=lambda one: (one.count("/"), one)):
        if not any(path.startswith(f"{above}/") for above in kept):
            kept.append(path)
    return tuple(sorted(kept))
