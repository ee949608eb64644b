"""Downloads: what is tried again, what is resumed, what is refused, and in which words."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from minpack.content import read_all
from minpack.errors import DownloadError, InputError, OfflineError, SumMismatchError
from minpack.net.download import download, read_document
from minpack.net.network import Limits, Network
from minpack.store.fetch import Fetched, Wanted, fetch
from minpack.store.store import Store, open_store
from support.listener import Listener
from support.mirror import (
    Behaviour,
    Mirror,
    always,
    cut,
    dribble,
    endless,
    hang,
    raw,
    redirect,
    reset,
    status,
    without_end,
    wrong,
)
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

DATA = bytes(range(256)) * 1024
SHA512 = hashlib.sha512(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
HALF = len(DATA) // 2


class Sleeper:
    """A pause that does not pause, and remembers how long it should have."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def mirror() -> Generator[Mirror]:
    """A server of this test's own."""
    with Mirror() as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "v1"


@pytest.fixture
def store(directory: Path) -> Generator[Store]:
    """An empty store."""
    with open_store(str(directory)) as opened:
        yield opened


@pytest.fixture
def sleeper() -> Sleeper:
    """The pause of `network`."""
    return Sleeper()


@pytest.fixture
def network(sleeper: Sleeper) -> Network:
    """An impatient network."""
    return Network(pause=sleeper, connect_timeout=5, read_timeout=1)


def wanted(url: str, *, size: int | None = None, limit: int = 1 << 30, algorithm: str = "sha512") -> Wanted:
    """`DATA`, by its sum."""
    return Wanted(url, algorithm, SHA512 if algorithm == "sha512" else SHA256, "the hint", size, limit)


def bring(url: str, store: Store, network: Network) -> tuple[str, ...]:
    """Fetch `DATA` from `url` and see that it is what came; the notes."""
    fetched = fetch(wanted(url), store, network)
    return check(fetched)


def check(fetched: Fetched) -> tuple[str, ...]:
    """See that `fetched` is `DATA`, and close it; its notes."""
    with fetched.blob as blob:
        assert read_all(blob, 1 << 30) == DATA
        assert (blob.size, blob.sha256) == (len(DATA), SHA256)
    return fetched.notes


def names(directory: Path) -> set[str]:
    """The kinds of files in the store."""
    return {path.suffix for path in directory.iterdir()}


def ranges(mirror: Mirror) -> list[str | None]:
    """The Range header of each request."""
    return [request.headers.get("Range") for request in mirror.requests]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_file_is_downloaded_once(mirror: Mirror, store: Store, network: Network, algorithm: str) -> None:
    """The second time the file comes out of the store, and nobody is asked, not even online."""
    url = mirror.add("/file", DATA)
    for _ in range(2):
        assert check(fetch(wanted(url, algorithm=algorithm), store, network)) == ()
    assert check(fetch(wanted(url, algorithm=algorithm), store, network._replace(offline=True))) == ()
    assert mirror.paths == ["/file"]


def test_nothing_but_the_blob_and_its_record_stays(
    mirror: Mirror, store: Store, network: Network, directory: Path
) -> None:
    """After a download the store has neither parts nor temporary files."""
    bring(mirror.add("/file", DATA), store, network)
    assert sorted(path.name for path in directory.iterdir()) == sorted([f"{SHA256}.blob", f"sha512-{SHA512}.json"])


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("lengths", [True, False])
def test_every_framing_is_read(mirror: Mirror, store: Store, network: Network, *, chunked: bool, lengths: bool) -> None:
    """A body comes whole with a length, in chunks, and ended by the connection."""
    mirror.chunked, mirror.lengths = chunked, lengths
    bring(mirror.add("/file", DATA), store, network)


def test_progress_is_reported(mirror: Mirror, store: Store, network: Network) -> None:
    """The callback hears the file's name, a growing count and the total."""
    heard: list[tuple[str, int, int | None]] = []
    url = mirror.add("/some/file.tar.gz", DATA)
    check(fetch(wanted(url), store, network, lambda *news: heard.append(news)))
    assert {(task, total) for task, _, total in heard} == {("file.tar.gz", len(DATA))}
    counts = [done for _, done, _ in heard]
    assert counts == sorted(counts)
    assert counts[-1] == len(DATA)


