"""The commands: which one is meant, what each shows, and what shells complete."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from minpack._version import __version__
from minpack.cli.app import COMMANDS
from support.badfiles import make_bad_files
from support.command import COMMAND, assert_error_document, assert_refused, matches, minpack
from support.elfmaker import MUSL, library, program, static_program
from support.refusals import row
from support.tarmaker import archive, directory, header, member, symlink
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

#: Where the program of these images lies.
APP = "/usr/local/bin/app"
LOADER = library("libc.musl-x86_64.so.1") + b"\0/etc/ld-musl-x86_64.path\0/lib:/usr/local/lib:/usr/lib\0"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of bad files, with a program, libraries and a base that fit."""
    root = make_bad_files(tmp_path_factory.mktemp("commands"))
    (root / "server").write_bytes(program(("liba.so.1", "libc.musl-x86_64.so.1"), interpreter=MUSL))
    (root / "fitting.tar").write_bytes(
        archive(
            directory("lib/"),
            member("lib/ld-musl-x86_64.so.1", LOADER, mode=0o755),
            symlink("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"),
            symlink("lib/liba.so.1", "liba.so.1.2.3"),
            member("lib/liba.so.1.2.3", library("liba.so.1", ("libb.so.2",)), mode=0o755),
            member("lib/libb.so.2", library("libb.so.2"), mode=0o755),
        )
    )
    return root


@pytest.mark.parametrize("arguments", [(), ("base",)], ids=["minpack", "minpack base"])
def test_no_command_shows_the_help(arguments: tuple[str, ...], files: Path) -> None:
    """Without a command the help is shown, on stderr, and that is a usage error."""
    ran = minpack(*arguments, cwd=files)
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith(f"Usage: {' '.join(('minpack', *arguments))} [OPTIONS] COMMAND [ARGS]...\n")


def test_every_way_to_ask_for_help(files: Path) -> None:
    """-h, --help and `help` are the same, for all and for a command."""
    whole = minpack("--help", cwd=files)
    assert whole.code == 0
    assert whole.out.startswith(b"Usage: minpack [OPTIONS] COMMAND")
    assert minpack("-h", cwd=files) == minpack("help", cwd=files) == whole
    tree = minpack("tree", "-h", cwd=files)
    assert tree.out.startswith(b"Usage: minpack tree [OPTIONS] APP")
    assert minpack("help", "tree", cwd=files) == tree
    assert minpack("./app", "--help", cwd=files).out.startswith(b"Usage: minpack pack [OPTIONS] APP...")


def test_help_of_what_is_no_command(files: Path) -> None:
    """It is refused as what it is, as text and as a document."""
    case = row("help of what is not a command")
    ran = minpack("help", "nosuch", "--json", cwd=files)
    assert_refused(ran, case.code, case.message, case.hint)
    assert_error_document(ran, case.kind)
    assert minpack("base", "help", cwd=files) == minpack("base", "--help", cwd=files)


def test_the_version(files: Path) -> None:
    """`--version` prints one line, alone and among other arguments."""
    line = f"minpack {__version__}\n".encode()
    assert minpack("--version", cwd=files).out == line
    assert minpack("--version", "tree", cwd=files).out == line


@pytest.mark.parametrize(
    "arguments",
    [
        "./app",
        "pack ./app",
        "--base scratch ./app",
        "-q ./app",
        "-- ./app",
        "app",
        "./help",
        "./app --compress balanced",
    ],
)
def test_pack_is_the_default(arguments: str, files: Path, tmp_path: Path) -> None:
    """A program, or an option, means `pack`, wherever the program stands."""
    output = str(tmp_path / "app.tar")
    ran = minpack("pack", "-o", output, "-t", "x", "--dest", "/app", "./app", cwd=files)
    assert ran.code == 0
    expected = (tmp_path / "app.tar").read_bytes()
    words = arguments.split()
    at = 1 if words[0] == "pack" else 0
    ran = minpack(*words[:at], "-o", output, "-t", "x", "--dest", "/app", *words[at:], cwd=files)
    assert ran.code == 0, ran.err
    assert (tmp_path / "app.tar").read_bytes() == expected


