"""The same input gives the same bytes: whoever packs it, where, when, and with which interpreter."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import minpack
from minpack.oci.validate import validate_archive
from support.elfmaker import MUSL, library, program, static_program
from support.packing import seen_in_directory
from support.pythons import SOURCES, command_of
from support.tools import need_file, need_tool

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("archive", "oci", "tar", "rootfs")
SITE = Path(shutil.__file__).parent / "site-packages"
OF_IMAGES = (
    "--tag=me/app:1.0",
    "--tag=ghcr.io/me/app:latest",
    "--label=b=2",
    "--label=a=größe",
    "--expose=80",
)
OPTIONS = (
    "--env=B=2",
    "--env=A=1",
    "--volume=/data",
    "--dir=/data:0750:1000:1000",
    "--symlink=app:/usr/local/bin/alias",
    "--add=added:/opt/added",
    "--need=tz",
)


class Way(NamedTuple):
    """One way to run the command: what of its surroundings is other than usual."""

    env: Mapping[str, str] = {}
    umask: int = 0o022
    prefix: tuple[str, ...] = ()
    python: tuple[str, ...] = (sys.executable,)
    copy: bool = False
    options: tuple[str, ...] = ()


WAYS = {
    "umask": Way(umask=0o077),
    "no umask": Way(umask=0),
    "time zone": Way({"TZ": "Pacific/Kiritimati"}),
    "C locale": Way({"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "UTF-8 locale": Way({"LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8"}),
    "hash seed": Way({"PYTHONHASHSEED": "1"}),
    "other hash seed": Way({"PYTHONHASHSEED": "4294967295"}),
    "optimized": Way({"PYTHONOPTIMIZE": "2"}),
    "development mode": Way({"PYTHONDEVMODE": "1"}),
    "isolated": Way({"HOME": "/nonexistent", "USER": "nobody", "COLUMNS": "20", "FORCE_COLOR": "1"}),
    "copied inputs": Way(copy=True),
    "one processor": Way(prefix=("taskset", "-c", "0")),
    "verbose": Way(options=("--verbose",)),
}


def make_inputs(directory: Path) -> Path:
    """A musl program, a base for it and files to add, with sizes that make several blocks."""
    base = directory / "base"
    for path, data in (
        (MUSL[1:], library("libc.musl-x86_64.so.1")),
        ("usr/lib/libbig.so.1", library("libbig.so.1", ("libsmall.so.2",)) + filler(3_000_000)),
        ("usr/lib/libsmall.so.2.5", library("libsmall.so.2")),
        ("etc/os-release", b"ID=made\nNAME=Made\n"),
        ("etc/ssl/certs/ca-certificates.crt", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"),
        ("usr/share/zoneinfo/Europe/Berlin", b"TZif2 made"),
        ("usr/share/zoneinfo/Zulu", b"TZif2 made"),
    ):
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_bytes(data)
        (base / path).chmod(0o755 if data.startswith(b"\x7fELF") else 0o644)
    (base / "usr/lib/libsmall.so.2").symlink_to("libsmall.so.2.5")
    link_zones(base)
    app = directory / "app"
    app.write_bytes(program(("libbig.so.1",), interpreter=MUSL, runpath="/usr/lib") + filler(2_500_000))
    app.chmod(0o755)
    added = directory / "added"
    for number in range(30):
        small = added / f"d{number % 7}" / f"größe {number * 17 % 30}"
        small.parent.mkdir(parents=True, exist_ok=True)
        small.write_bytes(b"%d" % number)
    return directory


def link_zones(base: Path) -> None:
    """Make two zones names of one file."""
    zones = base / "usr/share/zoneinfo"
    (zones / "UTC").unlink(missing_ok=True)
    os.link(zones / "Zulu", zones / "UTC")


def filler(size: int) -> bytes:
    """Bytes that compress a little and are always the same."""
    return b"".join(hashlib.sha256(b"%d" % (number * number % 9973)).digest() for number in range(size // 32))


def pack(inputs: Path, way: Way, form: str, *options: str) -> str:
    """What one process makes of the inputs, in a directory of its own: the digest of the file, or of the tree.

    The base is their directory ``base``, unless an option names another.
    """
    work = inputs.parent / f"work-{os.urandom(4).hex()}"
    if way.copy:
        shutil.copytree(inputs, work, symlinks=True, copy_function=copied)
        link_zones(work / "base")
    else:
        shutil.copytree(inputs, work, symlinks=True, copy_function=os.link)
    env = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(work / "cache"), **way.env}
    out = work / "out"
    base = () if any(one.startswith("--base=") for one in options) else ("--base=base",)
    options = (*base, *options, *way.options, *(OF_IMAGES if form in ("archive", "oci") else ()))
    arguments = ("-m", "minpack", "app", *OPTIONS, f"--format={form}", "-o", str(out), *options)
    done = subprocess.run(
        (*way.prefix, *way.python, *arguments),
        cwd=work,
        env=env,
        umask=way.umask,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    digest = digest_of(out)
    shutil.rmtree(work)
    return digest


def copied(source: str, target: str) -> str:
    """A copy with another time and a looser mode."""
    shutil.copyfile(source, target)
    os.utime(target, (86400, 1_234_567_890))
    os.chmod(target, os.stat(source).st_mode | 0o020)
    return target


def digest_of(path: Path) -> str:
    """The digest of a file, or of the names, modes, owners, times and bytes below a directory."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if (path / "oci-layout").exists():
        rows = [(str(file.relative_to(path)), file.read_bytes()) for file in path.rglob("*") if file.is_file()]
        return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()
    return hashlib.sha256(repr(sorted(seen_in_directory(path).items())).encode("utf-8", "surrogateescape")).hexdigest()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs that are packed every time."""
    return make_inputs(tmp_path_factory.mktemp("reproducible") / "inputs-of-the-first")


@pytest.fixture(scope="module")
def usual(inputs: Path) -> dict[str, str]:
    """What the usual way gives in each format."""
    return {form: pack(inputs, Way(), form) for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("way", WAYS)
def test_surroundings_do_not_change_the_bytes(way: str, form: str, inputs: Path, usual: dict[str, str]) -> None:
    """Whatever surrounds the process, all it writes is the same, in every format."""
    for name in WAYS[way].prefix[:1]:
        need_tool(name)
    assert pack(inputs, WAYS[way], form) == usual[form]


@pytest.mark.parametrize("options", [("--compress=small",), ("--zstd",), ("--compress=none",), ("--single-layer",)])
def test_every_way_of_storing_is_reproducible(options: tuple[str, ...], inputs: Path) -> None:
    """On one processor and on all, each way of storing layers gives the same bytes."""
    prefix = (need_tool("taskset"), "-c", "0")
    alone = Way({"PYTHONHASHSEED": "7"}, 0o077, prefix, copy=True)
    assert pack(inputs, Way(), "archive", *options) == pack(inputs, alone, "archive", *options)


@pytest.mark.tool
def test_the_encoding_of_names_does_not_change_the_bytes(inputs: Path, usual: dict[str, str], tmp_path: Path) -> None:
    """Where names are taken for Latin-1, they are still the bytes that they are."""
    locale = "de_DE.ISO-8859-1"
    command = (need_tool("localedef"), "-i", "de_DE", "-f", "ISO-8859-1", str(tmp_path / locale))
    need_file("/usr/share/i18n/locales/de_DE")
    # It ends with 1 for what it warns of.
    subprocess.run(command, check=False, capture_output=True)
    assert (tmp_path / locale).exists()
    way = Way({"LOCPATH": str(tmp_path), "LC_ALL": locale})
    for form in FORMATS:
        assert pack(inputs, way, form) == usual[form]


@pytest.mark.tool
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_interpreter_does_not_change_the_bytes(version: str, inputs: Path, usual: dict[str, str]) -> None:
    """Another version of Python writes the same archive, and the same SBOMs."""
    way = Way({"PYTHONPATH": f"{Path(minpack.__file__).parents[1]}:{libraries()}"}, python=interpreter(version))
    assert pack(inputs, way, "archive") == usual["archive"]
    sboms = ("--sbom=spdx", "--sbom=cyclonedx")
    assert pack(inputs, way, "archive", *sboms) == pack(inputs, Way(), "archive", *sboms) != usual["archive"]


def libraries() -> Path:
    """Where this interpreter's libraries lie: of those that are needed here, none is bound to its version."""
    import deflate

    return Path(deflate.__file__).parents[1]