def test_a_damaged_blob_is_downloaded_again(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """Damage in the store costs one more download and is told."""
    url = mirror.add("/file", DATA)
    bring(url, store, network)
    (directory / f"{SHA256}.blob").write_bytes(b"damaged")
    (note,) = bring(url, store, network)
    assert "damaged" in note
    assert bring(url, store, network) == ()
    assert len(mirror.requests) == 2


def test_a_damaged_record_costs_a_download(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """A record that leads nowhere is as good as none, wherever it points."""
    url = mirror.add("/file", DATA)
    bring(url, store, network)
    record = directory / f"sha512-{SHA512}.json"
    for text in ("", '{"schema": "minpack.sum/1", "sha256": "../../etc/passwd"}', '{"schema": "minpack.sum/1"}'):
        record.write_text(text)
        bring(url, store, network)
    assert len(mirror.requests) == 4


def test_a_record_cannot_lead_out_of_the_store(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """What a record names that is no sum is neither opened nor removed."""
    outside = directory.parent / "outside.blob"
    outside.write_bytes(b"mine")
    store.keep_record(f"sha512-{SHA512}", "minpack.sum/1", {"sha256": "../outside"})
    assert bring(mirror.add("/file", DATA), store, network) == ()
    assert outside.read_bytes() == b"mine"


@pytest.mark.parametrize("offline", [True, False])
def test_offline_asks_nobody(mirror: Mirror, store: Store, network: Network, *, offline: bool) -> None:
    """With --offline a file that is not there is an error of its own, and no request is made."""
    url = mirror.add("/file", DATA)
    if offline:
        with pytest.raises(OfflineError, match=r"--offline"):
            bring(url, store, network._replace(offline=True))
    else:
        bring(url, store, network)
    assert len(mirror.requests) == (0 if offline else 1)


def test_without_a_store_each_run_downloads(mirror: Mirror, network: Network) -> None:
    """With --no-cache the bytes come all the same, and there is nothing to tell."""
    url = mirror.add("/file", DATA, cut(HALF))
    with open_store(None) as store:
        assert bring(url, store, network) == ()
        assert bring(url, store, network) == ()
    assert ranges(mirror) == [None, f"bytes={HALF}-", None]


def test_a_store_that_cannot_be_made_is_told(mirror: Mirror, network: Network) -> None:
    """Where the store's place is no good, the bytes come and a note says that they are not kept."""
    with open_store("/dev/null/v1") as store:
        (note,) = bring(mirror.add("/file", DATA), store, network)
    assert note.startswith("the download was not cached: '/dev/null/v1' cannot be made")


# --- what may pass is tried again


@pytest.mark.parametrize(
    "behaviour",
    [status(500), status(502), status(503), status(408), status(429), cut(0), cut(HALF), reset(HALF), hang(HALF)],
    ids=["500", "502", "503", "408", "429", "cut-at-start", "cut", "reset", "hang"],
)
def test_passing_failures_are_tried_again(
    mirror: Mirror, store: Store, network: Network, sleeper: Sleeper, behaviour: Behaviour
) -> None:
    """One failure of the kind that passes costs one more request after a short pause."""
    bring(mirror.add("/file", DATA, behaviour), store, network)
    assert len(mirror.requests) == 2
    assert sleeper.pauses == [0.5]


def test_pauses_grow_and_end(mirror: Mirror, store: Store, network: Network, sleeper: Sleeper) -> None:
    """A server that always fails is given up on after four attempts, each pause twice the last."""
    url = mirror.add("/file", DATA, always(status(503)))
    with pytest.raises(DownloadError, match=r"HTTP 503 Service Unavailable \(after 4 attempts\)") as caught:
        bring(url, store, network)
    assert sleeper.pauses == [0.5, 1, 2]
    assert "--mirror" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("asked", "waited"), [("7", 7), ("0", 0), ("86400", 30), ("Fri, 31 Dec 1999 23:59:59 GMT", 0.5), ("-1", 0.5)]
)
def test_retry_after_is_honoured_within_bounds(
    mirror: Mirror, store: Store, network: Network, sleeper: Sleeper, asked: str, waited: float
) -> None:
    """The server says how many seconds to wait, up to half a minute; what it says otherwise does not count."""
    bring(mirror.add("/file", DATA, status(429, {"Retry-After": asked})), store, network)
    assert sleeper.pauses == [waited]


def test_headway_keeps_it_going(mirror: Mirror, store: Store, network: Network) -> None:
    """Failures are counted in a row: a line that breaks every megabyte still brings the file."""
    data = os.urandom(1 << 20) * 8
    url = mirror.add("/file", data, always(cut(1 << 20)))
    sha256 = hashlib.sha256(data).hexdigest()
    with fetch(Wanted(url, "sha256", sha256, ""), store, network).blob as blob:
        assert blob.size == len(data)
    assert len(mirror.requests) == 8


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 204, 304])
def test_other_statuses_are_final(mirror: Mirror, store: Store, network: Network, code: int) -> None:
    """A status that will not change is an error at once, with its number."""
    with pytest.raises(DownloadError, match=f"HTTP {code}") as caught:
        bring(mirror.add("/file", DATA, status(code)), store, network)
    assert caught.value.status == code
    assert ("does not have it" in (caught.value.hint or "")) == (code in (404, 410))
    assert len(mirror.requests) == 1


