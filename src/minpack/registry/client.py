"""`RegistryClient`: all that is asked of registries, with authentication, retries, and refusals in words."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from minpack.digest import Digest
from minpack.errors import OfflineError, RegistryError, SumMismatchError
from minpack.net.address import is_loopback
from minpack.net.budget import Budget
from minpack.net.tls import Tls
from minpack.net.web import Ask, PassingError, Web, WebError, in_words
from minpack.oci.documents import MAX_DOCUMENT, Descriptor
from minpack.oci.mediatypes import INDEXES, MANIFESTS
from minpack.progress import no_progress
from minpack.registry.response import Response, refusal
from minpack.registry.secret import Redactor
from minpack.store.fetch import Fetched, Wanted, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from minpack.net.web import Answer
    from minpack.progress import Progress
    from minpack.registry.options import RegistryOptions
    from minpack.registry.repository import ImageRepository
    from minpack.store.store import Store

#: All kinds of manifests must be named: docker-registry 2.8 hides those of OCI from others.
_ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
#: More bytes than any answer but a manifest or a blob has.
_MOST_ANSWER = 1 << 20
_PIECE = 1 << 16
_LONGEST_PAUSE = 30.0
_PASSING = (408, 425, 429, 499, 500, 502, 503, 504, 522)


class RegistryClient:
    """Asks registries; several threads may do so at once. It closes its connections when its ``with`` block is left."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._redactor = Redactor()
        self._web = Web(options.network, self._tls)

    def manifest(self, repository: ImageRepository, tag_or_digest: str) -> tuple[Descriptor, bytes]:
        """The manifest or index of that tag, or of that digest (``sha256:…``), verified.

        :raises NotInRegistryError: there is none.
        :raises SumMismatchError: the registry gives other bytes.
        """
        by_digest = ":" in tag_or_digest
        named = f"{repository}{'@' if by_digest else ':'}{tag_or_digest}"
        response = self.request(
            repository,
            "GET",
            f"manifests/{tag_or_digest}",
            headers={"Accept": _ACCEPT},
            limit=MAX_DOCUMENT,
            named=named,
        )
        digest = Digest.of(response.body)
        promised = tag_or_digest if by_digest else response.headers.get("Docker-Content-Digest", "")
        if promised.startswith("sha256:") and promised != str(digest):
            raise SumMismatchError(named, "SHA-256", promised[7:][:64], digest.hex, _OTHER_BYTES)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Descriptor(media_type, digest, len(response.body)), response.body

    def read_blob(self, repository: ImageRepository, descriptor: Descriptor) -> bytes:
        """A small blob, as a configuration, verified.

        :raises NotInRegistryError: there is none.
        :raises SumMismatchError: the registry gives other bytes.
        """
        named = f"{repository}@{descriptor.digest}"
        response = self.request(
            repository, "GET", f"blobs/{descriptor.digest}", limit=min(descriptor.size, MAX_DOCUMENT), named=named
        )
        digest = Digest.of(response.body)
        if (digest, len(response.body)) != (descriptor.digest, descriptor.size):
            raise SumMismatchError(named, "SHA-256", descriptor.digest.hex, digest.hex, _OTHER_BYTES)
        return response.body

    def fetch_blob(
        self, repository: ImageRepository, descriptor: Descriptor, store: Store, progress: Progress = no_progress
    ) -> Fetched:
        """A blob from the store, else from the registry, kept and verified; whoever gets it closes it.

        :raises NotInRegistryError: there is none.
        :raises SumMismatchError: the registry gives other bytes.
        :raises OfflineError: it is not in the store, and the network may not be used.
        """
        url = f"https://{repository.api_host}/v2/{repository.name}/blobs/{descriptor.digest}"
        wanted = Wanted(url, "sha256", descriptor.digest.hex, _OTHER_BYTES, descriptor.size)
        return fetch(wanted, store, self._options.network, progress)

    def request(
        self,
        repository: ImageRepository,
        method: str,
        path: str,
        *,
        actions: str = "pull",
        mount_from: str = "",
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterable[bytes]] | None = None,
        expected: Collection[int] = (200,),
        limit: int = _MOST_ANSWER,
        named: str = "",
    ) -> Response:
        """The answer of the repository's registry, which has one of the statuses `expected`.

        It is authenticated, and tried again where that may help. A body whose pieces cannot be had again is never sent
        twice: `body` raises an error of its own at its second call.

        :param path: what follows ``/v2/NAME/``, or the URL that an answer had as its Location, joined with its `url`.
        :param actions: the rights it takes, ``pull`` or ``push,pull``.
        :param mount_from: the name of another repository of the registry that is read from.
        :param body: gives the pieces of what is sent, anew at each call; `headers` have its Content-Length, or it is
            sent in chunks.
        :param limit: the most bytes of the answer's body.
        :param named: what errors say it is about; the repository if empty.
        :raises RegistryAccessError: it takes a login, or another one.
        :raises NotInRegistryError: the registry has no such thing.
        :raises RegistryError: anything else went wrong.
        :raises CredentialsError: the credentials cannot be read.
        :raises OfflineError: the network may not be used.
        """
        verb = "push" if "push" in actions else "pull"
        del mount_from
        named = named or str(repository)
        url = path if "://" in path else f"{self._base(repository)}/v2/{repository.name}/{path}"
        if self._options.network.offline:
            raise OfflineError(url)
        ask = Ask(method, url, headers or {}, body=body)
        try:
            response = self._persist(lambda: self._answer(ask, limit))
        except WebError as error:
            raise RegistryError(verb, named, self._redactor.redact(error.reason)) from error
        if response.status not in expected:
            raise refusal(response, verb, named, repository.host, self._redactor.redact)
        return response

    def location(self, response: Response) -> str:
        """The URL that the answer's Location means, for the next `request`.

        :raises RegistryError: it has none.
        """
        return urljoin(response.url, response.headers.get("Location", ""))

    def _persist(self, attempt: Callable[[], Response]) -> Response:
        """What `attempt` gives, tried again where that may help, up to a bound that nothing resets.

        :raises WebError: no attempt helped.
        """
        network = self._options.network
        for count in range(1, network.attempts + 1):
            try:
                response = attempt()
                if response.status not in _PASSING or count == network.attempts:
                    return response
                wait = response.headers.get("Retry-After", "")
                pause = float(wait) if re.fullmatch(r"\d{1,6}", wait, re.ASCII) else None
            except PassingError as error:
                if count == network.attempts:
                    raise WebError(f"{error.reason} (after {count} attempts)") from error
                pause = error.wait
            backoff = 0.5 * 2 ** (count - 1) * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
            network.pause(min(pause if pause is not None else backoff, _LONGEST_PAUSE))
        raise AssertionError("internal error: a network without attempts")

    def _answer(self, ask: Ask, limit: int) -> Response:
        network = self._options.network
        budget = Budget(network.limits, max(network.connect_timeout, network.read_timeout))
        response = self._web.request(ask, budget)
        try:
            body = _read(response, limit, budget)
        finally:
            response.close()
        return Response(response.status, response.headers, body, response.url or ask.url)

    def _base(self, repository: ImageRepository) -> str:
        host = repository.api_host
        return f"{'http' if is_loopback(_without_port(host)) else 'https'}://{host}"

    def _tls(self, _host: str) -> Tls:
        return Tls(self._options.network.ca_file)

    def close(self) -> None:
        """Close all connections."""
        self._web.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_OTHER_BYTES = "the registry or a proxy changed it: try again, or another registry"


def _without_port(host: str) -> str:
    return re.sub(r":\d+$", "", host)


def _read(response: Answer, limit: int, budget: Budget) -> bytes:
    """The body.

    :raises WebError: it has more than `limit` bytes.
    """
    body = bytearray()
    with in_words():
        while piece := response.read1(_PIECE, decode_content=False):
            body += piece
            budget.use(len(piece))
            if len(body) > limit:
                break
        else:
            response.release_conn()
            return bytes(body)
    raise WebError(f"the answer has more than the {limit} bytes that are expected of it")
