"""The plan: everything with its reason, in two layers, and how the image is run."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import pytest

from minpack.base.options import BaseOptions
from minpack.build.pack import Packed, pack
from minpack.content import read_all
from minpack.errors import BaseError, PathConflictError
from minpack.needs.need import Need
from minpack.net.network import Network
from minpack.paths import RootPath, ancestors
from minpack.plan.model import Origin, Plan, ReasonKind
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import User
from minpack.spec.base_ref import parse_base
from minpack.spec.image import ImageSpec, RunConfig
from minpack.spec.values import AddedDirectory, Addition
from support.badfiles import CERTIFICATE, MUSL_LOADER
from support.elfmaker import MUSL, library, program, static_program
from support.tarmaker import archive, directory, hard_link, member, symlink

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = BaseOptions(None, Network(offline=True), "2026-01-31")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A static program, a dynamic one, and a base for it in which everything is reached through links."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "server").write_bytes(program(("liba.so.1", "libc.so"), interpreter=MUSL))
    (tmp_path / "base.tar").write_bytes(
        archive(
            symlink("lib", "usr/lib"),
            directory("usr/lib/"),
            member("usr/lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755),
            member("usr/lib/liba.so.1.5", library("liba.so.1"), mode=0o700, uid=1000),
            hard_link("usr/lib/liba.so.1.5.again", "usr/lib/liba.so.1.5"),
            symlink("usr/lib/liba.so.1", "liba.so.1.5"),
            member("etc/ssl/certs/ca-certificates.crt", CERTIFICATE),
            hard_link("etc/ssl/certs/again.crt", "etc/ssl/certs/ca-certificates.crt"),
            member("etc/os-release", b'PRETTY_NAME="Test"\n'),
            symlink("var/run", "/run"),
            directory("run/"),
        )
    )
    return tmp_path


def planned(place: Path, request: ImageSpec | None = None, base: str | None = "base.tar") -> Packed:
    """The plan for a request; by default for the dynamic program."""
    request = request or ImageSpec((str(place / "server"),), wanted=frozenset((Need.CERTS,)))
    return pack(request._replace(base=parse_base(str(place / base)) if base else None), OPTIONS, None)


def by_path(plan: Plan) -> dict[str, Origin]:
    """Where each entry is from."""
    return {str(entry.entry.path): entry.source for entry in plan.entries}


def test_everything_has_a_reason_and_a_parent(place: Path) -> None:
    """No entry is there without a word, and none without the directories above it, which come first."""
    plan = planned(place).plan
    seen: set[str] = set()
    for entry in plan.entries:
        assert entry.reason.text
        assert seen.issuperset(ancestors(entry.entry.path))
        seen.add(entry.entry.path)


def test_the_way_to_each_library_is_there(place: Path) -> None:
    """Links on the way are packed as links, with the file they lead to, and nothing else of the base."""
    plan = planned(place).plan
    found = {str(item.entry.path): item.entry for item in plan.entries if item.source is Origin.BASE}
    assert {path: entry.link for path, entry in found.items() if entry.kind is Kind.SYMLINK} == {
        "/lib": "usr/lib",
        "/usr/lib/liba.so.1": "liba.so.1.5",
    }
    assert {path for path, entry in found.items() if entry.kind is Kind.FILE} == {
        "/usr/lib/ld-musl-x86_64.so.1",
        "/usr/lib/liba.so.1.5",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/os-release",
    }


def test_files_of_a_base_are_roots_and_readable(place: Path) -> None:
    """Whoever unpacked the base, and under whichever umask, the image is the same."""
    plan = planned(place).plan
    (entry,) = (item.entry for item in plan.entries if item.entry.path == "/usr/lib/liba.so.1.5")
    assert (entry.mode, entry.uid, entry.gid) == (0o755, 0, 0)


def test_hard_links_of_a_base_do_not_mix(place: Path) -> None:
    """Two files that have each another name in the base stay two files: their bytes are their own."""
    plan = planned(place).plan
    files = {entry.path: entry for entry in plan.all if entry.kind in (Kind.FILE, Kind.HARDLINK)}
    assert files[RootPath("/usr/lib/liba.so.1.5")].kind is Kind.FILE
    bundle = files[RootPath("/etc/ssl/certs/ca-certificates.crt")]
    assert bundle.kind is Kind.FILE
    assert bundle.content is not None
    assert bundle.content.size == len(CERTIFICATE)


def test_the_layers(place: Path) -> None:
    """The lower one stays the same when the program changes; each has the directories it needs."""
    first = planned(place).plan
    (place / "server").write_bytes(program(("liba.so.1",), interpreter=MUSL, exit_code=1))
    second = planned(place).plan
    assert [entry.path for entry in first.lower] == [entry.path for entry in second.lower]
    assert [entry.path for entry in first.upper] == ["/usr", "/usr/local", "/usr/local/bin", "/usr/local/bin/server"]
    assert {entry.path for entry in first.lower} | {entry.path for entry in first.upper} == {
        entry.path for entry in first.all
    }


def test_the_configuration(place: Path) -> None:
    """The program is the entrypoint; PATH is always set, and what the user sets comes last."""
    run = RunConfig(env=(("A", "1"), ("PATH", "/bin"), ("A", "2")), exposed=("80/tcp", "53/udp", "80/tcp"))
    request = ImageSpec((str(place / "app"),), wanted=frozenset((Need.CERTS,)), run=run)
    config = planned(place, request, None).plan.config
    assert config.entrypoint == ("/usr/local/bin/app",)
    assert config.env == (("PATH", "/bin"), ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"), ("A", "2"))
    assert config.exposed == ("53/udp", "80/tcp")
    assert config.user == "65532:65532"


def test_volumes_are_their_users(place: Path) -> None:
    """An engine would make a missing directory root's, and the program could not write there."""
    run = RunConfig(
        user=User(1000, 100), volumes=(RootPath("/data"), RootPath("/var/lib/x")), workdir=RootPath("/work")
    )
    plan = planned(place, ImageSpec((str(place / "app"),), run=run), None).plan
    entries = {str(entry.path): entry for entry in plan.all}
    for path in run.volumes:
        assert (entries[path].uid, entries[path].gid, entries[path].mode) == (1000, 100, 0o755)
    assert (entries["/var/lib"].uid, entries["/work"].uid) == (0, 0)


