"""The lock file: read as it was written, the same bytes for the same lock, and every damage one clear error."""

from __future__ import annotations

import fcntl
import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpack.errors import LockError, OutputError
from minpack.lock import file as lock_file
from minpack.lock.exclusive import exclusive_lock
from minpack.lock.file import holds, lock_bytes, read_lock, write_lock
from minpack.lock.values import (
    Difference,
    ImageKey,
    Lock,
    LockedBase,
    LockedData,
    LockedFile,
    LockedImage,
    LockedPackage,
    differences,
)
from minpack.paths import RootPath, normal
from support.listener import Listener
from support.places import small_disk

A, B = "a" * 64, "b" * 64
BASE = LockedBase("alpine-3.22", "release", "alpine-3.22.1", "https://a.example/x.tar.gz", A, 100)
GCC = LockedPackage("libgcc", "14.2.0-r6", "x86_64", "alpine v3.22 main", "https://a.example/l.apk", B, 7, "", "key")
ZLIB = LockedPackage("zlib1g", "1:1.2", "amd64", "debian bookworm", "https://a.example/z.deb", A, 9, "c" * 40)
FILE = LockedFile(normal("/lib/libz.so.1"), "package zlib1g", 0o755, A)
LINK = LockedFile(normal("/lib/libz.so"), "base", link="libz.so.1")
DATA = LockedData("tzdata", "2025.2", B)
DIRECTORY = LockedFile(normal("/usr/lib/x"), "base", 0o755)
AMD64, ARM = ImageKey("app", "linux/amd64"), ImageKey("app", "linux/arm/v7")
WHERE = 'images."app"."linux/amd64"'
OLD = Path(__file__).parents[1] / "support/locks_v1"
IMAGE = LockedImage(BASE, (GCC, ZLIB), (LINK, FILE, DIRECTORY), (DATA,), (("minpack", "1"),))

GOLDEN = f"""\
# What the image was made of. Written by minpack lock and minpack update; minpack --locked builds from it.
version = 2

[images.app."linux/amd64".bases.files]
name = "alpine-3.22"
kind = "release"
release = "alpine-3.22.1"
url = "https://a.example/x.tar.gz"
sha256 = "{A}"
size = 100

[images.app."linux/amd64".packages.libgcc]
version = "14.2.0-r6"
arch = "x86_64"
repository = "alpine v3.22 main"
url = "https://a.example/l.apk"
sha256 = "{B}"
size = 7
signed_by = "key"

[images.app."linux/amd64".files]
"/lib/libz.so" = "base link:libz.so.1"
"/lib/libz.so.1" = "package zlib1g 0755 sha256:{A}"

[images.app."linux/amd64".data.tzdata]
version = "2025.2"
sha256 = "{B}"

[images.app."linux/amd64".notes]
"/usr/local/bin/app" = "sha256:{A}"
minpack = "1"
"""