def test_a_mistyped_command_is_suggested(files: Path) -> None:
    """A word that is neither a file nor a command gets the command it could be."""
    ran = minpack("inspct", "./app", cwd=files)
    assert_refused(
        ran,
        1,
        "cannot read 'inspct': no such file or directory",
        "check the path, or build the program first; did you mean minpack inspect?",
    )


def test_settings_of_the_environment(files: Path) -> None:
    """An option's variable counts where the option is not given, and an empty one as none."""
    named = {"MINPACK_BASE": "fitting.tar"}
    assert minpack("./server", "--dry-run", cwd=files, env=named).code == 0
    assert minpack("./server", "--dry-run", "--base", "arm.tar", cwd=files, env=named).code == 3
    assert minpack("./app", "--dry-run", cwd=files, env={"MINPACK_BASE": ""}).code == 0
    ran = minpack("./app", "--dry-run", cwd=files, env={"MINPACK_OFFLINE": "perhaps"})
    assert_refused(ran, 2, "cannot use --offline: …", "…")
    ran = minpack("./app", "--dry-run", cwd=files, env={"SOURCE_DATE_EPOCH": "today"})
    assert_refused(ran, 2, "cannot use SOURCE_DATE_EPOCH 'today': it is not a number of seconds from 1970 to 9999", "…")


def test_the_closing_summary(files: Path, tmp_path: Path) -> None:
    """Image, digest, sizes, base, files by kind with their sizes and where they are from, and what to type next."""
    output = tmp_path / "out.tar"
    given = ("./server", "--base", "fitting.tar", "-t", "me/server:1.0", "-o", str(output), "--need", "certs")
    ran = minpack(*given, cwd=files)
    assert (ran.code, ran.err) == (0, "")
    document = minpack(*given, "--json", cwd=files).document
    lines = ran.out.decode().splitlines()
    assert lines[0] == "me/server:1.0  linux/amd64"
    assert lines[1] == f"  digest       {document['images'][0]['digest']}"
    assert lines[2].startswith("  size         ")
    assert lines[2].endswith(" unpacked, 2 layers")
    assert lines[3] == "  base         fitting.tar"
    assert lines[4:6] == ["  entrypoint   /usr/local/bin/server", "  user         65532:65532"]
    assert lines[6].startswith("  env          PATH=/usr/local/sbin:")
    assert lines[7] == "  env          SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
    start = lines.index("") + 1
    groups = [line.split() for line in lines[start : lines.index("", start)]]
    assert [group[0] for group in groups] == ["program", "libraries", "certs", "small", "left"]
    assert [group[3] for group in groups[:3]] == ["yours", "base", "minpack"]
    assert lines[-2].startswith(f"wrote {output} (")
    assert lines[-1] == f"next: docker load -i {output} && docker run --rm me/server:1.0"


@pytest.mark.parametrize(
    ("places", "shown"),
    [
        (("/usr/share/app",), "/usr/share/app/a, /usr/share/app/b"),
        (("/usr/share/app", "/usr/share/app/more"), "/usr/share/app (4 files)"),
        (("/etc/app", "/usr/share/app/deep"), "/etc/app, /usr/share/app (4 files)"),
        (("/srv", "/etc/app"), "/etc/app/a, /etc/app/b, /srv/a, … 1 more"),
    ],
)
def test_many_files_are_shown_by_their_directories(
    files: Path, tmp_path: Path, places: tuple[str, ...], shown: str
) -> None:
    """The one that has all, or the few that do, never the top of the tree."""
    (tmp_path / "data").mkdir()
    for name in "ab":
        (tmp_path / "data" / name).write_bytes(b"")
    added = [f"--add={tmp_path}/data:{place}" for place in places]
    ran = minpack("./app", *added, "--dry-run", cwd=files)
    (line,) = (line for line in ran.out.decode().splitlines() if line.startswith("  added "))
    assert line.endswith(f"yours    {shown}")


