"""What a planned image is made of: its packages, programs and files, each with what is known of it, for an SBOM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.packages import PackageFacts
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Need
from minpack.paths import RootPath
from minpack.plan.model import Origin, ReasonKind
from minpack.rootfs.entry import Kind
from minpack.trust.components import ComponentKind, Contents, DependsOn, SbomFile
from minpack.trust.packages import data_component, package_component
from minpack.trust.programs import module_components, program_component, read_modules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from minpack.elf.info import ElfInfo
    from minpack.ld.closure import Closure
    from minpack.plan.model import Plan, PlannedEntry
    from minpack.trust.components import Component, Subject

#: The package of Python's that has the embedded files of a need, and whether they are as they are there.
_EMBEDDED = {str(Need.CERTS): ("certifi", False), str(Need.TZ): ("tzdata", True)}


class FileSums(NamedTuple):
    """The sums of a file, in hexadecimal."""

    sha256: str
    sha1: str


def describe_plan(
    subject: Subject,
    plan: Plan,
    sums: Mapping[RootPath, FileSums],
    data: Mapping[str, str],
    below: Contents | None = None,
) -> Contents:
    """What the image of `plan` contains.

    :param plan: with the facts of its packages.
    :param sums: those of each file.
    :param data: the versions of embedded data, by the name of its package.
    :param below: what the image contains that it is put on; what the plan has is none of it.
    :raises InputError: a program cannot be read.
    """
    describing = _Describing(plan, data)
    for planned in plan.written:
        describing.add(planned)
    files = tuple(describing.files(sums))
    every = (*(below.files if below is not None else ()), *files)
    elements = {file.path: file.owner or file.key for file in every}
    dependencies = (*describing.dependencies(elements), *needed_by(plan.closures, elements))
    own = Contents(subject, plan.distribution, describing.components, files, dependencies)
    return own if below is None else _over(below, own)


def _over(below: Contents, above: Contents) -> Contents:
    """Both together, each component once."""
    components = {one.key: one for one in (*below.components, *above.components)}
    return above._replace(
        distribution=above.distribution or below.distribution,
        components=tuple(components.values()),
        files=(*below.files, *above.files),
        dependencies=tuple(dict.fromkeys((*below.dependencies, *above.dependencies))),
    )


class _Describing:
    """Gathers components, and which of them each file is of."""

    def __init__(self, plan: Plan, data: Mapping[str, str]) -> None:
        self._plan = plan
        self._data = {package: data_component(package, version) for package, version in sorted(data.items())}
        self._components: dict[str, Component] = {one.key: one for one in self._data.values()}
        self._owners: dict[RootPath, str] = {}
        self._modules: dict[RootPath, tuple[str, ...]] = {}
        opened = (loaded for closure in plan.closures for loaded in closure.opened)
        self._infos: dict[RootPath, ElfInfo] = {loaded.entry.path: loaded.info for loaded in opened}

    @property
    def components(self) -> tuple[Component, ...]:
        """All that were found."""
        return tuple(self._components.values())

    def add(self, planned: PlannedEntry) -> None:
        """Add what an entry is of, and what it was built from."""
        path, content = planned.entry.path, planned.entry.content
        if planned.package is not None:
            kind, facts = ComponentKind(self._plan.kind), self._plan.facts.get(planned.package, PackageFacts())
            self._own(path, package_component(kind, planned.package, facts, self._plan.distribution))
        if content is None or planned.entry.kind is not Kind.FILE or not _may_be_program(planned):
            return
        built = read_modules(content, path, self._infos.get(path))
        if planned.reason.kind is ReasonKind.PROGRAM:
            self._own(path, program_component(path, built))
        modules = {one.key: one for one in module_components(built)}
        self._components.update(modules)
        self._modules[path] = tuple(modules)

    def _own(self, path: RootPath, owner: Component) -> None:
        self._components[owner.key] = owner
        self._owners[path] = owner.key

    def files(self, sums: Mapping[RootPath, FileSums]) -> Iterator[SbomFile]:
        """The files of the image."""
        for planned in self._plan.written:
            path = planned.entry.path
            if planned.entry.kind is Kind.HARDLINK and path not in self._owners:
                self._owners[path] = self._owners.get(RootPath(planned.entry.link), "")
            if planned.entry.kind in (Kind.FILE, Kind.HARDLINK):
                owner, made_from = self._embedded(planned)
                yield SbomFile(path, *sums[path], owner or self._owners.get(path, ""), planned.reason.text, made_from)

    def _embedded(self, planned: PlannedEntry) -> tuple[str, str]:
        """The component that an embedded file is of, or is generated from; empty for all others."""
        package, as_it_is = _EMBEDDED.get(planned.reason.need, ("", False))
        if planned.source is not Origin.DEFAULT or package not in self._data:
            return "", ""
        key = self._data[package].key
        return (key, "") if as_it_is else ("", key)

    def dependencies(self, elements: Mapping[RootPath, str]) -> Iterator[DependsOn]:
        """What depends on the modules that are in it.

        :param elements: see `needed_by`.
        """
        for path, modules in self._modules.items():
            yield from (DependsOn(elements[path], key) for key in modules)


def _may_be_program(planned: PlannedEntry) -> bool:
    """Whether it is a program, or a file of the user's that may be one."""
    return planned.source in (Origin.PROGRAM, Origin.ADDED) or planned.reason.kind is ReasonKind.PROGRAM


def needed_by(closures: Sequence[Closure], elements: Mapping[RootPath, str]) -> tuple[DependsOn, ...]:
    """Which elements need which others to be loaded, with the names that they need them by.

    :param elements: the key of the component, or of the file, that each file of the image is.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    for closure in closures:
        places = {loaded.path: elements.get(loaded.entry.path, "") for loaded in closure.opened}
        pairs = [(places.get(one.needed_by, ""), places.get(one.path, ""), one.name) for one in closure.edges]
        if closure.interpreter is not None:
            pairs.append((places[closure.program.path], places.get(closure.interpreter.path, ""), ""))
        for dependent, on, needed in pairs:
            if dependent and on and dependent != on:
                found.setdefault((dependent, on), {}).update({needed: None} if needed else {})
    return tuple(DependsOn(*pair, tuple(sorted(names))) for pair, names in sorted(found.items()))
