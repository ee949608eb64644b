"""Downloading: tried again when it may help, resumed where it broke off, bounded in size and in time (`Budget`).

Rules: RFC 9110 for ranges and If-Range (section 13.1.5 and 14) and for
Retry-After (10.2.3; in seconds only, its other form needs a clock).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import DownloadError
from minpack.net.budget import Budget
from minpack.net.web import Ask, PassingError, Web, WebError, in_words, printable
from minpack.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, TypeAlias

    from minpack.net.network import Network
    from minpack.net.web import Answer
    from minpack.progress import Progress

    #: What `Web.request` is.
    Request: TypeAlias = Callable[[Ask, Budget], Answer]

    class Sink(Protocol):
        """Where the bytes go."""

        def write(self, data: bytes, at: int) -> None:
            """Put `data` at the offset `at`."""

        def clear(self) -> None:
            """Forget everything written."""


_OK = 200
_PARTIAL = 206
_WRONG_RANGE = 416
_SERVER_ERROR = 500

_PIECE = 1 << 16
_LONGEST_PAUSE = 30.0

#: After so many bytes more than there ever were, failures are counted anew.
_HEADWAY = 1 << 20

#: Statuses that may be others soon: time out, too early, too many requests; and all of the server's own errors.
_PASSING = (408, 425, 429)

#: What to do about most failures.
_HINT = "check the network and the proxy, use another server with --mirror, or use only what is stored with --offline"
_SPENT_HINT = "try again later, or another server with --mirror; a proxy in between may be the cause"
_GONE_HINT = "the server does not have it (any more); try another one with --mirror"


def download(
    url: str,
    sink: Sink,
    *,
    limit: int,
    network: Network,
    size: int | None = None,
    start: int = 0,
    validator: str = "",
    remember: Callable[[str], None] | None = None,
    progress: Progress = no_progress,
    request: Request | None = None,
    fixed: bool = False,
) -> None:
    """Bring the body of `url` into `sink`.

    :param limit: the most bytes to accept.
    :param size: how many there should be, if that is known; used where the server does not say.
    :param start: how many bytes of it the sink has from an earlier run.
    :param validator: the ETag or Last-Modified that those bytes came with.
    :param remember: is told the validator of bytes that follow.
    :param request: makes the requests, as `Web.request`; it may raise errors of its own.
    :param fixed: whether the URL means the same bytes for ever, as one with their digest.
    :raises DownloadError: it failed for good, it takes more than the network's limits allow, or has more than `limit`
        bytes; then the sink is empty.
    """
    budget = Budget(network.limits, max(network.connect_timeout, network.read_timeout))
    transfer = _Transfer(url, sink, limit, size, progress, budget)
    transfer.at, transfer.validator, transfer.fixed = start, validator, fixed
    transfer.remember = remember
    with Web(network) as web:
        try:
            _attempts(transfer, request or web.request, network, budget)
        except WebError as error:
            raise DownloadError(url, error.reason, _SPENT_HINT if error.kind == "spent" else _HINT) from error


def _attempts(transfer: _Transfer, request: Request, network: Network, budget: Budget) -> None:
    """Attempt until all is there.

    :raises WebError: no attempt will help any more.
    """
    failures, furthest = 0, transfer.at
    while True:
        try:
            return transfer.attempt(request)
        except PassingError as error:
            failures += 1
            if transfer.at - furthest >= _HEADWAY:
                failures, furthest = 1, transfer.at
            if failures >= network.attempts:
                raise WebError(f"{error.reason} (after {failures} attempts)") from error
            with in_words(error.reason):
                budget.spend(0)
            network.pause(min(error.wait if error.wait is not None else 0.5 * 2 ** (failures - 1), _LONGEST_PAUSE))
            budget.rest()


def read_document(url: str, *, limit: int, network: Network) -> bytes:
    """The body of `url`, which is small.

    :raises DownloadError: as `download`.
    """
    memory = _Memory()
    download(url, memory, limit=limit, network=network)
    return bytes(memory.data)


class _Memory:
    """A `Sink` in memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes, at: int) -> None:
        self.data[at:] = data

    def clear(self) -> None:
        self.data.clear()


class _Transfer:
    """One download over as many attempts as it takes; `at` bytes of it are in the sink."""

    def __init__(self, url: str, sink: Sink, limit: int, size: int | None, progress: Progress, budget: Budget) -> None:
        self.at = 0
        self.validator = ""
        self.fixed = False
        self.remember: Callable[[str], None] | None = None
        self._url = url
        self._task = url.rpartition("/")[2]
        self._sink = sink
        self._limit = limit
        self._size = size
        self._progress = progress
        self._budget = budget

    def attempt(self, request: Request) -> None:
        """Ask once for what is missing.

        :raises PassingError: not all of it came.
        :raises WebError: it is wrong, or the budget is spent.
        """
        if not (self.at and (self.validator or self.fixed)):
            self._restart("")
        headers = {"Range": f"bytes={self.at}-"} if self.at else {}
        if self.at and not self.fixed:
            headers["If-Range"] = self.validator
        response = request(Ask("GET", self._url, headers), self._budget)
        try:
            self._begin(response)
            self._receive(response)
        finally:
            response.close()

    def _begin(self, response: Answer) -> None:
        """See from status and headers whether the body goes on where the last one broke off."""
        status = response.status
        if status == _PARTIAL and self._continues(response):
            return
        if status in (_PARTIAL, _WRONG_RANGE):
            # What is here and what is there do not fit: begin again.
            self._restart("")
            raise PassingError(f"the server answered a request for a range with HTTP {status}", 0)
        if status == _OK:
            self._restart(_validator(response))
            return
        reason = f"HTTP {status} {printable(response.reason or '')}".rstrip()
        if status in _PASSING or status >= _SERVER_ERROR:
            raise PassingError(reason, _retry_after(response))
        error = DownloadError(self._url, reason, _HINT, status=status)
        if error.is_gone:
            error.hint = _GONE_HINT
        raise error

    def _continues(self, response: Answer) -> bool:
        match = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""), re.ASCII)
        return self.at > 0 and match is not None and int(match[1]) == self.at

    def _restart(self, validator: str) -> None:
        if self.at:
            self._sink.clear()
            self.at = 0
            with in_words():
                self._budget.restart()
        if validator != self.validator and self.remember is not None:
            self.remember(validator)
        self.validator = validator

    def _receive(self, response: Answer) -> None:
        left = response.length_remaining
        total = self._size if left is None else self.at + left
        self._check(total or 0)
        while piece := self._piece(response):
            self._check(self.at + len(piece))
            self._sink.write(piece, self.at)
            self.at += len(piece)
            self._budget.use(len(piece))
            self._progress(self._task, self.at, total)
        if total is not None and self.at < total:
            raise PassingError(f"the connection broke after {self.at} of {total} bytes")

    def _piece(self, response: Answer) -> bytes:
        with in_words():
            return response.read1(_PIECE, decode_content=False)

    def _check(self, total: int) -> None:
        if total > self._limit:
            self._sink.clear()
            raise DownloadError(self._url, f"it has more than the expected {self._limit} bytes", _HINT)


def _validator(response: Answer) -> str:
    """What If-Range may be asked with: a strong ETag, else the date of the last change, else nothing."""
    tag = response.headers.get("ETag", "")
    found = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    return found if re.fullmatch(r"[ -~]{1,200}", found) else ""


def _retry_after(response: Answer) -> float | None:
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if re.fullmatch(r"\d{1,6}", text, re.ASCII) else None
