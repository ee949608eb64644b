"""Which bundles are signatures of an image, and what is wrong with the others; sigstore's own verifier agrees."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from minpack.content import BytesContent
from minpack.digest import Digest
from minpack.errors import UnreadableImageError, UnverifiedError
from minpack.oci.documents import Blob, Descriptor, canonical
from minpack.oci.image import Artifact, build_artifact
from minpack.oci.mediatypes import BUNDLE, MANIFEST, STATEMENT
from minpack.trust.attest import PROVENANCE, SIGNATURE, SPDX, Document, attestation, bundle, unsigned
from minpack.trust.classic import classic_signature, signature_payload, signed_digest
from minpack.trust.documents import document_of
from minpack.trust.keys import SigningKey, new_key_pair, read_signing_key
from minpack.trust.verify import check_bundle, is_bundle, statements_about
from support.sigstoreverify import refused

if TYPE_CHECKING:
    from pathlib import Path

SUBJECT = Descriptor(MANIFEST, Digest("ab" * 32), 123)
OTHER = Descriptor(MANIFEST, Digest("cd" * 32), 123)


def new_key() -> SigningKey:
    """A key on P-256."""

    def never() -> Any:
        raise AssertionError

    return read_signing_key(new_key_pair(None).private, "K", never)


KEY, STRANGER = new_key(), new_key()
SIGNED = attestation(SUBJECT, SIGNATURE, {}, KEY)
SBOM = attestation(SUBJECT, SPDX, {"spdxVersion": "SPDX-2.3"}, KEY)


def document(artifact: Artifact) -> dict[str, Any]:
    """The bundle that an artifact has."""
    (layer,) = artifact.layers
    found: dict[str, Any] = json.loads(layer.data)
    return found


def with_bundle(data: bytes) -> Artifact:
    """An artifact about the image with these bytes for a bundle."""
    layer = Blob(Descriptor(BUNDLE, Digest.of(data), len(data)), BytesContent(data))
    return build_artifact(BUNDLE, [layer], {}, SUBJECT)


def changed(artifact: Artifact, *path: str | int, value: Any) -> Artifact:
    """The artifact with something else at a place of its bundle."""
    found = document(artifact)
    at: Any = found
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return with_bundle(canonical(found))


def with_payload(statement: dict[str, Any]) -> Artifact:
    """A bundle of another statement, signed with the key."""
    return with_bundle(bundle(canonical(statement), KEY))


def problem(*artifacts: Artifact) -> tuple[str, str]:
    """Why none of them is a signature of the image."""
    with pytest.raises(UnverifiedError) as caught:
        statements_about("app", SUBJECT.digest, [check_bundle(one, KEY.public) for one in artifacts])
    assert caught.value.exit_code == 3
    return caught.value.problem, caught.value.reason


def stating(**changes: Any) -> dict[str, Any]:
    """A statement that is the image's signature, but for some changes."""
    body: dict[str, Any] = json.loads(base64.b64decode(document(SIGNED)["dsseEnvelope"]["payload"]))
    return body | changes


def test_a_signature_is_one_whatever_else_there_is() -> None:
    """Bundles of others, damaged ones and further statements do not matter."""
    others = [attestation(SUBJECT, SIGNATURE, {}, STRANGER), with_bundle(b"{}"), SBOM]
    checked = [check_bundle(one, KEY.public) for one in (*others, SIGNED)]
    found = statements_about("app", SUBJECT.digest, checked)
    assert [one.statement.predicate_type for one in found if one.statement is not None] == [SPDX, SIGNATURE]
    assert found[1].digest == SIGNED.descriptor.digest
    assert is_bundle(SIGNED)
    assert not is_bundle(unsigned(SUBJECT, Document(SPDX, {}, "application/spdx+json")))


def test_statements_of_the_older_version_and_of_several_subjects_count() -> None:
    """As in-toto has them."""
    several = [{"digest": {"sha256": "cd" * 32}}, {"digest": {"sha512": "0"}}, {"digest": {"sha256": "ab" * 32}}]
    for statement in (stating(_type="https://in-toto.io/Statement/v0.1"), stating(subject=several)):
        checked = check_bundle(with_payload(statement), KEY.public)
        assert statements_about("app", SUBJECT.digest, [checked]) == (checked,)