# --- what broke off is resumed


@pytest.mark.parametrize("modified", [True, False])
def test_a_broken_transfer_is_resumed(mirror: Mirror, store: Store, network: Network, *, modified: bool) -> None:
    """The rest alone is asked for, on the condition that the file is still the same."""
    mirror.etag, mirror.modified = not modified, modified
    bring(mirror.add("/file", DATA, cut(1000), reset(2000)), store, network)
    first, second, third = (request.headers for request in mirror.requests)
    assert "Range" not in first
    assert (second["Range"], third["Range"]) == ("bytes=1000-", "bytes=3000-")
    assert second["If-Range"].startswith("Fri, 06" if modified else '"')


def test_a_run_goes_on_where_the_last_one_ended(
    mirror: Mirror, store: Store, network: Network, directory: Path
) -> None:
    """What a failed run brought stays in the store, and the next run asks for the rest."""
    url = mirror.add("/file", DATA, cut(HALF), *[status(503)] * 3)
    with pytest.raises(DownloadError):
        bring(url, store, network)
    assert names(directory) == {".part", ".json"}
    bring(url, store, network)
    assert ranges(mirror)[-1] == f"bytes={HALF}-"
    assert names(directory) == {".blob", ".json"}
    assert len(list(directory.iterdir())) == 2


def test_a_server_without_ranges_starts_over(mirror: Mirror, store: Store, network: Network) -> None:
    """Where Range is ignored the whole body counts, not both halves."""
    mirror.ranges = False
    bring(mirror.add("/file", DATA, cut(HALF)), store, network)
    assert ranges(mirror) == [None, f"bytes={HALF}-"]


def test_a_server_without_validators_starts_over(mirror: Mirror, store: Store, network: Network) -> None:
    """Where nothing says that the file is still the same, it is asked for from the start."""
    mirror.etag = False
    bring(mirror.add("/file", DATA, cut(HALF)), store, network)
    assert ranges(mirror) == [None, None]


def test_a_file_that_changed_starts_over(mirror: Mirror, store: Store, network: Network) -> None:
    """Bytes of the old file are not mixed with bytes of the new one."""
    url = mirror.add("/file", b"old" * 1000, cut(1500), always(status(503)))
    with pytest.raises(DownloadError):
        bring(url, store, network)
    mirror.add("/file", DATA)
    bring(url, store, network)
    assert ranges(mirror)[-1] == "bytes=1500-"


