"""Paths within files are evidence: what the base has there and the image has not is told, with what packs it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from minpack.paths import RootPath
from minpack.plan.unpacked import Unpacked, UnpackedKind
from minpack.report.unpacked import unpacked_lines
from support.elfmaker import library, static_program
from support.evidence import PackagedBase, app, elf

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.build.pack import Packed


@pytest.fixture
def base(tmp_path: Path) -> PackagedBase:
    """A base with a tool that has plugins, programs, data and configuration."""
    made = PackagedBase(tmp_path / "base")
    made.add(
        "tool",
        {
            "/usr/lib/tool/core/helper": app(),
            "/usr/lib/tool/plugins/one.so": library(None),
            "/usr/share/tool/words": b"words",
            "/etc/tool/tool.conf": b"conf",
            "/etc/toolrc": b"rc",
        },
        depends="libtool-data (>= 1), other",
    )
    made.add("libtool-data", {"/usr/share/libtool/table": b"table"})
    made.add("other", {"/usr/share/other/file": b"other"})
    return made


def tool(
    base: PackagedBase, *texts: str, imports: tuple[str, ...] = ("dlopen", "execve"), needed: tuple[str, ...] = ()
) -> Path:
    """The program, as the package has it and as the user names it."""
    data = app(*texts, imports=imports, needed=needed)
    base.add("tool-bin", {"/usr/bin/tool": data}, source="tool", depends="tool, libtool-data")
    path = base.root.parent / "tool"
    path.write_bytes(data)
    return path


def strong(packed: Packed) -> dict[str, str]:
    """What there is strong evidence of, with what it is."""
    return {one.path: one.kind for one in packed.unpacked if one.strong}


def weak(packed: Packed) -> dict[str, str]:
    """What there is weak evidence of."""
    return {one.path: one.kind for one in packed.unpacked if not one.strong}


def test_what_is_at_a_path_is_told(base: PackagedBase) -> None:
    """Plugins for who opens libraries, programs for who starts some, data and configuration, with files and owner."""
    paths = ("/usr/lib/tool/core", "/usr/lib/tool/plugins", "/usr/share/tool", "/etc/tool/tool.conf")
    packed = base.pack(tool(base, *paths))
    assert strong(packed) == {
        "/etc/tool/tool.conf": "configuration",
        "/usr/lib/tool/core": "programs",
        "/usr/lib/tool/plugins": "plugins",
        "/usr/share/tool": "data",
    }
    (words,) = (one for one in packed.unpacked if one.path == "/usr/share/tool")
    assert words == Unpacked(words.path, UnpackedKind.DATA, 1, 5, "tool", "/usr/local/bin/tool", strong=True)
    assert words.option == "--take /usr/share/tool"


def test_files_of_several_packages_are_not_said_to_be_of_one(base: PackagedBase) -> None:
    """The owner of the first is named, and that there are others, or files of nobody."""
    program = tool(base, "/usr/share/tool", "/usr/share/libtool", "/usr/lib/tool")
    base.add("tool-more", {"/usr/share/tool/more": b""}, source="tool")
    base.put("/usr/share/libtool/own", b"")
    found = {one.path: (one.package, one.shared) for one in base.pack(program).unpacked}
    assert found == {
        "/usr/lib/tool": ("tool", False),
        "/usr/share/libtool": ("libtool-data", True),
        "/usr/share/tool": ("tool-more", True),
    }
    lines = unpacked_lines(base.pack(program).unpacked, verbose=False)
    assert any("data, 2 files of package libtool-data and others, 5 B" in line for line in lines)
    assert lines[-1].startswith(
        "  --take strong packs all 3 with what they need, but not the 1 file that no package owns;"
    )


@pytest.mark.parametrize("looks", ["/usr/lib/tool/plugins", "/usr/lib/tool"])
def test_a_program_that_looks_from_its_own_place_is_told_to_be_there(base: PackagedBase, looks: str) -> None:
    """As sbcl looks for ../lib/sbcl: taken alone, that would not be found from /usr/local/bin. It is told once."""
    own = base.root / "usr/bin/tool"
    program = tool(base, looks, "../lib/tool/", "/usr/share/tool")
    for path in (own, program):
        packed = base.pack(path)
        assert {one.path: one.option for one in packed.unpacked} == {
            looks: f"--dest /usr/bin/tool --take {looks}",
            "/usr/share/tool": "--take /usr/share/tool",
        }
        assert bool([note for note in packed.notes if "next to" in note]) == (path == own and "plugins" in looks)
    last = unpacked_lines(packed.unpacked, verbose=False)[-1]
    assert last == "  --dest /usr/bin/tool --take strong packs both with what they need; -v lists weaker ones"
    there = base.pack(program, destination=RootPath("/usr/bin/tool"))
    assert {one.option for one in there.unpacked} == {f"--take {looks}", "--take /usr/share/tool"}


def test_without_the_functions_it_is_data(base: PackagedBase) -> None:
    """Who opens no library has no plugins."""
    packed = base.pack(tool(base, "/usr/lib/tool/core", "/usr/lib/tool/plugins", imports=()))
    assert set(strong(packed).values()) == {"data"}


def test_paths_are_found_whatever_stands_around_them(base: PackagedBase) -> None:
    """A length in front, several joined by colons, a pattern behind, quotes, a slash at the end."""
    texts = (
        "\x05/usr/share/tool",
        "/usr/lib:/usr/lib/tool/core:/opt",
        "/usr/lib/tool/plugins/%s.so",
        'DIR: "/usr/share/libtool/"',
    )
    assert strong(base.pack(tool(base, *texts))) == {
        "/usr/share/tool": "data",
        "/usr/lib/tool/core": "programs",
        "/usr/lib/tool/plugins": "plugins",
        "/usr/share/libtool": "data",
    }


def test_a_pattern_is_for_what_begins_as_it_does(base: PackagedBase) -> None:
    """As far as it says how a name begins, and not for many."""
    base.add("versions", {f"/usr/lib/toolv{number}/{name}": b"" for number in (1, 2) for name in "ab"}, source="tool")
    base.add("many", {f"/usr/share/tools{number}/a": b"" for number in range(5)}, source="tool")
    found = strong(base.pack(tool(base, "/usr/lib/toolv%v/%m", "/usr/lib/to%s", "/usr/share/tools%d")))
    assert found == {"/usr/lib/toolv1": "data", "/usr/lib/toolv2": "data"}


def test_a_prefix_and_a_name_are_put_together(base: PackagedBase) -> None:
    """A program with /usr and share/tool looks for /usr/share/tool; without the prefix nobody knows where."""
    assert strong(base.pack(tool(base, "/usr", "share/tool"))) == {"/usr/share/tool": "data"}
    assert strong(base.pack(tool(base, "share/tool"))) == {}


def test_evidence_is_weak_where_packages_are_strangers(base: PackagedBase) -> None:
    """Another package's data, what no package has, what all share, and the file in /etc that is optional."""
    base.put("/usr/share/nobody/file", b"")
    base.add("systemd", {"/usr/lib/sysctl.d/a.conf": b""}, source="tool")
    texts = (
        "/usr/lib/sysctl.d",
        "/usr/share/other",
        "/usr/share/nobody",
        "/etc/toolrc",
        "/usr/bin",
        "/usr/lib",
        "/usr/share/doc",
        "/etc/passwd",
    )
    packed = base.pack(tool(base, *texts))
    assert strong(packed) == {}
    assert set(weak(packed)) == {"/usr/share/other", "/usr/share/nobody", "/etc/toolrc", "/usr/lib/sysctl.d"}