def test_a_directory_of_ones_own_stays_as_it_is(place: Path) -> None:
    """--dir decides over --volume and --workdir, and what a need would make."""
    directories = (AddedDirectory(RootPath("/data"), 0o700, User(5, 6)), AddedDirectory(RootPath("/tmp"), 0o700))
    run = RunConfig(volumes=(RootPath("/data"),), workdir=RootPath("/tmp"))
    plan = planned(place, ImageSpec((str(place / "app"),), directories=directories, run=run), None).plan
    entries = {str(entry.path): entry for entry in plan.all}
    assert (entries["/data"].uid, entries["/data"].mode) == (5, 0o700)
    assert entries["/tmp"].mode == 0o700


@pytest.mark.parametrize(
    "run", [RunConfig(workdir=RootPath("/etc/passwd")), RunConfig(volumes=(RootPath("/etc/passwd"),))]
)
def test_a_file_in_the_place_of_a_directory(place: Path, run: RunConfig) -> None:
    """A working directory or volume that is a file would keep the image from running."""
    with pytest.raises(PathConflictError, match=r"a directory \(--(workdir|volume) /etc/passwd\)"):
        planned(place, ImageSpec((str(place / "app"),), run=run), None)


def test_an_added_library_is_found(place: Path) -> None:
    """The user's files lie over the base: one of theirs can be what the loader opens."""
    (place / "own.so").write_bytes(library("liba.so.1", ("libb.so",)))
    (place / "libb.so").write_bytes(library("libb.so"))
    additions = (
        Addition(str(place / "own.so"), RootPath("/lib/liba.so.1")),
        Addition(str(place / "libb.so"), RootPath("/usr/local/lib/libb.so")),
    )
    plan = planned(place, ImageSpec((str(place / "server"),), additions=additions)).plan
    sources = by_path(plan)
    assert sources["/usr/lib/liba.so.1"] is Origin.ADDED
    assert sources["/usr/local/lib/libb.so"] is Origin.ADDED
    assert "/usr/lib/liba.so.1.5" not in sources


