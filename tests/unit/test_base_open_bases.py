"""A base stays open from one image to the next, and what is made on it is what is made of it alone."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.base.open_bases import MOST_OPEN, OpenBases
from minpack.base.options import BaseOptions, OpenBase, PackageOptions
from minpack.build.pack import pack
from minpack.errors import UnreadableImageError
from minpack.needs.need import Need
from minpack.net.network import Network
from minpack.paths import ROOT, normal, parent
from minpack.progress import no_progress
from minpack.sources.open import open_base
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec
from minpack.target import Platform
from support.apkmaker import file, make_package
from support.debmaker import Archive, Deb, Key
from support.elfmaker import MUSL, program
from support.mirror import Mirror, always, status
from support.repository import COMMUNITY, DATABASE, KEY, MAIN, NOW, Place, library_package
from support.tarmaker import member

if TYPE_CHECKING:
    from collections.abc import Generator


AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    """A directory and a server."""
    with Mirror() as mirror:
        yield Place(tmp_path, mirror)


def compressed(place: Place, *members: bytes, name: str = "base.tar.gz") -> str:
    """A base with apk's database, as it is mostly had."""
    plain = Path(place.base(member("lib/apk/db/installed", DATABASE.encode()), *members))
    (place.path / name).write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    return str(place.path / name)


@contextmanager
def opened(base: str, options: BaseOptions, platform: Platform = AMD64) -> Generator[OpenBase]:
    """The base, as images open it."""
    with open_base(parse_base(base), platform, options, no_progress) as found:
        yield found


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_a_base_is_opened_once(place: Place) -> None:
    """For all images of one platform, until its file is another one, and closed in the end; time passes meanwhile."""
    base, before = compressed(place), descriptors()
    with OpenBases() as bases:
        options = place.options()._replace(bases=bases)
        with opened(base, options) as first:
            pass
        assert options.packages is not None
        later = options._replace(packages=options.packages._replace(now=1_900_000_000))
        with opened(base, later) as second:
            assert second is first
        with opened(base, options, ARM64) as other:
            assert other.base is not first.base
        with opened(base, options._replace(packages=options.packages._replace(keys="elsewhere"))) as trusting:
            assert trusting.base is not first.base
        replaced = gzip.compress(gzip.decompress((place.path / "base.tar.gz").read_bytes()) + bytes(512), mtime=0)
        (place.path / "base.tar.gz").write_bytes(replaced)
        with opened(base, options) as third:
            assert third.base is not first.base
        assert descriptors() > before
    assert descriptors() == before


def test_who_uses_a_base_has_it_alone(place: Place) -> None:
    """A second user at the same time gets one of its own; in the end both are closed, whoever is last."""
    base, before = compressed(place), descriptors()
    bases = OpenBases()
    options = place.options()._replace(bases=bases)
    with opened(base, options) as first, opened(base, options) as second:
        assert first.base is not second.base
        bases.close()
        assert first.base.listdir(ROOT) == second.base.listdir(ROOT)
    assert descriptors() == before


def test_few_bases_stay_open(place: Place) -> None:
    """Those that were used last."""
    names = [compressed(place, member("which", str(number).encode()), name=f"{number}.tar.gz") for number in range(6)]
    with OpenBases() as bases:
        options = place.options()._replace(bases=bases)
        found = []
        for name in names:
            with opened(name, options) as one:
                found.append(one.base)
        for number in (5, 2):
            with opened(names[number], options) as one:
                assert one.base is found[number]
        with opened(names[len(names) - MOST_OPEN - 1], options) as one:
            assert one.base is not found[len(names) - MOST_OPEN - 1]


def test_what_goes_wrong_is_told_to_what_opened_the_base() -> None:
    """As for one image, and the base is opened anew for the next one."""
    told: list[type[BaseException] | None] = []

    @contextmanager
    def opener() -> Generator[int]:
        try:
            yield len(told)
        except BaseException as error:
            told.append(type(error))
            raise
        told.append(None)

    with OpenBases() as bases:
        with pytest.raises(UnreadableImageError), bases.use("key", None, opener):
            raise UnreadableImageError("a", "b")
        assert told == [UnreadableImageError]
        for _ in range(2):
            with bases.use("key", None, opener) as found:
                assert found == 1
        assert told == [UnreadableImageError]
    assert told == [UnreadableImageError, None]


