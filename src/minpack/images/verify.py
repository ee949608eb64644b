"""Verifying an image: that a key signed it, and that all of it is what was signed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.errors import (
    LockedError,
    NotInRegistryError,
    SumMismatchError,
    UnreadableImageError,
    UnverifiedError,
)
from minpack.images.classic import classic_subjects
from minpack.images.open import open_found
from minpack.namedtuple import NamedTuple
from minpack.oci.image import by_subject
from minpack.oci.stated import DocumentSource, listed_descriptors
from minpack.progress import no_progress
from minpack.trust.attest import PROVENANCE, SIGNATURE
from minpack.trust.provenance import read_inputs, unlocked
from minpack.trust.verify import (
    MAX_ARTIFACTS,
    NO_SIGNATURE,
    TAMPERED,
    UNSUPPORTED,
    WRONG_KEY,
    WRONG_SUBJECT,
    check_bundle,
    is_bundle,
    statements_about,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import BaseOptions
    from minpack.digest import Digest
    from minpack.images.open import FoundImage
    from minpack.lock.values import Lock
    from minpack.oci.documents import Blob
    from minpack.oci.image import Artifact, Index
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform
    from minpack.trust.keys import PublicKey
    from minpack.trust.verify import CheckedBundle, Statement

NO_PROVENANCE, FOREIGN_PROVENANCE = "no-provenance", "foreign-provenance"
BUNDLE_FORM, CLASSIC_FORM = "bundle", "classic"
#: What is wrong with bundles where a signature in the older form may still be good.
_OTHERWISE = (NO_SIGNATURE, WRONG_KEY, UNSUPPORTED)
_REMADE = "do not run it: build or fetch it again from a source that you trust"


class VerifiedSignature(NamedTuple):
    """A signature of the image: its form, and the digest of its manifest if it has one of its own."""

    form: str
    digest: Digest | None


class Verified(NamedTuple):
    """An image that a key signed, and whose blobs are all what their digests say.

    `images` are by platform with their digests. `statements` are those that the same key signed about it, and about its
    images, besides the signature, each with the digest of its artifact.
    """

    name: str
    digest: Digest
    media_type: str
    images: tuple[tuple[Platform, Digest], ...]
    signatures: tuple[VerifiedSignature, ...]
    statements: tuple[tuple[Digest, Statement], ...]
    blobs: int
    size: int
    key: str


def verify_image(
    ref: ImageRef,
    key: PublicKey,
    options: BaseOptions,
    progress: Progress = no_progress,
    platform: Platform | None = None,
) -> Verified:
    """Verify the image that `ref` names.

    :param platform: of several, verify the image of this one alone.
    :raises UnverifiedError: it is not signed by `key`, or not all of it is what was signed; the reason says which.
    :raises MinpackError: there is no such image, or it cannot be read.
    """
    try:
        with open_found(ref, options, progress, platform, artifacts=True) as found:
            return _verified(found, key, options, progress)
    except SumMismatchError as error:
        reason = f"blob sha256:{error.expected} is not what was signed: its digest is sha256:{error.actual}"
        raise UnverifiedError(_name(ref), TAMPERED, reason, _REMADE) from error
    except NotInRegistryError as error:
        # Of an image that is there, a blob is not; an image that was never there cannot be verified.
        missing = error.name.partition("@")[2]
        if not missing or ref.name.endswith(missing):
            raise
        raise UnverifiedError(_name(ref), TAMPERED, f"blob {missing} is not there", _REMADE) from error
    except UnreadableImageError as error:
        # What is not there, or was never an image, cannot be verified; what is damaged is not what was signed.
        if not error.damaged:
            raise
        raise UnverifiedError(_name(ref), TAMPERED, error.reason, _REMADE) from error


def check_inputs(verified: Verified, lock: Lock | None, path: str) -> None:
    """Raise an error unless the key signed for each image what it was made of, and that is what `lock` names.

    :param path: that of the lock; without one, it is enough that it is signed.
    :raises UnverifiedError: of an image there is no signed provenance, or not minpack's.
    :raises LockedError: an image was made of something else.
    """
    for platform, digest in verified.images:
        stated = [one for _, one in verified.statements if one.predicate_type == PROVENANCE and digest in one.subjects]
        if not stated:
            reason = f"the key signed no provenance of its image for {platform}"
            hint = "pack it with --provenance and --sign, in the default signature format"
            raise UnverifiedError(verified.name, NO_PROVENANCE, reason, hint)
        if lock is None:
            continue
        inputs = read_inputs(stated[0].predicate)
        if inputs is None:
            reason = "its provenance is not in minpack's format, so it cannot be compared with a lock"
            raise UnverifiedError(verified.name, FOREIGN_PROVENANCE, reason, "leave out --lock")
        differences = unlocked(inputs, lock, str(platform))
        if differences:
            raise LockedError(path, differences, "it was made from other inputs, or from another lock")


def _name(ref: ImageRef) -> str:
    return os.path.basename(ref.name.rstrip("/")) if ref.is_local else ref.name


def _verified(found: FoundImage, key: PublicKey, options: BaseOptions, progress: Progress) -> Verified:
    built = found.built
    bundles = by_subject([one for one in built.artifacts if is_bundle(one)])
    signatures, about = _signatures(found, bundles.get(built.digest, [])[:MAX_ARTIFACTS], key, options)
    statements = [*about, *_of_images(built, bundles, key)]
    blobs = _image_blobs(built, _listed(found))
    for number, blob in enumerate(blobs):
        progress("verifying blobs", number, len(blobs))
        blob.check()
    return Verified(
        found.name,
        built.digest,
        built.root.media_type,
        tuple((image.platform, image.digest) for image in built.images),
        signatures,
        tuple(statements),
        len(blobs),
        sum(blob.descriptor.size for blob in blobs),
        key.hint,
    )


def _signatures(
    found: FoundImage, bundles: Sequence[Artifact], key: PublicKey, options: BaseOptions
) -> tuple[tuple[VerifiedSignature, ...], list[tuple[Digest, Statement]]]:
    """The signatures of what has the name, and what else the key signed about it.

    :raises UnverifiedError: there is none.
    """
    subject = found.built.digest
    try:
        checked = statements_about(found.name, subject, [check_bundle(one, key) for one in bundles])
    except UnverifiedError as error:
        # Where another key has bundles, this one may still have signed in the older form.
        if found.repository is None or error.problem not in _OTHERWISE:
            raise
        return (_classic(found, error, key, options),), []
    stated = _stated(checked)
    signatures = tuple(
        VerifiedSignature(BUNDLE_FORM, digest) for digest, one in stated if one.predicate_type == SIGNATURE
    )
    return signatures, [(digest, one) for digest, one in stated if one.predicate_type != SIGNATURE]


def _classic(found: FoundImage, otherwise: UnverifiedError, key: PublicKey, options: BaseOptions) -> VerifiedSignature:
    """The signature in the older form.

    :param otherwise: what is wrong if there is none.
    :raises UnverifiedError: there is none by `key`, or it is about something else.
    """
    assert found.repository is not None, "internal error: it is in a registry"
    subjects = classic_subjects(found.repository, found.built.digest, key, options)
    if subjects is None:
        raise otherwise
    if found.built.digest in subjects:
        return VerifiedSignature(CLASSIC_FORM, None)
    if subjects:
        reason = f"its signature is for {subjects[0]}, but this image is {found.built.digest}"
        hint = "the signature was copied from another image: trust neither, and ask the publisher"
        raise UnverifiedError(found.name, WRONG_SUBJECT, reason, hint)
    hint = "use the signer's public key"
    raise UnverifiedError(found.name, WRONG_KEY, "it is signed with another key, or was changed", hint)


def _stated(checked: Sequence[CheckedBundle]) -> list[tuple[Digest, Statement]]:
    return [(one.digest, one.statement) for one in checked if one.statement is not None]


def _of_images(built: Index, bundles: dict[Digest, list[Artifact]], key: PublicKey) -> list[tuple[Digest, Statement]]:
    """What the key signed about the images of an index, but for their own signatures."""
    if built.document is None:
        return []
    return [
        (digest, statement)
        for image in built.images
        for digest, statement in _stated([check_bundle(one, key) for one in bundles.get(image.digest, ())])
        if statement.predicate_type != SIGNATURE and image.digest in statement.subjects
    ]


def _listed(found: FoundImage) -> set[Digest]:
    """What the index lists, all of which was read; nothing of an image without one.

    :raises UnverifiedError: a part of it is not there, as where an engine saved the image of its own platform alone.
    """
    built = found.built
    if built.document is None:
        return set()
    source = DocumentSource(found.name, {})
    entries = listed_descriptors(source, source.stated(built.document.data, str(built.digest)))
    there = {image.digest for image in built.images} | {one.descriptor.digest for one in built.artifacts}
    for one in entries:
        if one.digest not in there:
            reason = f"{one.digest}, which its index lists, is not there"
            hint = "fetch all of it again, or verify the image of one platform with --platform"
            raise UnverifiedError(found.name, TAMPERED, reason, hint)
    return {one.digest for one in entries}


def _image_blobs(built: Index, listed: set[Digest]) -> tuple[Blob, ...]:
    """What was signed: the index and all that it lists, as images and BuildKit's attestations, or the one image."""
    artifacts = tuple(one for one in built.artifacts if one.descriptor.digest in listed)
    return built._replace(artifacts=artifacts).blobs