def test_the_document_of_a_pack(files: Path, tmp_path: Path) -> None:
    """Every field of minpack.pack/1 is there, and every file has its reason."""
    given = ("--base", "fitting.tar", "-o", str(tmp_path / "out.tar"), "--need", "certs", "--json")
    ran = minpack("./server", *given, cwd=files)
    document = ran.document
    assert list(document) == ["schema", "index", "images", "inputs", "artifacts", "outputs", "cache", "debug", "notes"]
    assert document["index"] is None
    (image,) = document["images"]
    assert list(image) == [
        *("platform", "references", "digest", "image_id", "size", "unpacked_size", "layers", "config"),
        *("smoke", "distribution", "files", "reasons"),
        *("needs", "late", "unpacked", "variants", "demands", "symbols", "left_out"),
    ]
    assert list(image["layers"][0]) == ["digest", "diff_id", "size", "media_type"]
    for file in image["files"]:
        assert list(file) == [
            *("path", "type", "mode", "uid", "gid", "size", "sha256", "link", "capabilities"),
            *("from", "package", "reason"),
        ]
        assert list(file["reason"]) == ["kind", "need", "needed_by", "found_by", "text"]
        assert file["reason"]["text"]
        assert file["from"] in ("program", "base", "package", "default", "added")
    by_path = {file["path"]: file for file in image["files"]}
    assert by_path["/lib/libb.so.2"]["reason"]["needed_by"] == "/lib/liba.so.1"
    assert by_path["/lib/liba.so.1"]["link"] == "liba.so.1.2.3"
    assert list(image["needs"][0]) == ["need", "verdict", "packed", "evidence", "callers", "cost", "seen", "option"]
    assert [item["kind"] for item in document["inputs"]] == ["base", "data"]
    assert all(item["sha256"] for item in document["inputs"])
    assert document["outputs"] == [
        {
            "format": "archive",
            "path": str(tmp_path / "out.tar"),
            "reference": None,
            "digest": image["digest"],
            "sent": None,
            "replaced": None,
        }
    ]


def test_one_destination_directory_for_all_programs(files: Path) -> None:
    """--dest with a slash at its end is the directory that every program goes into."""
    ran = minpack("./app", "./help", "--dest", "/opt/bin/", "--dry-run", "--json", cwd=files)
    paths = [file["path"] for file in ran.document["images"][0]["files"] if file["from"] == "program"]
    assert paths == ["/opt/bin/app", "/opt/bin/help"]


def test_what_the_user_adds_wins(files: Path, tmp_path: Path) -> None:
    """An added file takes the place of one that minpack would have made, or taken from the base."""
    added = ("--add", "main.c:/etc/passwd", "--add", "cert.pem:/etc/ssl/certs/ca-certificates.crt")
    ran = minpack("./app", *added, "-o", str(tmp_path / "out.tar"), "--json", cwd=files)
    assert ran.code == 0, ran.err
    by_path = {file["path"]: file for file in ran.document["images"][0]["files"]}
    for path in ("/etc/passwd", "/etc/ssl/certs/ca-certificates.crt"):
        assert by_path[path]["from"] == "added"
    assert by_path["/etc/group"]["from"] == "default"


def test_an_image_without_an_entrypoint(files: Path, tmp_path: Path) -> None:
    """--entrypoint '' leaves the choice to --cmd, as it does for docker run."""
    ran = minpack(
        *("./app", "--entrypoint", "", "--cmd", "/usr/local/bin/app", "--format", "oci", "-o", str(tmp_path / "out")),
        cwd=files,
    )
    assert ran.code == 0, ran.err
    blobs = [path.read_bytes() for path in (tmp_path / "out" / "blobs" / "sha256").iterdir()]
    (config,) = (json.loads(blob) for blob in blobs if b'"rootfs"' in blob)
    assert config["config"]["Cmd"] == ["/usr/local/bin/app"]
    assert "Entrypoint" not in config["config"]


