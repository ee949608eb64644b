"""What is installed from a wheel, without the source tree: the command, all its data, the manual page, completions."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support import packing
from support.packing import SOURCE, write_program
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("wheel")

TOP = SOURCE.parent
#: Neither the tree's modules nor the user's own are to be found.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
#: Any time but that of the build, and not hatchling's default.
EPOCH = "1700000000"


class Dist(NamedTuple):
    """A directory of what was built."""

    directory: Path

    @property
    def wheel(self) -> Path:
        (found,) = self.directory.glob("*.whl")
        return found

    @property
    def sdist(self) -> Path:
        (found,) = self.directory.glob("*.tar.gz")
        return found


def build(target: Path, *options: str) -> Dist:
    """Sdist and wheel, or what the options say, built of this tree with the backend that is installed."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), *options, str(TOP))
    subprocess.run(command, check=True, capture_output=True, env={**CLEAN, "SOURCE_DATE_EPOCH": EPOCH})
    return Dist(target)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    """The sdist, and the wheel that was built of it."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def bare(dist: Dist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that the wheel was installed into; the libraries are those of the tests' environment."""
    venv = tmp_path_factory.mktemp("bare")
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", venv), check=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(venv / "bin/python"))
    install = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(dist.wheel))
    subprocess.run((*pip, *install), check=True, env=CLEAN)
    (site,) = venv.glob("lib/python3*/site-packages")
    # A path file's own path files are not read: the tests' minpack, which one of them names, is not found.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return venv


def run(bare: Path, *arguments: str, cwd: Path) -> str:
    """What the installed command prints."""
    done = subprocess.run(
        (bare / "bin/minpack", *arguments), check=False, capture_output=True, text=True, cwd=cwd, env=CLEAN
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_of_the_sdist_is_that_of_the_tree(dist: Dist, tmp_path: Path) -> None:
    """Built twice, once by way of the sdist, the wheel has the same bytes."""
    again = build(tmp_path, "--wheel")
    assert again.wheel.name == dist.wheel.name
    assert hashlib.sha256(again.wheel.read_bytes()).digest() == hashlib.sha256(dist.wheel.read_bytes()).digest()


def test_the_wheel_has_all_data_and_nothing_else(dist: Dist) -> None:
    """Each file of the package is there, whatever its kind, and what lies beside the package is not."""
    names = zipfile.ZipFile(dist.wheel).namelist()
    # As git tells files from leftovers, without asking it: an sdist has no repository.
    expected = {
        str(path.relative_to(SOURCE))
        for path in (SOURCE / "minpack").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("minpack/")} == expected
    others = {name.partition("/")[0].rpartition(".")[2] for name in names if not name.startswith("minpack/")}
    assert others == {"data", "dist-info"}


def test_an_index_would_take_both(dist: Dist) -> None:
    """Twine finds nothing wrong with the descriptions."""
    command = (sys.executable, "-m", "twine", "check", "--strict", str(dist.wheel), str(dist.sdist))
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_installed_command_is_no_part_of_the_tree(bare: Path, tmp_path: Path) -> None:
    """The command is the wheel's."""
    code = "import minpack; print(minpack.__file__)"
    command = (bare / "bin/python", "-c", code)
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=CLEAN, cwd=tmp_path).stdout
    assert found.startswith(str(bare))
    assert run(bare, "--version", cwd=tmp_path).startswith("minpack ")


def test_the_installed_command_packs_the_same_bytes(bare: Path, tmp_path: Path) -> None:
    """With certificates, zones and the health probe from the package's data, the digest is that of the tree's."""
    write_program(tmp_path / "app")
    options = ("./app", "--need", "certs", "--need", "tz", "--health", "tcp://:80", "--force")
    run(bare, *options, "--digest-file", "installed", cwd=tmp_path)
    packing.minpack(*options, "--digest-file", "tree", cwd=tmp_path)
    assert (tmp_path / "installed").read_text() == (tmp_path / "tree").read_text()


def test_the_installed_command_runs_and_reports(bare: Path, tmp_path: Path) -> None:
    """The image runs, and the page about it has the template, style and script that came with the wheel."""
    write_program(tmp_path / "app")
    run(bare, "./app", "-q", cwd=tmp_path)
    run(bare, "check", "app.tar", cwd=tmp_path)
    run(bare, "report", "app.tar", "-o", "app.html", cwd=tmp_path)
    assert "<script" in (tmp_path / "app.html").read_text()


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", "bash-completion/completions/minpack"),
        ("zsh", "zsh/site-functions/_minpack"),
        ("fish", "fish/vendor_completions.d/minpack.fish"),
    ],
)
def test_completions_are_where_shells_look(bare: Path, tmp_path: Path, shell: str, path: str) -> None:
    """Each shell's place below share/ has what `minpack completion` prints."""
    assert (bare / "share" / path).read_text().rstrip() == run(bare, "completion", shell, cwd=tmp_path).rstrip()


def test_man_finds_the_page(bare: Path) -> None:
    """Man finds it by its name below the environment's share/."""
    man = need_tool("man")
    command = (man, "--manpath", str(bare / "share/man"), "--where", "minpack")
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert found == str(bare / "share/man/man1/minpack.1")
