"""What is kept between runs: `minpack cache`, the same bytes with it and without, and processes killed at any point."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.report.human import human
from support.command import COMMAND, assert_refused, environment, minpack
from support.elfmaker import static_program
from support.refusals import row
from support.site import record_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE = 3_000_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program that compresses a little."""
    noise = random.Random(1).randbytes(SIZE // 2)  # noqa: S311
    (tmp_path / "app").write_bytes(static_program(overlay=noise + bytes(SIZE // 2)))
    return tmp_path


@pytest.fixture
def site(embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embedded data to change."""
    return shutil.copytree(embedded, tmp_path_factory.mktemp("packages") / "site")


def stored() -> list[Path]:
    """What is in the store."""
    return sorted((Path(os.environ["XDG_CACHE_HOME"]) / "minpack" / "v1").glob("*"))


def pack(place: Path, *arguments: str, env: Mapping[str, str | None] | None = None) -> bytes:
    """The archive of the program."""
    ran = minpack("./app", "-o", "app.tar", *arguments, cwd=place, env=env)
    assert ran.code == 0, ran.err
    return (place / "app.tar").read_bytes()


@pytest.mark.parametrize("options", [(), ("--compress", "small"), ("--zstd",), ("--single-layer",)])
def test_the_same_bytes_with_and_without(place: Path, options: tuple[str, ...]) -> None:
    """First, second and without a store: one image. Nothing is kept with --no-cache."""
    bare = pack(place, "--no-cache", *options)
    assert stored() == []
    assert pack(place, *options) == bare
    assert [path.suffix for path in stored()].count(".layer") == (1 if options == ("--single-layer",) else 2)
    assert pack(place, *options) == bare


def test_info_prune_and_clean(place: Path) -> None:
    """`cache info` counts what a pack kept, `prune` makes it fit, `clean` empties it; each in words and in JSON."""
    pack(place)
    shown = minpack("cache", "info", cwd=place)
    layers = sum(path.stat().st_size for path in stored() if path.suffix == ".layer")
    assert f"compressed layers  {human(layers)} in 2 files\n" in shown.out.decode()
    document = minpack("cache", "info", "--json", cwd=place).document
    assert document["schema"] == "minpack.cache/1"
    assert document["size"] == sum(path.stat().st_size for path in stored())
    assert [(row["kind"], row["files"]) for row in document["kinds"]] == [("compressed layers", 2), ("records", 2)]
    largest = max(stored(), key=lambda path: path.stat().st_size)
    os.utime(largest, (largest.stat().st_mtime - 60,) * 2)
    pruned = minpack("cache", "prune", "--max-size", "1MB", "--json", cwd=place).document
    assert pruned["left"]["size"] <= 1_000_000 < pruned["removed"]["size"]
    assert pruned["left"]["files"] == len(stored()) == 3
    cleaned = minpack("cache", "clean", cwd=place)
    assert cleaned.code == 0
    assert cleaned.out.decode().endswith("left     0 B in 0 files\n")
    assert stored() == []
    assert pack(place) == pack(place, "--no-cache")


def test_prune_by_age(place: Path) -> None:
    """What was not used for so many days goes, and what was used since stays."""
    pack(place)
    old = stored()[0]
    os.utime(old, (0, 0))
    assert minpack("cache", "prune", "--older-than", "3", cwd=place).code == 0
    assert old not in stored()
    assert len(stored()) == 3


def test_a_cache_that_is_not_there_is_empty(place: Path) -> None:
    """Looking makes no directory."""
    for command in ("info", "prune", "clean"):
        assert minpack("cache", command, "--cache-dir", "none", cwd=place).code == 0
    assert not (place / "none").exists()


def test_what_cannot_be_meant(place: Path) -> None:
    """Sizes are sizes; without a home directory one has to be named."""
    ran = minpack("cache", "prune", "--max-size", "much", cwd=place)
    assert_refused(ran, 2, "cannot use --max-size 'much': it is not a size", "for example 500MB, 2GB or 512MiB")
    ran = minpack("cache", "info", cwd=place, env={"HOME": None, "XDG_CACHE_HOME": None})
    assert_refused(
        ran, 2, "cannot run minpack cache: there is no home directory …", "choose a directory with --cache-dir DIR"
    )


def test_a_store_of_somebody_elses_is_no_reason_to_fail(place: Path) -> None:
    """A program is packed all the same, with a note of why nothing is kept."""
    store = place / "cache" / "minpack" / "v1"
    store.mkdir(parents=True)
    store.chmod(0o777)
    ran = minpack("./app", "-o", "app.tar", "--cache-dir", "cache", cwd=place)
    assert ran.code == 0
    assert (
        "note: compressed layers were not cached: cannot use store 'cache/minpack/v1': other users may write" in ran.err
    )
    assert os.listdir(store) == []


def test_killed_at_any_point(place: Path) -> None:
    """Whenever a process is killed, the next one makes the same image, and nothing of a half layer counts."""
    expected = pack(place, "--no-cache")
    started = time.monotonic()
    pack(place)
    whole = time.monotonic() - started
    chance = random.Random(2)  # noqa: S311
    for _ in range(12):
        minpack("cache", "clean", cwd=place)
        run = subprocess.Popen([*COMMAND, "./app", "-o", "other.tar", "-q"], cwd=place, env=environment({}))
        time.sleep(whole * chance.uniform(0.5, 1.0))
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert pack(place) == expected
        assert pack(place) == expected


def test_processes_at_once(place: Path) -> None:
    """Processes that pack the same with one store, while another empties it, all make the same image."""
    expected = pack(place, "--no-cache")
    for _ in range(2):
        runs = [
            subprocess.Popen([*COMMAND, "./app", "-o", f"{number}.tar", "-q"], cwd=place, env=environment({}))
            for number in range(4)
        ]
        cleaning = subprocess.Popen([*COMMAND, "cache", "clean", "-q"], cwd=place, env=environment({}))
        assert [run.wait() for run in (*runs, cleaning)] == [0] * 5
        assert all((place / f"{number}.tar").read_bytes() == expected for number in range(4))


BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ZONES = ("--need", "tz", "--need", "certs")


def test_embedded_data_is_remembered(place: Path) -> None:
    """An image with certificates and time zones is the same with and without a store, and by processes at once."""
    expected = pack(place, "--no-cache", *ZONES)
    for _ in range(2):
        assert pack(place, *ZONES) == expected
    names = [path.name.split("-") for path in stored() if path.suffix == ".json"]
    assert [name[1] for name in names if name[0] == "layer"] == ["key", "mark"]
    for path in stored():
        path.unlink()
    command = [*COMMAND, "./app", *ZONES, "-q", "-o"]
    runs = [subprocess.Popen([*command, f"{number}.tar"], cwd=place, env=environment({})) for number in range(3)]
    assert [run.wait() for run in runs] == [0] * 3
    assert all((place / f"{number}.tar").read_bytes() == expected for number in range(3))
    assert pack(place, *ZONES) == expected


def test_embedded_data_that_was_changed(place: Path, site: Path) -> None:
    """A zone that was changed after it was installed is in no image: neither in a new one nor by way of the store."""
    env = {"PYTHONPATH": str(site)}
    zone = site / "tzdata" / "zoneinfo" / "America" / "Caracas"
    expected = pack(place, *ZONES, env=env)
    data = zone.read_bytes()
    zone.write_bytes(data[:-1] + b"\t")
    assert pack(place, *ZONES, env=env) == expected, "what is kept is what was installed"
    (place / "app.tar").unlink()
    ran = minpack("./app", "-o", "app.tar", "--no-cache", *ZONES, cwd=place, env=env)
    case = row("a time zone of tzdata that was changed")
    assert_refused(ran, case.code, case.message, case.hint)
    assert not (place / "app.tar").exists()
    record = record_of(site, "tzdata")
    record.write_bytes(
        b"".join(line for line in record.read_bytes().splitlines(keepends=True) if b"/Caracas," not in line)
    )
    other = pack(place, *ZONES, env=env)
    assert other != expected
    assert other == pack(place, *ZONES, "--no-cache", env=env)
    record.unlink()
    zone.write_bytes(data)
    assert pack(place, *ZONES, env=env) == expected, "without RECORD as it lies there"


def test_a_ca_that_was_added_to_certifi(place: Path, site: Path) -> None:
    """It is in no image unless the user says so, as a note has it."""
    env = {"PYTHONPATH": str(site)}
    expected = pack(place, *ZONES, env=env)
    bundle = site / "certifi" / "cacert.pem"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole + whole[whole.rindex(b"-----BEGIN") :])
    note = "note: certifi here has extra CA certificates; they were left out (add yours with --ca-file)\n"
    for options, told in (((), True), ((), False), (("-v",), True), (("--no-cache",), True), (("--json",), False)):
        ran = minpack("./app", "-o", "app.tar", *ZONES, *options, cwd=place, env=env)
        assert ran.code == 0
        assert (ran.err == note) == told, "it is told once, unless more is asked for, or nothing is remembered"
        assert (place / "app.tar").read_bytes() == expected
    assert ran.document["notes"] == [note[6:-1]], "programs get all notes"
    assert "certifi" not in minpack("./app", "-o", "app.tar", "--no-need", "certs", cwd=place, env=env).err
    bundle.write_bytes(bundle.read_bytes() + whole[whole.rindex(b"-----BEGIN") :])
    assert minpack("./app", "-o", "app.tar", *ZONES, cwd=place, env=env).err == note, "another one is another note"


def test_certificates_have_one_size(place: Path, site: Path) -> None:
    """`inspect` says of the CA bundle what packing it takes, also where somebody added a certificate to certifi."""
    env = {"PYTHONPATH": str(site)}
    bundle = site / "certifi" / "cacert.pem"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole + whole[whole.rindex(b"-----BEGIN") :])
    (place / "server").write_bytes(static_program(overlay=b"/etc/ssl/certs/ca-certificates.crt\0"))
    packed = minpack("./server", "--need", "certs", "--dry-run", "--json", cwd=place, env=env).document["images"][0]
    inspected = minpack("inspect", "./server", "--json", cwd=place, env=env).document
    costs = [
        next(need["cost"] for need in document["needs"] if need["need"] == "certs") for document in (packed, inspected)
    ]
    (size,) = (file["size"] for file in packed["files"] if file["path"].endswith("ca-certificates.crt"))
    assert costs == [size, size]
    bundle.write_bytes(b"other" + whole)
    assert minpack("inspect", "./server", cwd=place, env=env).code == 0


def test_a_bundle_of_certifi_that_was_changed(place: Path, site: Path) -> None:
    """It is in no image unless the user says so, as the hint has it; what needs no certificates is packed."""
    env = {"PYTHONPATH": str(site)}
    pack(place, *ZONES, env=env)
    bundle = site / "certifi" / "cacert.pem"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[whole.rindex(b"-----BEGIN") :] + whole)
    case = row("a CA bundle of certifi that was changed")
    for cache in ((), ("--no-cache",)):
        ran = minpack("./app", "-o", "other.tar", *ZONES, *cache, cwd=place, env=env)
        assert_refused(ran, case.code, case.message, case.hint)
        assert f"--add {bundle}:{BUNDLE} takes" in ran.err
    assert not (place / "other.tar").exists()
    assert pack(place, "--no-need", "certs", env=env) == pack(place, "--no-need", "certs", "--no-cache")
    added = ("--add", f"{bundle}:{BUNDLE}", "--format", "tar", "-o", "root.tar")
    assert minpack("./app", *ZONES, *added, cwd=place, env=env).code == 0
    with tarfile.open(place / "root.tar") as tar:
        packed = tar.extractfile(BUNDLE[1:])
        assert packed is not None
        assert packed.read() == bundle.read_bytes()
    assert minpack("inspect", "./app", cwd=place, env=env).code == 0


@pytest.mark.data
def test_a_base_is_remembered(place: Path, alpine_x86_64: Path) -> None:
    """With a local tarball as base, images are the same from the tarball, from its index, and without a store."""
    base = ("--base", str(alpine_x86_64), "--need", "os-release")
    bare = pack(place, "--no-cache", *base)
    assert pack(place, *base) == bare
    assert {path.suffix for path in stored()} == {".tar", ".index", ".json", ".layer"}
    assert not [path for path in stored() if path.name.startswith("layer-key-")]
    assert pack(place, *base) == bare
    assert [path for path in stored() if path.name.startswith("layer-key-")], (
        "files of a kept tar are known by their keys"
    )
    assert pack(place, *base) == bare
    (tar,) = (path for path in stored() if path.suffix == ".tar")
    tar.write_bytes(bytes(tar.stat().st_size))
    for layer in stored():
        if layer.suffix == ".layer":
            layer.unlink()
    assert pack(place, *base) == bare