@pytest.mark.parametrize(
    ("arguments", "entrypoint", "cmd"),
    [
        (("--entrypoint", '["/usr/local/bin/app", "--port"]', "--cmd", "serve"), [APP, "--port"], ["serve"]),
        (("--entrypoint", APP, "--entrypoint", "--port"), [APP, "--port"], None),
        (("--cmd", '["a b", "é"]'), [APP], ["a b", "é"]),
        (("--cmd", '["a"]', "--cmd", '["b"]'), [APP], ['["a"]', '["b"]']),
        (("--cmd", "[a-z]"), [APP], ["[a-z]"]),
        (("--cmd", "[1]"), [APP], ["[1]"]),
        (("--cmd", "[]"), [APP], ["[]"]),
    ],
)
def test_arguments_as_an_array(
    arguments: tuple[str, ...], entrypoint: list[str], cmd: list[str] | None, files: Path, tmp_path: Path
) -> None:
    """One value that is a JSON array of strings is all arguments, as in a Dockerfile; anything else is an argument."""
    ran = minpack("./app", *arguments, "--format", "oci", "-o", str(tmp_path / "out"), cwd=files)
    assert ran.code == 0, ran.err
    blobs = [path.read_bytes() for path in (tmp_path / "out" / "blobs" / "sha256").iterdir()]
    (config,) = (json.loads(blob) for blob in blobs if b'"rootfs"' in blob)
    assert (config["config"]["Entrypoint"], config["config"].get("Cmd")) == (entrypoint, cmd)


def test_inspect_shows_one_file(files: Path) -> None:
    """What a file is, what it names, and which bases fit."""
    lines = minpack("inspect", "./server", cwd=files).out.decode().splitlines()
    assert lines[:6] == [
        "file         ./server",
        "kind         dynamic",
        "target       x86_64 (linux/amd64)",
        f"size         {(files / 'server').stat().st_size} B",
        "interpreter  /lib/ld-musl-x86_64.so.1 (musl)",
        "needed       liba.so.1, libc.musl-x86_64.so.1",
    ]
    assert lines[6].startswith("bases        alpine-")
    assert "bases        scratch" in minpack("inspect", "./app", cwd=files).out.decode()
    glibc = minpack("inspect", "./glibc-app", cwd=files).out.decode()
    assert re.search("^bases        debian-.*, any other with glibc; / is this host$", glibc, re.MULTILINE)


def test_inspect_of_several_files_is_one_document(files: Path) -> None:
    """One file gives its own document, several a list in one document."""
    one = minpack("inspect", "./app", "--json", cwd=files).document
    two = minpack("inspect", "./app", "./lib.so", "--json", cwd=files).document
    assert one["schema"] == two["schema"] == "minpack.inspect/1"
    assert list(two) == ["schema", "files"]
    assert [file["kind"] for file in two["files"]] == ["static", "shared library"]
    assert {"schema": "minpack.inspect/1", **two["files"][0]} == one
    assert minpack("inspect", "./app", "./main.c", "--json", cwd=files).document["kind"] == "not-elf"


def test_tree_shows_the_closure(files: Path) -> None:
    """Each object under the one that needs it, with the rule that finds it, and the sum."""
    ran = minpack("tree", "./server", "--base", "fitting.tar", cwd=files)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.decode().splitlines()
    assert lines[0].startswith("/usr/local/bin/server  ")
    assert lines[0].endswith("  dynamic, x86_64, musl")
    assert lines[1] == "  interpreter /lib/ld-musl-x86_64.so.1"
    assert lines[2].startswith("  liba.so.1 => /lib/liba.so.1  (default)  ")
    assert lines[3].startswith("    libb.so.2 => /lib/libb.so.2  (default)  ")
    assert lines[-1].startswith("4 objects, ")
    assert lines[-1].endswith(", from fitting.tar")


def test_tree_tells_why(files: Path) -> None:
    """--why shows the chain to an object, by its soname or its path, as text and in the document."""
    chain = [
        "/usr/local/bin/server",
        "  /lib/liba.so.1  (liba.so.1, found by default)",
        "    /lib/libb.so.2  (libb.so.2, found by default)",
    ]
    for name in ("libb.so.2", "/lib/libb.so.2"):
        ran = minpack("tree", "./server", "--base", "fitting.tar", "--why", name, cwd=files)
        assert ran.out.decode().splitlines() == chain
    document = minpack("tree", "./server", "--base", "fitting.tar", "--why", "libb.so.2", "--json", cwd=files).document
    assert document["why"] == ["/usr/local/bin/server", "/lib/liba.so.1", "/lib/libb.so.2"]


