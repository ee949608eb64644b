"""Fixtures for all tests, and the rule that under MINPACK_TESTS=all a skip is a failure.

So is a test of a loader's rule that could not ask the real loader (`support.rulebook`); else the summary lists these.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support.rulebook import not_asked
from support.site import copy_packages, restore_bundle
from support.tools import MAY_BE_SKIPPED

if TYPE_CHECKING:
    from collections.abc import Generator

ALL = os.environ.get("MINPACK_TESTS") == "all"
#: Variables that say how tests run, and what with.
KEPT = ("MINPACK_TESTS", "MINPACK_TEST_DATA", "MINPACK_TEST_TOOLS", "MINPACK_PUSHES", "MINPACK_STARTS")
#: The property of a test's report that says why it asked no real loader.
NOT_ASKED = "asked no real loader"

pytest_plugins = ("support.samples",)

#: The same examples in every run: a change fails for what it changes. `make explore` tries others, and many more.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("steady")


def pytest_configure() -> None:
    """Heed an interrupt, as commands that tests start do: a shell lets what it starts in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks servers on the network, unless that is what was asked for: no skip, as nothing is missing."""
    if "live" not in config.option.markexpr:
        live = [item for item in items if item.get_closest_marker("live")]
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where everything a test may need was promised to be there."""
    report = yield
    may_be_skipped = item.nodeid in MAY_BE_SKIPPED or item.get_closest_marker("oracle") is not None
    if ALL and report.skipped and not hasattr(report, "wasxfail") and not may_be_skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and MINPACK_TESTS=all allows no skip: {call.excinfo}"
    if not_asked and report.passed and report.when == "call":
        reason = "; ".join(sorted(not_asked))
        report.user_properties.append((NOT_ASKED, reason))
        if ALL:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} asked no real loader, and MINPACK_TESTS=all wants one: {reason}"
    not_asked.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests had to take minpack's word for what a loader does, and why."""
    reasons = Counter(
        reason
        for report in terminalreporter.getreports("passed")
        for name, reason in report.user_properties
        if name == NOT_ASKED
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} tests asked no real loader: {reason}", yellow=True)


@pytest.fixture(scope="session", autouse=True)
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embedded data as it was installed, for this process and those it starts."""
    site = copy_packages(tmp_path_factory.mktemp("packages"))
    sys.path.insert(0, str(site))
    return site


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, embedded: Path) -> None:
    """Keep the user's settings, proxies and store out of the tests."""
    for name in list(os.environ):
        if name.startswith(("MINPACK_", "SSL_CERT")) and name not in KEPT:
            monkeypatch.delenv(name)
        if name.lower().endswith("_proxy") or name in ("SOURCE_DATE_EPOCH", "LD_LIBRARY_PATH", "LD_PRELOAD"):
            monkeypatch.delenv(name)
    restore_bundle(embedded)
    # Tests of packages have servers of their own; all others must not ask any.
    monkeypatch.setenv("MINPACK_NO_PACKAGES", "1")
    monkeypatch.setenv("PYTHONPATH", str(embedded), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def swift_place() -> Generator[Path]:
    """A directory for trees that are large or deeper than pytest can remove; in memory, where there is such a place."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    place = Path(tempfile.mkdtemp(dir=memory))
    yield place
    subprocess.run(["rm", "-rf", place], check=True)


@pytest.fixture(scope="session")
def data() -> Path:
    """The directory of real tarballs and packages."""
    default = Path(__file__).parents[2] / "shared"
    path = Path(os.environ.get("MINPACK_TEST_DATA", default))
    if not (path / "bases").is_dir():
        pytest.skip(f"no test data at {path} (set MINPACK_TEST_DATA)")
    return path


@pytest.fixture(scope="session")
def alpine_x86_64(data: Path) -> Path:
    """Alpine's minirootfs 3.20.3 for x86_64."""
    return data / "bases" / "alpine-minirootfs-3.20.3-x86_64.tar.gz"


@pytest.fixture(scope="session")
def engine() -> str:
    """The version of a Docker engine that answers."""
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("docker is not installed")
    if done.returncode != 0:
        pytest.skip("no Docker engine answers")
    return done.stdout.strip()


@pytest.fixture
def root() -> None:
    """The test runs as root."""
    if os.geteuid() != 0:
        pytest.skip("not root")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write what failed to the file that MINPACK_FAILED_TESTS names, unless the run did not come to its end."""
    path = os.environ.get("MINPACK_FAILED_TESTS")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if path and reporter is not None and exitstatus == pytest.ExitCode.TESTS_FAILED:
        stats = reporter.stats
        names = [report.nodeid for kind in ("failed", "error") for report in stats.get(kind, ())]
        Path(path).write_text(json.dumps(names))