PAYLOAD = base64.b64encode(canonical(stating(predicate={"a": 1}))).decode()
BAD: tuple[tuple[str, list[Artifact], str, str], ...] = (
    ("nothing", [], "no-signature", "it has no signature"),
    ("another key", [attestation(SUBJECT, SIGNATURE, {}, STRANGER)], "wrong-key", "it is signed with another key"),
    ("another image", [attestation(OTHER, SIGNATURE, {}, KEY)], "wrong-subject", f"for sha256:{'cd' * 32}, but this"),
    ("no subject", [with_payload(stating(subject=[]))], "wrong-subject", "for nothing, but this image is"),
    ("no digest", [with_payload(stating(subject=[{"name": "x"}, 5, {"digest": 5}]))], "wrong-subject", "for nothing"),
    ("only an SBOM", [SBOM], "only-documents-signed", "the key signed an SBOM about it, not the image itself"),
    (
        "SBOM and provenance",
        [SBOM, attestation(SUBJECT, PROVENANCE, {}, KEY), attestation(SUBJECT, SPDX, {"b": 1}, KEY)],
        "only-documents-signed",
        "the key signed an SBOM, provenance about it",
    ),
    (
        "other payload",
        [changed(SIGNED, "dsseEnvelope", "payload", value=PAYLOAD)],
        "changed",
        "one of them was changed",
    ),
    (
        "swapped signature",
        [changed(SIGNED, "dsseEnvelope", "signatures", value=document(SBOM)["dsseEnvelope"]["signatures"])],
        "changed",
        "one of them was changed",
    ),
    ("no hint", [changed(attestation(SUBJECT, SIGNATURE, {}, STRANGER), "verificationMaterial", "publicKey", value={})],
     "wrong-key", "another key"),
    ("keyless", [changed(SIGNED, "verificationMaterial", value={"certificate": {"rawBytes": "AAAA"}})],
     "unsupported", "with a certificate (keyless)"),
    ("another payload type", [changed(SIGNED, "dsseEnvelope", "payloadType", value="text/plain")],
     "unsupported", "not for an in-toto statement"),
    ("a signature of a message", [with_bundle(canonical(
        {"verificationMaterial": {"publicKey": {}}, "messageSignature": {"signature": "AAAA"}}))],
     "unsupported", "not of a statement"),
    ("another statement", [with_payload(stating(_type="https://example.org/Statement"))],
     "unsupported", "not for an in-toto statement"),
    ("no JSON", [with_bundle(b"\xff")], "damaged", "is not valid JSON"),
    ("deep JSON", [with_bundle(b"[" * 100_000)], "damaged", "is not valid JSON"),
    ("a key twice in the statement", [with_bundle(bundle(canonical(stating()).replace(
        b'"subject":', b'"subject":[],"subject":'), KEY))], "damaged", "is of is not valid JSON, or repeats a key"),
    ("a key twice in the bundle", [with_bundle(
        SIGNED.layers[0].data.replace(b'"payload":', b'"payload":"","payload":'))],
     "damaged", "its signature is not valid JSON, or repeats a key"),
    ("a list", [with_bundle(b"[]")], "damaged", "not a JSON object"),
    ("no material", [with_bundle(b"{}")], "damaged", "what it is verified with"),
    ("two signatures", [changed(SIGNED, "dsseEnvelope", "signatures", value=[{"sig": "AA=="}] * 2)],
     "damaged", "exactly one signature"),
    ("no signature in it", [changed(SIGNED, "dsseEnvelope", "signatures", value=[{}])], "damaged", "a part is missing"),
    ("damaged base 64", [changed(SIGNED, "dsseEnvelope", "payload", value="*")], "damaged", "base64"),
)  # fmt: skip


