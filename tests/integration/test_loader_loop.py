"""The closed loop: a packed tree, resolved by itself, gives the closure it was packed from, and the loader agrees."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.options import BaseOptions
from minpack.base.walk import Walker
from minpack.build.pack import pack
from minpack.content import BytesContent
from minpack.elf.read import read_elf
from minpack.ld.cache import CacheEntry, build_cache
from minpack.ld.closure import Closure, Environment
from minpack.ld.resolve import resolve_closure
from minpack.net.network import Network
from minpack.paths import RootPath, normal
from minpack.progress import no_progress
from minpack.rootfs.directory import write_directory
from minpack.spec.base_ref import parse_base
from minpack.spec.image import Check, ImageSpec, RunConfig
from support.elfmaker import GLIBC, MUSL, library, program
from support.oracle import Listing, ask_glibc, ask_musl, listing, need_loader, programs_in, resolve
from support.rulebook import Tree
from support.symbolmaker import Symbol, linked_elf
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.plan.model import Plan

OPTIONS = BaseOptions(None, Network(offline=True), "2024-10-01")
ALPINES = ("3.20.3-x86_64", "3.20.3-x86", "3.20.3-aarch64", "3.20.3-armv7", "3.20.3-riscv64", "3.20.3-s390x")
#: Of this machine's programs so many, evenly taken.
SAMPLE = 40


def planned(path: Path | str, base: Path | str, destination: str, environment: Environment = Environment()) -> Plan:  # noqa: B008
    """The plan of one program that is to lie at `destination`; its symbols are not looked at."""
    variables = (("LD_LIBRARY_PATH", environment.ld_library_path), ("LD_PRELOAD", environment.preload))
    run = RunConfig(env=tuple(pair for pair in variables if pair[1]), workdir=RootPath(environment.working_directory))
    request = ImageSpec(
        (str(path),),
        parse_base(str(base)),
        destination=normal(destination),
        run=run,
        check=Check.NONE,
        allowed_missing=frozenset(environment.preload.split(":")),
    )
    return pack(request, OPTIONS, None).plan


def looped(plan: Plan, environment: Environment = Environment()) -> Closure:  # noqa: B008
    """The closure of the plan's program in the planned tree alone; it must be the one the plan was made from."""
    (closure,) = plan.closures
    again = resolve_closure(Walker(base_of("packed", plan.all)), closure.program.path, environment)
    assert outline(again) == outline(closure)
    return again


def outline(closure: Closure) -> list[tuple[str, str, str]]:
    """Name, path and true path of each object that is loaded at the start, in load order."""
    return [(o.name, o.path, o.entry.path) for o in closure.objects if o.path not in closure.late]


def written(plan: Plan, root: Path) -> Path:
    """The planned tree, written below `root`."""
    root.mkdir()
    write_directory(plan.all, str(root), mtime=0, owners=False, progress=no_progress)
    return root