def interpreter(version: str) -> tuple[str, ...]:
    """What starts a Python of that version which can load the libraries, or skip."""
    paths = (*Path.home().glob(f".pyenv/versions/{version}.*/bin/python3"), shutil.which(f"python{version}"))
    commands: list[tuple[str, ...]] = [(str(path),) for path in paths if path is not None]
    if version in SOURCES and (unpacked := command_of(version)) is not None:
        commands.append(unpacked)
    code = f"import sys; assert sys.version.startswith('{version}.'); import click, deflate"
    env = {"PYTHONPATH": str(libraries()), "PATH": os.defpath}
    for command in commands:
        if subprocess.run((*command, "-c", code), capture_output=True, check=False, env=env).returncode == 0:
            return command
    pytest.skip(f"no Python {version} that can load this one's libraries: make pythons unpacks what Debian has")


def test_the_program_is_known_by_its_name_and_bytes_alone(inputs: Path, tmp_path: Path, usual: dict[str, str]) -> None:
    """A program of the same name in another place, given by a long way round, gives the same image."""
    moved = make_inputs(tmp_path / "elsewhere")
    (moved / "deep").mkdir()
    (moved / "deep/link").symlink_to("..")
    assert pack(moved, Way(), "archive") == usual["archive"]


def test_one_byte_more_is_another_image(inputs: Path, usual: dict[str, str], tmp_path: Path) -> None:
    """The digests do tell: another program, name, label or time gives other bytes."""
    other = make_inputs(tmp_path / "other")
    with (other / "app").open("ab") as out:
        out.write(b"x")
    assert pack(other, Way(), "archive") != usual["archive"]
    for option in ("--label=c=3", "--created=1", "--tag=another", "--dest=/app"):
        assert pack(inputs, Way(), "archive", option) != usual["archive"], option


