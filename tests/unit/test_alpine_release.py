"""Named bases: from name and architecture to verified bytes, and every way that goes wrong."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from minpack.alpine.latest import listed_minirootfs, sum_for
from minpack.alpine.release import FetchedBase, fetch_named_base
from minpack.catalog import alpine
from minpack.catalog.alpine import MIRROR, find_release
from minpack.content import read_all
from minpack.errors import DownloadError, OfflineError, SumMismatchError, UnknownBaseError, UsageError
from minpack.net.network import Network
from minpack.store.store import Store, open_store
from support.mirror import Mirror, always, cut, status

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

TODAY = "2026-11-20"
DATA = b"as good as a tarball" * 5000
SHA512 = hashlib.sha512(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
ZEROS = "0" * 128


@pytest.fixture
def mirror() -> Generator[Mirror]:
    """A server of this test's own."""
    with Mirror() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Generator[Store]:
    """An empty store."""
    with open_store(str(tmp_path / "v1")) as opened:
        yield opened


def get(name: str, mirror: Mirror, store: Store, *, arch: str = "x86_64", **options: Any) -> FetchedBase:
    """The base, from `mirror`; its file is closed again, its facts stay."""
    network = Network(offline=options.pop("offline", False), pause=lambda _: None)
    address = options.pop("address", f"{mirror.url}/alpine")
    base = fetch_named_base(name, arch, store=store, network=network, mirror=address, **{"today": TODAY, **options})
    with base:
        assert read_all(base.content, 1 << 30)
    return base


def listing(version: str = "3.25.0", arch: str = "x86_64", **changed: str) -> bytes:
    """A ``latest-releases.yaml`` with three flavors, the minirootfs among them."""
    fields = {
        "branch": "v3.25",
        "arch": arch,
        "version": version,
        "flavor": "alpine-minirootfs",
        "file": f"alpine-minirootfs-{version}-{arch}.tar.gz",
        "date": "2026-12-01",
        "size": str(len(DATA)),
        "sha256": SHA256,
        "sha512": SHA512,
        **changed,
    }
    lines = [
        "---",
        "-",
        '  title: "Standard"',
        "  desc: |",
        "    Alpine as it was intended.",
        "",
        "    version: 9.9.9",
        f"  version: {version}",
        "  flavor: alpine-standard",
        f"  file: alpine-standard-{version}-{arch}.iso",
        f"  sha512: {ZEROS}",
        "-",
        '  title: "Mini root filesystem"',
        "  desc: |",
        "    Minimal root filesystem.",
        "    flavor: alpine-virt",
        "",
        "    For use in containers.",
        *(f"  {key}: {value}" for key, value in fields.items() if value),
        "-",
        "  flavor: alpine-netboot",
        f"  sha512: {ZEROS}",
    ]
    return "\n".join(lines).encode() + b"\n"


def publish(mirror: Mirror, version: str = "3.25.0", arch: str = "x86_64", **changed: str) -> None:
    """Put a release that no catalogue knows on the mirror, with its list."""
    branch = "edge" if "." not in version else "v" + version.rpartition(".")[0]
    folder = f"/alpine/{branch}/releases/{arch}"
    mirror.add(f"{folder}/latest-releases.yaml", listing(version, arch, **changed))
    mirror.add(f"{folder}/alpine-minirootfs-{version}-{arch}.tar.gz", DATA)


# --- releases of the catalogue


@pytest.mark.data
@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "armv7", "riscv64", "s390x", "x86"])
def test_a_real_base_is_fetched_once(data: Path, mirror: Mirror, store: Store, arch: str) -> None:
    """A real tarball comes from the mirror with all its facts, then out of the store, then without any network."""
    release = find_release("alpine-3.20.3", arch)
    assert release is not None
    mirror.add(f"/alpine/{release.path}", data / "bases" / release.file)
    for offline in (False, False, True):
        base = get("alpine-3.20.3", mirror, store, arch=arch, offline=offline, today="2026-04-01")
        assert base.release == release
        assert (base.size, base.sha256) == (release.size, release.sha256)
        assert base.url == f"{mirror.url}/alpine/{release.path}"
        assert base.notes == ()
    assert mirror.paths == [f"/alpine/{release.path}"]


