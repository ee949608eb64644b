"""The store and named bases on the command line: kept, missing, damaged, somebody else's; and what notes say."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from minpack.errors import DownloadError
from minpack.net.network import Limits, Network
from minpack.store.fetch import Wanted, fetch
from minpack.store.store import open_store
from support.badfiles import make_bad_files
from support.command import COMMAND, assert_error_document, assert_refused, matches, minpack
from support.elfmaker import static_program
from support.mirror import Behaviour, Mirror, always, changing, hang, without_end
from support.places import as_nobody, shared_directory, small_disk
from support.refusals import row

FILE = "alpine-minirootfs-3.20.3-x86_64.tar.gz"
FOLDER = "/v3.20/releases/x86_64"
NAMED = ("./app", "--base", "alpine-3.20.3", "--dry-run")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program in it."""
    (tmp_path / "app").write_bytes(static_program())
    return tmp_path


@pytest.fixture
def mirror(alpine_x86_64: Path) -> Mirror:
    """A mirror with one release, not yet started."""
    mirror = Mirror()
    mirror.add(f"{FOLDER}/{FILE}", alpine_x86_64)
    return mirror


@pytest.mark.parametrize("what", ["a store of another user's", "a store others may write to"])
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_store_that_cannot_be_trusted(place: Path, what: str) -> None:
    """A store that another user could have filled is refused."""
    case = row(what)
    store = place / "cache" / "minpack" / "v1"
    store.mkdir(parents=True)
    if "another" in what:
        os.chown(store, 12345, 12345)
    else:
        store.chmod(0o777)
    ran = minpack(*NAMED, "--offline", "--cache-dir", "cache", "--json", cwd=place)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    # What needs no store does not look at it.
    assert minpack("./app", "--dry-run", "--cache-dir", "cache", cwd=place).code == 0


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_store_behind_a_planted_link() -> None:
    """In a sticky directory that everybody may write to, no store is made or used where another's link leads."""
    case = row("a store behind another user's link")
    with shared_directory() as place:
        (place / "app").write_bytes(static_program())
        (place / "private").mkdir()
        os.symlink("private", place / "planted")
        os.chown(place / "planted", 12345, 12345, follow_symlinks=False)
        place.chmod(0o1777)
        ran = minpack(*NAMED, "--offline", "--cache-dir", "planted", "--json", cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)
        ran = minpack("./app", "--cache-dir", "planted", cwd=place)
        assert ran.code == 0
        assert "is another user's symbolic link" in ran.err
        assert os.listdir(place / "private") == []
        os.chown(place / "planted", 0, 0, follow_symlinks=False)
        assert minpack("./app", "--cache-dir", "planted", cwd=place).err == ""
        assert os.listdir(place / "private") == ["minpack"]


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_no_room_in_the_store(place: Path, mirror: Mirror) -> None:
    """A download that does not fit is told; --no-cache needs no room."""
    case = row("no room in the store")
    with small_disk(place / "full"), mirror:
        ran = minpack(*NAMED, "--mirror", mirror.url, "--cache-dir", "full", "--json", cwd=place)
        assert_refused(ran, case.code, case.message, case.hint)
        assert_error_document(ran, case.kind)
        assert minpack(*NAMED, "--mirror", mirror.url, "--no-cache", cwd=place).code == 0


def test_a_store_that_cannot_be_written(mirror: Mirror) -> None:
    """The base is fetched and used all the same, with a note that it is not kept."""
    with shared_directory() as place, mirror:
        (place / "app").write_bytes(static_program())
        (place / "locked").mkdir(mode=0o555)
        ran = as_nobody(*NAMED, "--mirror", mirror.url, "--cache-dir", "locked", cwd=place)
        assert ran.code == 0, ran.err
        assert "cannot be made: permission denied" in ran.err
        assert os.listdir(place / "locked") == []


def test_without_a_home_directory(place: Path, mirror: Mirror) -> None:
    """Nothing is kept, which is no reason to fail, but for a command that is there to keep."""
    homeless: dict[str, str | None] = {"HOME": None, "XDG_CACHE_HOME": None}
    with mirror:
        for _ in range(2):
            assert minpack(*NAMED, "--mirror", mirror.url, cwd=place, env=homeless).code == 0
        assert len(mirror.paths) == 2
    case = row("a fetch without a home directory")
    ran = minpack("base", "pull", "alpine-3.20.3", "--json", cwd=place, env=homeless)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)


