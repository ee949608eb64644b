"""What artifacts about an image state, whether a key signed it, and what of that is about the image.

A bundle is read strictly, and what it says is taken from the bytes that are signed alone: annotations may be anything.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.digest import Digest
from minpack.errors import InputError, NotInRegistryError, SumMismatchError, UnverifiedError
from minpack.excerpt import listed, shorten
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.json_node import parsed
from minpack.trust.attest import CYCLONEDX, PROVENANCE, SIGNATURE, SPDX, signed_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.oci.documents import Blob, Json
    from minpack.oci.image import Artifact
    from minpack.trust.keys import PublicKey

#: A bundle has a document in base 64, such as the SBOM of a large image; one has more bytes than any of those.
MAX_BUNDLE = 64 << 20
#: Signatures that are looked at about one image: whoever may push there can add more.
MAX_ARTIFACTS = 1000
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_BUNDLE = re.compile(r"application/vnd\.dev\.sigstore\.bundle(\.v0\.[3-9]\+json|\+json;version=0\.[1-9])")
_HEX = re.compile(r"[0-9a-f]{64}")
#: What is verified with a certificate in place of a key.
_KEYLESS = ("certificate", "x509CertificateChain")
_NAMES = {SPDX: "an SBOM", CYCLONEDX: "an SBOM", PROVENANCE: "provenance", SIGNATURE: "the image"}

#: Words for what is wrong, for programs; the first that fits says why an image is not verified.
WRONG_SUBJECT, NOT_THE_IMAGE, CHANGED = "wrong-subject", "only-documents-signed", "changed"
DAMAGED, WRONG_KEY, UNSUPPORTED, NO_SIGNATURE = "damaged", "wrong-key", "unsupported", "no-signature"
TAMPERED = "tampered"
_ORDER = (WRONG_SUBJECT, CHANGED, DAMAGED, WRONG_KEY, UNSUPPORTED)


class Statement(NamedTuple):
    """What is stated of the `subjects`."""

    subjects: tuple[Digest, ...]
    predicate_type: str
    predicate: Json


class CheckedBundle(NamedTuple):
    """An artifact that is a bundle, looked at: what it states if the key signed it, else the problem and the reason.

    `digest` is that of its manifest.
    """

    digest: Digest
    statement: Statement | None
    problem: str = ""
    reason: str = ""


def check_bundle(artifact: Artifact, key: PublicKey) -> CheckedBundle:
    """What a bundle states, if `key` signed it."""
    digest = artifact.descriptor.digest
    try:
        (layer,) = artifact.layers
        return CheckedBundle(digest, _signed_statement(_document(layer), key))
    except _ProblemError as error:
        return CheckedBundle(digest, None, *error.args)


def is_bundle(artifact: Artifact) -> bool:
    """Whether it may have a signature: cosign goes by its only layer, as registries may hide what an artifact is."""
    return len(artifact.layers) == 1 and bool(_BUNDLE.fullmatch(artifact.layers[0].descriptor.media_type))


def statements_about(image: str, subject: Digest, checked: Sequence[CheckedBundle]) -> tuple[CheckedBundle, ...]:
    """Those of `checked` that are signed and about `subject`, of which one is its signature.

    :param image: what to call it in errors.
    :raises UnverifiedError: none is; the reason says why.
    """
    signed = [one for one in checked if one.statement is not None]
    about = tuple(one for one in signed if one.statement is not None and subject in one.statement.subjects)
    if any(one.statement is not None and one.statement.predicate_type == SIGNATURE for one in about):
        return about
    if about:
        raise _only_documents(image, about)
    if signed:
        others = [digest for one in signed if one.statement is not None for digest in one.statement.subjects]
        raise _other_subject(image, subject, others)
    for problem in _ORDER:
        found = next((one for one in checked if one.problem == problem), None)
        if found is not None:
            raise UnverifiedError(image, problem, found.reason, _HINTS.get(problem))
    raise UnverifiedError(image, NO_SIGNATURE, "it has no signature", "sign it with minpack sign, or cosign sign --key")


_HINTS = {
    WRONG_KEY: "use the signer's public key",
    CHANGED: "sign it again if you trust its current content",
    UNSUPPORTED: "verify it with cosign verify",
}


def _only_documents(image: str, about: Iterable[CheckedBundle]) -> UnverifiedError:
    types = dict.fromkeys(one.statement.predicate_type for one in about if one.statement is not None)
    what = listed(dict.fromkeys(_NAMES.get(one, shorten(one)) for one in types))
    reason = f"the key signed {what} about it, not the image itself"
    return UnverifiedError(image, NOT_THE_IMAGE, reason, "sign the image too, with minpack sign")


def _other_subject(image: str, subject: Digest, others: Sequence[Digest]) -> UnverifiedError:
    shown = listed(map(str, dict.fromkeys(others))) or "nothing"
    reason = f"its signature is for {shown}, but this image is {subject}"
    hint = "the signature was copied from another image: trust neither, and ask the publisher"
    return UnverifiedError(image, WRONG_SUBJECT, reason, hint)


_EXCHANGED = "its signature was exchanged: it is not the one that the signature's manifest names"


class _ProblemError(Exception):
    """What is wrong with a bundle: a word and a reason."""


def _document(layer: Blob) -> dict[str, object]:
    """The bundle's JSON; its bytes are those of the digest that the manifest has."""
    try:
        data = read_all(layer.content, MAX_BUNDLE)
    except NotInRegistryError as error:
        raise _ProblemError(DAMAGED, "its signature is missing; only the signature's manifest is there") from error
    except SumMismatchError as error:
        raise _ProblemError(DAMAGED, _EXCHANGED) from error
    except InputError as error:
        raise _ProblemError(
            DAMAGED, f"its signature cannot be read: {getattr(error, 'reason', error.message)}"
        ) from error
    if Digest.of(data) != layer.descriptor.digest:
        raise _ProblemError(DAMAGED, _EXCHANGED)
    return _object(data, "its signature")


