"""Pushing blobs and manifests into one repository (distribution-spec, "Push").

A blob is asked for before it is sent, and mounted where another repository of the registry is known to have it. It goes
in one request; what broke off goes on where the registry says that it is. The registry checks each against its digest,
and so does minpack what it reads.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from minpack.errors import ChangedInputError, RegistryError, SumMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from minpack.digest import Digest
    from minpack.oci.documents import Blob, Descriptor
    from minpack.registry.client import RegistryClient
    from minpack.registry.repository import ImageRepository
    from minpack.registry.response import Response

#: Bytes of a blob that are read and sent at once.
PIECE = 1 << 18
#: So often in a row a blob may break off without that something new has come.
ATTEMPTS = 6
#: Answers to a PUT with a body by which registries mean how it was sent: then it is sent by a PATCH.
_WANT_PATCH = (400, 404, 405, 411, 415, 416, 422, 501)
#: What is wrong with an upload, and not with the blob: it is begun anew (distribution-spec, "Error Codes").
_LOST = ("BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "DIGEST_INVALID", "SIZE_INVALID")
_OK, _CREATED, _NO_CONTENT = 200, 201, 204
#: Every status of an answer: what it is shows by itself.
ANY = range(100, 600)
_BROKEN_HINT = "try again: what is there already is not sent again"
#: What says that an upload goes on at another address, and how often one may.
_MOVED, _MOST_MOVES = (307, 308), 5
#: What is taken for done; registries differ.
_DONE = (200, 201, 202, 204)


class BrokenOffError(Exception):
    """What was sent did not all arrive, or was not answered; from where it can go on is to be asked first."""


class Total:
    """Sums what is sent of a blob, and says what is wrong with it before the last piece is sent."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._size = 0
        self._sum = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """`piece` is to be sent; an empty one is the end.

        :raises SumMismatchError: that would be all, and it is not what the digest says.
        """
        self._sum.update(piece)
        self._size += len(piece)
        actual, expected = self._sum, self._blob.descriptor
        if (not piece or self._size == expected.size) and actual.hexdigest() != expected.digest.hex:
            hint = "the image is damaged: build or download it again"
            where = f"a blob of {self._blob.content.where}"
            raise SumMismatchError(where, "SHA-256", expected.digest.hex, actual.hexdigest(), hint)