def test_a_damaged_store(place: Path, mirror: Mirror) -> None:
    """A blob that was changed is noticed, told, and fetched again."""
    with mirror:
        assert minpack(*NAMED, "--mirror", mirror.url, cwd=place).code == 0
        (blob,) = Path(os.environ["XDG_CACHE_HOME"]).rglob("*.blob")
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")
        ran = minpack(*NAMED, "--mirror", mirror.url, cwd=place)
        assert ran.code == 0
        assert "is damaged and was ignored" in ran.err
        assert len(mirror.paths) == 2


def test_a_pulled_base_needs_no_network(place: Path, mirror: Mirror) -> None:
    """What `base pull` fetched is found --offline; `base info` shows where it came from."""
    with mirror:
        pulled = minpack("base", "pull", "alpine-3.20.3", "--mirror", mirror.url, cwd=place)
        assert pulled.code == 0
        shown = minpack("base", "info", "alpine-3.20.3", "--mirror", mirror.url, "--offline", cwd=place)
        assert shown.out == pulled.out
        assert f"url          {mirror.url}{FOLDER}/{FILE}\n" in shown.out.decode()
        assert "loader       /lib/ld-musl-x86_64.so.1 (musl, x86_64)\n" in shown.out.decode()


def test_a_tarball_in_the_working_directory_needs_no_slash(place: Path, alpine_x86_64: Path) -> None:
    """A file whose name ends as tarballs do is the file, though it begins as a base's name does."""
    (place / FILE).write_bytes(alpine_x86_64.read_bytes())
    ran = minpack("./app", "--base", FILE, "--offline", "--dry-run", "--json", cwd=place)
    assert ran.code == 0, ran.err
    assert ran.document["inputs"][0]["name"] == FILE


def test_a_name_of_the_catalogue_is_never_a_file(place: Path) -> None:
    """A directory that is called as a base is does not stand in for it."""
    (place / "alpine-3.20.3").mkdir()
    assert_refused(
        minpack("./app", "--base", "alpine-3.20.3", "--offline", cwd=place),
        1,
        "cannot download …: it is not in the cache, and --offline forbids downloads",
        "run once without --offline",
    )


def test_support_that_has_ended_is_in_the_document(place: Path, mirror: Mirror) -> None:
    """A note is in the document, and then not on stderr."""
    with mirror:
        ran = minpack(*NAMED, "--mirror", mirror.url, "--json", cwd=place)
    assert ran.err == ""
    assert ran.document["notes"] == ["Alpine 3.20 has had no security updates since 2026-04-01"]


def test_a_sum_that_nobody_vouches_for(place: Path, alpine_x86_64: Path) -> None:
    """A release unknown to the catalogue is checked with the mirror's own sum, and a note says how to pin it."""
    import hashlib

    data = alpine_x86_64.read_bytes()
    sha512 = hashlib.sha512(data).hexdigest()
    name = "alpine-minirootfs-3.20.99-x86_64.tar.gz"
    with Mirror() as mirror:
        mirror.add(f"{FOLDER}/{name}", data)
        mirror.add(f"{FOLDER}/{name}.sha512", f"{sha512}  {name}\n".encode())
        mirror.add(f"{FOLDER}/latest-releases.yaml", b"---\n")
        listing = (
            f"---\n-\n  title: Mini root filesystem\n  version: 3.20.99\n  arch: x86_64\n  flavor: alpine-minirootfs\n"
            f"  file: {name}\n  size: {len(data)}\n  sha512: {sha512}\n"
        )
        mirror.add(f"{FOLDER}/latest-releases.yaml", listing.encode())
        ran = minpack("./app", "--base", "alpine-3.20.99", "--mirror", mirror.url, "--dry-run", cwd=place)
    assert ran.code == 0, ran.err
    assert f"to pin it: --base-sha512 {sha512}\n" in ran.err


