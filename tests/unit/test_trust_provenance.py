"""Provenance: what it says, that others read it, and that its inputs are those of a lock."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2

from minpack.digest import Digest
from minpack.lock.values import Difference, ImageKey, Lock, LockedBase, LockedData, LockedFile, LockedImage
from minpack.lock.values import LockedPackage as Locked
from minpack.oci.documents import canonical
from minpack.paths import RootPath
from minpack.trust.attest import PROVENANCE, statement
from minpack.trust.provenance import (
    ADDED,
    BASE,
    DATA,
    FILE,
    LOCK,
    ON,
    PACKAGE,
    PROGRAM,
    Build,
    ResolvedInput,
    predicate,
    read_inputs,
    unlocked,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
APP = ResolvedInput(PROGRAM, "/usr/local/bin/app", A)
PACKAGED = ResolvedInput(PACKAGE, "libfoo1", B, location="https://example.org/libfoo1.deb", version="1.0-1")
INPUTS = (
    APP,
    ResolvedInput(ADDED, "/etc/app.conf", A),
    ResolvedInput(BASE, "debian-12", C, "https://example.org/dists/bookworm"),
    PACKAGED,
    ResolvedInput(DATA, "certifi", A, "pkg:pypi/certifi@2025.1", version="2025.1"),
    ResolvedInput(FILE, "/usr/lib/libbar.so.2", B),
    ResolvedInput(LOCK, "minpack.lock", C),
)
BUILD = Build({"program": ["app"], "base": "debian-12", "strip": True}, INPUTS, {"minpack": "0.1.0"})
IMAGE = LockedImage(
    LockedBase("debian-12", "packages", sha256=C),
    (Locked("libfoo1", "1.0-1", "amd64", "debian bookworm", "https://example.org/libfoo1.deb", B, 10),),
    (LockedFile(RootPath("/usr/lib/libbar.so.2"), "base", 0o644, B),),
    (LockedData("certifi", "2025.1", A),),
)
KEY = ImageKey("app", "linux/amd64")


def read(build: Build) -> Any:
    """The predicate, as it is read again."""
    return json.loads(canonical(predicate(build)))


def test_it_says_what_was_asked_and_of_what_it_was_made() -> None:
    """Each input with its digest; no level, no times, no invocation."""
    found = read(BUILD)
    assert found["buildDefinition"]["externalParameters"] == {"program": ["app"], "base": "debian-12", "strip": True}
    assert found["buildDefinition"]["resolvedDependencies"][3] == {
        "name": "libfoo1",
        "digest": {"sha256": B},
        "downloadLocation": "https://example.org/libfoo1.deb",
        "annotations": {"kind": "package", "version": "1.0-1"},
    }
    assert set(found["runDetails"]) == {"builder"}
    assert found["runDetails"]["builder"]["version"] == {"minpack": "0.1.0"}


def test_in_toto_reads_it() -> None:
    """Their own types know every field; one that they do not know they refuse."""
    document = json.loads(statement(Digest(A), PROVENANCE, predicate(BUILD)))
    stated = json_format.ParseDict(document, statement_pb2.Statement())
    assert (stated.predicate_type, stated.subject[0].digest["sha256"]) == (PROVENANCE, A)
    message = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
    assert message.run_details.builder.id == BUILD.builder
    assert [one.name for one in message.build_definition.resolved_dependencies] == [one.name for one in INPUTS]
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict({**document["predicate"], "level": 3}, provenance_pb2.Provenance())


def test_it_is_read_as_it_was_written() -> None:
    """All inputs, in their order, each once."""
    assert read_inputs(read(BUILD._replace(inputs=(*INPUTS, APP)))) == INPUTS


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: found.pop("buildDefinition"),
        lambda found: found["buildDefinition"].update(buildType="https://example.org/other"),
        lambda found: found["buildDefinition"].update(resolvedDependencies={}),
        lambda found: found["buildDefinition"].update(resolvedDependencies=[{}] * 200_001),
        lambda found: found["buildDefinition"]["resolvedDependencies"].append("text"),
        lambda found: found["buildDefinition"]["resolvedDependencies"][0].pop("annotations"),
        lambda found: found["buildDefinition"]["resolvedDependencies"][0].update(name="x" * 5000),
        lambda found: found["buildDefinition"]["resolvedDependencies"][0]["digest"].update(sha256="A" * 64),
        lambda found: found["buildDefinition"]["resolvedDependencies"][0].update(digest={"sha256": ["a"]}, name=7),
    ],
)
def test_what_minpack_did_not_write_is_not_taken_for_it(damage: Any) -> None:
    """Another build type, damage, more than any image has."""
    found = read(BUILD)
    damage(found)
    assert read_inputs(found) is None
    assert read_inputs(["text"]) is None


def test_inputs_are_those_of_a_lock() -> None:
    """The user's own files are in no lock."""
    assert unlocked(INPUTS, Lock({KEY: IMAGE}), "linux/amd64") == ()


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        (PACKAGED._replace(sha256=A), ("package", "libfoo1", f"1.0-1 sha256:{B}", f"1.0-1 sha256:{A}")),
        (PACKAGED._replace(version="2"), ("package", "libfoo1", f"1.0-1 sha256:{B}", f"2 sha256:{B}")),
        (PACKAGED._replace(name="libnew"), ("package", "libnew", "", f"1.0-1 sha256:{B}")),
        (ResolvedInput(BASE, "debian-12", A), ("base", "debian-12", f"sha256:{C}", f"sha256:{A}")),
        (ResolvedInput(ON, "lower", C), ("on", "lower", "", f"sha256:{C}")),
        (ResolvedInput(DATA, "certifi", B, version="1"), ("data", "certifi", f"2025.1 sha256:{A}", f"1 sha256:{B}")),
        (ResolvedInput(FILE, "/usr/lib/new", B), ("file", "/usr/lib/new", "", f"sha256:{B}")),
        (ResolvedInput("novel", "x", B), ("novel", "x", "", f"sha256:{B}")),
    ],
)
def test_an_input_that_the_lock_does_not_name(changed: ResolvedInput, difference: tuple[str, ...]) -> None:
    """Is said, with what the lock has in its place."""
    assert unlocked((APP, changed), Lock({KEY: IMAGE}), "linux/amd64") == (Difference(*difference),)


def test_a_lock_without_the_image() -> None:
    """For another platform, or where it has two and neither is called so."""
    assert unlocked(INPUTS, Lock({KEY: IMAGE}), "linux/arm64") == (Difference("image", "app", "", "linux/arm64"),)
