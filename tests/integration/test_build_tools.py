"""What docs/build-tools.md says of other build tools, run as far as there is something that runs it."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import starlark

from support.command import environment, minpack
from support.elfmaker import static_program
from support.fleets import make_fleet
from support.tarmaker import archive, directory
from support.tools import need_tool

PAGE = (Path(__file__).parents[2] / "docs" / "build-tools.md").read_text()


def code(title: str) -> str:
    """The file of that name on the page."""
    (found,) = re.findall(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a program, and `minpack` as a command in bin/."""
    (tmp_path / "app").write_bytes(static_program())
    (tmp_path / "app").chmod(0o755)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "minpack"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m minpack "$@"\n')
    script.chmod(0o755)
    return tmp_path


def files(image: str, place: Path) -> dict[str, tuple[Any, ...]]:
    """The files of an image as `minpack export` writes them: kind, mode, owner and bytes or target of each."""
    ran = minpack("export", image, "-o", f"{place}/tree.tar", "--force", cwd=place)
    assert ran.code == 0, ran.err
    import tarfile

    with tarfile.open(place / "tree.tar") as tar:
        return {
            one.name.rstrip("/"): (one.type, one.mode, one.uid, one.gid, one.linkname, _bytes(tar, one)) for one in tar
        }


def _bytes(tar: Any, one: Any) -> bytes:
    file = tar.extractfile(one) if one.isreg() else None
    return file.read() if file is not None else b""


@pytest.mark.tool
@pytest.mark.root
def test_the_dockerfile_packs_what_minpack_packs(place: Path) -> None:
    """By buildah, in a stage that has this machine's Python and minpack; the cache is there after the build."""
    buildah = need_tool("buildah")
    if os.geteuid() != 0:
        pytest.skip("needs root: it mounts this machine's directories into a stage")
    source = place / "source"
    source.mkdir()
    make_fleet(source, 1)
    (source / "app0").rename(source / "app")
    (source / "base.tar.gz").write_bytes(gzip.compress((source / "base.tar").read_bytes()))
    (source / "Dockerfile").write_text(code("Dockerfile"))
    store = ("--root", f"{place}/storage", "--runroot", f"{place}/run", "--storage-driver", "vfs")
    variables = environment({"TMPDIR": f"{place}/tmp"})
    (place / "tmp").mkdir()

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [buildah, *store, *arguments], cwd=place, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    # An empty image, in which this machine's directories are mounted.
    container = run("from", "scratch")
    run(
        "config",
        "--env",
        f"PATH={place}/bin:/usr/bin:/bin",
        "--env",
        f"PYTHONPATH={os.environ['PYTHONPATH']}",
        container,
    )
    run("commit", "-q", container, "has-minpack")
    top = Path(__file__).parents[2]
    wanted = {
        "/usr",
        "/bin",
        "/lib",
        "/lib64",
        str(top),
        sys.prefix,
        sys.base_prefix,
        f"{place}/bin",
        *os.environ["PYTHONPATH"].split(":"),
    }
    mounts = [word for path in sorted(wanted) if path and Path(path).exists() for word in ("-v", f"{path}:{path}:ro")]
    build = ("bud", "--isolation", "oci", "--network", "none", "--build-arg", "MINPACK=has-minpack", *mounts)
    run(*build, "--build-arg", "BASE=/src/base.tar.gz", "-q", "-t", "app", "source")
    (cached,) = (path for path in (place / "tmp").rglob("minpack/v1"))
    assert list(cached.iterdir())
    run("push", "-q", "app", "oci:layout:app")
    assert minpack("source/app", "--base", "source/base.tar.gz", "-o", "own.tar", cwd=place).code == 0
    own, built = files("./own.tar", place), files("oci:layout:app", place)
    assert own.keys() == built.keys()
    assert {path: found for path, found in built.items() if found != own[path]} == {}
    assert stat.S_IMODE(own["tmp"][1]) == 0o1777
    assert minpack("check", "oci:layout:app", cwd=place).code == 0