@pytest.mark.data
def test_a_branch_gives_its_newest_release(data: Path, mirror: Mirror, store: Store) -> None:
    """A branch's name asks for the newest release with a known sum, and no list is read."""
    release = find_release("alpine-edge-20240923", "x86_64")
    assert release is not None
    mirror.add(f"/alpine/{release.path}", data / "bases" / release.file)
    assert get("alpine-20240923", mirror, store).release == release
    with pytest.raises(DownloadError, match=r"alpine-minirootfs-3\.22\.6-x86_64\.tar\.gz: HTTP 404") as caught:
        get("alpine-3.22", mirror, store)
    assert caught.value.status == 404


@pytest.mark.data
def test_a_broken_transfer_of_a_real_base_is_resumed(data: Path, mirror: Mirror, store: Store) -> None:
    """A real tarball that breaks off comes whole, by a request for the rest."""
    release = find_release("alpine-3.20.3", "x86_64")
    assert release is not None
    mirror.add(f"/alpine/{release.path}", data / "bases" / release.file, cut(1_000_000))
    assert get("alpine-3.20.3", mirror, store).sha256 == release.sha256
    assert [request.headers.get("Range") for request in mirror.requests] == [None, "bytes=1000000-"]


@pytest.mark.data
def test_the_end_of_support_is_told(data: Path, mirror: Mirror, store: Store) -> None:
    """A base past its end of support comes with a note, which does not stop it."""
    release = find_release("alpine-3.20.3", "x86_64")
    assert release is not None
    mirror.add(f"/alpine/{release.path}", data / "bases" / release.file)
    (note,) = get("alpine-3.20.3", mirror, store, today="2026-04-02").notes
    assert "2026-04-01" in note


def test_offline_without_the_base_is_an_error(mirror: Mirror, store: Store) -> None:
    """With --offline a base that is not in the store is an error, known to the catalogue or not."""
    for name in ("alpine-3.22", "alpine-3.25", "alpine-3.25.1"):
        with pytest.raises(OfflineError, match=r"--offline"):
            get(name, mirror, store, offline=True)
    assert mirror.requests == []


@pytest.mark.parametrize(
    ("name", "verified", "in_hint", "not_in_hint"),
    [
        ("alpine-3.20.3", "bytes", "mirror or a proxy", "may be wrong"),
        ("alpine-3.22.6", "published-twice", "mirror or a proxy", "may be wrong"),
        ("alpine-3.22.5", "published", "checksum may be wrong", "proxy"),
        ("alpine-3.21.3", "third-party", "checksum may be wrong", "proxy"),
    ],
)
def test_another_sum_is_refused(
    mirror: Mirror, store: Store, tmp_path: Path, name: str, verified: str, in_hint: str, not_in_hint: str
) -> None:
    """Other bytes are refused with both sums; who is to blame depends on how the catalogue knows its own."""
    release = find_release(name, "x86_64")
    assert release is not None
    assert release.verified == verified
    mirror.add(f"/alpine/{release.path}", DATA)
    with pytest.raises(SumMismatchError) as caught:
        get(name, mirror, store)
    assert caught.value.expected == (release.sha512 or release.sha256)
    assert caught.value.actual == (SHA512 if release.sha512 else SHA256)
    hint = caught.value.hint or ""
    assert in_hint in hint
    assert not_in_hint not in hint
    assert ("--base-sha512" in hint) == ("may be wrong" in hint)
    assert list((tmp_path / "v1").iterdir()) == []


def test_a_base_with_another_size_is_refused(mirror: Mirror, store: Store) -> None:
    """A file longer than the catalogue says is not downloaded to its end."""
    release = find_release("alpine-3.20.3", "x86_64")
    assert release is not None
    mirror.add(f"/alpine/{release.path}", bytes(5_000_000))
    with pytest.raises(DownloadError, match="more than the expected 3490290 bytes"):
        get("alpine-3.20.3", mirror, store)


# --- a sum of the caller's own