def test_what_a_program_of_no_package_names_is_weak(base: PackagedBase) -> None:
    """It may list places of many systems, as programs of Go and Rust do; what the package says is known of its own."""
    own = base.root.parent / "own"
    for data in (app("/usr/share/other"), static_program() + b"\0/usr/share/other\0"):
        own.write_bytes(data)
        assert strong(base.pack(own)) == {}
    own.write_bytes(app("/usr/share/other"))
    assert weak(base.pack(own)) == {"/usr/share/other": "data"}


def test_a_programs_package_chooses_the_data_of_its_libraries(base: PackagedBase) -> None:
    """As that of Tesseract does, which depends on languages where the library's package does not."""
    base.add("libocr1", {"/usr/lib64/libocr.so.1": elf("/usr/share/libtool", soname="libocr.so.1")})
    assert strong(base.pack(tool(base, needed=("libocr.so.1",)))) == {"/usr/share/libtool": "data"}
    own = base.root.parent / "own"
    own.write_bytes(app(needed=("libocr.so.1",)))
    assert strong(base.pack(own)) == {}


def test_the_owner_of_plugins_is_that_of_a_library(base: PackagedBase) -> None:
    """What a package made when it was installed, as Graphviz lists its plugins, is nobody's and may come first."""
    base.put("/usr/lib/tool/plugins/config", b"made")
    packed = base.pack(tool(base, "/usr/lib/tool/plugins"))
    assert [(one.files, one.package, one.strong) for one in packed.unpacked] == [(2, "tool", True)]


