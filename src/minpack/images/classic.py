"""Signatures in cosign's older form, written into a repository and read there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import NotInRegistryError, SumMismatchError
from minpack.oci.documents import MAX_DOCUMENT
from minpack.registry.client import RegistryClient
from minpack.registry.options import RegistryOptions
from minpack.registry.push import Uploader
from minpack.registry.signatures import keep_layers, tagged_layers
from minpack.trust.classic import (
    PAYLOAD,
    SIGNATURE_KEY,
    classic_attestations,
    classic_manifest,
    classic_signature,
    classic_tag,
    signed_digest,
)
from minpack.trust.documents import documents_about, signed_subjects
from minpack.trust.verify import MAX_ARTIFACTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import BaseOptions
    from minpack.digest import Digest
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import Index
    from minpack.registry.repository import ImageRepository
    from minpack.trust.attest import Document, Signer
    from minpack.trust.keys import PublicKey


def sign_classic(
    client: RegistryClient, repository: ImageRepository, subject: Digest, documents: Sequence[Document], key: Signer
) -> int:
    """Let the repository have the signature of what has that digest, and the documents signed; how many it had not.

    :raises RegistryError: the registry does not take them.
    """
    uploader, added = Uploader(client, repository, lambda *_: None, lambda: None), 0
    wanted = [classic_signature(subject, str(repository), key)]
    wanted += [classic_attestations(subject, documents, key)] if documents else []
    for one in wanted:
        for layer in one.layers:
            uploader.push(layer)
        descriptors = [layer.descriptor for layer in one.layers]
        added += keep_layers(client, repository, one.tag, descriptors, classic_manifest, uploader.push)
    return added


def sign_index_classic(
    client: RegistryClient, repository: ImageRepository, index: Index, key: Signer, name: str
) -> tuple[tuple[tuple[Descriptor, int], ...], int]:
    """Sign what has the name, and its images, with all that is said about them: how many signatures of each, and new.

    :param name: what to call the image in errors.
    :raises RegistryError: the registry does not take them.
    """
    counted, added, documents = [], 0, documents_about(index, name)
    for subject in signed_subjects(index):
        about = documents.get(subject.digest, ())
        added += sign_classic(client, repository, subject.digest, about, key)
        counted.append((subject, 1 + len(about)))
    return tuple(counted), added


def classic_subjects(
    repository: ImageRepository, subject: Digest, key: PublicKey, options: BaseOptions
) -> tuple[Digest, ...] | None:
    """What the signatures under the tag of `subject` are about that `key` made; None if there are no signatures.

    :raises RegistryError: the registry cannot be asked.
    """
    access = (options.registry or RegistryOptions())._replace(network=options.network)
    if access.network.offline:
        return None
    with RegistryClient(access) as client:
        layers = tagged_layers(client, repository, classic_tag(subject), "pull")
        if not layers:
            return None
        found = [_signed(client, repository, one, key) for one in layers[:MAX_ARTIFACTS]]
    return tuple(one for one in found if one is not None)


def _signed(client: RegistryClient, repository: ImageRepository, layer: Descriptor, key: PublicKey) -> Digest | None:
    """What a signature is about; None if it is not by `key`, or is not there as it was."""
    signature = dict(layer.annotations).get(SIGNATURE_KEY, "")
    if layer.media_type != PAYLOAD or layer.size > MAX_DOCUMENT or not signature:
        return None
    try:
        payload = client.read_blob(repository, layer)
    except (NotInRegistryError, SumMismatchError):
        # Others' signatures are under the tag too; one that is lost is as one by another key.
        return None
    return signed_digest(payload, signature, key)