@pytest.mark.parametrize(
    "name", ["alpine-3.20.3", "alpine-3.22.5", "alpine-3.21.3", "alpine-3.30.1", "alpine-20301231"]
)
@pytest.mark.parametrize("upper", [True, False])
def test_a_given_sum_overrides_any_other(mirror: Mirror, store: Store, name: str, *, upper: bool) -> None:
    """With --base-sha512 neither catalogue nor list is believed, and the size does not matter."""
    for path in (
        "v3.20/releases/x86_64/alpine-minirootfs-3.20.3",
        "v3.22/releases/x86_64/alpine-minirootfs-3.22.5",
        "v3.21/releases/x86_64/alpine-minirootfs-3.21.3",
        "v3.30/releases/x86_64/alpine-minirootfs-3.30.1",
        "edge/releases/x86_64/alpine-minirootfs-20301231",
    ):
        mirror.add(f"/alpine/{path}-x86_64.tar.gz", DATA)
    given = SHA512.upper() if upper else SHA512
    base = get(name, mirror, store, sha512=given, today="2024-01-01")
    assert (base.sha256, base.release.verified, base.notes) == (SHA256, "given", ())
    assert len(mirror.requests) == 1
    get(name, mirror, store, sha512=given, offline=True)


def test_a_given_sum_makes_the_known_size_void(mirror: Mirror, store: Store) -> None:
    """A file longer than the catalogue says is fine if it has the sum that the caller gave."""
    release = find_release("alpine-3.20.3", "x86_64")
    assert release is not None
    assert release.size is not None
    data = bytes(release.size + 1)
    mirror.add(f"/alpine/{release.path}", data)
    base = get("alpine-3.20.3", mirror, store, sha512=hashlib.sha512(data).hexdigest())
    assert (base.size, base.release.size) == (len(data), None)


def test_a_given_sum_applies_to_a_branch_of_the_mirror(mirror: Mirror, store: Store) -> None:
    """For a branch that no catalogue knows the list says which file, and the caller which bytes."""
    publish(mirror, sha512=ZEROS)
    assert get("alpine-3.25", mirror, store, sha512=SHA512).notes == ()
    mirror.add("/alpine/v3.25/releases/x86_64/latest-releases.yaml", listing())
    with pytest.raises(SumMismatchError):
        get("alpine-3.25", mirror, store, sha512=ZEROS)


def test_a_given_sum_that_differs_is_refused(mirror: Mirror, store: Store) -> None:
    """The right file of the catalogue is refused when the caller says otherwise."""
    release = find_release("alpine-3.20.3", "x86_64")
    assert release is not None
    mirror.add(f"/alpine/{release.path}", DATA)
    with pytest.raises(SumMismatchError) as caught:
        get("alpine-3.20.3", mirror, store, sha512=ZEROS)
    assert caught.value.expected == ZEROS
    assert "--base-sha512" in (caught.value.hint or "")


@pytest.mark.parametrize("given", ["abc", SHA256, SHA512 + "0", "g" * 128, SHA512[:-1] + "\n"])
def test_a_malformed_sum_is_a_usage_error(mirror: Mirror, store: Store, given: str) -> None:
    """What is no SHA-512 is refused before anything is asked."""
    with pytest.raises(UsageError, match="--base-sha512"):
        get("alpine-3.22", mirror, store, sha512=given)
    assert mirror.requests == []


# --- releases that only the mirror knows


@pytest.mark.parametrize(
    ("name", "version", "arch"),
    [
        ("alpine-3.25", "3.25.0", "x86_64"),
        ("alpine-3.25.0", "3.25.0", "x86_64"),
        ("alpine-3.22.9", "3.22.9", "x86_64"),
        ("alpine-3.22", "3.22.9", "loongarch64"),
        ("alpine-edge-20301231", "20301231", "x86_64"),
        ("alpine-edge", "20301231", "ppc64"),
    ],
)
def test_an_unknown_release_is_looked_up(mirror: Mirror, store: Store, name: str, version: str, arch: str) -> None:
    """The mirror's own list says which file and which sum, a note says so, and offline it is found again."""
    publish(mirror, version, arch)
    base = get(name, mirror, store, arch=arch)
    assert (base.release.version, base.release.sha512, base.release.size) == (version, SHA512, len(DATA))
    assert base.release.verified == "server"
    (note,) = base.notes
    assert "is not signed" in note
    assert SHA512 in note
    asked = len(mirror.requests)
    assert get(name, mirror, store, arch=arch, offline=True)[1:] == base[1:]
    assert get(base.release.name, mirror, store, arch=arch, offline=True).sha256 == SHA256
    assert len(mirror.requests) == asked