def test_what_a_variable_is_set_to_is_meant(base: PackagedBase) -> None:
    """A package's files are strong, whoever's program it is; what all share, and what is nobody's, is not."""
    own = base.root.parent / "own"
    own.write_bytes(app())
    base.put("/usr/share/nobody/file", b"")
    variables = (("TOOL_HOME", "/usr/lib/tool"), ("TOOL_PATH", "/usr/bin:/usr/share/other:/usr/share/nobody"))
    packed = base.pack(own, variables=variables)
    assert {(one.needed_by, one.path) for one in packed.unpacked if one.strong} == {
        ("-e TOOL_HOME", "/usr/lib/tool"),
        ("-e TOOL_PATH", "/usr/share/other"),
    }
    assert weak(packed) == {"/usr/share/nobody": "data"}
    assert "  not packed, but -e TOOL_HOME contains this path:" in unpacked_lines(packed.unpacked, verbose=False)
    assert not base.pack(own, "/usr/lib/tool", variables=variables[:1]).unpacked


def test_the_directory_of_gos_toolchain_is_not_told(base: PackagedBase) -> None:
    """Every program that a distribution's Go built has its path, and opens nothing there."""
    (base.root.parent / "own").write_bytes(app("/usr/lib/go-1.19", "/usr/lib/golike"))
    base.put("/usr/lib/go-1.19/VERSION", b"")
    base.put("/usr/lib/golike/file", b"")
    assert {one.path for one in base.pack(base.root.parent / "own").unpacked} == {"/usr/lib/golike"}


def test_libraries_speak_for_who_needs_them(base: PackagedBase) -> None:
    """What the program itself needs counts as the program does; deeper ones have many users, and are told by -v."""
    base.add(
        "libnear1",
        {"/usr/lib64/libnear.so.1": elf("/usr/share/near", soname="libnear.so.1", needed=("libdeep.so",))},
        source="near",
    )
    base.add("libdeep", {"/usr/lib64/libdeep.so": elf("/usr/share/deep", soname="libdeep.so")}, source="deep")
    base.add("near-data", {"/usr/share/near/x": b""}, source="near")
    base.add("deep-data", {"/usr/share/deep/x": b""}, source="deep")
    program = tool(base, needed=("libnear.so.1",))
    assert strong(base.pack(program)) == {"/usr/share/near": "data"}
    assert weak(base.pack(program)) == {}
    assert weak(base.pack(program, every=True)) == {"/usr/share/deep": "data"}


def test_what_is_packed_is_not_told(base: PackagedBase) -> None:
    """What an option took leaves the list; of a directory in part, the rest is told."""
    base.add("more", {"/usr/share/tool/more": b"more"}, source="tool")
    program = tool(base, "/usr/share/tool")
    assert not base.pack(program, "/usr/share/tool").unpacked
    (left,) = base.pack(program, "/usr/share/tool/words").unpacked
    assert (left.files, left.size) == (1, 4)


def test_a_directory_says_for_what_is_in_it(base: PackagedBase) -> None:
    """Of paths in one another the outermost is told, and several files of one directory in /etc as that."""
    base.add("conf", {"/etc/tool/b.conf": b"2"}, source="tool")
    texts = ("/usr/lib/tool/plugins/one.so", "/usr/lib/tool", "/etc/tool/tool.conf", "/etc/tool/b.conf")
    found = {one.path: one.files for one in base.pack(tool(base, *texts)).unpacked}
    assert found == {"/usr/lib/tool": 2, "/etc/tool": 2}