def written(lock: Lock, path: Path) -> Lock:
    """The lock as it is read again, without the file's name."""
    write_lock(lock, str(path))
    read = read_lock(str(path))
    assert all(image.lock == str(path) for image in read.images.values())
    return Lock({platform: image._replace(lock="") for platform, image in read.images.items()})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Two platforms, with everything that there can be, and with as little as possible."""
    lock = Lock({AMD64: IMAGE, ARM: LockedImage(LockedBase("scratch", "scratch"))})
    assert written(lock, tmp_path / "x.lock") == lock


def test_all_that_there_is_room_for(tmp_path: Path) -> None:
    """Several images of one platform, an image as a base, a further base, who makes a package and its license."""
    under = LockedBase("gcr.io/distroless/cc", "image", digest=f"sha256:{A}", use="layers")
    image = IMAGE._replace(
        packages=(GCC._replace(supplier="Alpine <a@example.org>", license="GPL-3.0-or-later"),), others=(under,)
    )
    other = LockedImage(LockedBase("alpine:3.22", "image", digest=f"sha256:{B}"))
    lock = Lock({AMD64: image, AMD64._replace(name="b%\udcff"): other, ARM: image})
    assert written(lock, tmp_path / "x.lock") == lock


def test_the_file_as_it_is_written() -> None:
    """Every byte of it: whoever reads locks in reviews, and other tools, know the form."""
    image = LockedImage(BASE, (GCC,), (LINK, FILE), (DATA,), (("/usr/local/bin/app", f"sha256:{A}"), ("minpack", "1")))
    assert lock_bytes(Lock({AMD64: image})).decode() == GOLDEN


def test_what_bases_and_packages_say_of_themselves_is_kept(tmp_path: Path) -> None:
    """A base's os-release; a package's maintainer, licence and source. None of it is compared."""
    said = GCC._replace(supplier="A <a@b.example>", license="GPL-2.0-or-later", source="gcc 14.2.0-r6")
    image = IMAGE._replace(base=BASE._replace(system="alpine", system_version="3.22.1"), packages=(said, ZLIB))
    path = tmp_path / "minpack.lock"
    path.write_bytes(lock_bytes(Lock({AMD64: image})))
    assert b'source = "gcc 14.2.0-r6"' in path.read_bytes()
    found = read_lock(str(path)).images[AMD64]
    assert (found.base, found.packages) == (image.base, image.packages)
    assert differences(IMAGE, found) == ()


@pytest.mark.parametrize(
    ("file", "keys"),
    [
        ("two-platforms.lock", [("app", "linux/amd64"), ("app", "linux/arm64")]),
        ("two-programs.lock", [("aaa", "linux/amd64"), ("aaa", "linux/arm64")]),
        ("no-notes.lock", [("image", "linux/amd64")]),
    ],
)
def test_version_1_is_read(file: str, keys: list[tuple[str, str]], tmp_path: Path) -> None:
    """As minpack 0.1.0 wrote it; its image is called as the first program that a note is about, and written anew."""
    lock = read_lock(str(OLD / file))
    assert (lock.version, list(lock.images)) == (1, keys)
    amd64 = lock.images[ImageKey(*keys[0])]
    assert amd64._replace(notes=(), lock="") == IMAGE._replace(notes=())
    new = lock.with_image(AMD64, IMAGE)
    assert list(new.images) == [("app", platform) for _, platform in keys], "it was one image, for all of its platforms"
    assert written(new, tmp_path / "x.lock").images[AMD64] == IMAGE


def test_an_image_is_found_by_its_name_or_as_the_only_one() -> None:
    """Of several of a platform none is taken for one of another name."""
    other = AMD64._replace(name="other")
    one, two = Lock({AMD64: IMAGE}), Lock({AMD64: IMAGE, other: IMAGE})
    assert [lock.find(other._replace(name="third")) for lock in (one, two)] == [AMD64, None]
    assert [lock.find(other) for lock in (one, two)] == [AMD64, other]
    assert one.find(ARM) is None
    assert one.replaced(other) is None
    assert set(one.with_image(other, IMAGE).images) == {AMD64, other}


def test_the_order_does_not_matter() -> None:
    """The same bytes, whatever order things were found in; another TOML reader sees the tables."""
    other = IMAGE._replace(packages=IMAGE.packages[::-1], files=IMAGE.files[::-1])
    small = LockedImage(LockedBase("scratch", "scratch"))
    data = lock_bytes(Lock({ARM: small, AMD64: IMAGE}))
    assert data == lock_bytes(Lock({AMD64: other, ARM: small}))
    document = tomllib.loads(data.decode())
    assert document["version"] == 2
    platforms = document["images"]["app"]
    assert list(platforms) == ["linux/amd64", "linux/arm/v7"]
    assert platforms["linux/amd64"]["files"]["/lib/libz.so.1"] == f"package zlib1g 0755 sha256:{A}"
    assert platforms["linux/amd64"]["files"]["/lib/libz.so"] == "base link:libz.so.1"
    assert platforms["linux/arm/v7"] == {"bases": {"files": {"name": "scratch", "kind": "scratch"}}}


PART = st.binary(min_size=1, max_size=20).filter(lambda name: not set(b"/\0") & set(name) and name not in (b".", b".."))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(PART, min_size=1, max_size=3), st.binary(min_size=1, max_size=20).filter(lambda text: b"\0" not in text)
)
def test_any_path_and_any_target(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], target: bytes) -> None:
    """Names are bytes: no UTF-8, line ends, quotes and percent signs come back as they were."""
    path = RootPath("/" + b"/".join(parts).decode("utf-8", "surrogateescape"))
    link = LockedFile(path, "base", link=target.decode("utf-8", "surrogateescape"))
    lock = Lock({AMD64: IMAGE._replace(files=(link,))})
    assert written(lock, tmp_path_factory.mktemp("lock") / "x.lock") == lock


def test_a_file_that_holds_a_lock_already(tmp_path: Path) -> None:
    """Byte for byte; no more and no less."""
    path, lock = tmp_path / "x.lock", Lock({AMD64: IMAGE})
    assert not holds(str(path), lock)
    write_lock(lock, str(path))
    assert holds(str(path), lock)
    assert not holds(str(path), Lock({ARM: IMAGE}))
    for data in (path.read_bytes() + b"\n", path.read_bytes()[:-1]):
        path.write_bytes(data)
        assert not holds(str(path), lock)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.lock"]


def test_all_that_differs_is_told() -> None:
    """By kind, then by name; what is in one of the two alone too; notes never."""
    now = IMAGE._replace(
        base=BASE._replace(release="alpine-3.22.2", sha256=B),
        packages=(GCC._replace(version="15"),),
        files=(DIRECTORY, FILE._replace(mode=0o644), LINK._replace(path=normal("/lib/new"))),
        data=(DATA._replace(version="2026.1"),),
        notes=(("minpack", "2"),),
    )
    assert differences(IMAGE, now) == (
        Difference("base", "alpine-3.22", f"alpine-3.22.1 sha256:{A}", f"alpine-3.22.2 sha256:{B}"),
        Difference("package", "libgcc", f"14.2.0-r6 sha256:{B}", f"15 sha256:{B}"),
        Difference("package", "zlib1g", f"1:1.2 sha256:{A}", ""),
        Difference("data", "tzdata", f"2025.2 sha256:{B}", f"2026.1 sha256:{B}"),
        Difference("file", "/lib/libz.so", "base link:libz.so.1", ""),
        Difference("file", "/lib/libz.so.1", f"package zlib1g 0755 sha256:{A}", f"package zlib1g 0644 sha256:{A}"),
        Difference("file", "/lib/new", "", "base link:libz.so.1"),
    )
    assert not differences(IMAGE, IMAGE._replace(notes=(), lock="x"))


def test_the_sums_of_all_downloads() -> None:
    """Of all platforms, each once; a directory has none."""
    lock = Lock({AMD64: IMAGE, ARM: LockedImage(LockedBase("/", "directory"))})
    assert lock.sums == (A, B)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "version is missing"),
        (b"\xff", "it is not TOML: it is not UTF-8 text"),
        (b"version = 1", "platforms is missing"),
        (b"version = 1\nplatforms = 2", "platforms is not a table"),
        (b'version = "1"', "version is not a version of a lock"),
        (b"version = 0", "version is not a version of a lock"),
        (b"version = 3", "it has version 3, and this minpack reads versions 1 and 2"),
        (b"version = 2", "images is missing"),
        (b"version = 2\nimages = 2", "images is not a table"),
        (b"version = 2\n[images]\na = 1", "images.a is not a table"),
        (b"version = 2\n[images.a]\nb = 1", 'images."a".b is not a table'),
        (b"version = 2\n[images.a.b]", 'images."a"."b".bases is missing'),
        (b"version = 2\n[images.a.b.bases.layers]", 'images."a"."b".bases.files is missing'),
        (b"version = 2\n[images.a.b.bases.'X y']", 'images."a"."b".bases.X y is not a use of a base'),
        (b"version = 2\n[images.'']", 'images."" is not the name of a program'),
        (b"version = 2\n[images.'../x']", 'images."../x" is not the name of a program'),
        (b"version = 2\n[images.'..']", 'images.".." is not the name of a program'),
        (b"version = 2\n[images.'x%00']", 'images."x%00" is not the name of a program'),
        (
            b"version = 2\n[images.a.b.bases.files]\nname = 'x'\nkind = 'image'",
            'images."a"."b".bases.files.digest is missing',
        ),
        (
            b"version = 2\n[images.a.b.bases.files]\nname = 'x'\nkind = 'scratch'\ndigest = 'md5:1'",
            'images."a"."b".bases.files.digest is not a digest',
        ),
        (b"version = 1\n[platforms]\na = 1", "platforms.a is not a table"),
        (b"version = 1\n[platforms.a]", 'platforms."a".base is missing'),
        (b"version = 1\n[platforms.a.base]\nname = ''\nkind = 'scratch'", 'platforms."a".base.name is not text'),
        (
            b"version = 1\n[platforms.a.base]\nname = 'alpine-3.22'\nkind = 'release'",
            'platforms."a".base lacks release, url, sha256 or size',
        ),
        (b"version = 1\n[platforms.a.base]\nname = 'x.tar'\nkind = 'tarball'", 'platforms."a".base lacks sha256'),
        (b"x = " + b"[" * 100_000, "it is not TOML: it is nested too deeply"),
        (b"version = " + b"9" * 5000, "it is not TOML: a number or date in it is out of range"),
        (b"version = 1\nx = 2026-13-01", "it is not TOML: …"),
        (b"version = 1\n\xef\xbb\xbf", "it is not TOML: Invalid statement (at line 2, column 1)"),
        (b"a." * 200_000 + b"a = 1", "it is not TOML: it is nested too deeply"),
        (b"[" + b'"a" . ' * 200_000 + b"a]", "it is not TOML: it is nested too deeply"),
        (b'x = {y = """\n\'""", a' + b".a" * 200_000 + b" = 1}", "it is not TOML: it is nested too deeply"),
        (b"x = {y = '''\n\"''''', 'a'" + b".'='" * 200_000 + b" = 1}", "it is not TOML: it is nested too deeply"),
        (b"x = " + b'"\\"' * 200_000, "it is not TOML: …"),
        (b"version = 1\n<<<<<<< HEAD\n=======\n>>>>>>> x\n", "it has merge conflict markers, from line 2 on"),
    ],
)
def test_what_is_no_lock(tmp_path: Path, data: bytes, reason: str) -> None:
    """The key that is wrong is named."""
    path = tmp_path / "x.lock"
    path.write_bytes(data)
    with pytest.raises(LockError) as caught:
        read_lock(str(path))
    said = caught.value.reason
    assert said == reason or (reason.endswith("…") and said.startswith(reason[:-1]))
    assert caught.value.hint