def evaluated(text: str, prelude: str) -> Any:
    """What the last expression of a Starlark program is, behind definitions of what Bazel has."""
    dialect = starlark.Dialect.extended()
    available = starlark.Globals.extended_by([starlark.LibraryExtension.StructType, starlark.LibraryExtension.Json])
    tree = starlark.parse("page.bzl", f"{prelude}\n{text}", dialect)
    return starlark.eval(starlark.Module(), tree, available)


#: Bazel's functions, as far as the page uses them: what a genrule is given, and what a rule is.
_BAZEL = """
def genrule(**given):
    return given
def depset(values):
    return values
def DefaultInfo(files):
    return files
attr = struct(**{name: lambda **_: None for name in ("label", "label_list", "string_list")})
def rule(implementation, doc, attrs):
    return implementation
"""
#: A context of a rule whose target has a program, a base and a name: files are their paths.
_CONTEXT = """
ran = []
def new_args():
    words = []
    def add(*values):
        words.extend([str(one) for one in values])
    def add_all(values, before_each = None):
        for one in values:
            words.extend([before_each, one] if before_each else [one])
    return struct(add = add, add_all = add_all, words = words)
def run(executable, arguments, inputs, outputs, mnemonic, progress_message):
    ran.append([executable] + [word for one in arguments for word in one.words])
    ran.append(inputs)
    ran.append(outputs)
context = struct(
    label = struct(name = "web"),
    files = struct(programs = ["app"]),
    file = struct(base = "base.tar"),
    attr = struct(names = ["me/web:1", "me/web:2"], options = ["--env=A=1"]),
    executable = struct(minpack = "bin/minpack"),
    actions = struct(declare_file = lambda name: name, args = new_args, run = run),
)
result = minpack_image(context)
json.encode([ran, result])
"""


def test_the_genrule_packs(place: Path) -> None:
    """Its command, with what Bazel puts in place of the variables, writes its output, and reads nothing else."""
    given = evaluated(code("BUILD.bazel"), _BAZEL)
    (out,), (source,) = given["outs"], given["srcs"]
    command = given["cmd"].replace(f"$(location {source})", "app").replace("$@", out)
    assert "$" not in command
    variables = environment({"PATH": f"{place}/bin:/usr/bin:/bin", "HOME": None, "XDG_CACHE_HOME": None})
    done = subprocess.run(
        ["bash", "-c", f"set -eu; {command}"], cwd=place, env=variables, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert minpack("check", f"./{out}", cwd=place).code == 0


def test_the_rule_packs(place: Path) -> None:
    """It declares what it reads and writes, and the command that it makes gives the image."""
    (place / "base.tar").write_bytes(archive(directory("etc/")))
    (command, inputs, outputs), result = json.loads(evaluated(code("minpack.bzl") + _CONTEXT, _BAZEL))
    assert (inputs, outputs, result) == (["app", "base.tar"], ["web.tar"], [["web.tar"]])
    subprocess.run(command, cwd=place, env=environment({"HOME": None, "XDG_CACHE_HOME": None}), check=True)
    assert minpack("check", "./web.tar", cwd=place).code == 0
    config = minpack("pack", "./app", "-t", "me/web:1", "-t", "me/web:2", "--env=A=1", "-o", "own.tar", cwd=place)
    assert config.code == 0
    assert (place / "web.tar").read_bytes() == (place / "own.tar").read_bytes()


def test_the_target_of_the_page_has_attributes_of_the_rule() -> None:
    """What images/BUILD.bazel sets is what the rule declares."""
    text = code("images/BUILD.bazel")
    load, _, target = text.partition("\n\n")
    assert load == 'load("//:minpack.bzl", "minpack_image")'
    used = evaluated(target, "def minpack_image(**given):\n    return given\n")
    declared = evaluated(
        code("minpack.bzl") + "\nminpack_image\n",
        _BAZEL.replace("    return implementation", "    return list(attrs.keys())"),
    )
    assert set(used) - {"name"} <= set(declared)