def test_a_branch_follows_the_mirror(mirror: Mirror, store: Store) -> None:
    """A branch's name is looked up each time; the exact release stays what it was."""
    publish(mirror)
    assert get("alpine-3.25", mirror, store).release.version == "3.25.0"
    publish(mirror, "3.25.1")
    assert get("alpine-3.25", mirror, store).release.version == "3.25.1"
    before = len(mirror.requests)
    assert get("alpine-3.25.0", mirror, store).release.version == "3.25.0"
    assert get("alpine-3.25", mirror, store, offline=True).release.version == "3.25.1"
    assert len(mirror.requests) == before


def test_the_first_sum_of_a_release_stays(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    """A mirror cannot give another file for a release that was fetched before."""
    publish(mirror)
    get("alpine-3.25.0", mirror, store)
    next((tmp_path / "v1").glob("*.blob")).unlink()
    other = b"other"
    publish(mirror, sha512=hashlib.sha512(other).hexdigest(), size=str(len(other)))
    mirror.add("/alpine/v3.25/releases/x86_64/alpine-minirootfs-3.25.0-x86_64.tar.gz", other)
    with pytest.raises(SumMismatchError) as caught:
        get("alpine-3.25.0", mirror, store)
    assert caught.value.expected == SHA512


def test_an_older_release_has_a_sum_beside_it(mirror: Mirror, store: Store) -> None:
    """A release that is not the newest of its branch is verified with the .sha512 file beside it."""
    publish(mirror, "3.22.9")
    folder = "/alpine/v3.22/releases/x86_64"
    name = "alpine-minirootfs-3.22.2-x86_64.tar.gz"
    mirror.add(f"{folder}/{name}", DATA)
    mirror.add(f"{folder}/{name}.sha512", f"{SHA512}  {name}\n".encode())
    base = get("alpine-3.22.2", mirror, store)
    assert (base.release.version, base.release.verified) == ("3.22.2", "server")
    assert mirror.paths == [f"{folder}/latest-releases.yaml", f"{folder}/{name}.sha512", f"{folder}/{name}"]
    get("alpine-3.22.2", mirror, store, offline=True)


def test_a_mirror_that_contradicts_itself_is_refused(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    """A file that is not what the mirror's own list says is not kept, nor is what the list said."""
    publish(mirror, sha512=ZEROS)
    with pytest.raises(SumMismatchError) as caught:
        get("alpine-3.25", mirror, store)
    assert "contradicts itself" in (caught.value.hint or "")
    assert list((tmp_path / "v1").iterdir()) == []


@pytest.mark.parametrize("name", ["alpine-3.25", "alpine-3.25.1", "alpine-3.22.99", "alpine-19990101"])
def test_a_release_that_nobody_has_is_unknown(mirror: Mirror, store: Store, name: str) -> None:
    """Where the mirror has neither list nor sum, the name is unknown, and the hint names what there is."""
    publish(mirror, "3.22.9")
    with pytest.raises(UnknownBaseError, match="no such release for x86_64") as caught:
        get(name, mirror, store)
    assert "alpine-3.24" in (caught.value.hint or "")


def test_a_mirror_that_fails_is_no_unknown_base(mirror: Mirror, store: Store) -> None:
    """A server's error while looking up a release is an error of the download."""
    mirror.add("/alpine/v3.25/releases/x86_64/latest-releases.yaml", b"", always(status(500)))
    with pytest.raises(DownloadError, match="HTTP 500"):
        get("alpine-3.25", mirror, store)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"---\n",
        b"\0" * 1000,
        b"\xff\xfe" * 1000,
        b"<html>login please</html>",
        b"-\n" * 100_000,
        b"&a [*a,*a]\n" * 100,
        listing(version="3.24.9"),
        listing(version="3.25"),
        listing(version="20240923"),
        listing(version="3.25.0/../../../x"),
        listing(file="../../../../etc/passwd"),
        listing(file="alpine-minirootfs-3.25.1-x86_64.tar.gz"),
        listing(flavor="alpine-virt"),
        listing(arch="x86"),
        listing(sha512=""),
        listing(sha512=SHA512[:-1]),
        listing(sha512=SHA512.upper()),
        listing(sha512="0x" + SHA512[2:]),
    ],
)
def test_a_hostile_list_is_one_clear_error(mirror: Mirror, store: Store, document: bytes) -> None:
    """A list that names no usable minirootfs of that branch and architecture leads to no download."""
    path = "/alpine/v3.25/releases/x86_64/latest-releases.yaml"
    mirror.add(path, document)
    with pytest.raises(DownloadError, match="does not list a minirootfs"):
        get("alpine-3.25", mirror, store)
    assert set(mirror.paths) == {path}


