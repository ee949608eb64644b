"""Opening the image that a command is given: in a file, a layout, an engine or a registry, the same value."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from minpack.errors import EngineError, MinpackError, NotInRegistryError, SumMismatchError, UnreadableImageError
from minpack.namedtuple import NamedTuple
from minpack.oci.reference import parse_image
from minpack.oci.select import select_image
from minpack.sources.archive import saved_archive, unpacked_archive
from minpack.sources.image import display_name, read_local
from minpack.sources.local import is_there, store_for_unpacked
from minpack.spec.base_ref import ANYWHERE, DOCKER, DOCKER_DAEMON, ImageRef

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.oci.image import Artifact, BuiltImage, Index
    from minpack.oci.reference import ImageName
    from minpack.progress import Progress
    from minpack.registry.repository import ImageRepository
    from minpack.sources.pull import Puller
    from minpack.store.store import Store
    from minpack.target import Platform

_NO_FILE_HINT = "name an existing archive or layout, or an image in a registry: docker://NAME"


class FoundImage(NamedTuple):
    """A finished image.

    `ref` says where it was found, in an engine or a registry too if that was left open; `name` is what to call it in
    messages, without a path of this host. `built` has the images of all platforms that are there, or of the one that
    was asked for, and the artifacts that are known to be about them; with the index's document if there is one.
    `repository` is that of an image of a registry.
    """

    ref: ImageRef
    name: str
    built: Index
    repository: ImageRepository | None = None

    def only(self, image: BuiltImage) -> FoundImage:
        """One of its images by itself, with what is about it."""
        about = tuple(one for one in self.built.artifacts if one.subject and one.subject.digest == image.digest)
        return self._replace(built=self.built._replace(images=(image,), artifacts=about, document=None))


@contextmanager
def open_found(
    ref: ImageRef,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None = None,
    *,
    artifacts: bool = False,
) -> Generator[FoundImage]:
    """The image that `ref` names; its blobs can be read until the block is left.

    :param platform: the one whose image is wanted; None for all.
    :param artifacts: ask a registry which artifacts are about the image; what is in a file is known anyway.
    :raises UnreadableImageError: there is no such image, or it is damaged.
    :raises WrongTargetError: it is not for that platform.
    :raises EngineError: no engine has it, and only an engine was meant.
    :raises RegistryError: the registry does not give it.
    """
    with ExitStack() as stack:
        found = _found(ref, options, progress, stack, artifacts=artifacts)
        if platform is not None:
            found = found.only(select_image(found.built.images, platform, found.name))
        yield found


def _found(ref: ImageRef, options: BaseOptions, progress: Progress, stack: ExitStack, *, artifacts: bool) -> FoundImage:
    """The image with all its platforms; what it needs open is left to `stack`."""
    if ref.is_local:
        if not is_there(ref.name):
            raise UnreadableImageError(ref.name, "no such file or directory", _NO_FILE_HINT)
        archive = stack.enter_context(unpacked_archive(ref.name, stack.enter_context(store_for_unpacked(options))))
        return FoundImage(ref, display_name(ref), read_local(ref, archive))
    if ref.transport == DOCKER:
        return _of_registry(ref, options, progress, stack, artifacts=artifacts)
    try:
        store: Store = stack.enter_context(store_for_unpacked(options))
        saved = stack.enter_context(saved_archive(ref.name, options, progress, store))
    except EngineError as error:
        if ref.transport != ANYWHERE or ref.name.startswith("sha256:"):
            raise
        return _neither(ref, error, options, progress, stack, artifacts=artifacts)
    found = ref._replace(transport=DOCKER_DAEMON)
    return FoundImage(found, display_name(found), read_local(found, saved))


def _neither(
    ref: ImageRef,
    engine: EngineError,
    options: BaseOptions,
    progress: Progress,
    stack: ExitStack,
    *,
    artifacts: bool,
) -> FoundImage:
    """The image of a registry that no engine has; if there is none either, the error says both."""
    try:
        of_registry = ref._replace(transport=DOCKER, name=str(parse_image(ref.name)))
        return _of_registry(of_registry, options, progress, stack, artifacts=artifacts)
    except MinpackError as error:
        also = "no container engine has it either" if "reach" not in engine.message else "no container engine answers"
        error.hint = f"{error.hint}; {also}" if error.hint else also
        raise


def _of_registry(
    ref: ImageRef, options: BaseOptions, progress: Progress, stack: ExitStack, *, artifacts: bool
) -> FoundImage:
    from minpack.oci.pulled import read_pulled_index  # noqa: PLC0415 - for images of registries alone
    from minpack.sources.pull import Puller  # noqa: PLC0415 - as above

    named = parse_image(ref.name)
    store: Store = stack.enter_context(store_for_unpacked(options))
    puller = stack.enter_context(Puller(named, options, store, progress))
    index = read_pulled_index(named.familiar, puller, named.digest or named.tag)
    if artifacts:
        index = index._replace(artifacts=_with_referrers(named, index, puller))
    return FoundImage(ref, named.familiar, index, puller.repository)


def _with_referrers(named: ImageName, index: Index, puller: Puller) -> tuple[Artifact, ...]:
    """Those that the index lists, and those that its registry has about it and its images, in the order of digests."""
    from minpack.oci.pulled import read_pulled_artifact  # noqa: PLC0415 - where they are asked for

    every = {one.descriptor.digest: one for one in index.artifacts}
    for subject in dict.fromkeys((index.digest, *(image.digest for image in index.images))):
        for descriptor in puller.referrers(subject):
            try:
                found = read_pulled_artifact(named.familiar, puller, descriptor)
            except (NotInRegistryError, SumMismatchError, UnreadableImageError):
                # Whoever may push there can list anything; what cannot be read says nothing about the image.
                continue
            every.setdefault(descriptor.digest, found)
    return tuple(sorted(every.values(), key=lambda one: one.descriptor.digest))
