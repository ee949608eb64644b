"""Signing a finished image, with all that is said about it, where it is: in a registry, a layout, an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import NotInRegistryError
from minpack.images.classic import sign_index_classic
from minpack.images.open import open_found
from minpack.namedtuple import NamedTuple
from minpack.oci import mediatypes
from minpack.oci.image import by_subject
from minpack.output.attach import attach_to_archive, attach_to_layout, attach_to_repository
from minpack.registry.client import RegistryClient
from minpack.registry.options import RegistryOptions
from minpack.spec.base_ref import OCI
from minpack.trust.attest import artifacts_about
from minpack.trust.documents import documents_about, signed_subjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.base.options import BaseOptions
    from minpack.digest import Digest
    from minpack.images.open import FoundImage
    from minpack.oci.documents import Descriptor
    from minpack.oci.image import Artifact
    from minpack.progress import Progress
    from minpack.spec.base_ref import ImageRef
    from minpack.trust.keys import SigningKey


class Signed(NamedTuple):
    """An image that is signed: what was signed, each with how many signatures and signed documents that takes.

    `added` is how many of them were not there before. `repository` is that of an image of a registry, as ``host/name``.
    """

    name: str
    digest: Digest
    subjects: tuple[tuple[Descriptor, int], ...]
    added: int
    repository: str
    classic: bool
    notes: tuple[str, ...] = ()

    @property
    def by_digest(self) -> str:
        """The image of a registry as ``REPOSITORY@DIGEST``."""
        return f"{self.repository}@{self.digest}"


class SignSpec(NamedTuple):
    """How an image is signed: with which key, in cosign's older form or not, and what is said of when."""

    key: SigningKey
    classic: bool = False
    created: int = 0


def sign_image(ref: ImageRef, wanted: SignSpec, options: BaseOptions, progress: Progress) -> Signed:
    """Sign the image that `ref` names, and the SBOMs and other documents about it.

    Of several platforms, the index and each image are signed. What is signed already is left as it is.

    :raises MinpackError: there is no such image, or it cannot be written to.
    """
    with open_found(ref, options, progress, artifacts=True) as found:
        if wanted.classic:
            return _signed_classic(found, wanted, options)
        documents, subjects = documents_about(found.built, found.name), signed_subjects(found.built)
        signatures = [
            one
            for subject in subjects
            for one in artifacts_about(subject, documents.get(subject.digest, ()), wanted.key, wanted.created)
            if one.descriptor.artifact_type == mediatypes.BUNDLE
        ]
        there = {one.descriptor.digest: one for one in found.built.artifacts}
        new = [one for one in signatures if not _is_whole(there.get(one.descriptor.digest))]
        new.sort(key=lambda one: one.descriptor.digest)
        if new:
            _attach(found, new, options)
        made = by_subject(signatures)
        counted = tuple((subject, len(made[subject.digest])) for subject in subjects)
        return Signed(
            found.name,
            found.built.digest,
            counted,
            len(new),
            str(found.repository or ""),
            wanted.classic,
            _notes(wanted),
        )


def _is_whole(artifact: Artifact | None) -> bool:
    """Whether it is there with all of its bytes; what a registry has lost of it is brought there again.

    :raises MinpackError: its bytes are others.
    """
    try:
        for layer in artifact.layers if artifact is not None else ():
            layer.check()
    except NotInRegistryError:
        return False
    return artifact is not None


def _notes(wanted: SignSpec) -> tuple[str, ...]:
    if wanted.key.is_deterministic:
        return ()
    return ("the signature differs each time: OpenSSL 3.2 or newer makes the same one (update cryptography)",)


def _attach(found: FoundImage, new: Sequence[Artifact], options: BaseOptions) -> None:
    """Add signatures to where the image is."""
    if found.repository is not None:
        with RegistryClient(_access(options)) as client:
            attach_to_repository(client, found.repository, new)
        return
    attach = attach_to_layout if found.ref.transport == OCI else attach_to_archive
    attach(found.ref.name, found.built.digest, new)


def _signed_classic(found: FoundImage, wanted: SignSpec, options: BaseOptions) -> Signed:
    assert found.repository is not None, "internal error: only images of registries are signed so"
    with RegistryClient(_access(options)) as client:
        counted, added = sign_index_classic(client, found.repository, found.built, wanted.key, found.name)
    return Signed(found.name, found.built.digest, counted, added, str(found.repository), wanted.classic, _notes(wanted))


def _access(options: BaseOptions) -> RegistryOptions:
    return (options.registry or RegistryOptions())._replace(network=options.network)