def test_damaged_leftovers_are_forgotten(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """If what an earlier run left behind is not what it was, the file is fetched from the start."""
    url = mirror.add("/file", DATA, cut(HALF), *[status(503)] * 3)
    with pytest.raises(DownloadError):
        bring(url, store, network)
    (part,) = directory.glob("*.part")
    part.write_bytes(bytes(HALF))
    bring(url, store, network)
    assert ranges(mirror)[-2:] == [f"bytes={HALF}-", None]


def test_a_part_that_is_whole_is_kept(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """A run that was killed between the last byte and the end costs nothing."""
    url = mirror.add("/file", DATA, cut(HALF), *[status(503)] * 3)
    with pytest.raises(DownloadError):
        bring(url, store, network)
    (part,) = directory.glob("*.part")
    part.write_bytes(DATA)
    before = len(mirror.requests)
    bring(url, store, network)
    assert len(mirror.requests) == before


def test_a_part_that_is_too_long_is_forgotten(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """A server that has no more bytes says 416, and the file is fetched from the start."""
    url = mirror.add("/file", DATA, cut(HALF), *[status(503)] * 3)
    with pytest.raises(DownloadError):
        bring(url, store, network)
    (part,) = directory.glob("*.part")
    part.write_bytes(bytes(len(DATA)))
    bring(url, store, network)
    assert ranges(mirror)[-2:] == [f"bytes={len(DATA)}-", None]


def test_another_range_than_asked_is_not_taken(mirror: Mirror, store: Store, network: Network) -> None:
    """A 206 with other bytes than those asked for makes the download start over."""
    answer = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n"
        b"Content-Range: bytes 0-3/4000\r\nConnection: close\r\n\r\nabcd"
    )
    bring(mirror.add("/file", DATA, cut(HALF), raw(answer)), store, network)
    assert ranges(mirror) == [None, f"bytes={HALF}-", None]


def test_a_killed_download_is_resumed(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """After SIGKILL in the middle the next run succeeds, and asks for the rest alone."""
    url = mirror.add("/file", DATA, hang(HALF))
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(directory), url, SHA512])
    try:
        wait_for(lambda: any(path.stat().st_size == HALF for path in directory.glob("*.part")))
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    bring(url, store, network)
    assert ranges(mirror) == [None, f"bytes={HALF}-"]
    assert names(directory) == {".blob", ".json"}


FETCH = """
import sys
from minpack.store.fetch import Wanted, fetch
from minpack.net.network import Limits, Network
from minpack.store.store import open_store
with open_store(sys.argv[1]) as store:
    with fetch(Wanted(sys.argv[2], "sha512", sys.argv[3], ""), store, Network()).blob as blob:
        print(blob.sha256, blob.size)
"""


def wait_for(condition: object) -> None:
    """Wait until `condition` holds, for at most 30 seconds."""
    assert callable(condition)
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited for too long")


def test_processes_download_the_same_file_once(mirror: Mirror, directory: Path) -> None:
    """Of four processes at once one asks the server, and all have the file."""
    url = mirror.add("/file", DATA, dribble(len(DATA) // 20, 0.05))
    command = [sys.executable, "-c", FETCH, str(directory), url, SHA512]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert answers == [f"{SHA256} {len(DATA)}\n"] * 4
    assert mirror.paths == ["/file"]
    assert sorted(path.suffix for path in directory.iterdir()) == [".blob", ".json"]


def test_when_one_process_is_killed_another_takes_over(mirror: Mirror, directory: Path) -> None:
    """Who waits for a process that dies goes on from where that one was."""
    url = mirror.add("/file", DATA, hang(HALF))
    command = [sys.executable, "-c", FETCH, str(directory), url, SHA512]
    first = subprocess.Popen(command)
    try:
        wait_for(lambda: any(path.stat().st_size == HALF for path in directory.glob("*.part")))
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        first.kill()
    first.wait(20)
    assert second.communicate(timeout=60)[0] == f"{SHA256} {len(DATA)}\n"
    assert ranges(mirror) == [None, f"bytes={HALF}-"]


@pytest.fixture
def stuck(mirror: Mirror, directory: Path) -> Generator[subprocess.Popen[bytes]]:
    """A process that is stopped in the middle of downloading /file."""
    url = mirror.add("/file", DATA, hang(HALF))
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(directory), url, SHA512])
    try:
        wait_for(lambda: any(path.stat().st_size == HALF for path in directory.glob("*.part")))
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait(20)


def test_a_process_that_is_stopped_is_not_waited_for_long(
    mirror: Mirror, store: Store, network: Network, stuck: subprocess.Popen[bytes]
) -> None:
    """Who is waited for is told, and how to let it go on; where it brings nothing, the file is downloaded here too."""
    listener = Listener()
    impatient = network._replace(limits=Limits(window=0.5, silence=0.1), pause=time.sleep)
    check(fetch(wanted(f"{mirror.url}/file"), store, impatient, listener))
    who = f"process {stuck.pid} (it is stopped; kill -CONT lets it go on)"
    assert listener.told == [
        f"waiting for {who}, which is downloading file",
        f"{who} makes no progress with file: downloading it here too",
    ]


def test_a_process_that_goes_on_is_waited_for(mirror: Mirror, store: Store, network: Network, directory: Path) -> None:
    """As long as another process gets bytes, this one does not ask for them too."""
    url = mirror.add("/file", DATA, dribble(len(DATA) // 30, 0.05))
    first = subprocess.Popen([sys.executable, "-c", FETCH, str(directory), url, SHA512])
    wait_for(lambda: any(path.stat().st_size for path in directory.glob("*.part")))
    listener = Listener()
    patient = network._replace(limits=Limits(silence=0.1), pause=time.sleep)
    check(fetch(wanted(url), store, patient, listener))
    assert first.wait(20) == 0
    assert listener.told == [f"waiting for process {first.pid}, which is downloading file"]
    assert mirror.paths == ["/file"]


# --- what is wrong is refused


@pytest.mark.parametrize(
    "data", [b"", b"<html>not it</html>", DATA[:-1], DATA + b"\0"], ids=["none", "other", "less", "more"]
)
def test_other_bytes_are_refused(mirror: Mirror, store: Store, network: Network, directory: Path, data: bytes) -> None:
    """Bytes with another sum give an error with both sums and the caller's hint, and are not kept."""
    url = mirror.add("/file", DATA, wrong(data))
    with pytest.raises(SumMismatchError) as caught:
        bring(url, store, network)
    error = caught.value
    assert (error.expected, error.actual) == (SHA512, hashlib.sha512(data).hexdigest())
    assert error.expected in error.message
    assert error.actual in error.message
    assert error.hint == "the hint"
    assert list(directory.iterdir()) == []
    bring(url, store, network)


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("sized", [True, False])
def test_too_many_bytes_are_refused(
    mirror: Mirror, store: Store, network: Network, directory: Path, *, lengths: bool, sized: bool
) -> None:
    """More bytes than the known size, or than the limit, are refused, whether announced or not."""
    mirror.lengths = lengths
    url = mirror.add("/file", DATA)
    size = len(DATA) - 1
    want = wanted(url, size=size) if sized else wanted(url, limit=size)
    with pytest.raises(DownloadError, match=f"more than the expected {size} bytes"):
        fetch(want, store, network)
    assert len(mirror.requests) == 1
    assert not [path for path in directory.iterdir() if path.suffix != ".json"]


def test_an_endless_body_is_refused(mirror: Mirror, store: Store, network: Network) -> None:
    """A server that never stops sending is stopped at the limit."""
    url = mirror.add("/file", DATA, always(endless()))
    with pytest.raises(DownloadError, match="more than the expected 1000000 bytes"):
        fetch(wanted(url, limit=1_000_000), store, network)
    with pytest.raises(DownloadError, match="more than the expected 5000 bytes"):
        read_document(url, limit=5000, network=network)


def test_a_body_without_length_that_ends_early_is_resumed(mirror: Mirror, store: Store, network: Network) -> None:
    """Where the size is known, a connection that closes early is seen even if the server announced no length."""
    mirror.lengths = False
    url = mirror.add("/file", DATA, cut(HALF))
    check(fetch(wanted(url, size=len(DATA)), store, network))
    assert ranges(mirror) == [None, f"bytes={HALF}-"]


def test_what_came_too_slowly_is_kept(mirror: Mirror, store: Store, network: Network) -> None:
    """A server that is given up on for its slowness has its bytes kept, and the next run asks for the rest."""
    url = mirror.add("/file", DATA, dribble(100, 0.05))
    with pytest.raises(DownloadError, match="too slow"):
        bring(url, store, network._replace(limits=Limits(rate=10_000, window=0.5)))
    bring(url, store, network)
    (first, second) = ranges(mirror)
    assert first is None
    assert second is not None


# urllib3 leaves the socket to the garbage collector where headers contradict each other.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 1000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
        b"HTTP/1.1 999 \x1b[31mRed\r\n\r\n",
    ],
)
def test_nonsense_is_one_clear_error(mirror: Mirror, store: Store, network: Network, answer: bytes) -> None:
    """A server that speaks no proper HTTP gives a DownloadError, in printable words."""
    url = mirror.add("/file", DATA, always(raw(answer)))
    with pytest.raises((DownloadError, SumMismatchError)) as caught:
        bring(url, store, network)
    assert caught.value.message.replace("\n", "").isprintable()
    del caught
    gc.collect()


# --- where it leads, and through what


def test_redirects_are_followed(mirror: Mirror, store: Store, network: Network) -> None:
    """Relative and absolute redirects lead to the file, and Range goes along."""
    mirror.add("/b", DATA, redirect(f"{mirror.url}/c", 308))
    mirror.add("/c", DATA, cut(HALF))
    bring(mirror.add("/a", DATA, always(redirect("b", 301))), store, network)
    assert mirror.paths == ["/a", "/b", "/c", "/a", "/b"]
    assert ranges(mirror)[-1] == f"bytes={HALF}-"


@pytest.mark.parametrize("target", ["/loop", ""])
def test_redirects_are_bounded(mirror: Mirror, store: Store, network: Network, target: str) -> None:
    """A loop of redirects ends with an error."""
    url = mirror.add("/loop", DATA, always(redirect(target)))
    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        bring(url, store, network)
    assert len(mirror.requests) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://u:secret@x/"])
def test_redirects_stay_on_the_web(mirror: Mirror, store: Store, network: Network, target: str) -> None:
    """A redirect to anything but http and https is refused, and passwords in it are not shown."""
    with pytest.raises(DownloadError, match="which is not safe") as caught:
        bring(mirror.add("/a", DATA, redirect(target)), store, network)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "target", ["http://u:secret@[", "http://u:secret@127.0.0.1:99999/", "http://u:secret@127.0.0.1:1/"]
)
def test_a_redirect_shows_no_password(mirror: Mirror, store: Store, network: Network, target: str) -> None:
    """What goes wrong behind a redirect is an error of the address that was asked for."""
    url = mirror.add("/a", DATA, always(redirect(target)))
    with pytest.raises(DownloadError) as caught:
        bring(url, store, network)
    assert caught.value.url == url
    assert "secret" not in caught.value.message


