"""`RegistryClient`: what is in registries, verified, and all else that is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.digest import Digest
from minpack.errors import DownloadError, OfflineError, RegistryError, SumMismatchError
from minpack.net.web import WebError
from minpack.oci.documents import MAX_DOCUMENT, Descriptor
from minpack.progress import no_progress
from minpack.registry.refusal import failure
from minpack.registry.repository import HUB, ImageRepository
from minpack.registry.requester import Requester

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from minpack.progress import Progress
    from minpack.store.fetch import Fetched
    from minpack.store.store import Store

    Pulled = TypeVar("Pulled")

_OTHER_BYTES = "the registry, a mirror or a proxy changed it: try again, or use another registry"


class RegistryClient(Requester):
    """Reads images of registries; see `Requester` for the rest."""

    def manifest(self, repository: ImageRepository, tag_or_digest: str) -> tuple[Descriptor, bytes]:
        """The manifest or index of that tag, or of that digest (``sha256:…``), verified.

        :raises NotInRegistryError: there is none.
        :raises RegistryError: it is no image and no index, or see `request`.
        :raises SumMismatchError: the registry gives other bytes.
        """
        named = f"{repository}{'@' if ':' in tag_or_digest else ':'}{tag_or_digest}"
        return self._from_mirrors(repository, lambda one: self._manifest(one, tag_or_digest, named))

    def read_blob(self, repository: ImageRepository, descriptor: Descriptor) -> bytes:
        """A small blob, as a configuration, verified.

        :raises NotInRegistryError: there is none.
        :raises RegistryError: it has more bytes than a document may have, or see `request`.
        :raises SumMismatchError: the registry gives other bytes.
        """
        named = f"{repository}@{descriptor.digest}"
        if descriptor.size > MAX_DOCUMENT:
            raise RegistryError("pull", named, f"it has more than the {MAX_DOCUMENT} bytes that a document may have")
        return self._from_mirrors(repository, lambda one: self._blob(one, descriptor, named))

    def fetch_blob(
        self, repository: ImageRepository, descriptor: Descriptor, store: Store, progress: Progress = no_progress
    ) -> Fetched:
        """A blob from the store, else from the registry: verified, and kept in the store. Whoever gets it closes it.

        What breaks off is resumed, by the next run too.

        :raises NotInRegistryError: there is none.
        :raises RegistryError: see `request`.
        :raises SumMismatchError: the registry gives other bytes.
        :raises OfflineError: it is not in the store, and the network may not be used.
        """
        return self._from_mirrors(repository, lambda one: self._fetch(one, descriptor, store, progress))

    def _manifest(self, repository: ImageRepository, name: str, named: str) -> tuple[Descriptor, bytes]:
        from minpack.registry.media_type import ACCEPT, is_manifest_name, media_type_of  # noqa: PLC0415 - for pulls alone

        if not is_manifest_name(name):
            raise RegistryError("pull", named, "it is named by neither a tag nor a SHA-256 digest")
        response = self.request(
            repository, "GET", f"manifests/{name}", headers={"Accept": ACCEPT}, limit=MAX_DOCUMENT, named=named
        )
        digest = Digest.of(response.body)
        promised = name if ":" in name else response.headers.get("Docker-Content-Digest", "")
        if promised.startswith("sha256:") and promised != str(digest):
            raise SumMismatchError(named, "SHA-256", promised[7:71], digest.hex, _OTHER_BYTES)
        try:
            return Descriptor(media_type_of(response), digest, len(response.body)), response.body
        except ValueError as error:
            raise RegistryError("pull", named, str(error)) from error

    def _blob(self, repository: ImageRepository, descriptor: Descriptor, named: str) -> bytes:
        path = f"blobs/{descriptor.digest}"
        body = self.request(repository, "GET", path, limit=descriptor.size, named=named).body
        digest = Digest.of(body)
        if digest != descriptor.digest:
            raise SumMismatchError(named, "SHA-256", descriptor.digest.hex, digest.hex, _OTHER_BYTES)
        return body

    def _fetch(self, repository: ImageRepository, descriptor: Descriptor, store: Store, progress: Progress) -> Fetched:
        from minpack.store.fetch import Wanted, fetch  # noqa: PLC0415 - for pulls alone

        path, host = f"blobs/{descriptor.digest}", repository.api_host
        # The same address whatever the scheme, so that the next run knows what this one left behind.
        url = f"https://{host}/v2/{repository.name}/{path}"
        name = f"{descriptor.digest.hex[:12]} of {repository}"
        wanted = Wanted(url, "sha256", descriptor.digest.hex, _OTHER_BYTES, descriptor.size, name=name, fixed=True)
        wish = self.wish(repository, f"{repository}@{descriptor.digest}")
        try:
            return fetch(
                wanted, store, self._options.network, progress, lambda ask, budget: self.open(wish, path, ask, budget)
            )
        except OfflineError:
            raise
        except DownloadError as error:
            cause = error.__cause__
            raise failure(
                cause if isinstance(cause, WebError) else WebError(error.reason), wish, self.redact
            ) from error

    def _from_mirrors(self, repository: ImageRepository, pull: Callable[[ImageRepository], Pulled]) -> Pulled:
        """What `pull` gives of a mirror of Docker Hub, or else of the registry itself.

        What is named by its digest is the same wherever it is from; a tag is what the mirror says, as for Docker.
        """
        for mirror in self._options.hub_mirrors if repository.host == HUB else ():
            host, _, prefix = mirror.partition("/")
            name = f"{prefix}/{repository.name}" if prefix else repository.name
            try:
                return pull(ImageRepository(host, name))
            except (RegistryError, SumMismatchError):
                continue
        return pull(repository)