class Uploader:
    """Brings blobs into a repository; several threads may use it at once.

    :param report: is told of a blob how many of its bytes are sent.
    :param check_wanted: raises an error if nobody wants more to be sent.
    :param checks: compare blobs with their digests before they are sent: they were not written just now. Every registry
        does that again.
    """

    def __init__(
        self,
        client: RegistryClient,
        repository: ImageRepository,
        report: Callable[[Descriptor, int], None],
        check_wanted: Callable[[], None],
        *,
        checks: bool = True,
    ) -> None:
        self.repository = repository
        self._client = client
        self._report = report
        self._check_wanted = check_wanted
        self._checks = checks
        #: Whether the registry takes bytes by PATCH alone, as far as known.
        self._patches = False

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there, as far as the registry says: one that refuses HEAD is asked to take it."""
        return self._ask("HEAD", f"blobs/{digest}", expected=ANY).status == _OK

    def push(self, blob: Blob, source: str = "", location: str = "") -> bool:
        """Have `blob` in the repository; whether it had to be sent.

        :param source: the name of another repository of the registry that has it; empty if none is known.
        :param location: where to send it, whether it is there or not; empty if nothing was begun for it.
        :raises RegistryError: the registry does not take it.
        :raises SumMismatchError: its bytes are not those of its digest.
        """
        if location:
            self._send(blob, location)
            return True
        if self.has(blob.descriptor.digest):
            return False
        location = self._mount(blob.descriptor.digest, source) if source else self.begin()
        if location:
            self._send(blob, location)
        return bool(location)

    def begin(self) -> str:
        """Where to send a blob."""
        return self._client.location(self._ask("POST", "blobs/uploads/", expected=(202,)))

    def _mount(self, digest: Digest, source: str) -> str:
        """Where to send the blob; empty if it was mounted from the repository `source`."""
        try:
            path = f"blobs/uploads/?mount={digest}&from={quote(source)}"
            response = self._ask("POST", path, expected=(201, 202), mount_from=source)
        except RegistryError:
            # It may be that just mounting is refused: the right to read the source is another one.
            return self.begin()
        return "" if response.status == _CREATED else self._client.location(response)

    def _send(self, blob: Blob, location: str) -> None:
        at, failures, problem = 0, 0, ""
        while failures < ATTEMPTS:
            before, lost = at, False
            try:
                return self._send_from(blob, location, at)
            except BrokenOffError:
                problem = "the connection keeps breaking"
            except RegistryError as error:
                self._learn(error, at)
                problem, lost = error.reason, True
            self._check_wanted()
            if self.has(blob.descriptor.digest):
                return None
            location, at = (self.begin(), 0) if lost else self._resumed(location, blob.descriptor.size)
            failures = 0 if at > before else failures + 1
        raise RegistryError("push", str(self.repository), f"{problem} (after {ATTEMPTS} attempts)", _BROKEN_HINT)

    def _learn(self, error: RegistryError, at: int) -> None:
        """Raise `error` unless it may help to send the blob anew, or by a PATCH from now on."""
        lost = error.code in _LOST or at > 0
        if error.status not in _WANT_PATCH or (self._patches and not lost):
            raise error
        if not at and error.code != "DIGEST_INVALID":
            self._patches = True

    def _send_from(self, blob: Blob, location: str, at: int) -> None:
        """Send what follows `at`, and let it be the blob."""
        size = blob.descriptor.size
        if at < size and (at or self._patches):
            location = self.patch(location, lambda: self._pieces(blob, at), size - at, at)
            at = size
        self.finish(location, blob.descriptor, (lambda: self._pieces(blob, 0)) if at < size else None)

    def patch(self, location: str, body: Callable[[], Iterator[bytes]], size: int | None, at: int = 0) -> str:
        """Send bytes of a blob; where to go on.

        :param size: how many they are; None if that is not known before.
        :param at: how many the registry has already.
        """
        headers = {"Content-Type": "application/octet-stream"}
        if size is not None:
            headers["Content-Length"] = str(size)
        if at and size:
            headers["Content-Range"] = f"{at}-{at + size - 1}"
        # What is sent while it is made cannot be had again.
        return self._client.location(self._put("PATCH", location, headers, body, again=size is not None))

    def finish(self, location: str, descriptor: Descriptor, body: Callable[[], Iterator[bytes]] | None = None) -> None:
        """Let what was sent, or `body`, be the blob."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(descriptor.size if body is not None else 0),
        }
        address = f"{location}{'&' if '?' in location else '?'}digest={quote(str(descriptor.digest))}"
        self._put("PUT", address, headers, body)

    def _resumed(self, location: str, size: int) -> tuple[str, int]:
        """Where an upload that broke off goes on, and from what byte: of another one, if the registry forgot it."""
        response = self._ask("GET", location, expected=ANY)
        found = re.fullmatch(r"(?:bytes=)?0-(\d{1,18})", response.headers.get("Range", ""))
        if response.status != _NO_CONTENT or found is None:
            return self.begin(), 0
        at = int(found[1]) + 1
        # One byte and none are the same there.
        return (self._client.location(response), at) if 1 < at <= size else (self.begin(), 0)

    def _pieces(self, blob: Blob, start: int) -> Iterator[bytes]:
        """The bytes of `blob` from `start` on.

        :raises SumMismatchError: all were asked for, and are not those of its digest.
        """
        at, size = start, blob.descriptor.size
        total = Total(blob) if self._checks and not start else None
        with blob.content.open() as reader:
            while at < size:
                self._check_wanted()
                piece = reader.read_at(at, min(PIECE, size - at))
                if total is not None:
                    total.add(piece)
                if not piece:
                    raise ChangedInputError(blob.content.where, size, at)
                yield piece
                at += len(piece)
                self._report(blob.descriptor, at)

    def _put(
        self,
        method: str,
        location: str,
        headers: Mapping[str, str],
        body: Callable[[], Iterator[bytes]] | None,
        *,
        again: bool = True,
    ) -> Response:
        """The answer to what is sent to `location`, or to wherever that is moved (RFC 9110, 15.4.8 and 15.4.9).

        Another server gets no credentials.

        :param again: whether `body` can be had again.
        :raises RegistryError: it is moved too often, or the registry does not take it.
        :raises BrokenOffError: it did not all arrive, or was moved and cannot be had again.
        """
        for _ in range(_MOST_MOVES + 1):
            response = self._ask(method, location, headers, body, expected=(*_DONE, *_MOVED))
            if response.status not in _MOVED:
                return response
            if not again:
                raise BrokenOffError
            location = self._client.location(response)
        raise RegistryError("push", str(self.repository), f"it redirects an upload more than {_MOST_MOVES} times")

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
        *,
        expected: Collection[int],
        mount_from: str = "",
    ) -> Response:
        """The registry's answer.

        :raises BrokenOffError: it had a body, and did not get all of it or did not answer.
        """
        return self._client.request(
            self.repository,
            method,
            path,
            actions="push,pull",
            mount_from=mount_from,
            headers=headers or {},
            body=_once(body) if body is not None else None,
            stays=body is not None,
            expected=expected,
        )


def _once(body: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """`body`, which cannot be had again: what is sent a second time is another part of the blob."""
    calls = iter((body,))

    def first() -> Iterator[bytes]:
        for one in calls:
            return one()
        raise BrokenOffError

    return first