def test_a_login_is_sent_to_its_server_alone(mirror: Mirror, store: Store, network: Network) -> None:
    """User and password go to the origin they are for, and no further."""
    with Mirror() as other:
        url = mirror.add("/a", DATA, redirect(other.add("/b", DATA)))
        bring(url, store, network._replace(login=(mirror.url, "user:pass word")))
        assert mirror.requests[0].headers["Authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
        assert "Authorization" not in other.requests[0].headers


def test_a_proxy_is_asked_for_other_hosts(mirror: Mirror, store: Store, network: Network) -> None:
    """With a proxy the host name is the proxy's business; its login goes to it alone."""
    mirror.add("/file", DATA)
    address = mirror.url.replace("//", "//me:s%40crt@")
    bring("http://no-such-host.invalid/file", store, network._replace(proxies={"http": address}))
    headers = mirror.requests[0].headers
    assert headers["Host"] == "no-such-host.invalid"
    assert headers["Proxy-Authorization"] == "Basic bWU6c0BjcnQ="


@pytest.mark.parametrize("no_proxy", ["*", "127.0.0.1", "example.org, 127.0.0.1"])
def test_no_proxy_is_honoured(mirror: Mirror, store: Store, network: Network, no_proxy: str) -> None:
    """Hosts under no_proxy are asked directly."""
    url = mirror.add("/file", DATA)
    bring(url, store, network._replace(proxies={"http": "http://no-such-proxy.invalid:1", "no_proxy": no_proxy}))


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("closed", "the proxy cannot be used: connection refused"),
        ("socks5://me:secret@127.0.0.1:1", "its scheme is neither"),
        ("http://me:secret@[", "the proxy cannot be used: it is not a usable address"),
        ("http://me:secret@", "the proxy cannot be used: it is not a usable address"),
        ("/run/proxy", "the proxy cannot be used: it is not a usable address"),
    ],
)
def test_a_bad_proxy_is_named(store: Store, network: Network, proxy: str, reason: str) -> None:
    """An error of the proxy says so, and does not show its password."""
    if proxy == "closed":
        proxy = f"http://me:secret@127.0.0.1:{closed_port()}"
    for scheme in ("http", "https"):
        with pytest.raises(DownloadError, match=reason) as caught:
            bring(f"{scheme}://example.invalid/x", store, network._replace(proxies={scheme: proxy}))
        assert "secret" not in caught.value.message


