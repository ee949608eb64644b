"""SPDX documents: valid whatever is in them, the same bytes for the same image, and nothing in them twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.base.os_release import Distribution
from minpack.oci.documents import canonical
from minpack.trust.spdx import spdx_document
from support.sboms import spdx_files, spdx_problems, spdx_purls
from support.somesbom import ALPINE, HOSTILE, INDEX, with_texts

if TYPE_CHECKING:
    from minpack.trust.components import Sbom


def written(sbom: Sbom) -> Any:
    """The document as a reader has it."""
    return json.loads(canonical(spdx_document(sbom)))


def test_a_document_is_valid_and_says_it_all() -> None:
    """Image, distribution, packages with their source, licence and supplier, program, module, data, files."""
    document = written(ALPINE)
    assert spdx_problems(document) == []
    packages = {one["SPDXID"]: one for one in document["packages"]}
    root = packages["SPDXRef-DocumentRoot-Image"]
    assert root["versionInfo"] == f"sha256:{root['checksums'][0]['checksumValue']}"
    assert root["primaryPackagePurpose"] == "CONTAINER"
    system = packages["SPDXRef-OperatingSystem-alpine-3.22.1"]
    assert (system["name"], system["versionInfo"], system["primaryPackagePurpose"]) == (
        "alpine",
        "3.22.1",
        "OPERATING_SYSTEM",
    )
    (crypto,) = (one for one in packages.values() if one["name"] == "libcrypto3")
    assert crypto["sourceInfo"] == "built package from: openssl 3.5.1-r0"
    assert crypto["licenseDeclared"] == "Apache-2.0"
    assert crypto["supplier"] == "Person: Natanael Copa (ncopa@alpinelinux.org)"
    assert crypto["comment"] == "repository: alpine v3.22 main; index signed by: alpine-devel@example-1.rsa.pub"
    assert crypto["downloadLocation"].startswith("https://dl-cdn.alpinelinux.org/")
    assert spdx_purls(document) >= {
        "pkg:golang/stdlib@1.26.8",
        "pkg:pypi/certifi@2026.10.19",
        "pkg:apk/alpine/libcrypto3@3.5.1-r0?arch=x86_64&distro=alpine-3.22.1&upstream=openssl",
    }
    assert set(spdx_files(document)) == {one.path for one in ALPINE.images[0].files}


def test_relations_are_what_readers_follow() -> None:
    """The document describes the image, which contains the system, which contains packages, which contain files."""
    document = written(ALPINE)
    names = {one["SPDXID"]: one["name"] for one in document["packages"]}
    names |= {one["SPDXID"]: one["fileName"] for one in document["files"]}
    relations = {
        (names.get(one["spdxElementId"], ""), one["relationshipType"], names[one["relatedSpdxElement"]]): one.get(
            "comment"
        )
        for one in document["relationships"]
    }
    assert relations == {
        ("", "DESCRIBES", "ghcr.io/me/app"): None,
        ("ghcr.io/me/app", "CONTAINS", "alpine"): None,
        ("ghcr.io/me/app", "CONTAINS", "app"): None,
        ("ghcr.io/me/app", "CONTAINS", "stdlib"): None,
        ("ghcr.io/me/app", "CONTAINS", "certifi"): None,
        ("ghcr.io/me/app", "CONTAINS", "./etc/ssl/certs/ca-certificates.crt"): None,
        ("alpine", "CONTAINS", "libcrypto3"): None,
        ("libcrypto3", "CONTAINS", "./usr/lib/libcrypto.so.3"): None,
        ("app", "CONTAINS", "./usr/local/bin/app"): None,
        ("app", "DEPENDS_ON", "libcrypto3"): "needs libcrypto.so.3",
        ("app", "DEPENDS_ON", "stdlib"): None,
        ("./etc/ssl/certs/ca-certificates.crt", "GENERATED_FROM", "certifi"): None,
    }
    (reason,) = {one["annotations"][0]["comment"] for one in document["files"] if "app" in one["fileName"]}
    assert reason == "the program"


def test_the_same_image_has_the_same_document() -> None:
    """In whatever order its parts were found; another image has another name of its document."""
    image = ALPINE.images[0]
    turned = image._replace(components=image.components[::-1], files=image.files[::-1])
    assert canonical(spdx_document(ALPINE._replace(images=(turned,)))) == canonical(spdx_document(ALPINE))
    other = ALPINE._replace(images=(image._replace(files=image.files[1:]),))
    names = {spdx_document(one)["documentNamespace"] for one in (ALPINE, other, ALPINE._replace(created=1))}
    assert len(names) == 3


def test_an_index_has_what_its_images_share_once() -> None:
    """Each image is a container within it; a file or module of both is one element, contained in each."""
    document = written(INDEX)
    assert spdx_problems(document) == []
    identifiers = [one["SPDXID"] for one in (*document["packages"], *document["files"])]
    assert len(identifiers) == len(set(identifiers))
    assert [one["name"] for one in document["packages"]].count("stdlib") == 1
    assert [one["name"] for one in document["packages"]].count("libcrypto3") == 2
    containers = [one for one in document["packages"] if one.get("primaryPackagePurpose") == "CONTAINER"]
    assert len({one["versionInfo"] for one in containers}) == 3


def test_hostile_values_are_valid() -> None:
    """Control characters, bytes that are no UTF-8, very long names, and names that differ in these alone."""
    document = written(HOSTILE)
    assert spdx_problems(document) == []
    assert len(document["files"]) == len(HOSTILE.images[0].files)
    assert "./srv/%FF" in {one["fileName"] for one in document["files"]}
    identifiers = [one["SPDXID"] for one in (*document["packages"], *document["files"])]
    assert len(identifiers) == len(set(identifiers))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=5, max_size=5))
def test_any_text_is_valid(texts: list[str]) -> None:
    """Whatever databases and file systems have as names, versions, licences and suppliers."""
    document = written(with_texts(*texts))
    assert spdx_problems(document) == []


def test_an_unknown_distribution_is_none() -> None:
    """Where nothing says which it is, packages are the image's own; one without a version has none."""
    image = ALPINE.images[0]
    bare = written(ALPINE._replace(images=(image._replace(distribution=None),)))
    assert not any(one["SPDXID"].startswith("SPDXRef-OperatingSystem") for one in bare["packages"])
    assert spdx_problems(bare) == []
    rolling = image._replace(distribution=Distribution("wolfi", "", "Wolfi"))
    document = written(ALPINE._replace(images=(rolling,)))
    (system,) = (one for one in document["packages"] if one["SPDXID"] == "SPDXRef-OperatingSystem-wolfi")
    assert "versionInfo" not in system