def test_an_endless_list_is_refused(mirror: Mirror, store: Store) -> None:
    """A list of more than 256 KiB is not read to its end."""
    mirror.add("/alpine/v3.25/releases/x86_64/latest-releases.yaml", b"-\n" * 200_000)
    with pytest.raises(DownloadError, match="more than the expected 262144 bytes"):
        get("alpine-3.25", mirror, store)


@pytest.mark.parametrize("size", ["", "-1", "0", "1e9", "999999999999999999", "٣"])
def test_a_size_that_cannot_be_is_ignored(mirror: Mirror, store: Store, size: str) -> None:
    """What the list says of the size counts only if it is a number a minirootfs may have."""
    publish(mirror, size=size)
    base = get("alpine-3.25", mirror, store)
    assert (base.release.size, base.size) == (None, len(DATA))


def test_a_damaged_record_of_a_release_does_not_count(mirror: Mirror, store: Store, tmp_path: Path) -> None:
    """What was remembered of a release is checked like what a mirror says."""
    publish(mirror)
    get("alpine-3.25", mirror, store)
    records = list((tmp_path / "v1").glob("base-*.json"))
    assert len(records) == 2
    for text in ('{"schema": "minpack.base/1"}', '{"schema": "minpack.base/1", "version": "3.24.0", "sha512": 7}', "x"):
        for record in records:
            record.write_text(text)
        with pytest.raises(OfflineError):
            get("alpine-3.25", mirror, store, offline=True)
        with pytest.raises(OfflineError):
            get("alpine-3.25.0", mirror, store, offline=True)


def test_a_record_of_another_release_does_not_count(mirror: Mirror, store: Store) -> None:
    """A record under an exact release's name must be about that release."""
    publish(mirror, "3.25.1")
    get("alpine-3.25.1", mirror, store)
    values = {"version": "3.25.1", "sha512": SHA512, "size": ""}
    store.keep_record("base-alpine-3.25-3.25.0-x86_64", "minpack.base/1", values)
    with pytest.raises(OfflineError):
        get("alpine-3.25.0", mirror, store, offline=True)


def test_lists_are_read_as_alpine_writes_them() -> None:
    """Only the minirootfs entry counts, with its one-line fields; texts of several lines are passed over."""
    (entry,) = listed_minirootfs(listing())
    assert entry["version"] == "3.25.0"
    assert entry["flavor"] == "alpine-minirootfs"
    assert entry["sha512"] == SHA512
    assert listed_minirootfs(listing().replace(b"\n", b"\r\n")) == (entry,)
    assert listed_minirootfs(listing(version='"3.25.0"'))[0]["version"] == "3.25.0"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{SHA512}  file\n", True),
        (f"{SHA512} *file", True),
        (f"{ZEROS}  other\n{SHA512}  file\n", True),
        (f"{SHA512}  other\n", False),
        (f"{SHA512}\n", False),
        (f"{SHA256}  file\n", False),
        ("<html>", False),
    ],
)
def test_sum_files_are_read(text: str, *, found: bool) -> None:
    """The sum on the line with the file's name counts, and no other."""
    assert sum_for(text.encode(), "file") == (SHA512 if found else None)


