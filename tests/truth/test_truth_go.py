"""What minpack reads in Go programs is so: on programs whose needs are known, built in every way that matters.

In the normal run each way of building has as many programs as it takes to see it; with ``MINPACK_ALL=1`` all releases
of Go, all ways and all architectures have all.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.elf.read import read_elf
from minpack.needs.binary import open_binary
from minpack.needs.golang.calls import calls_of
from minpack.needs.golang.code import entries_of, name_of, read_code
from minpack.needs.golang.functions import find_functions, named_functions
from minpack.needs.golang.rules import NAMES
from minpack.needs.need import Need, Verdict
from minpack.program.additions import host_file
from support.truth import (
    Deviation,
    GoBuild,
    build_go,
    compare,
    go_command,
    go_settings,
    look,
    table,
    truths,
    without_sections,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ALL = os.environ.get("MINPACK_ALL") == "1"
TRUTH = truths("go")
#: The oldest release that is not out of use for years, those in which a format changed, and the newest.
RELEASES = ("1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3")
FEW_RELEASES = ("1.21.13", "1.27.3")
ARCHES = (
    "386",
    "arm",
    "arm64",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mipsle",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390x",
)
STRIPPED = ("-ldflags=-s -w",)
CGO = (("CGO_ENABLED", "1"),)
#: What compiles fast: nothing of net/http or crypto.
LIGHT = frozenset(
    [
        "hello",
        "nowunix",
        "now",
        "loadloc",
        "locconst",
        "loctwo",
        "locutc",
        "locmixed",
        "locchoice",
        "locbranch",
        "locbehind",
        "locvar",
        "locinline",
        "locparam",
        "locdefer",
        "locmap",
        "tzdata",
        "zones",
        "usercurrent",
        "usergroup",
        "createtemp",
        "tempdir",
        "execsh",
    ]
)
TELLING = LIGHT | frozenset(
    [
        "httpsget",
        "httpserver",
        "templateserver",
        "tlsserver",
        "tlsclient",
        "ownroots",
        "rawclient",
        "syscertpool",
        "verify",
        "x509parse",
        "fallback",
        "fileserver",
        "mimetype",
        "dialip",
        "multipart",
        "lookupport",
    ]
)
#: For an architecture: all that takes the machine code, and a name or two.
FEW = frozenset(("hello", "locconst", "locutc", "usercurrent", "createtemp"))
EVERY = frozenset(TRUTH)


def ways() -> Iterable[tuple[GoBuild, frozenset[str]]]:
    """How programs are built, and which."""
    light = EVERY if ALL else LIGHT
    yield GoBuild("own", "", STRIPPED), EVERY
    yield GoBuild("own-symbols"), light
    yield GoBuild("own-pie", "", ("-buildmode=pie", *STRIPPED)), light
    yield GoBuild("own-cgo", "", STRIPPED, CGO), light
    external = "-ldflags=-linkmode=external -s -w"
    yield GoBuild("own-cgo-external-pie", "", ("-buildmode=pie", external), CGO), light
    yield GoBuild("own-cgo-static", "", (external + " -extldflags=-static",), CGO), light
    yield GoBuild("own-arm64", "", STRIPPED, (("GOARCH", "arm64"),)), light
    for release in RELEASES if ALL else FEW_RELEASES:
        yield GoBuild(release, release, STRIPPED), EVERY if ALL else TELLING
    for release in RELEASES if ALL else ():
        yield GoBuild(f"{release}-symbols", release), EVERY
        yield GoBuild(f"{release}-pie", release, ("-buildmode=pie", *STRIPPED)), EVERY
        yield GoBuild(f"{release}-cgo", release, STRIPPED, CGO), EVERY
        yield GoBuild(f"{release}-cgo-external-pie", release, ("-buildmode=pie", external), CGO), EVERY
        yield GoBuild(f"{release}-arm64", release, STRIPPED, (("GOARCH", "arm64"),)), EVERY
    for arch in ARCHES if ALL else ("386", "mips", "s390x"):
        yield GoBuild(f"own-{arch}", "", STRIPPED, (("GOARCH", arch),)), TELLING if ALL else FEW


WAYS = {build.name: (build, programs) for build, programs in ways()}

#: Why minpack does not tell the truth of some programs. Each must be so, and nothing else may.
NOT_TRUE = {
    Deviation("ownroots", Need.CERTS, "false positive", Verdict.REQUIRED): "whom a client trusts is data",
    Deviation("insecure", Need.CERTS, "false positive", Verdict.REQUIRED): "that it trusts anyone is data",
    Deviation("templateserver", Need.TMP, "false positive", Verdict.LIKELY): "templates may call ParseMultipartForm",
    Deviation("templateclient", Need.TMP, "false positive", Verdict.LIKELY): "templates may call ParseMultipartForm",
    Deviation("templateuser", Need.GROUP, "false positive", Verdict.LIKELY): "templates may call User.GroupIds",
    Deviation("dialproto", Need.PROTOCOLS, "false negative", Verdict.NOT_NEEDED): "all that dials can look them up",
    Deviation("execsh", Need.SHELL, "false negative", Verdict.OPTIONAL): "which program is started is data",
}
#: The C part of os/user is linked as a whole.
NOT_TRUE_OF_CGO = {
    Deviation(name, need, "false positive", Verdict.LIKELY): "os/user imports all that it has of libc"
    for name, need in (
        ("usercurrent", Need.GROUP),
        ("userid", Need.GROUP),
        ("userlookup", Need.GROUP),
        ("usergroup", Need.PASSWD),
    )
}
#: Machine code is read for x86-64 and arm64 alone.
NOT_TRUE_OF_OTHERS = {
    Deviation("locutc", Need.TZ, "false positive", Verdict.LIKELY): "which zone is loaded is in machine code",
}
#: Those whose machine code is read.
READ = frozenset(("amd64", "arm64"))


def expected(build: GoBuild, programs: Iterable[str]) -> frozenset[Deviation]:
    """The deviations that are explained, of a way of building."""
    settings = dict(build.settings)
    known = [*NOT_TRUE]
    if settings.get("CGO_ENABLED") == "1" and "static" not in build.name:
        known += NOT_TRUE_OF_CGO
    if settings.get("GOARCH", "amd64") not in READ:
        known += NOT_TRUE_OF_OTHERS
    return frozenset(one for one in known if one.program in programs)


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("truth-go")]


@pytest.mark.parametrize("name", WAYS)
def test_what_is_told_is_true(name: str) -> None:
    """Of each program each need is told, and no other, but for what is explained one by one above."""
    build, programs = WAYS[name]
    paths = build_go(build, programs)
    found = compare(TRUTH, paths)
    print(table(f"Go {name}", TRUTH, programs, found))
    assert found == expected(build, programs)


@pytest.mark.parametrize("name", ["own", "own-pie", "own-cgo-external-pie", "own-arm64", *FEW_RELEASES])
def test_section_headers_tell_nothing_more(name: str, tmp_path: Path) -> None:
    """Without them the verdicts are the same."""
    build, programs = WAYS[name]
    paths = build_go(build, programs if ALL else programs & TELLING)
    bare = {program: without_sections(path, tmp_path / program) for program, path in paths.items()}
    assert compare(TRUTH, bare) == expected(build, paths)
    for program, path in bare.items():
        before, after = look(paths[program]).findings, look(path).findings
        assert after._replace(signals=()) == before._replace(signals=(), payload=after.payload), program


def test_at_most_two_programs_get_roots_or_zones_for_nothing() -> None:
    """And none that needs them goes without: what is explained is bounded."""
    costly = [one for one in NOT_TRUE if one.need in (Need.CERTS, Need.TZ)]
    assert len(costly) <= 2
    assert {one.kind for one in costly} == {"false positive"}


@pytest.mark.parametrize(
    "name", [name for name, (build, _) in WAYS.items() if dict(build.settings).get("GOARCH", "amd64") in READ]
)
def test_zones_are_those_that_the_source_names(name: str) -> None:
    """Just these if the program loads no other; all if any call gets its zone from elsewhere."""
    build, programs = WAYS[name]
    paths = build_go(build, programs)
    found = {program: look(path).findings.zones for program, path in paths.items()}
    told = {program: frozenset(zones) if zones is not None else None for program, zones in found.items()}
    assert told == {program: TRUTH[program].zones for program in paths}


@pytest.mark.parametrize("name", ["own", "own-symbols", "own-pie", "own-cgo-external-pie", "own-arm64", *FEW_RELEASES])
def test_callers_are_told(name: str) -> None:
    """A function of another module that loads a zone is named, with the constants that functions are called with."""
    build, _ = WAYS[name]
    paths = build_go(build, ("zones", "locconst", "execsh"))
    (caller,) = [one for one in look(paths["zones"], why=True).findings.callers[Need.TZ] if "LoadL" in one.target]
    assert (caller.target, caller.via, caller.name) == ("time.LoadLocation", (), "example.com/zones.Load")
    assert caller.arguments == ()
    (caller,) = look(paths["locconst"], why=True).findings.callers[Need.TZ]
    assert (caller.name, caller.arguments) == ("main.main", ("Europe/Berlin",))
    started = look(paths["execsh"], why=True).findings.callers[Need.SHELL]
    assert ("os/exec.Command", "main.main", ("sh",)) in {(one.target, one.name, one.arguments) for one in started}


NM = re.compile(r"^ *([0-9a-f]+) +([Tt]) (.*)$", re.MULTILINE)


def symbols_of(path: Path, build: GoBuild) -> dict[int, set[str]]:
    """The functions by address, as ``go tool nm`` tells them."""
    command = (go_command(build.release), "tool", "nm", str(path))
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=go_settings()).stdout
    found: dict[int, set[str]] = {}
    for address, _, name in NM.findall(out):
        found.setdefault(int(address, 16), set()).add(name.removesuffix(".abi0").removesuffix(".abiinternal"))
    return found


@pytest.mark.parametrize("program", ["loadloc", "usercurrent", *(("httpsget", "templateserver") if ALL else ())])
def test_functions_are_those_of_nm(program: str) -> None:
    """Each function of the table is at its address as ``go tool nm`` has it, and the names that tell are found."""
    build, _ = WAYS["own-symbols"]
    path = build_go(build, (program,))[program]
    symbols = symbols_of(path, build)
    names = {name.encode() for some in symbols.values() for name in some}
    content = host_file(str(path))
    with open_binary(content, read_elf(content), str(path)) as binary:
        table_ = find_functions(binary)
        assert table_ is not None
        code = read_code(binary, table_)
        assert code is not None
        for index, entry in enumerate(code.entries[:-1]):
            # The symbol table has no middle dots.
            name = name_of(binary, table_, code, index).replace("\u00b7", ".")
            assert name in symbols[code.base + entry], hex(code.base + entry)
        found = named_functions(binary, table_, NAMES)
        # What is in the table and not in nm was inlined everywhere.
        inlined = found.keys() - names
        assert NAMES & names <= found.keys()
        assert len(inlined) < len(found) // 2
        indexes = entries_of(binary, table_, code, found)
        assert indexes.keys() == found.keys() - inlined
        for telling, index in indexes.items():
            assert telling.decode() in symbols[code.base + code.entries[index]]


CALL = re.compile(r"^ .*\t0x([0-9a-f]+)\t.*\b(?:CALL|JMP) time\.LoadLocation\(SB\)", re.MULTILINE)


@pytest.mark.parametrize("name", ["own-symbols", "symbols-arm64"])
@pytest.mark.parametrize("program", ["loctwo", "locdefer", "zones"])
def test_calls_are_those_of_objdump(name: str, program: str) -> None:
    """``go tool objdump`` sees the same calls at the same addresses."""
    arm = (("GOARCH", "arm64"),) if "arm64" in name else ()
    build = GoBuild(name, settings=arm)
    path = build_go(build, (program,))[program]
    command = (go_command(""), "tool", "objdump", "-s", r"^(main|example\.com/zones)\.", str(path))
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=go_settings()).stdout
    content = host_file(str(path))
    with open_binary(content, read_elf(content), str(path)) as binary:
        functions = find_functions(binary)
        assert functions is not None
        code = read_code(binary, functions)
        assert code is not None
        load = b"time.LoadLocation"
        index = entries_of(binary, functions, code, named_functions(binary, functions, frozenset((load,))))[load]
        sites = calls_of(binary, code, frozenset((code.entries[index],)))
        found = {code.base + site.at for site in sites}
    assert found == {int(address, 16) for address in CALL.findall(out)} != set()


def told_by_go(path: Path) -> dict[str, object]:
    """What ``go version -m`` tells of one program."""
    command = (go_command(""), "version", "-m", str(path))
    lines = subprocess.run(command, capture_output=True, text=True, check=True, env=go_settings()).stdout.splitlines()
    rows = [line.strip().split("\t") for line in lines[1:]]
    modules = []
    for row in rows:
        if row[0] == "dep":
            modules.append((row[1], row[2]))
        elif row[0] == "=>":
            modules[-1] = (row[1], row[2] if len(row) > 2 else "")
    (main,) = [row for row in rows if row[0] == "mod"]
    return {"version": lines[0].rpartition(": ")[2], "main": main[1], "modules": modules}


@pytest.mark.parametrize("name", WAYS)
def test_build_information_is_what_go_tells(name: str) -> None:
    """Version, main module and the others are those of ``go version -m``."""
    build, programs = WAYS[name]
    some = sorted(programs) if ALL else ["hello", *(["zones"] if "zones" in programs else [])]
    for program, path in build_go(build, some).items():
        findings, told = look(path).findings, told_by_go(path)
        assert told == {
            "version": findings.toolchain,
            "main": findings.main.name,
            "modules": [tuple(module) for module in findings.modules],
        }, program


def test_settings_are_what_go_tells() -> None:
    """The settings too, as ``go version -m -json`` has them."""
    from minpack.needs.golang.buildinfo import read_build_info

    build, _ = WAYS["own"]
    path = build_go(build, ("zones",))["zones"]
    content = host_file(str(path))
    with open_binary(content, read_elf(content), str(path)) as binary:
        info = read_build_info(binary)
    command = (go_command(""), "version", "-m", "-json", str(path))
    told = json.loads(subprocess.run(command, capture_output=True, check=True, env=go_settings()).stdout)
    assert info is not None
    assert info.settings == {setting["Key"]: setting["Value"] for setting in told["Settings"]}
    assert info.package == told["Path"]
