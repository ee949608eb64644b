"""The provenance of images that were just written: what was asked for, and all that they were made of."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

from minpack._version import __version__
from minpack.base.mirrors import official
from minpack.content import FileContent, sum_of
from minpack.namedtuple import NamedTuple
from minpack.oci.reference import parse_image
from minpack.plan.model import Origin
from minpack.sources.local import file_sum
from minpack.spec.parameters import parameters_of
from minpack.trust.attest import PROVENANCE, Document
from minpack.trust.provenance import (
    ADDED,
    BASE,
    DATA,
    FILE,
    LOCAL_BUILDER,
    LOCK,
    ON,
    PACKAGE,
    PROGRAM,
    Build,
    ResolvedInput,
    predicate,
)
from minpack.trust.purl import distribution_url, image_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from minpack.base.options import BaseOptions
    from minpack.base.packages import PackageId
    from minpack.build.artifacts import ImageFacts
    from minpack.build.inputs import Input
    from minpack.build.pack import Packed
    from minpack.paths import RootPath
    from minpack.plan.model import Plan, PlannedEntry
    from minpack.spec.image import ImageSpec

#: What decides the bytes of layers besides minpack itself.
_COMPRESSORS = ("deflate", "zstandard")
#: Where the user's own files are from.
_OWN = (Origin.PROGRAM, Origin.ADDED)


class ProvenanceSpec(NamedTuple):
    """What provenance says beyond the images: what was asked for, with which options bases are opened, and by whom.

    `builder` is the URI of who runs the build. `lock` is the lock file that was built from; empty without one.
    """

    spec: ImageSpec
    options: BaseOptions
    builder: str = LOCAL_BUILDER
    lock: str = ""


def image_provenance(wanted: ProvenanceSpec, facts: ImageFacts) -> tuple[Document, ...]:
    """The provenance of the image of one platform.

    :raises InputError: a file of the user's that it was made of cannot be read any more.
    """
    return (_document(wanted, (facts,)),)


def index_provenance(wanted: ProvenanceSpec, facts: Sequence[ImageFacts]) -> tuple[Document, ...]:
    """The provenance of an index: all that the images of its platforms were made of.

    :raises InputError: as `image_provenance`.
    """
    return (_document(wanted, facts),)


def _document(wanted: ProvenanceSpec, facts: Sequence[ImageFacts]) -> Document:
    inputs = (one for fact in facts for one in _inputs(wanted, fact))
    tools = {one.name: one.version for fact in facts for one in fact.packed.inputs if one.kind == "tool"}
    versions = {"minpack": __version__, **{name: version(name) for name in _COMPRESSORS}, **tools}
    build = Build(parameters_of(wanted.spec), tuple(inputs), versions, wanted.builder)
    return Document(PROVENANCE, predicate(build))


def _inputs(wanted: ProvenanceSpec, facts: ImageFacts) -> Iterator[ResolvedInput]:
    """All that an image was made of, each with its digest."""
    packed, sums = facts.packed, {path: sum_ for layer in facts.layers for path, sum_ in layer.sums}
    yield from _own_files(packed, sums)
    ca_file = wanted.spec.ca_file
    if ca_file is not None:
        yield ResolvedInput(ADDED, ca_file.rpartition("/")[2], file_sum(ca_file, "sha256"))
    yield from _opened(wanted, packed, sums)
    yield from _packages(wanted, packed)
    if wanted.lock:
        yield ResolvedInput(LOCK, wanted.lock.rpartition("/")[2], file_sum(wanted.lock, "sha256"))


def _own_files(packed: Packed, sums: Mapping[RootPath, str]) -> Iterator[ResolvedInput]:
    """The programs, the first one first, as they were read, then the other files of this host that are in the image."""
    own = {one.entry.path: one for one in packed.plan.entries if one.source in _OWN and one.entry.content is not None}
    for program in packed.programs:
        planned = own.pop(program.destination, None)
        if planned is not None:
            # One that is changed for the image is not what was read.
            same = isinstance(program.content, FileContent)
            sha256 = _sum(planned, sums) if same else file_sum(program.path, "sha256")
            yield ResolvedInput(PROGRAM, program.destination, sha256)
    for path, planned in own.items():
        yield ResolvedInput(ADDED, path, _sum(planned, sums))


def _opened(wanted: ProvenanceSpec, packed: Packed, sums: Mapping[RootPath, str]) -> Iterator[ResolvedInput]:
    """The base, of one that has no sum the files, the image below, and embedded data."""
    for one in packed.inputs:
        if one.kind in (BASE, ON) and one.sha256:
            yield ResolvedInput(one.kind, one.name, one.sha256, _uri(wanted, one))
        elif one.kind == BASE:
            yield from _files(packed, sums)
        elif one.kind == DATA:
            name, _, of = one.name.partition(" ")
            yield ResolvedInput(DATA, name, one.sha256, f"pkg:pypi/{name}@{of}", version=of)


def _uri(wanted: ProvenanceSpec, base: Input) -> str:
    """What names a base for everybody: an image of a registry by its package URL, what was fetched by its address."""
    if not base.url.startswith("docker://"):
        return _address(wanted, base.url)
    named = parse_image(base.url.removeprefix("docker://"))
    return image_url(f"{named.host}/{named.name}", f"sha256:{base.sha256}")


def _files(packed: Packed, sums: Mapping[RootPath, str]) -> Iterator[ResolvedInput]:
    """The files that were taken of a base."""
    for planned in packed.plan.entries:
        if planned.source is Origin.BASE and planned.entry.content is not None:
            yield ResolvedInput(FILE, planned.entry.path, _sum(planned, sums))


def _packages(wanted: ProvenanceSpec, packed: Packed) -> Iterator[ResolvedInput]:
    for one in packed.fetched:
        yield ResolvedInput(
            PACKAGE, one.name, one.sha256, _package_url(packed.plan, one), _address(wanted, one.url), one.version
        )


def _package_url(plan: Plan, package: PackageId) -> str:
    """The package URL of a package of the base's distribution; empty if that is not known."""
    if plan.distribution is None or not plan.kind:
        return ""
    source = plan.facts[package][:2] if package in plan.facts else ("", "")
    distribution = (plan.distribution.id, plan.distribution.version)
    return distribution_url(plan.kind, (package.name, package.version, package.arch), distribution, source)


def _sum(planned: PlannedEntry, sums: Mapping[RootPath, str]) -> str:
    """The SHA-256 of a file: from writing it, but of one that has several names, whose bytes were written once."""
    content = planned.entry.content
    assert content is not None, "internal error: only files have sums"
    return sums.get(planned.entry.path) or sum_of(content)


def _address(wanted: ProvenanceSpec, url: str) -> str:
    """The distribution's address of what was fetched, whatever mirror was used; never one with a password."""
    for debian in (True, False):
        url = official(url, wanted.options, debian=debian)
    return re.sub("^([a-z]+://)[^/@]*@", r"\1", url)
