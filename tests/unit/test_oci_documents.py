"""The documents of an image: their bytes, their fields, their times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minpack.content import FileContent
from minpack.digest import Digest
from minpack.errors import NotTextError
from minpack.oci import mediatypes
from minpack.oci.compression import Compression
from minpack.oci.documents import (
    Blob,
    Descriptor,
    ImageConfig,
    blob,
    canonical,
    config_document,
    index_document,
    manifest_document,
    platform_document,
    timestamp,
)
from minpack.oci.image import build_image
from minpack.oci.layer import Layer
from minpack.target import Platform
from support.images import AMD64, CONFIG

DIFF_ID = Digest("ab" * 32)
DESCRIPTOR = Descriptor(mediatypes.LAYER, Digest("cd" * 32), 7)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=8,
)


@given(JSON)
def test_documents_are_read_back(document: Any) -> None:
    """What is written is JSON of the same value, in UTF-8, on one line, with sorted keys."""
    data = canonical(document)
    assert json.loads(data.decode()) == document
    assert b"\n" not in data
    assert canonical(json.loads(data, object_pairs_hook=lambda pairs: dict(reversed(pairs)))) == data


def test_documents_have_one_byte_form() -> None:
    """Keys are sorted, nothing is blank, and text is itself but for what JSON must escape."""
    document = {"b": [1, True, None], "a": 'größe <&> \u2028 \x01 "'}
    assert canonical(document) == '{"a":"größe <&> \u2028 \\u0001 \\"","b":[1,true,null]}'.encode()


@pytest.mark.parametrize("text", ["\udcff", "/bin/a\udcffb", "a\udc80"])
def test_bytes_that_are_no_text_are_refused(text: str) -> None:
    """A name that is not UTF-8 cannot stand in a document; the error shows it."""
    with pytest.raises(NotTextError) as caught:
        canonical({"config": {"Entrypoint": ["first", text, "last"]}})
    assert caught.value.text == text
    assert (caught.value.exit_code, caught.value.kind) == (1, "not-text")
    assert caught.value.message == f"cannot put {text!r} into an image's configuration: it is not UTF-8"


@given(st.integers(0, 253402300799))
def test_times_are_those_of_the_calendar(seconds: int) -> None:
    """Times from 1970 to the end of 9999 are written as the standard library knows them."""
    assert timestamp(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (951782400, "2000-02-29T00:00:00Z"),
        (4107542399, "2100-02-28T23:59:59Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_at_the_edges(seconds: int, text: str) -> None:
    """Leap days are there in 2000 and not in 2100."""
    assert timestamp(seconds) == text


def test_the_configuration_says_everything_it_was_given() -> None:
    """Each field of a configuration stands where the image-spec wants it."""
    assert config_document(CONFIG, [DIFF_ID], ["program"]) == {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-02T00:00:00Z",
        "config": {
            "Entrypoint": ("/usr/bin/app",),
            "Cmd": ("serve",),
            "Env": ["PATH=/usr/bin", "EMPTY="],
            "User": "65532:65532",
            "WorkingDir": "/",
            "ExposedPorts": {"8080/tcp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"org.opencontainers.image.title": "app"},
            "StopSignal": "SIGINT",
        },
        "history": [{"created": "1970-01-02T00:00:00Z", "created_by": "minpack", "comment": "program"}],
        "rootfs": {"type": "layers", "diff_ids": [str(DIFF_ID)]},
    }


def test_what_was_not_given_is_left_out() -> None:
    """A configuration of the least has no empty fields."""
    document = config_document(ImageConfig(Platform("linux", "arm", "v7"), ()), [], [])
    assert document == {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7",
        "created": "1970-01-01T00:00:00Z",
        "config": {"WorkingDir": "/"},
        "history": [],
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def test_manifests_describe_configuration_and_layers() -> None:
    """A manifest names its media type, configuration and layers, and has annotations only if there are some."""
    config = Descriptor(mediatypes.CONFIG, Digest("01" * 32), 5)
    document = manifest_document(config, [DESCRIPTOR], {})
    assert document == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{'01' * 32}", "size": 5},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{'cd' * 32}", "size": 7}],
    }
    annotated = manifest_document(config, [DESCRIPTOR], {"a": "b"})
    assert isinstance(annotated, dict)
    assert annotated["annotations"] == {"a": "b"}


def test_indexes_list_manifests() -> None:
    """An index has its media type, and platforms have a variant only if there is one."""
    assert index_document([DESCRIPTOR]) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [DESCRIPTOR.document()],
    }
    assert platform_document(AMD64) == {"architecture": "amd64", "os": "linux"}
    assert platform_document(Platform("linux", "arm", "v6"))["variant"] == "v6"


def test_blobs_are_described_by_their_bytes() -> None:
    """A document's descriptor has the digest and size of its bytes."""
    made = blob(mediatypes.CONFIG, {"a": 1})
    assert made.data == b'{"a":1}'
    assert made.descriptor == Descriptor(mediatypes.CONFIG, Digest.of(b'{"a":1}'), 7)


def described(layer: Layer) -> Blob:
    """A blob of a layer whose bytes are nowhere."""
    return Blob(layer.descriptor, FileContent("/nowhere", layer.descriptor.size))


def test_an_image_is_known_by_its_configuration_and_its_manifest() -> None:
    """The image ID stays the same when layers are compressed otherwise; the digest does not."""
    plain = Layer(DESCRIPTOR, DIFF_ID, 2048, "program")
    packed = plain._replace(descriptor=Descriptor(Compression.BALANCED.media_type, Digest("ef" * 32), 3))
    first, second = (build_image([one], CONFIG, [described(one)]) for one in (plain, packed))
    assert first.image_id == second.image_id == first.config.descriptor.digest
    assert first.digest != second.digest
    assert first.digest == Digest.of(first.manifest.data)
    assert first.size - second.size == 4 + len(first.manifest.data) - len(second.manifest.data)
    assert json.loads(first.manifest.data)["annotations"] == dict(CONFIG.labels)