def made(place: Place, base: str, bases: OpenBases | None, store: str) -> list[tuple[object, ...]]:
    """What is planned of four images: with one package, another, both, and none; the sums of all files, the notes."""
    options = place.options(store=store)._replace(bases=bases)
    found: list[tuple[object, ...]] = []
    for needed in (("libfoo.so.1",), ("libbar.so.1",), ("libfoo.so.1", "libbar.so.1"), ()):
        (place.path / "app").write_bytes(program(needed, interpreter=MUSL))
        needs = frozenset((Need.TZ,)) if len(needed) != 1 else frozenset()
        spec = ImageSpec((str(place.path / "app"),), parse_base(base), wanted=needs)
        packed = pack(spec, options, None, sums=True)
        owners = tuple((entry.entry.path, entry.source, entry.package) for entry in packed.plan.entries)
        found.append((owners, dict(packed.sums), packed.notes, packed.fetched))
    return found


def test_images_are_those_that_are_made_alone(place: Place) -> None:
    """Files, packages, owners and notes: what one image fetches is not in the next; a program may be rewritten."""
    zones = make_package("tzdata", "2026a-r0", [file("usr/share/zoneinfo/UTC", b"TZif")], keys=(KEY,))
    place.publish(library_package("libfoo.so.1"), community=[library_package("libbar.so.1"), zones])
    base = compressed(place)
    alone = made(place, base, None, "alone")
    with OpenBases() as bases:
        together = made(place, base, bases, "together")
    assert together == alone
    assert [[str(one.name) for one in fetched] for *_, fetched in together] == [  # type: ignore[attr-defined]
        ["libfoo"],
        ["libbar"],
        ["libfoo", "libbar", "tzdata"],
        ["tzdata"],
    ]


def test_a_server_that_does_not_answer_is_asked_once(place: Place) -> None:
    """Not again for each image, which is told of it all the same."""
    for repository in (MAIN, COMMUNITY):
        place.mirror.add(f"{repository}/x86_64/APKINDEX.tar.gz", b"", always(status(503)))
    base, notes = compressed(place), []
    (place.path / "app").write_bytes(program((), interpreter=MUSL))
    spec = ImageSpec((str(place.path / "app"),), parse_base(base), wanted=frozenset((Need.TZ, Need.CERTS)))
    with OpenBases() as bases:
        options = place.options()._replace(bases=bases)
        for _ in range(3):
            notes.append(pack(spec, options, None).notes)
            if len(notes) == 1:
                asked = len(place.mirror.requests)
    assert len(place.mirror.requests) == asked > 0
    assert notes[0] == notes[1] == notes[2]
    assert any("the package tzdata cannot be had" in note for note in notes[2])


def test_the_archive_of_debian_stays_open(tmp_path: Path) -> None:
    """Its release is asked for once, and what one image fetches is not in the base of the next."""
    key, path = Key(), normal("/usr/lib/x86_64-linux-gnu/libfoo.so.1")
    (tmp_path / "keys").mkdir()
    for fingerprint, certificate in key.keys.items():
        (tmp_path / "keys" / f"{fingerprint}.gpg").write_bytes(certificate)
    archive = Archive("bookworm", key)
    archive.add(Deb("libfoo1", {path[1:]: b"foo"}))
    with Mirror() as mirror, OpenBases() as bases:
        archive.serve(mirror, "/debian")
        packages = PackageOptions(NOW, str(tmp_path / "keys"))
        network = Network(pause=lambda _: None)
        options = BaseOptions(
            *(str(tmp_path / "store"), network, "2026-11-25"),
            packages=packages,
            debian_mirror=f"{mirror.url}/debian",
            refresh=True,
        )
        asked, notes = [], []
        for one in (options, options, options._replace(bases=bases), options._replace(bases=bases)):
            with opened("debian-12", one) as found:
                assert found.base.listdir(parent(path)) == ()
                assert found.base.lstat(path) is not None
                assert found.base.listdir(parent(path)) == ("libfoo.so.1",)
                notes.append(found.notes)
            asked.append(mirror.paths.count("/debian/dists/bookworm/InRelease"))
    assert asked == [1, 2, 3, 3]
    assert len(set(notes)) == 1