def test_what_is_the_hosts_own_is_told(tmp_path: Path) -> None:
    """With --base / the CA bundle and the time zones are the host's, and a note says so, whatever / is called."""
    files = make_bad_files(tmp_path)
    for root in ("/", "/./", "//"):
        ran = minpack("./app", "--base", root, "--need", "tz", "--dry-run", "--json", cwd=files)
        if ran.code:
            pytest.skip(f"this host is no base for x86_64: {ran.err}")
        notes = ran.document["notes"]
        paths = {file["path"] for file in ran.document["images"][0]["files"] if file["from"] == "base"}
        assert [note for note in notes if note.startswith("the CA bundle comes from this host: ")] or not [
            path for path in paths if path.endswith(".crt")
        ]
        assert bool([note for note in notes if note.startswith("the time zones come from this host")]) == bool(
            [path for path in paths if path.startswith("/usr/share/zoneinfo/")]
        )
        assert ran.document["inputs"][0]["name"] == "/"


@pytest.mark.parametrize(
    ("what", "behaviour"),
    [
        ("a server that is too slow", without_end(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.02)),
        ("a server whose headers or framing never end", without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
        ("a server that never goes on where it broke off", changing(1 << 20)),
    ],
)
def test_a_download_has_limits(tmp_path: Path, what: str, behaviour: Behaviour) -> None:
    """What the page says of each limit is what is said; a minute is made shorter here."""
    case = row(what)
    network = Network(limits=Limits(window=0.3), pause=lambda _: None, attempts=10)
    with Mirror() as mirror, open_store(str(tmp_path / "v1")) as store:
        mirror.add("/file", bytes(8 << 20), always(behaviour))
        wanted = Wanted(f"{mirror.url}/file", "sha256", "0" * 64, "", 8 << 20)
        with pytest.raises(DownloadError) as caught:
            fetch(wanted, store, network)
    assert matches(caught.value.message.replace("0.3 seconds", "60 seconds"), case.message)
    assert (caught.value.hint, caught.value.exit_code, caught.value.kind) == (case.hint, case.code, case.kind)


def test_a_mirror_of_the_environment_is_named(place: Path) -> None:
    """A variable that cannot be meant is refused by its name, and an empty one is none."""
    case = row("a variable for a mirror that is not an address")
    ran = minpack("./app", "--json", cwd=place, env={"MINPACK_MIRROR": "mirror.example"})
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    debian = case.message.replace("MINPACK_MIRROR", "MINPACK_MIRROR_DEBIAN")
    ran = minpack("./app", cwd=place, env={"MINPACK_MIRROR_DEBIAN": "mirror.example"})
    assert_refused(ran, case.code, debian, case.hint)
    empty = {"MINPACK_MIRROR": "", "MINPACK_MIRROR_DEBIAN": ""}
    assert minpack("./app", "--dry-run", cwd=place, env=empty).code == 0


def test_certificates_that_are_a_named_pipe(place: Path) -> None:
    """They are refused, not waited for."""
    case = row("a file of certificates that is a named pipe")
    os.mkfifo(place / "fifo")
    ran = minpack(*NAMED, "--mirror", "https://127.0.0.1:9", "--json", cwd=place, env={"SSL_CERT_FILE": "fifo"})
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)


def test_a_pull_behind_a_stopped_one(place: Path, mirror: Mirror, alpine_x86_64: Path) -> None:
    """It says after a while whom it waits for, --quiet alone does not, and it goes on where the other one was."""
    mirror.add(f"{FOLDER}/{FILE}", alpine_x86_64, hang(1_000_000))
    with mirror:
        command = (*COMMAND, "base", "pull", "alpine-3.20.3", "--mirror", mirror.url, "--cache-dir", "cache")
        stopped = subprocess.Popen(command, cwd=place)
        while not any(part.stat().st_size == 1_000_000 for part in place.rglob("*.part")):
            assert stopped.poll() is None
        stopped.send_signal(signal.SIGSTOP)
        waiting = [
            subprocess.Popen((*command, *quiet), cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for quiet in ((), ("--quiet",))
        ]
        assert waiting[0].stderr is not None
        told = waiting[0].stderr.readline()
        stopped.kill()
        stopped.wait(20)
        rest = [process.communicate(timeout=60)[1] for process in waiting]
    who = f"process {stopped.pid} (it is stopped; kill -CONT lets it go on)"
    assert told.decode() == f"note: waiting for {who}, which is downloading {FILE}\n"
    assert [process.returncode for process in waiting] == [0, 0]
    assert rest[1] == b""
    assert [request.headers["Range"] for request in mirror.requests] == [None, "bytes=1000000-"]