def test_tree_of_what_is_missing(files: Path) -> None:
    """What is missing is shown, not raised, and the exit code is 3; --all has every directory considered."""
    ran = minpack("tree", "./lacking", "--base", "musl.tar", cwd=files)
    assert ran.code == 3
    assert ran.out.decode().endswith(
        "missing: libz.so.9, needed by /usr/local/bin/lacking\nhint: --all shows every directory considered\n"
    )
    everything = minpack("tree", "./lacking", "--base", "musl.tar", "--all", cwd=files).out.decode()
    assert (
        "\n  /opt/lib  (runpath)\n  /lib  (default)\n  /usr/local/lib  (default)\n  /usr/lib  (default)" in everything
    )
    ran = minpack("tree", "./lacking", "--base", "musl.tar", "--json", cwd=files)
    assert ran.code == 3
    assert ran.document["result"] == "fails"
    assert ran.document["missing"][0]["considered"][0] == {"directory": "/opt/lib", "rule": "runpath"}


def test_the_document_of_a_tree(files: Path) -> None:
    """Every field of minpack.tree/1 is there."""
    document = minpack("tree", "./server", "--base", "fitting.tar", "--json", cwd=files).document
    assert set(document) >= {
        *("schema", "program", "base", "target", "libc", "interpreter", "objects", "edges", "missing", "unbound"),
        *("result", "notes", "audits", "variants", "demands"),
    }
    assert document["libc"] == "musl"
    assert document["interpreter"] == "/lib/ld-musl-x86_64.so.1"
    assert document["objects"][0]["name"] == "/usr/local/bin/server"
    assert set(document["objects"][1]) >= {"name", "path", "found_by", "needed_by"}
    assert set(document["edges"][0]) == {"needed_by", "name", "found_by", "path", "considered"}


def test_tree_of_a_static_program(files: Path) -> None:
    """A static program says so, and needs no base that fits: not even this host."""
    for name in ("./app", "./arm"):
        ran = minpack("tree", name, cwd=files)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.decode().endswith("\na static program: no loader, no libraries\n")
    assert minpack("tree", "./app", "--json", cwd=files).document["interpreter"] is None