def test_a_library_in_a_home_directory_is_refused_unless_it_is_added(tmp_path: Path) -> None:
    """What is in a home directory of the base is not taken in silence."""
    (tmp_path / "server").write_bytes(program(("liba.so",), interpreter=MUSL, runpath="/home/me/lib"))
    (tmp_path / "liba.so").write_bytes(library("liba.so"))
    (tmp_path / "base.tar").write_bytes(
        archive(
            member("lib/ld-musl-x86_64.so.1", MUSL_LOADER, mode=0o755),
            member("home/me/lib/liba.so", library("liba.so"), mode=0o755),
        )
    )
    with pytest.raises(BaseError, match=r"'/home/me/lib/liba.so', which is in a home directory"):
        planned(tmp_path)
    addition = Addition(str(tmp_path / "liba.so"), RootPath("/home/me/lib/liba.so"))
    plan = planned(tmp_path, ImageSpec((str(tmp_path / "server"),), additions=(addition,))).plan
    assert by_path(plan)["/home/me/lib/liba.so"] is Origin.ADDED


def test_the_same_program_twice_is_one(place: Path) -> None:
    """Naming a program twice changes nothing."""
    once = planned(place, ImageSpec((str(place / "app"),)), None).plan
    twice = planned(place, ImageSpec((str(place / "app"), str(place / "app"))), None).plan
    assert once.all == twice.all


def test_sums_are_computed_when_asked_for(place: Path) -> None:
    """Without, nothing is read once more; with, each file and input has the sum of its bytes."""
    request = ImageSpec((str(place / "server"),), unwanted=frozenset((Need.TZ,)))
    without = planned(place, request)
    assert (dict(without.sums), [item.sha256 for item in without.inputs]) == ({}, [""])
    found = pack(request._replace(base=parse_base(str(place / "base.tar"))), OPTIONS, None, sums=True)
    for item in found.plan.entries:
        if item.entry.content is not None:
            data = read_all(item.entry.content, 1 << 20) if item.source is not Origin.BASE else None
            assert data is None or found.sums[item.entry.path] == hashlib.sha256(data).hexdigest()
    assert found.inputs[0].sha256 == hashlib.sha256((place / "base.tar").read_bytes()).hexdigest()


def test_the_sum_of_a_tarball_is_taken_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed tarball is summed to find what was kept of it, and that is the sum of the input."""
    data = gzip.compress((place / "base.tar").read_bytes())
    (place / "base.tar.gz").write_bytes(data)
    options = OPTIONS._replace(store=str(place / "store"))
    request = ImageSpec((str(place / "server"),), base=parse_base(str(place / "base.tar.gz")))
    monkeypatch.setattr("minpack.build.inputs.file_sum", None)
    for _ in range(2):
        found = pack(request, options, None, sums=True)
        assert found.inputs[0].sha256 == hashlib.sha256(data).hexdigest()


def test_reasons_name_who_needs_what(place: Path) -> None:
    """The interpreter, libraries and links have each their kind, and a chain to the program."""
    reasons = {str(item.entry.path): item.reason for item in planned(place).plan.entries}
    assert reasons["/usr/lib/ld-musl-x86_64.so.1"].kind is ReasonKind.INTERPRETER
    assert reasons["/usr/lib/liba.so.1.5"].kind is ReasonKind.LIBRARY
    assert reasons["/usr/lib/liba.so.1.5"].needed_by == "/usr/local/bin/server"
    assert reasons["/usr/lib/liba.so.1"].kind is ReasonKind.LINK
    assert reasons["/etc/os-release"].need == "os-release"
