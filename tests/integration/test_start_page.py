"""The first page of the documentation is true: its commands print what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.samples import go_cache, sample
from support.tools import need_tool

pytestmark = [pytest.mark.tool, pytest.mark.slow]
PAGE = (Path(__file__).parents[2] / "docs/index.md").read_text()
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL))
SESSIONS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
#: Each command with what it prints.
COMMANDS = [one.split("\n", 1) for session in SESSIONS for one in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]]
#: What goes on until it is stopped, and what needs an engine.
SERVER = "minpack run ./hello.tar"
OF_ENGINES = ("docker ", "minpack ./hello --load")
TIMEOUT = 300


def plain(text: str) -> list[str]:
    """The lines without what differs with versions of compilers: digests, sizes, and the spaces before these."""
    text = re.sub(r"sha256:[0-9a-f…]+", "sha256:…", text)
    return re.sub(r"\s*\b[\d.]+ (?=k?B\b|MB\b)", " N ", text).strip().splitlines()


def test_the_commands_print_what_the_page_shows(tmp_path: Path) -> None:
    """From the source of a program to the image that runs, but for what needs an engine."""
    need_tool("gcc")
    sample("go-https")
    go = need_tool("go")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    tools = (os.path.dirname(sys.executable), os.path.dirname(go), os.environ["PATH"])
    # The sample's parts of the standard library are compiled with the same options.
    settings = {**os.environ, "PATH": os.pathsep.join(tools), "GOCACHE": go_cache(go), "GOTOOLCHAIN": "local"}
    ran = []
    for command, shown in COMMANDS:
        if command.startswith(OF_ENGINES):
            continue
        ran.append(command)
        if command == SERVER:
            with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, cwd=tmp_path, env=settings) as server:
                assert server.stdout is not None
                first = server.stdout.readline().decode()
                server.terminate()
            assert first.strip() == shown.strip()
            continue
        shell = ("sh", "-c", command)
        done = subprocess.run(
            shell, capture_output=True, text=True, check=True, cwd=tmp_path, env=settings, timeout=TIMEOUT
        )
        assert plain(done.stdout) == plain(shown), command
    assert len(ran) == 6
    assert SERVER in ran