def test_tree_without_a_base_looks_at_this_host(tmp_path: Path) -> None:
    """As ldd(1) does, with the program where it is."""
    import os

    program_path = os.path.realpath(sys.executable)
    ran = minpack("tree", program_path, "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.document["program"] == program_path
    assert ran.document["base"] in ("/", "scratch")


def test_tree_on_a_host_that_does_not_fit(files: Path) -> None:
    """A program for another architecture needs --base, and bases that fit are named."""
    (files / "foreign").write_bytes(program(machine="s390x", interpreter="/lib/ld-musl-s390x.so.1"))
    ran = minpack("tree", "./foreign", cwd=files)
    (files / "foreign").unlink()
    assert_refused(ran, 3, "cannot … '/': …", "it needs musl: --base alpine-…")


def test_a_base_as_an_image(files: Path, tmp_path: Path) -> None:
    """A whole base becomes an image; device nodes are left out, with a note, and so is a shell that is not there."""
    told = [
        "2 device nodes, sockets or FIFOs were left out",
        "the image has no command: /bin/sh cannot be started, the image has no such file (--cmd names another)",
    ]
    output = str(tmp_path / "out.tar")
    ran = minpack("base", "image", "devices.tar", "-t", "devices", "-o", output, cwd=files)
    assert ran.code == 0
    assert ran.err == "".join(f"note: {note}\n" for note in told)
    lines = ran.out.decode().splitlines()
    assert lines[0] == "devices:latest  linux/amd64"
    assert lines[3] == "  base         devices.tar"
    document = minpack("base", "image", "devices.tar", "-o", output, "--json", cwd=files).document
    assert document["schema"] == "minpack.base-image/1"
    assert document["images"][0]["references"] == ["docker.io/library/devices:latest"]
    assert document["notes"] == told


@pytest.mark.parametrize(
    ("uid", "gid", "note"),
    [
        (172761424, 172761424, "note: 2 files belong to uid 172761424: did a user unpack the base? …\n"),
        (65534, 0, "note: 2 files belong to uid 65534: did a user unpack the base? …\n"),
        (1000, 1000, ""),
        (0, 42, ""),
    ],
)
def test_owners_that_nobody_meant(files: Path, tmp_path: Path, uid: int, gid: int, note: str) -> None:
    """A whole base keeps its owners, and a note says so where they are those of whoever unpacked it."""
    # More than seven octal digits are written in base 256, as GNU tar does.
    owner = b"\x80" + uid.to_bytes(7, "big")
    owned = [member(name, b"x", uid=owner, gid=min(gid, 65535)) for name in ("a", "b")]
    (tmp_path / "owned.tar").write_bytes(archive(member("bin/sh", static_program(), mode=0o755), *owned))
    ran = minpack("base", "image", "owned.tar", "--platform", "linux/amd64", cwd=tmp_path)
    assert matches(ran.err, note), ran.err


def test_a_base_that_is_nobodys(tmp_path: Path) -> None:
    """Where nothing belongs to root, whoever unpacked it has it all."""
    (tmp_path / "owned.tar").write_bytes(
        archive(
            header("bin/", kind=b"5", mode=0o755, uid=1000), member("bin/sh", static_program(), mode=0o755, uid=1000)
        )
    )
    ran = minpack("base", "image", "owned.tar", "--platform", "linux/amd64", cwd=tmp_path)
    assert matches(ran.err, "note: 2 files belong to uid 1000: did a user unpack the base? …")


def test_the_list_of_bases(files: Path) -> None:
    """A table with a line for each, and the same as a document."""
    text = minpack("base", "list", cwd=files).out.decode().splitlines()
    document = minpack("base", "list", "--json", cwd=files).document
    assert text[0].split() == ["name", "newest", "support", "architectures"]
    assert [line.split()[0] for line in text[1:]] == [base["name"] for base in reversed(document["bases"])]
    assert set(document["bases"][0]) == {"name", "newest", "architectures", "support_end", "supported"}


BASH = """
source <("$MINPACK" completion bash)
COMP_WORDS=(minpack "$@")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
COMP_LINE="${COMP_WORDS[*]}"
compopt() { echo "compopt $*"; }
_minpack_completion minpack
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str, cwd: Path) -> list[str]:
    """What bash offers for the last of `words`."""
    return by_shell([need_tool("bash"), "-c", BASH, "bash", *words], cwd)


def by_shell(command: list[str], cwd: Path) -> list[str]:
    """The lines that a shell's command prints; `minpack` is in its path."""
    script = cwd / "minpack"
    if not script.exists():
        script.write_text(f'#!/bin/sh\nexec {COMMAND[0]} -m minpack "$@"\n')
        script.chmod(0o755)
    variables = {"PATH": f"{cwd}:/usr/bin:/bin", "MINPACK": str(script), "HOME": str(cwd)}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.tool
def test_bash_completes_commands_options_and_files(tmp_path: Path) -> None:
    """The script for bash completes commands, options of the default command too, choices, and leaves files to bash."""
    (tmp_path / "app").write_bytes(static_program())
    assert completed("", cwd=tmp_path) == list(COMMANDS)
    assert completed("tre", cwd=tmp_path) == ["tree"]
    assert "--base" in completed("--ba", cwd=tmp_path)
    assert completed("./app", "--base-", cwd=tmp_path) == ["--base-sha512"]
    assert completed("tree", "--wh", cwd=tmp_path) == ["--why"]
    assert completed("base", "", cwd=tmp_path) == ["list", "pull", "info", "image"]
    assert completed("./app", "--format", "o", cwd=tmp_path) == ["oci"]
    assert completed("completion", "z", cwd=tmp_path) == ["zsh"]
    assert completed("./a", cwd=tmp_path)[:2] == ["compopt -o", "default"]
    assert completed("inspect", "a", cwd=tmp_path)[:2] == ["compopt -o", "default"]


@pytest.mark.tool
def test_fish_completes_commands_and_options(tmp_path: Path) -> None:
    """The script for fish completes commands with their descriptions, and options of the default command too."""
    fish = need_tool("fish")

    def offered(line: str) -> list[str]:
        return by_shell([fish, "-c", f"minpack completion fish | source; complete -C {line!r}"], tmp_path)

    assert offered("minpack tre") == ["tree\tShow the files that the dynamic loader would open."]
    assert [line.partition("\t")[0] for line in offered("minpack ./app --base-")] == ["--base-sha512"]
    assert sorted(line.partition("\t")[0] for line in offered("minpack base ")) == ["image", "info", "list", "pull"]


#: What is typed, and what each shell offers for its last word, among others.
VALUES = [
    ("./app --base debian-1", {"debian-12", "debian-13"}, set()),
    ("./app --base scr", {"scratch"}, set()),
    ("./app --need ter", {"terminfo"}, set()),
    ("./app --no-need te", {"terminfo"}, set()),
    ("./app --tz Europe/Vad", {"Europe/Vaduz"}, set()),
    ("lock ./app --user non", {"nonroot"}, set()),
    ("tree ./app --platform linux/arm", {"linux/arm64", "linux/arm/v7"}, {"linux/amd64"}),
    ("base pull ", {"debian-12"}, {"scratch"}),
    ("build ", {"web", "worker", "api"}, {"release"}),
    ("build web w", {"worker"}, {"web", "api"}),
    ("show -f other.toml ", {"elsewhere"}, {"web"}),
    ("build --profile r", {"release"}, {"web"}),
    ("lock -f minpack.toml a", {"api"}, {"app"}),
    ("update --file minpack.toml web w", {"worker"}, {"web"}),
    ("outdated -f other.toml --profile ", {"night"}, {"release"}),
    ("outdated -f other.toml e", {"elsewhere"}, set()),
    ("trace --write we", {"web"}, set()),
    ("build -f broken.toml ", set(), {"web"}),
    ("lock w", set(), {"web", "worker"}),
]
#: Files of images in the directory where that is typed.
IMAGE_FILES = {
    "minpack.toml": "[image.web]\nprograms = ['app']\n[image.worker]\n[image.api]\n[profile.release]\n",
    "other.toml": "[image.elsewhere]\n[profile.night]\n",
    "broken.toml": "[image.web]\n[",
}
ZSH = """
compdef() { :; }
_describe() { eval "printf '%s\\n' \"\\${${2}[@]}\""; }
compadd() { print -rl -- ${(P)argv[-1]}; }
_path_files() { :; }
autoload -U is-at-least
eval "$($MINPACK completion zsh)"
words=(minpack "$@"); CURRENT=$#words
_minpack_completion
"""


@pytest.mark.tool
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_values(shell: str, tmp_path: Path) -> None:
    """Bases, needs, time zones, users, platforms, images and profiles of minpack.toml are offered by each shell.

    Where a word means a program, no image is offered.
    """
    program = need_tool(shell)
    (tmp_path / "app").write_bytes(static_program())
    for name, text in IMAGE_FILES.items():
        (tmp_path / name).write_text(text)
    for line, wanted, unwanted in VALUES:
        words = line.split(" ")
        if shell == "fish":
            script = f"minpack completion fish | source; complete -C 'minpack {line}'"
            offers = {text.partition("\t")[0] for text in by_shell([program, "-c", script], tmp_path)}
        elif shell == "zsh":
            offers = set(by_shell([program, "-fc", ZSH, "zsh", *words], tmp_path))
        else:
            offers = set(completed(*words, cwd=tmp_path))
        assert wanted <= offers, line
        assert not unwanted & offers, line


@pytest.mark.tool
def test_fish_shows_whole_descriptions(tmp_path: Path) -> None:
    """Also behind a comma."""
    script = "minpack completion fish | source; complete -C 'minpack ./app --dir'"
    (line,) = by_shell([need_tool("fish"), "-c", script], tmp_path)
    assert (
        line
        == "--dir\tAdd a directory, or set the mode and owner of one; repeatable. Default: 0755 and the image's user."
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str, files: Path) -> None:
    """Each shell gets a script of many lines that asks `minpack` for completions."""
    ran = minpack("completion", shell, cwd=files)
    assert ran.code == 0
    assert f"_MINPACK_COMPLETE={shell}_complete".encode() in ran.out
    assert ran.out.count(b"\n") > 10


@pytest.mark.tool
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_scripts(shell: str, tmp_path: Path) -> None:
    """Each shell that is here takes its script."""
    path = tmp_path / "script"
    path.write_bytes(minpack("completion", shell, cwd=tmp_path).out)
    subprocess.run([need_tool(shell), "-n", str(path)], check=True)