def test_cut_short_anywhere(tmp_path: Path) -> None:
    """A lock that was cut short is refused, or is one: no other error comes of it."""
    whole = lock_bytes(Lock({AMD64: IMAGE}))
    path = tmp_path / "x.lock"
    refused = 0
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        try:
            read_lock(str(path))
        except LockError:
            refused += 1
    assert refused > len(whole) * 3 // 4


def test_a_lock_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than any lock has."""
    monkeypatch.setattr(lock_file, "MAX_LOCK", 1000)
    path = tmp_path / "x.lock"
    path.write_bytes(b"#" * 1001)
    with pytest.raises(LockError, match="more than 1000 bytes"):
        read_lock(str(path))


def test_what_an_editor_made_of_a_lock(tmp_path: Path) -> None:
    """A byte order mark and line ends as on Windows, comments with any number of dots, and tables in another order."""
    path, lock = tmp_path / "x.lock", Lock({AMD64: IMAGE})
    head, *tables = lock_bytes(lock).decode().split("\n\n")
    text = "\n\n".join([head, f"# {'.' * 100}", *reversed(tables), ""])
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert {name: image._replace(lock="") for name, image in read_lock(str(path)).images.items()} == lock.images


def test_names_full_of_dots(tmp_path: Path) -> None:
    """They are text: only keys are counted by their parts."""
    path, name = tmp_path / "x.lock", "." * 100
    files = (FILE._replace(path=normal(f"/{name}.\"'#{name}")), LINK._replace(path=normal("/x"), link=f"{name}'"))
    lock = Lock({AMD64: IMAGE._replace(files=files)})
    assert written(lock, path) == lock


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "ftp://x/y", "http:///x", "http://a b/c", "x"])
def test_addresses_of_no_server(tmp_path: Path, url: str) -> None:
    """Nothing is asked of what is no server of the web."""
    path = tmp_path / "x.lock"
    for image, where in (
        (IMAGE._replace(base=BASE._replace(url=url)), "bases.files"),
        (IMAGE._replace(packages=(GCC._replace(url=url),)), "packages.libgcc"),
    ):
        path.write_bytes(lock_bytes(Lock({AMD64: image})))
        with pytest.raises(LockError) as caught:
            read_lock(str(path))
        assert caught.value.reason == f"{WHERE}.{where}.url is not an http:// or https:// address"


def test_a_version_that_is_none(tmp_path: Path) -> None:
    """People are told to install it."""
    path = tmp_path / "x.lock"
    path.write_bytes(lock_bytes(Lock({AMD64: IMAGE._replace(data=(DATA._replace(version="1; rm -r x"),))})))
    with pytest.raises(LockError, match="is not a version of a package of Python's"):
        read_lock(str(path))


@pytest.mark.parametrize("name", ["../../../evil", "a/b", "..", ".a", "", "a\nb", "é"])
def test_names_of_no_package(tmp_path: Path, name: str) -> None:
    """An image of Debian's has files that are called as its packages are: none may lead elsewhere."""
    path = tmp_path / "x.lock"
    path.write_bytes(lock_bytes(Lock({AMD64: IMAGE._replace(packages=(ZLIB._replace(name=name),))})))
    with pytest.raises(LockError) as caught:
        read_lock(str(path))
    assert caught.value.reason == f"{WHERE}.packages.{name} is not the name of a package"


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_full_disk(tmp_path: Path) -> None:
    """What to do about it is told, and the lock that was there is untouched."""
    with small_disk(tmp_path / "small") as disk:
        path = disk / "x.lock"
        write_lock(Lock(), str(path))
        before = path.read_bytes()
        with suppress(OSError):
            (disk / "fill").write_bytes(bytes(1 << 20))
        with pytest.raises(OutputError, match="no space left") as caught:
            write_lock(Lock({AMD64: IMAGE}), str(path))
        assert caught.value.hint == "free some space, or name a file that you may write with --lock FILE"
        assert path.read_bytes() == before
        assert sorted(entry.name for entry in disk.iterdir()) == ["fill", "x.lock"]


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    """Whoever reads and writes in the block loses nothing of what others wrote."""
    path = tmp_path / "x.lock"
    write_lock(Lock(), str(path))

    def add(number: int) -> None:
        with exclusive_lock(str(path)):
            lock = read_lock(str(path))
            write_lock(lock.with_image(ImageKey(str(number), "linux/amd64"), IMAGE), str(path))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(24)))
    assert {key.name for key in read_lock(str(path)).images} == set(map(str, range(24)))


def test_a_directory_that_is_locked_for_another_purpose(tmp_path: Path) -> None:
    """As by flock(1), of which minpack may be the command: the wait has an end."""
    pauses: list[float] = []
    listener = Listener()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with exclusive_lock(str(tmp_path / "x.lock"), listener, pauses.append):
            assert 1 < sum(pauses) < 10
            what = f"the directory of '{tmp_path}/x.lock'"
            assert listener.told == [f"waiting for another process, which has locked {what}"]
    finally:
        os.close(descriptor)


def test_no_directory_to_lock(tmp_path: Path) -> None:
    """That it is missing is for writing to say."""
    with exclusive_lock(str(tmp_path / "none" / "x.lock"), pause=lambda _: pytest.fail("nothing to wait for")):
        assert not list(tmp_path.iterdir())


def test_a_large_lock_is_read(tmp_path: Path) -> None:
    """With many times the files of any image."""
    files = tuple(sorted(FILE._replace(path=normal(f"/usr/share/{number}")) for number in range(20_000)))
    lock = Lock({AMD64: IMAGE._replace(files=files)})
    assert written(lock, tmp_path / "x.lock") == lock
