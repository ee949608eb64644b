"""Provenance: how an image was made and of what, as SLSA's predicate says it (slsa.dev/spec/v1.2/build-provenance).

Nothing is said that is not known: no level, and no times; whoever builds says with a builder's ID who vouches for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.lock.values import Difference, ImageKey
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from minpack.lock.values import Lock, LockedBase, LockedImage
    from minpack.oci.documents import Json

#: What explains the parameters: docs/trust.md of the project; and whoever runs minpack, of whom nothing is known.
BUILD_TYPE = "urn:minpack:pack:v1"
LOCAL_BUILDER = "urn:minpack:local"
#: What inputs are; a closed list.
PROGRAM, ADDED, BASE, ON, PACKAGE, DATA, FILE, LOCK = (
    *("program", "added", "base", "on", "package", "data", "file", "lock"),
)
#: Far more inputs than any image has, and more characters than a field of one.
MAX_INPUTS, MAX_TEXT = 200_000, 4096
#: Inputs that a lock does not name: the user's own files, and the lock.
_NOT_LOCKED = frozenset((PROGRAM, ADDED, LOCK))
_SHA256 = r"[0-9a-f]{64}"


class ResolvedInput(NamedTuple):
    """Something that an image was made of.

    `kind` is one of those above. `name` is a path in the image, a package's name or what the base is called; `sha256`
    is that of the bytes that were read, in hexadecimal. `uri` names it for everybody, `location` is where it was
    fetched; they are empty where there is no such.
    """

    kind: str
    name: str
    sha256: str
    uri: str = ""
    location: str = ""
    version: str = ""


class Build(NamedTuple):
    """How an image was made: what was asked for, by the names of options; of what; and by which `versions`."""

    parameters: Mapping[str, Json]
    inputs: Sequence[ResolvedInput]
    versions: Mapping[str, str]
    builder: str = LOCAL_BUILDER


def predicate(build: Build) -> Json:
    """What SLSA's provenance, version 1, says of the build."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": dict(build.parameters),
            "resolvedDependencies": [_resource(one) for one in dict.fromkeys(build.inputs)],
        },
        "runDetails": {"builder": {"id": build.builder, "version": dict(build.versions)}},
    }


def _resource(one: ResolvedInput) -> dict[str, Json]:
    """As in-toto describes a resource (in-toto/attestation, spec/v1/resource_descriptor.md)."""
    annotations = {"kind": one.kind, "version": one.version}
    fields: dict[str, Json] = {
        "name": one.name,
        "uri": one.uri,
        "digest": {"sha256": one.sha256} if one.sha256 else None,
        "downloadLocation": one.location,
        "annotations": {key: value for key, value in annotations.items() if value},
    }
    return {key: value for key, value in fields.items() if value}


def read_inputs(stated: object) -> tuple[ResolvedInput, ...] | None:
    """The inputs that a predicate names; None if it is not minpack's, or not as minpack writes it."""
    definition = _field(stated, "buildDefinition")
    listed = _field(definition, "resolvedDependencies")
    if _field(definition, "buildType") != BUILD_TYPE or not isinstance(listed, list) or len(listed) > MAX_INPUTS:
        return None
    found = tuple(_input(one) for one in listed)
    known = tuple(one for one in found if one is not None)
    return known if len(known) == len(found) else None


def _input(stated: object) -> ResolvedInput | None:
    """The input that a resource is; None if it is none of minpack's."""
    kind, version = (_text(_field(_field(stated, "annotations"), key)) for key in ("kind", "version"))
    name, uri, location = (_text(_field(stated, key)) for key in ("name", "uri", "downloadLocation"))
    sha256 = _text(_field(_field(stated, "digest"), "sha256"))
    if not kind or not name or re.fullmatch(f"({_SHA256})?", sha256) is None:
        return None
    return ResolvedInput(kind, name, sha256, uri, location, version)


def _field(stated: object, key: str) -> object:
    return stated.get(key) if isinstance(stated, dict) else None


def _text(stated: object) -> str:
    return stated if isinstance(stated, str) and len(stated) <= MAX_TEXT else ""


def unlocked(inputs: Sequence[ResolvedInput], lock: Lock, platform: str) -> tuple[Difference, ...]:
    """What an image of `platform` was made of and `lock` does not name so; nothing if it is what the lock names.

    The user's own files are in no lock, and are not compared.
    """
    program = next((one.name for one in inputs if one.kind == PROGRAM), "")
    key = ImageKey(program.rpartition("/")[2], platform)
    found = lock.find(key)
    if found is None:
        return (Difference("image", key.name, "", platform),)
    return tuple(sorted(_differences(inputs, lock.images[found])))


def _differences(inputs: Iterable[ResolvedInput], image: LockedImage) -> Iterator[Difference]:
    locked = _locked(image)
    for one in inputs:
        if one.kind in _NOT_LOCKED:
            continue
        names = locked.get(one.kind, {})
        # Bases are called as each user likes.
        there = next(iter(names.values()), "") if one.kind in (BASE, ON) else names.get(one.name, "")
        now = _identity(one.version, one.sha256)
        if there != now:
            yield Difference(one.kind, one.name, there, now)


def _locked(image: LockedImage) -> dict[str, dict[str, str]]:
    """What a lock names, by kind and name."""
    return {
        BASE: {image.base.name: _base(image.base)},
        ON: {image.on.name: _base(image.on)} if image.on is not None else {},
        PACKAGE: {one.name: _identity(one.version, one.sha256) for one in image.packages},
        DATA: {one.name: _identity(one.version, one.sha256) for one in image.data},
        FILE: {one.path: _identity("", one.sha256) for one in image.files if one.sha256},
    }


def _base(base: LockedBase) -> str:
    return _identity("", base.digest.removeprefix("sha256:") or base.sha256)


def _identity(version: str, sha256: str) -> str:
    return f"{version} sha256:{sha256}".lstrip() if sha256 else version
