"""What the tests use of a machine is what .ci/run installs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from support.tools import ELSEWHERE, MAY_BE_SKIPPED, PACKAGES, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
#: Those of the packages of every Debian, essential or required, that tests use.
EVERYWHERE = frozenset(
    (
        "apt",
        "bash",
        "coreutils",
        "dash",
        "diffutils",
        "dpkg",
        "findutils",
        "gzip",
        "libc-bin",
        "libc6",
        "mount",
        "tar",
        "util-linux",
    )
)
#: Whoever clones the project and runs its checks has these.
CLONED = frozenset(("git", "make"))
#: Packages of which tests use something that has no name of its own in them.
USED = {
    "catatonit": "what podman keeps a Pod by",
    "ca-certificates": "whom Python and Go trust to fetch from",
    "libc6-dev": "what gcc links to",
    "netbase": "/etc/services and /etc/protocols of this host as a base",
    "python3-venv": "make setup",
    "runc": "what the engine runs containers by",
    "tzdata": "time zones of this host as a base",
    "uidmap": "podman",
}
#: How the functions are called that start a program.
STARTERS = frozenset(("run", "Popen", "check_output", "check_call"))


def installed() -> set[str]:
    """The packages that .ci/run installs."""
    lines = (TOP / ".ci" / "packages").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def started() -> Iterator[tuple[str, str]]:
    """The programs that tests start or look for by a name that is written there, and where."""
    for path in sorted((TOP / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            first, function = node.args[0], node.func
            if (
                isinstance(function, ast.Attribute)
                and function.attr in STARTERS
                and isinstance(first, ast.List | ast.Tuple)
            ):
                first = first.elts[0]
            elif not (isinstance(function, ast.Name) and function.id in ("need_tool", "need_file")):
                continue
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, path.name


def test_every_package_is_installed() -> None:
    """Of each program and file that is looked for, the package is in .ci/packages or on every machine."""
    assert set(PACKAGES.values()) - installed() == EVERYWHERE | (CLONED & set(PACKAGES.values()))


def test_nothing_is_installed_that_nothing_uses() -> None:
    """Each package in .ci/packages has a use."""
    assert installed() == (set(PACKAGES.values()) | set(USED)) - EVERYWHERE - CLONED


def test_every_program_that_is_started_is_known() -> None:
    """Whatever a test starts or looks for by name is in the table of packages."""
    unknown = [(name, where) for name, where in started() if name not in PACKAGES and name not in ELSEWHERE]
    assert [(name, where) for name, where in unknown if not name.startswith("qemu-")] == []
    assert len(set(started())) > 40
    assert source_of("qemu-arm-static") == "Debian's package qemu-user-static"


def test_what_may_be_skipped_is_there() -> None:
    """Each test that may be skipped where everything was promised is one, and the reason is said."""
    for name, reason in MAY_BE_SKIPPED.items():
        path, _, function = name.partition("::")
        assert f"def {function.partition('[')[0]}(" in (TOP / path).read_text(encoding="utf-8")
        assert reason