# --- names and addresses


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("alpine-v3.22", "alpine-3.22"),
        ("alpine:3.22", "alpine-3.22"),
        ("Alpine-3.24", "alpine-3.24"),
        ("alpin-3.24", "alpine-3.24"),
        ("alpine-egde", "alpine-edge"),
    ],
)
def test_near_misses_are_named(mirror: Mirror, store: Store, name: str, near: str) -> None:
    """A name that is nearly right is unknown, and the hint says which one may be meant."""
    with pytest.raises(UnknownBaseError) as caught:
        get(name, mirror, store)
    assert re.match(rf"did you mean .*\b{re.escape(near)}\b.*\?", caught.value.hint or "")
    assert mirror.requests == []


def test_unlike_names_get_the_fitting_bases(mirror: Mirror, store: Store) -> None:
    """A name like nothing gets a hint with what there is for the architecture."""
    with pytest.raises(UnknownBaseError) as caught:
        get("zzz", mirror, store, arch="loongarch64")
    assert caught.value.hint == "Bases for loongarch64: alpine-edge"


def test_ubuntu_is_not_there_by_name(mirror: Mirror, store: Store) -> None:
    """Ubuntu's names get a hint with the ways that do work."""
    with pytest.raises(UnknownBaseError) as caught:
        get("ubuntu-24.04", mirror, store)
    for way in ("tarball", "directory", "/ for this host"):
        assert way in (caught.value.hint or "")


@pytest.mark.parametrize(
    "address",
    ["", "mirror.example/alpine", "ftp://mirror.example", "http://", "https://a b/", "http://x/?q", "file:///srv"],
)
def test_a_malformed_mirror_is_a_usage_error(mirror: Mirror, store: Store, address: str) -> None:
    """What is not a web address is refused."""
    with pytest.raises(UsageError, match="--mirror"):
        get("alpine-3.22", mirror, store, address=address)


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_a_mirrors_address_may_end_in_slashes(mirror: Mirror, store: Store, slashes: str) -> None:
    """The addresses asked for are the same."""
    publish(mirror)
    base = get("alpine-3.25", mirror, store, address=f"{mirror.url}/alpine{slashes}")
    assert base.url == f"{mirror.url}/alpine/{base.release.path}"


def test_a_mirrors_password_is_sent_and_not_shown(mirror: Mirror, store: Store) -> None:
    """User and password in the mirror's address go to it, and are in neither results nor errors."""
    publish(mirror)
    address = mirror.url.replace("//", "//me:s%40crt@") + "/alpine"
    base = get("alpine-3.25", mirror, store, address=address)
    assert {request.headers["Authorization"] for request in mirror.requests} == {"Basic bWU6c0BjcnQ="}
    assert base.url == f"{mirror.url}/alpine/{base.release.path}"
    for name in ("alpine-3.22", "alpine-3.26"):
        with pytest.raises((DownloadError, UnknownBaseError)) as caught:
            get(name, mirror, store, address=address)
        assert "crt" not in caught.value.message


def test_the_default_mirror_is_alpines_own() -> None:
    """The default address is the one Alpine gives, over TLS."""
    assert MIRROR == "https://dl-cdn.alpinelinux.org/alpine"


def test_a_base_is_a_plain_file_without_a_store(mirror: Mirror) -> None:
    """With --no-cache the base comes all the same, in a file without a name."""
    publish(mirror)
    with open_store(None) as store:
        assert get("alpine-3.25", mirror, store).sha256 == SHA256


def test_the_catalogue_is_not_read_for_nothing() -> None:
    """Names that are none are refused without the table."""
    alpine._document.cache_clear()
    alpine.releases.cache_clear()
    assert alpine.find_release("./rootfs.tar.gz", "x86_64") is None
    assert alpine._document.cache_info().currsize == 0