def test_the_time_comes_from_the_environment(inputs: Path, usual: dict[str, str]) -> None:
    """SOURCE_DATE_EPOCH gives images and files their time, as --created does, and is 0 by default."""
    epoch = Way({"SOURCE_DATE_EPOCH": "1700000000"})
    for form in FORMATS:
        assert pack(inputs, epoch, form) == pack(inputs, Way(), form, "--created=1700000000") != usual[form]
        assert pack(inputs, Way({"SOURCE_DATE_EPOCH": "0"}), form) == usual[form]


def test_the_base_may_be_a_directory_or_its_tarball(inputs: Path, usual: dict[str, str], tmp_path: Path) -> None:
    """A base gives the same image however it is stored."""
    for number, options in enumerate((("--format=gnu",), ("--format=pax", "--gzip"), ("--format=ustar", "--xz"))):
        tarball = tmp_path / f"base{number}.tar"
        command = (need_tool("tar"), "-C", str(inputs / "base"), *options, "-cf", str(tarball), ".")
        subprocess.run(command, check=True)
        assert pack(inputs, Way(), "archive", f"--base={tarball}") == usual["archive"]


def test_static_programs_need_nothing_of_the_host(tmp_path: Path) -> None:
    """A static program gives the same archive wherever minpack's own data lie, and it keeps all rules."""
    (tmp_path / "app").write_bytes(static_program(0))
    digests = set()
    for number, umask in enumerate((0o022, 0o077)):
        out = tmp_path / f"{number}.tar"
        command = (sys.executable, "-m", "minpack", str(tmp_path / "app"), "-o", str(out))
        subprocess.run(command, check=True, capture_output=True, umask=umask, cwd=tmp_path)
        assert validate_archive(str(out)) == ()
        digests.add(digest_of(out))
    assert len(digests) == 1