@pytest.mark.tool
def test_programs_of_this_machine() -> None:
    """Packed with this machine as base and at their own places, programs have the closures they have here."""
    need_loader(GLIBC)
    programs = list(programs_in("/usr/bin", interpreter=GLIBC))
    sample = programs[:: max(1, len(programs) // SAMPLE)]
    for path in sample:
        closure = looped(planned(path, "/", path))
        assert outline(closure) == outline(resolve(path))
    assert len(sample) > 10


@pytest.mark.tool
@pytest.mark.root
def test_the_loader_agrees_on_a_packed_tree(tmp_path: Path, root: None) -> None:
    """In a root of its own that has the packed files alone, the loader opens just what it opens here."""
    need_loader(GLIBC)
    programs = list(programs_in("/usr/bin", interpreter=GLIBC))
    for number, path in enumerate(programs[:: len(programs) // 8]):
        packed = written(planned(path, "/", path), tmp_path / str(number))
        assert ask_glibc(path, root=packed) == listing(resolve(path))
        shutil.rmtree(packed)


@pytest.mark.data
@pytest.mark.tool
@pytest.mark.parametrize("release", ALPINES)
def test_programs_of_alpine(data: Path, tmp_path: Path, release: str) -> None:
    """Packed from their minirootfs, Alpine's programs have the closures they have there."""
    tarball = data / "bases" / f"alpine-minirootfs-{release}.tar.gz"
    subprocess.run([need_tool("tar"), "-xzf", str(tarball), "-C", str(tmp_path)], check=True)
    found = programs_in(*(str(tmp_path / name) for name in ("bin", "sbin", "usr/bin", "usr/sbin")))
    # Links to /bin/busybox lead to that of this machine, where it has one.
    programs = [path for path in found if path.startswith(f"{tmp_path}/")]
    for path in programs:
        inside = path[len(str(tmp_path)) :]
        closure = looped(planned(path, tmp_path, inside))
        assert outline(closure) == outline(resolve(inside, tmp_path))
        # The tarball itself is closed by now: that its tree is complete is proved while packing.
        assert planned(path, tarball, inside).closures[0].missing == ()
    assert len(programs) >= 5


def ended(program: str, root: Path) -> int:
    """How a program ends that is asked for its version in a root of its own."""
    command = [need_tool("chroot"), str(root), program, "version" if program.endswith("openssl") else "--version"]
    return subprocess.run(command, env={}, capture_output=True, check=False).returncode


def count_needed(plan: Plan, program: str, root: Path) -> int:
    """How many files of the closure there are besides the program, when it runs with all and with none of them less."""
    written(plan, root)
    assert ended(program, root) == 0
    (closure,) = plan.closures
    files = {loaded.entry.path for loaded in closure.objects if loaded.path not in closure.late} - {program}
    for path in files:
        place, aside = root / path[1:], root / "aside"
        place.rename(aside)
        assert ended(program, root) != 0, f"{program} runs without {path}"
        aside.rename(place)
    assert ended(program, root) == 0
    return len(files)


@pytest.mark.tool
@pytest.mark.root
def test_no_file_of_a_closure_can_be_left_out(tmp_path: Path, root: None) -> None:
    """Programs of this machine run with all that is packed, and without any one library or the interpreter do not."""
    need_loader(GLIBC)
    programs = [os.path.realpath(f"/usr/bin/{name}") for name in ("ls", "bash", "xz", "gpg", "curl", "openssl")]
    tried = [path for path in programs if os.path.exists(path)]
    count = sum(count_needed(planned(path, "/", path), path, tmp_path / str(n)) for n, path in enumerate(tried))
    print(f"{len(tried)} programs with {count} files, each of which is needed")
    assert count > 2 * len(tried) > 2


@pytest.mark.data
@pytest.mark.tool
@pytest.mark.root
def test_no_file_of_an_alpine_closure_can_be_left_out(data: Path, tmp_path: Path, root: None) -> None:
    """The same with Alpine's package manager, from its minirootfs."""
    tarball = data / "bases" / "alpine-minirootfs-3.20.3-x86_64.tar.gz"
    base = tmp_path / "base"
    base.mkdir()
    subprocess.run([need_tool("tar"), "-xzf", str(tarball), "-C", str(base)], check=True)
    assert count_needed(planned(base / "sbin/apk", base, "/sbin/apk"), "/sbin/apk", tmp_path / "packed") == 5


class Made:
    """A base with made libraries, and a program outside it that is packed with it as base."""

    def __init__(self, directory: Path, interpreter: str) -> None:
        self._directory = directory
        self._interpreter = interpreter
        self.base = Tree(directory / "base", interpreter, rooted=True)
        self.plan: Plan

    def pack(self, *needed: str, environment: Environment = Environment(), **paths: str) -> Listing:  # noqa: B008
        """What the loader opens in the packed tree, which is what minpack says if there is no loader to ask."""
        app = self._directory / "app"
        app.write_bytes(program(needed, interpreter=self._interpreter, **paths))  # type: ignore[arg-type]
        app.chmod(0o755)
        self.plan = planned(app, self.base.root, "/srv/app", environment)
        closure = looped(self.plan, environment)
        root = written(self.plan, self._directory / "packed")
        if not self.base.asks:
            return listing(closure)
        ask = ask_glibc if self._interpreter == GLIBC else ask_musl
        said = ask("/srv/app", root=root, environment=environment)
        assert said == listing(closure)
        return said

    @property
    def paths(self) -> list[str]:
        """The files and links of the packed tree below /lib, /opt and /etc."""
        return [e.path for e in self.plan.all if e.path.startswith(("/opt", "/etc/ld"))]


def make_cache(base: Tree, *directories: str) -> None:
    """Let ldconfig(8) write the cache of a base, with further directories."""
    base.put("etc/ld.so.conf", "".join(f"{directory}\n" for directory in directories).encode())
    subprocess.run([need_tool("ldconfig"), "-X", "-r", str(base.root)], check=True, capture_output=True)


@pytest.mark.tool
def test_fresh_cache(tmp_path: Path) -> None:
    """What glibc finds through the base's cache alone it finds through a new one, with nothing else in it."""
    made = Made(tmp_path, GLIBC)
    base = made.base
    for name in "abc":
        base.put(f"opt/lib/libmpk{name}.so.1", library(f"libmpk{name}.so.1", ("libmpkb.so.1",) if name == "a" else ()))
    make_cache(base, "/opt/lib")
    cached = (base.root / "etc" / "ld.so.cache").read_bytes()
    assert b"libmpkc" in cached
    said = made.pack("libmpka.so.1")
    assert said.objects == (("libmpka.so.1", "/opt/lib/libmpka.so.1"), ("libmpkb.so.1", "/opt/lib/libmpkb.so.1"))
    (closure,) = made.plan.closures
    assert closure.cached == tuple(CacheEntry(*pair) for pair in said.objects)
    cache = next(entry for entry in made.plan.all if entry.path == "/etc/ld.so.cache")
    assert cache.content is not None
    assert cache.size < len(cached)
    with cache.content.open() as reader:
        assert b"libmpkc" not in reader.read_at(0, cache.size)


@pytest.mark.tool
def test_without_its_cache(tmp_path: Path) -> None:
    """The new cache is needed: without it the loader finds none of it."""
    test_fresh_cache(tmp_path)
    root = tmp_path / "packed"
    (root / "etc" / "ld.so.cache").unlink()
    names = ("libmpka.so.1",)
    assert listing(resolve("/srv/app", root)).missing == names
    if Made(tmp_path / "other", GLIBC).base.asks:
        assert ask_glibc("/srv/app", root=root).missing == names


def test_a_base_that_has_no_cache_yet(tmp_path: Path) -> None:
    """What is found in a directory of the base's ld.so.conf is found in the image, which has a cache of its own."""
    made = Made(tmp_path, GLIBC)
    made.base.put("etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n")
    made.base.put("etc/ld.so.conf.d/opt.conf", b"/opt/lib\n")
    made.base.put("opt/lib/libmpka.so.1", library("libmpka.so.1"))
    assert made.pack("libmpka.so.1").objects == (("libmpka.so.1", "/opt/lib/libmpka.so.1"),)
    assert made.paths == ["/etc/ld.so.cache", "/opt", "/opt/lib", "/opt/lib/libmpka.so.1"]


def test_other_names_in_the_cache(tmp_path: Path) -> None:
    """A second name by which the cache leads to a file that is loaded is in the new cache too."""
    made = Made(tmp_path, GLIBC)
    made.base.put("opt/libmpka.so.1", library())
    made.base.hard_link("opt/libmpkb.so.1", "opt/libmpka.so.1")
    entries = [CacheEntry(name, f"/opt/{name}") for name in ("libmpka.so.1", "libmpkb.so.1", "libmpkc.so.1")]
    made.base.put("etc/ld.so.cache", build_cache(entries, read_elf(BytesContent(library())).target))
    assert made.pack("libmpka.so.1", "libmpkb.so.1").missing == ()
    assert made.plan.closures[0].cached == tuple(entries[:2])


@pytest.mark.tool
def test_no_cache_where_none_is_needed(tmp_path: Path) -> None:
    """What a system directory has needs no cache, though the base's cache names it."""
    made = Made(tmp_path, GLIBC)
    system = made.base.constants.directories[-1]
    made.base.put(f"{system[1:]}/libmpka.so", library("libmpka.so"))
    make_cache(made.base)
    assert made.pack("libmpka.so").objects == (("libmpka.so", f"{system}/libmpka.so"),)
    assert made.plan.closures[0].cached == ()
    assert "/etc/ld.so.cache" not in made.paths


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL], ids=["glibc", "musl"])
def test_links_and_other_names(tmp_path: Path, interpreter: str) -> None:
    """Links on the way to a library, and other names by which it is opened, are packed."""
    made = Made(tmp_path, interpreter)
    made.base.put("opt/real/libmpka.so.1.2", library())
    made.base.link("opt/real/libmpka.so.1", "libmpka.so.1.2")
    made.base.link("opt/links", "/opt/real")
    made.base.hard_link("opt/hard/libmpkb.so", "opt/real/libmpka.so.1.2")
    made.base.link("opt/soft/libmpkc.so", "../real/libmpka.so.1")
    made.base.put("opt/real/libmpkd.so", library())
    said = made.pack("libmpka.so.1", "libmpkb.so", "libmpkc.so", runpath="/opt/links:/opt/real/../hard:/opt/soft")
    assert said.objects == (("libmpka.so.1", "/opt/links/libmpka.so.1"),)
    assert made.paths == [
        "/opt",
        "/opt/hard",
        "/opt/hard/libmpkb.so",
        "/opt/links",
        "/opt/real",
        "/opt/real/libmpka.so.1",
        "/opt/real/libmpka.so.1.2",
        "/opt/soft",
        "/opt/soft/libmpkc.so",
    ]


def test_path_file(tmp_path: Path) -> None:
    """The path file of musl is packed with what is found by it."""
    made = Made(tmp_path, MUSL)
    made.base.put("opt/lib/libmpka.so", library())
    made.base.put("etc/ld-musl-x86_64.path", b"/opt/lib\n")
    assert made.pack("libmpka.so").objects == (("libmpka.so", "/opt/lib/libmpka.so"),)
    assert made.paths == ["/etc/ld-musl-x86_64.path", "/opt", "/opt/lib", "/opt/lib/libmpka.so"]


def test_a_whole_c_library_is_there_to_be_dropped(tmp_path: Path) -> None:
    """What musl drops for its own libc it must find before: without the file it would miss the name."""
    made = Made(tmp_path, MUSL)
    made.base.put("opt/libmpka.so", linked_elf((Symbol("__libc_start_main"), Symbol("stdin"))).data)
    assert made.pack("libmpka.so", runpath="/opt") == Listing(())
    assert made.paths == ["/opt", "/opt/libmpka.so"]
    (tmp_path / "packed" / "opt" / "libmpka.so").unlink()
    if made.base.asks:
        assert ask_musl("/srv/app", root=tmp_path / "packed").missing == ("libmpka.so",)


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL], ids=["glibc", "musl"])
def test_preloaded_and_passed_over(tmp_path: Path, interpreter: str) -> None:
    """What LD_PRELOAD loads is packed; what is passed over on the way, or cannot be preloaded, is not."""
    made = Made(tmp_path, interpreter)
    made.base.put("opt/lib/libmpka.so", library())
    made.base.put("opt/lib/libmpkx.so", library())
    made.base.put("opt/lib/text", b"text\n" * 20)
    made.base.link("opt/gone/libmpka.so", "nowhere")
    environment = Environment("/opt/gone:/opt/lib", "libmpkx.so:/opt/lib/text:libmpknone.so")
    said = made.pack("libmpka.so", environment=environment)
    assert [name for name, _ in said.objects] == ["libmpkx.so", "libmpka.so"]
    assert made.paths == ["/opt", "/opt/lib", "/opt/lib/libmpka.so", "/opt/lib/libmpkx.so"]


@pytest.mark.parametrize("interpreter", [GLIBC, MUSL], ids=["glibc", "musl"])
def test_working_directory(tmp_path: Path, interpreter: str) -> None:
    """A relative runpath starts in the image's working directory."""
    made = Made(tmp_path, interpreter)
    made.base.put("opt/lib/libmpka.so", library())
    environment = Environment(working_directory="/opt")
    said = made.pack("libmpka.so", environment=environment, runpath="lib")
    assert said.objects == (("libmpka.so", "lib/libmpka.so"),)