def _object(data: bytes, what: str) -> dict[str, object]:
    try:
        # Of a key that is there twice, others may take another value than this does.
        found = parsed(data)
    except (ValueError, RecursionError) as error:
        raise _ProblemError(DAMAGED, f"{what} is not valid JSON, or repeats a key") from error
    if not isinstance(found, dict):
        raise _ProblemError(DAMAGED, f"{what} is not a JSON object")
    return found


def _signed_statement(bundle: dict[str, object], key: PublicKey) -> Statement:
    """What a bundle states.

    :raises _ProblemError: it is damaged, or not signed by `key`.
    """
    material = bundle.get("verificationMaterial")
    if not isinstance(material, dict):
        raise _ProblemError(DAMAGED, "its signature does not say what it is verified with")
    if any(one in material for one in _KEYLESS):
        raise _ProblemError(UNSUPPORTED, "it is signed with a certificate (keyless), not with a key")
    envelope = bundle.get("dsseEnvelope")
    if not isinstance(envelope, dict):
        raise _ProblemError(UNSUPPORTED, "its signature is not of a statement (DSSE)")
    if envelope.get("payloadType") != mediatypes.STATEMENT:
        raise _ProblemError(UNSUPPORTED, "its signature is not for an in-toto statement")
    body = _binary(envelope.get("payload"))
    _check_signature(envelope, _hint(material), body, key)
    return _statement(body)


def _hint(material: dict[str, object]) -> str:
    public = material.get("publicKey")
    hint = public.get("hint") if isinstance(public, dict) else None
    return hint if isinstance(hint, str) else ""


def _check_signature(envelope: dict[str, object], hint: str, body: bytes, key: PublicKey) -> None:
    """Raise `_ProblemError` if `key` did not sign `body`."""
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise _ProblemError(DAMAGED, "it does not have exactly one signature")
    if key.verifies(_binary(signatures[0].get("sig")), signed_bytes(mediatypes.STATEMENT, body)):
        return
    if hint == key.hint:
        raise _ProblemError(
            CHANGED, "its signature names this key, but does not match what it signs: one of them was changed"
        )
    raise _ProblemError(WRONG_KEY, "it is signed with another key")


def _binary(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else _raise_damaged()
    except ValueError as error:
        raise _ProblemError(DAMAGED, "its signature is damaged: it is not valid base64") from error


def _raise_damaged() -> bytes:
    raise _ProblemError(DAMAGED, "its signature is damaged: a part is missing")


def _statement(body: bytes) -> Statement:
    """What is stated in bytes that are signed."""
    document = _object(body, "what its signature is of")
    kind, subjects = document.get("predicateType"), document.get("subject")
    if document.get("_type") not in _STATEMENTS or not isinstance(kind, str) or not isinstance(subjects, list):
        raise _ProblemError(UNSUPPORTED, "its signature is not for an in-toto statement")
    predicate: Json = document.get("predicate")  # type: ignore[assignment] # it was JSON
    return Statement(tuple(found for one in subjects if (found := _subject(one)) is not None), kind, predicate)


def _subject(subject: object) -> Digest | None:
    digests = subject.get("digest") if isinstance(subject, dict) else None
    sha256 = digests.get("sha256") if isinstance(digests, dict) else None
    return Digest(sha256) if isinstance(sha256, str) and _HEX.fullmatch(sha256) else None


def statement_of(data: bytes) -> Statement | None:
    """What an in-toto statement without a signature states; None if it is none."""
    try:
        return _statement(data)
    except _ProblemError:
        return None
