"""Small programs whose needs are known, built from `tests/truth/programs`, and what minpack says of them.

Each source begins with comments that tell the truth: ``needs`` is what it fails without, ``asks`` what it does without
or reads only if its environment says so, ``zones`` the time zones that it names, ``libraries`` what it is linked to.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from minpack.build.inspect import inspect
from minpack.needs.need import Need, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from minpack.build.inspect import Inspected

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "truth" / "programs"
#: What is built is kept between runs: Go's own cache makes building again a matter of seconds.
BUILD = ROOT / "build" / "truth"
_TRUTH = re.compile(r"^// (needs|asks|zones|libraries):(.*)$", re.MULTILINE)
# As it was before any test changed it: compilers keep their caches where it says.
_ENVIRONMENT = dict(os.environ)


class Truth(NamedTuple):
    """What is true of one program."""

    name: str
    source: Path
    needs: frozenset[Need]
    asks: frozenset[Need]
    zones: frozenset[str] | None
    libraries: tuple[str, ...] = ()


class Deviation(NamedTuple):
    """A verdict that is not the truth: ``false positive``, ``false negative``, or ``unsaid`` for what it asks for."""

    program: str
    need: Need
    kind: str
    verdict: Verdict


def truths(directory: str) -> dict[str, Truth]:
    """All programs of a directory of `PROGRAMS`, by name."""
    found = {}
    for source in sorted((PROGRAMS / directory).iterdir()):
        said = {key: value.split() for key, value in _TRUTH.findall(source.read_text(encoding="utf-8"))}
        assert "needs" in said, f"{source.name} does not say what it needs"
        needs, asks = (frozenset(map(Need, said.get(key, ()))) for key in ("needs", "asks"))
        zones = frozenset(said["zones"]) if "zones" in said else None
        found[source.stem] = Truth(source.stem, source, needs, asks, zones, tuple(said.get("libraries", ())))
    return found


def look(path: Path, *, why: bool = False) -> Inspected:
    """What minpack says of a file."""
    return inspect(str(path), "2026-01-01", why=why)


def deviations(truth: Truth, seen: Inspected) -> Iterator[Deviation]:
    """Where what minpack says of a program is not so.

    What container runtimes provide is right for whoever needs it, and for no one wrong.
    """
    for decision in seen.needs:
        verdict, need = decision.verdict, decision.need
        said = verdict in (Verdict.REQUIRED, Verdict.LIKELY)
        if need in truth.needs and not said and verdict is not Verdict.RUNTIME:
            yield Deviation(truth.name, need, "false negative", verdict)
        elif need in truth.asks and verdict.rank < Verdict.OPTIONAL.rank:
            yield Deviation(truth.name, need, "unsaid", verdict)
        elif said and need not in truth.needs | truth.asks:
            yield Deviation(truth.name, need, "false positive", verdict)


def compare(truth: Mapping[str, Truth], paths: Mapping[str, Path]) -> frozenset[Deviation]:
    """All deviations of programs, by name."""
    return frozenset(one for name, path in paths.items() for one in deviations(truth[name], look(path)))


def table(title: str, truth: Mapping[str, Truth], programs: Collection[str], found: Iterable[Deviation]) -> str:
    """A line of figures, and one for each deviation."""
    found = sorted(found)
    positive = sum(len(truth[name].needs) for name in programs)
    negatives = [one for one in found if one.kind == "false negative"]
    positives = [one for one in found if one.kind == "false positive"]
    head = (
        f"{title}: {len(programs)} programs, {positive} needs, {positive - len(negatives)} told,"
        f" {len(positives)} false positives, {len(negatives)} false negatives"
    )
    return "\n".join((head, *(f"    {one.kind}: {one.program} {one.need} ({one.verdict})" for one in found)))


class GoBuild(NamedTuple):
    """How Go builds: a release (empty for this machine's own), arguments, settings, and a name for all that."""

    name: str
    release: str = ""
    arguments: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


def go_command(release: str) -> str:
    """The ``go`` of a release; skips where it cannot be had."""
    if not release:
        from support.tools import need_tool

        return need_tool("go")
    toolchain = (sys.executable, str(ROOT / "samples" / "toolchain.py"), "go", "--release", release)
    done = subprocess.run(toolchain, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
    if done.returncode != 0:
        pytest.skip(f"Go {release} cannot be had: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()


def go_settings(**more: str) -> dict[str, str]:
    """The environment that Go runs in: nothing of the user's, no network, one cache for all builds."""
    own = {
        "GOENV": "off",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOCACHE": str(BUILD / "go-cache"),
        "GOMODCACHE": str(BUILD / "go-modules"),
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": "amd64",
    }
    return {**_ENVIRONMENT, **own, **more}


def build_go(build: GoBuild, names: Iterable[str]) -> dict[str, Path]:
    """The programs of these names, built in one run of ``go build``, by name.

    What is built from the same already is let alone: ``go build`` would touch it while another worker reads it.
    """
    go = go_command(build.release)
    settings = go_settings(**dict(build.settings))
    out = BUILD / "go" / build.name
    built = {name: out / name for name in sorted(names)}
    with locked():
        source = _go_sources()
        texts = sorted(file.read_text(encoding="utf-8") for file in source.parent.glob("**/*.[gm]o*") if file.is_file())
        made_of = hashlib.sha256(repr((go, build.arguments, settings, texts)).encode()).hexdigest()
        stamps = {name: out / "made-of" / name for name in built}
        old = [name for name, stamp in stamps.items() if not stamp.exists() or stamp.read_text() != made_of]
        if old:
            out.mkdir(parents=True, exist_ok=True)
            command = [go, "build", "-o", f"{out}/", *build.arguments, *(f"./{name}" for name in old)]
            done = subprocess.run(command, cwd=source, env=settings, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{build.name}: {done.stderr[-3000:]}"
        for name in old:
            _write(stamps[name], made_of)
    return built


def build_native(name: str, compiler: str, truth: Iterable[Truth], *flags: str) -> dict[str, Path]:
    """The programs by a compiler that takes ``-o``, the flags and the libraries, by name; skips without it."""
    from support.tools import need_tool

    found = need_tool(compiler)
    out = BUILD / name
    out.mkdir(parents=True, exist_ok=True)
    built = {}
    with locked():
        for one in truth:
            built[one.name] = path = out / one.name
            if path.exists() and path.stat().st_mtime > one.source.stat().st_mtime:
                continue
            libraries = tuple(f"-l{library}" for library in one.libraries)
            command = [found, str(one.source), "-o", str(path), *flags, *libraries]
            done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {one.name}: {done.stderr[-3000:]}"
    return built


_CRATE = re.compile(r"^// crate: (.*)$", re.MULTILINE)


def build_cargo(truth: Iterable[Truth]) -> dict[str, Path]:
    """Programs of Rust with the crates that their sources name, stripped; skips where those cannot be had."""
    from support.tools import need_tool

    cargo, built = need_tool("cargo"), {}
    settings = {**_ENVIRONMENT, "CARGO_TARGET_DIR": str(BUILD / "cargo-target"), "CARGO_PROFILE_RELEASE_STRIP": "true"}
    with locked():
        for one in truth:
            text, where = one.source.read_text(encoding="utf-8"), BUILD / "cargo" / one.name
            package = f'[package]\nname = "{one.name}"\nversion = "1.2.3"\nedition = "2021"\n\n[dependencies]\n'
            _write(where / "Cargo.toml", package + "\n".join(_CRATE.findall(text)) + "\n")
            _write(where / "src" / "main.rs", text)
            command = [cargo, "build", "--release", "--quiet"]
            done = subprocess.run(command, cwd=where, env=settings, capture_output=True, text=True, check=False)
            if done.returncode != 0 and re.search(r"failed to (download|get)|Could not resolve", done.stderr):
                pytest.skip(f"crates cannot be had: {done.stderr.strip().splitlines()[-1]}")
            assert done.returncode == 0, f"{one.name}: {done.stderr[-3000:]}"
            built[one.name] = BUILD / "cargo-target" / "release" / one.name
    return built


def _go_sources() -> Path:
    """A module with a directory for each program, which requires the module of the zones."""
    top = BUILD / "go" / "src"
    module = "module example.com/truth\n\ngo 1.21\n\nrequire example.com/zones v1.2.3\n\n"
    _write(top / "go.mod", module + "replace example.com/zones v1.2.3 => ../zones\n")
    _write(top.parent / "zones" / "go.mod", "module example.com/zones\n\ngo 1.21\n")
    _write(top.parent / "zones" / "zones.go", (PROGRAMS / "zones" / "zones.go").read_text(encoding="utf-8"))
    for source in (PROGRAMS / "go").glob("*.go"):
        _write(top / source.stem / "main.go", source.read_text(encoding="utf-8"))
    return top


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time builds: the workers of pytest-xdist share the directory."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def without_sections(path: Path, to: Path) -> Path:
    """A copy of a 64-bit little-endian program whose header tells of no section headers, as ``sstrip`` leaves it."""
    data = bytearray(path.read_bytes())
    data[40:48] = bytes(8)
    data[60:64] = bytes(4)
    to.write_bytes(data)
    to.chmod(0o755)
    return to
