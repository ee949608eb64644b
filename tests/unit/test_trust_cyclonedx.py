"""CycloneDX documents: valid under the strict schema whatever is in them, and the same bytes for the same image."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.oci.documents import canonical
from minpack.trust.cyclonedx import cyclonedx_document
from minpack.trust.spdx import spdx_document
from support.sboms import cyclonedx_files, cyclonedx_problems, cyclonedx_purls, spdx_files, spdx_purls
from support.somesbom import ALPINE, HOSTILE, INDEX, with_texts


def written(sbom: Any) -> Any:
    """The document, which is valid."""
    data = canonical(cyclonedx_document(sbom))
    assert cyclonedx_problems(data) == ""
    return json.loads(data)


def test_a_document_is_valid_and_says_it_all() -> None:
    """The distribution as an operating system, packages with what trivy takes for their source, files in them."""
    document = written(ALPINE)
    root = document["metadata"]["component"]
    assert (root["type"], root["name"]) == ("container", "ghcr.io/me/app")
    assert root["bom-ref"] == root["purl"]
    assert "timestamp" not in document["metadata"]
    components = {one["name"]: one for one in document["components"]}
    assert (components["alpine"]["type"], components["alpine"]["version"]) == ("operating-system", "3.22.1")
    crypto = components["libcrypto3"]
    properties = {one["name"]: one["value"] for one in crypto["properties"]}
    assert properties == {
        "aquasecurity:trivy:SrcName": "openssl",
        "aquasecurity:trivy:SrcVersion": "3.5.1-r0",
        "minpack:repository": "alpine v3.22 main",
        "minpack:signed_by": "alpine-devel@example-1.rsa.pub",
    }
    assert crypto["licenses"] == [{"expression": "Apache-2.0"}]
    assert crypto["supplier"] == {"name": "Natanael Copa", "contact": [{"email": "ncopa@alpinelinux.org"}]}
    assert crypto["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert [one["name"] for one in crypto["components"]] == ["/usr/lib/libcrypto.so.3"]
    assert components["app"]["type"] == "application"
    assert {"name": "minpack:toolchain", "value": "Go 1.26.8"} in components["app"]["properties"]


def test_it_says_what_the_other_form_says() -> None:
    """The same packages and the same files with the same sums."""
    for sbom in (ALPINE, HOSTILE):
        mine, other = json.loads(canonical(cyclonedx_document(sbom))), json.loads(canonical(spdx_document(sbom)))
        assert cyclonedx_purls(mine, "apk", "deb", "golang", "pypi") == spdx_purls(
            other, "apk", "deb", "golang", "pypi"
        )
        assert cyclonedx_files(mine) == spdx_files(other)


def test_every_dependency_is_of_a_component() -> None:
    """What depends on what: the image on its system and program, the program on its libraries and modules."""
    document = written(ALPINE)
    names = {document["metadata"]["component"]["bom-ref"]: "image"}
    inside = [one for component in document["components"] for one in (component, *component.get("components", ()))]
    names |= {one["bom-ref"]: one["name"] for one in inside}
    dependencies = {names[one["ref"]]: {names[ref] for ref in one["dependsOn"]} for one in document["dependencies"]}
    assert dependencies == {
        "image": {"alpine", "app", "stdlib", "certifi"},
        "alpine": {"libcrypto3"},
        "app": {"libcrypto3", "stdlib"},
        "/etc/ssl/certs/ca-certificates.crt": {"certifi"},
    }


def test_the_same_image_has_the_same_document() -> None:
    """In whatever order its parts were found; a time is there only if one was given."""
    image = ALPINE.images[0]
    turned = image._replace(components=image.components[::-1], files=image.files[::-1])
    assert canonical(cyclonedx_document(ALPINE._replace(images=(turned,)))) == canonical(cyclonedx_document(ALPINE))
    assert written(ALPINE._replace(created=1))["metadata"]["timestamp"] == "1970-01-01T00:00:01Z"


def test_an_index_has_its_images_as_components() -> None:
    """Each with what it depends on."""
    document = written(INDEX)
    assert [one["type"] for one in document["components"]].count("container") == 2
    (root,) = (one for one in document["dependencies"] if one["ref"] == document["metadata"]["component"]["bom-ref"])
    assert all(ref.startswith("pkg:oci/app@") for ref in root["dependsOn"])


def test_hostile_values_are_valid() -> None:
    """Control characters, bytes that are no UTF-8, very long names, and names that differ in these alone."""
    document = written(HOSTILE)
    assert len(cyclonedx_files(document)) == len(HOSTILE.images[0].files)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=5, max_size=5))
def test_any_text_is_valid(texts: list[str]) -> None:
    """Whatever databases and file systems have as names, versions, licences and suppliers."""
    written(with_texts(*texts))