def test_strong_evidence_is_taken_at_once(base: PackagedBase) -> None:
    """With --take strong, what packages have as they have it; and what that has evidence of, until nothing is new."""
    base.add("helpers", {"/usr/lib/tool/core/second": app("/usr/share/tool", imports=("execve",))}, source="tool")
    base.put("/usr/lib/tool/core/changed", b"of nobody")
    packed = base.pack(tool(base, "/usr/lib/tool/core"), "strong")
    paths = {one.entry.path for one in packed.plan.entries}
    assert {"/usr/lib/tool/core/helper", "/usr/lib/tool/core/second", "/usr/share/tool/words"} <= paths
    assert "/usr/lib/tool/core/changed" not in paths
    (base.root / "usr/share/tool/words").write_bytes(b"WORDS")
    again = base.pack(tool(base, "/usr/share/tool"), "strong")
    assert "/usr/share/tool/words" not in {one.entry.path for one in again.plan.entries}


def test_weak_evidence_is_not_taken_with_the_strong(base: PackagedBase) -> None:
    """What strangers' packages have at a path stays where it is, and is told."""
    packed = base.pack(tool(base, "/usr/share/tool", "/usr/share/other"), "strong")
    paths = {one.entry.path for one in packed.plan.entries}
    assert "/usr/share/tool/words" in paths
    assert "/usr/share/other/file" not in paths
    assert weak(packed) == {"/usr/share/other": "data"}


def test_a_static_program_is_heard_too(base: PackagedBase) -> None:
    """On a base that has what it names; on none there is nothing to tell."""
    path = base.root.parent / "static"
    path.write_bytes(static_program() + b"\0/usr/share/other\0")
    assert not base.pack(path).unpacked


def test_apks_database_tells_owners(tmp_path: Path) -> None:
    """Packages of one origin belong together."""
    base = PackagedBase(tmp_path / "base")
    shutil.rmtree(tmp_path / "base/var/lib/dpkg")
    data = app("/usr/share/tool", "/usr/share/other")
    for path, content in {"/usr/bin/tool": data, "/usr/share/tool/a": b"", "/usr/share/other/b": b""}.items():
        base.put(path, content)
    database = (
        "P:tool\nV:1\nA:x86_64\no:tool\nF:usr/bin\nR:tool\n\n"
        "P:tool-data\nV:1\nA:x86_64\no:tool\nF:usr/share/tool\nR:a\n\n"
        "P:other\nV:1\nA:x86_64\no:other\nF:usr/share/other\nR:b\n\n"
    )
    base.put("/lib/apk/db/installed", database.encode())
    (tmp_path / "tool").write_bytes(data)
    packed = base.pack(tmp_path / "tool")
    assert (strong(packed), weak(packed)) == ({"/usr/share/tool": "data"}, {"/usr/share/other": "data"})


def test_the_summary_says_what_packs_it(base: PackagedBase) -> None:
    """A block for each file with paths, and how to pack all at once; the weak ones where they are asked for."""
    packed = base.pack(tool(base, "/usr/lib/tool/core", "/usr/share/tool", "/usr/share/other"))
    size = f"{len(app()) / 1000:.3g} kB" if len(app()) > 999 else f"{len(app())} B"
    assert unpacked_lines(packed.unpacked, verbose=False) == [
        "",
        "  not packed, but tool contains these paths:",
        f"    /usr/lib/tool/core  programs, 1 file of package tool, {size}  --take /usr/lib/tool/core",
        f"    /usr/share/tool     data, 1 file of package tool, 5 B{'':<{len(size) + 1}}  --take /usr/share/tool",
        "  --take strong packs both with what they need; -v lists weaker ones",
    ]
    assert unpacked_lines(packed.unpacked, verbose=True)[-3:] == [
        "",
        "  not packed; tool contains this path (weak evidence):",
        "    /usr/share/other  data, 1 file of package other, 5 B  --take /usr/share/other",
    ]