def test_a_proxys_words_are_printable(mirror: Mirror, store: Store, network: Network) -> None:
    """What a proxy says when it refuses is shown, without the control characters in it."""
    mirror.add("example.invalid:443", b"", always(raw(b"HTTP/1.1 407 Pay \x1b[31mfirst\r\n\r\n")))
    with pytest.raises(DownloadError, match=r"the proxy cannot be used: .*407 Pay  ?.31mfirst") as caught:
        bring("https://example.invalid/x", store, network._replace(proxies={"https": mirror.url}))
    assert caught.value.message.isprintable()
    assert mirror.requests[0].method == "CONNECT"


def closed_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_refused_connection_is_named(store: Store, network: Network, sleeper: Sleeper) -> None:
    """Nobody listening reads as the system says it, after some attempts."""
    with pytest.raises(DownloadError, match=r"connection refused \(after 4 attempts\)"):
        bring(f"http://127.0.0.1:{closed_port()}/x", store, network)
    assert len(sleeper.pauses) == 3


def test_an_unknown_host_is_named(store: Store, network: Network) -> None:
    """A name that means nothing reads so."""
    with pytest.raises(DownloadError, match="the host name cannot be resolved"):
        bring("http://no-such-host.invalid/x", store, network)


def test_a_silent_server_is_named(store: Store, network: Network) -> None:
    """A server that accepts and says nothing reads as a timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(DownloadError, match="timed out"):
            bring(url, store, network._replace(read_timeout=0.2, attempts=2))


@pytest.mark.parametrize(
    "url", ["http://", "http://127.0.0.1:99999/x", "http://[::1/x", "http://a b/x", "http://\u2028/"]
)
def test_an_unusable_address_is_named(store: Store, network: Network, url: str) -> None:
    """What is not an address is an error without attempts."""
    with pytest.raises(DownloadError):
        bring(url, store, network)


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = [
        need_tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(path), "-out", f"{path}.crt",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".pem.crt").read_bytes())
    return path


@pytest.mark.tool
def test_an_unknown_authority_is_refused(certificate: Path, store: Store, network: Network) -> None:
    """A certificate that nobody vouches for ends the download at once, in words."""
    with Mirror(certificate) as mirror:
        url = mirror.add("/file", DATA)
        with pytest.raises(DownloadError, match=r"certificate cannot be trusted.*self-signed"):
            bring(url, store, network)


@pytest.mark.tool
def test_a_ca_file_is_trusted(certificate: Path, store: Store, network: Network) -> None:
    """With the authority's certificate given the same server is fine."""
    with Mirror(certificate) as mirror:
        bring(mirror.add("/file", DATA), store, network._replace(ca_file=str(certificate)))