@pytest.mark.parametrize(("artifacts", "word", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_each_bad_case_has_its_own_word(artifacts: list[Artifact], word: str, reason: str) -> None:
    """And its own reason; the exit code is 3."""
    found = problem(*artifacts)
    assert found[0] == word
    assert reason in found[1]


def test_a_bundle_that_was_exchanged_is_not_read() -> None:
    """Its bytes must be those that the manifest names."""
    (layer,) = SIGNED.layers
    (other,) = SBOM.layers
    swapped = SIGNED._replace(layers=(layer._replace(content=other.content),))
    assert problem(swapped) == (
        "damaged",
        "its signature was exchanged: it is not the one that the signature's manifest names",
    )


def test_sigstore_takes_what_is_taken_here(tmp_path: Path) -> None:
    """Its own verifier, asked for the same bundles: good ones, another key's, changed ones."""
    bundles = {
        "signed": SIGNED,
        "sbom": SBOM,
        "stranger": attestation(SUBJECT, SIGNATURE, {}, STRANGER),
        "payload": changed(SIGNED, "dsseEnvelope", "payload", value=PAYLOAD),
        "swapped": changed(SIGNED, "dsseEnvelope", "signatures", value=document(SBOM)["dsseEnvelope"]["signatures"]),
    }
    data = {name: one.layers[0].data for name, one in bundles.items()}
    found = refused(data, KEY.public.pem, tmp_path)
    ours = {name: check_bundle(one, KEY.public).statement is None for name, one in bundles.items()}
    assert {name: bool(reason) for name, reason in found.items()} == ours
    assert ours == {"signed": False, "sbom": False, "stranger": True, "payload": True, "swapped": True}


def test_documents_are_read_again_as_they_were() -> None:
    """SBOMs by themselves, and statements about the image; not bundles, nor statements about something else."""
    sbom, claim = Document(SPDX, {"a": [1, "ä"]}, "application/spdx+json"), Document(PROVENANCE, {"b": 2})
    for one in (sbom, claim):
        assert document_of(unsigned(SUBJECT, one), "app") == one
    assert document_of(SIGNED, "app") is None
    other = unsigned(OTHER, claim)
    assert document_of(other._replace(subject=SUBJECT), "app") is None
    no_json = Blob(Descriptor("application/spdx+json", Digest.of(b"no"), 2), BytesContent(b"no"))
    with pytest.raises(UnreadableImageError, match="its SBOM is not JSON"):
        document_of(build_artifact("application/spdx+json", [no_json], {}, SUBJECT), "app")
    lie = Blob(Descriptor(STATEMENT, Digest.of(b"{}"), 2), BytesContent(b"[]"))
    with pytest.raises(UnreadableImageError, match="its digest is"):
        document_of(build_artifact(STATEMENT, [lie], {}, SUBJECT), "app")


def test_the_classic_form_signs_its_payload() -> None:
    """Byte for byte what cosign writes; a key, a digest and a repository."""
    assert signature_payload(SUBJECT.digest, "ghcr.io/me/app") == (
        b'{"critical":{"identity":{"docker-reference":"ghcr.io/me/app"},"image":{"docker-manifest-digest":"sha256:'
        + b"ab" * 32
        + b'"},"type":"cosign container image signature"},"optional":null}'
    )
    made = classic_signature(SUBJECT.digest, "ghcr.io/me/app", KEY)
    assert made.tag == f"sha256-{'ab' * 32}.sig"
    (layer,) = made.layers
    signature = dict(layer.descriptor.annotations)["dev.cosignproject.cosign/signature"]
    assert signed_digest(layer.data, signature, KEY.public) == SUBJECT.digest
    assert signed_digest(layer.data, signature, STRANGER.public) is None
    assert signed_digest(layer.data + b" ", signature, KEY.public) is None
    assert signed_digest(layer.data, "?", KEY.public) is None
    for payload in (b"[]", b"{}", b'{"critical":{"type":"x","image":{"docker-manifest-digest":"sha256:ab"}}}'):
        text = base64.b64encode(KEY.sign(payload)).decode()
        assert signed_digest(payload, text, KEY.public) is None