@pytest.mark.tool
def test_slowness_is_seen_through_tls(certificate: Path, store: Store, network: Network) -> None:
    """What counts is what comes, encrypted or not."""
    impatient = network._replace(ca_file=str(certificate), limits=Limits(rate=10_000, window=0.5))
    with Mirror(certificate) as mirror:
        for behaviour in (dribble(10, 0.02), without_end(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.02)):
            with pytest.raises(DownloadError, match="too slow"):
                bring(mirror.add("/file", DATA, always(behaviour)), store, impatient)


@pytest.mark.tool
def test_tls_is_not_left_by_a_redirect(certificate: Path, mirror: Mirror, store: Store, network: Network) -> None:
    """From https no redirect leads to http."""
    with Mirror(certificate) as secure:
        url = secure.add("/a", DATA, redirect(mirror.add("/b", DATA)))
        with pytest.raises(DownloadError, match="which is not safe"):
            bring(url, store, network._replace(ca_file=str(certificate)))
    assert mirror.requests == []


@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_a_bad_ca_file_is_named(tmp_path: Path, store: Store, network: Network, content: bytes | None) -> None:
    """A CA file that is missing or holds none is an error about that file."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"ca\.pem"):
        bring("https://127.0.0.1:1/x", store, network._replace(ca_file=str(file)))


def test_documents_are_read(mirror: Mirror, network: Network) -> None:
    """A small file comes as bytes, broken transfers and all."""
    url = mirror.add("/list", DATA, cut(HALF), status(503))
    assert read_document(url, limit=1 << 20, network=network) == DATA


def test_a_sink_that_had_more_is_cleared(mirror: Mirror, network: Network) -> None:
    """A download from the start leaves nothing of what was there before."""
    with open_store(None) as store, store.draft() as part:
        part.write(DATA * 2, 0)
        download(mirror.add("/file", DATA), part, limit=1 << 30, network=network, start=len(DATA) * 2)
        assert part.sum("sha256") == SHA256
