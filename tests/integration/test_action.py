"""The GitHub Action: its steps as a runner starts them, with the files and variables that it has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from minpack.report.markdown import text_of
from support.fakeregistry import FakeRegistry, status
from support.packing import SOURCE, packed, write_program
from support.tools import need_tool

TOP = SOURCE.parent
ACTION = TOP / "action.yml"


class Runner:
    """A runner of steps: what they write to the files that GitHub names is kept."""

    def __init__(self, directory: Path) -> None:
        self.workspace, self.temp = directory / "work", directory / "temp"
        self.output, self.summary = directory / "output", directory / "summary"
        for one in (self.workspace, self.temp / "minpack"):
            one.mkdir(parents=True)

    def run(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the step of that name as the action does."""
        (step,) = [one for one in yaml.safe_load(ACTION.read_text())["runs"]["steps"] if one.get("id") == script]
        self.output.write_text("")
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_ACTION_PATH": str(TOP),
            "RUNNER_TEMP": str(self.temp),
            "SOURCE": str(TOP),
            **env,
        }
        # As `shell: bash` is run: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
        command = (need_tool("bash"), "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
        return subprocess.run(command, cwd=self.workspace, env=variables, capture_output=True, text=True, check=False)

    @property
    def outputs(self) -> dict[str, str]:
        """What the step set."""
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner with a program in its workspace."""
    made = Runner(tmp_path)
    write_program(made.workspace / "my app")
    return made


#: The command of the tests' environment, which is what the first step would have installed.
MINPACK = str(Path(sys.executable).with_name("minpack"))


def test_the_image_and_its_outputs(runner: Runner) -> None:
    """Quoted words stay whole; digest and size are those of the image, and the job's page has the summary."""
    done = runner.run("pack", MINPACK=MINPACK, ARGS="'./my app' -o app.tar -t me/app:1")
    assert done.returncode == 0, done.stderr
    image = packed("./my app", "-o", "again.tar", "-t", "me/app:1", cwd=runner.workspace)
    assert runner.outputs == {"digest": image["digest"], "reference": "", "size": str(image["size"])}
    assert image["digest"] in runner.summary.read_text()


def test_the_page_says_what_changed(runner: Runner) -> None:
    """Against the image that the name meant before the push; the reference is of the image that was pushed."""
    with FakeRegistry() as registry:
        name = f"{registry.host}/me/app"
        args = f"'./my app' -t {name}:new{{}} -t {name}:latest --push --insecure {registry.host}"
        seen = []
        for round_ in (1, 2, 3):
            if round_ == 2:
                write_program(runner.workspace / "my app", size=5000)
            runner.summary.write_text("")
            done = runner.run("pack", MINPACK=MINPACK, ARGS=args.format(round_))
            assert done.returncode == 0, done.stderr
            digest = registry.tags("me/app")["latest"]
            assert runner.outputs["digest"] == str(digest)
            assert runner.outputs["reference"] == f"{name}@{digest}"
            seen.append((str(digest), runner.summary.read_text()))
    (first, new), (second, changed), (_, same) = seen
    assert "hanged" not in new
    assert f"Changed since {text_of(name)}@{first}, linux/amd64:" in changed
    assert re.search(r"\| unpacked \| .* \| .* \| \+[\d.]+ kB \|", changed)
    assert "| changed | /usr/local/bin/my app |" in changed
    assert f"Nothing has changed: the name meant `{second}` before." in same


def test_a_failed_push_has_no_reference(runner: Runner) -> None:
    """Nothing is set, and the page says nothing of an image that nobody can have."""
    with FakeRegistry() as registry:
        registry.fail("PUT", "/manifests/1", status(403), times=9)
        args = f"'./my app' -t {registry.host}/me/app:1 --push --insecure {registry.host}"
        done = runner.run("pack", MINPACK=MINPACK, ARGS=args)
    assert done.returncode != 0
    assert runner.outputs == {}
    assert not runner.summary.exists()


def test_what_is_given_is_no_shell_script(runner: Runner) -> None:
    """Nothing in the input is run or expanded: pull requests name what is packed."""
    done = runner.run("pack", MINPACK=MINPACK, ARGS="'./my app' -o app.tar -l a=$(touch${IFS}x) -l 'b=`touch x`'")
    assert done.returncode == 0, done.stderr
    assert not (runner.workspace / "x").exists()


def test_a_failure_fails_the_step(runner: Runner) -> None:
    """The step ends with minpack's exit code, and its message is in the log."""
    done = runner.run("pack", MINPACK=MINPACK, ARGS="./absent")
    assert done.returncode == 1
    assert "minpack: cannot read './absent'" in done.stderr
    assert runner.outputs == {}


def test_every_output_is_one_of_a_step() -> None:
    """What the action promises, its steps set."""
    action = yaml.safe_load(ACTION.read_text())
    values = {name: one["value"] for name, one in action["outputs"].items()}
    assert values == {name: f"${{{{ steps.pack.outputs.{name} }}}}" for name in ("digest", "reference", "size")}
    assert {step.get("id") for step in action["runs"]["steps"]} >= {"install", "pack"}


def test_the_page_shows_commands_that_work(runner: Runner) -> None:
    """The commands for other systems are run as the page has them."""
    script = (TOP / "docs/ci.md").read_text().partition("```sh\n")[2].partition("```")[0]
    write_program(runner.workspace / "app")
    path = f"{Path(MINPACK).parent}{os.pathsep}{os.environ['PATH']}"
    command = (need_tool("bash"), "-e", "-c", script)
    subprocess.run(command, cwd=runner.workspace, env={**os.environ, "PATH": path}, check=True, capture_output=True)
    assert "| linux/amd64 | passes |" in (runner.workspace / "summary.md").read_text()
    assert (runner.workspace / "check.xml").read_text().startswith("<?xml")


@pytest.mark.oracle
def test_actionlint_has_nothing_to_say(tmp_path: Path) -> None:
    """A workflow that uses the action is checked with it: its inputs, its outputs and its own steps."""
    place = tmp_path / ".github/workflows"
    place.mkdir(parents=True)
    (tmp_path / "action.yml").write_text(ACTION.read_text())
    workflow = """on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - id: image
        uses: ./
        with: {args: ./app}
      - run: echo "${{ steps.image.outputs.digest }} ${{ steps.image.outputs.reference }}"
"""
    (place / "image.yml").write_text(workflow)
    command = (need_tool("actionlint"), "-no-color", str(place / "image.yml"))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.oracle
def test_actionlint_has_nothing_to_say_about_workflows() -> None:
    """The workflows of this repository are well-formed, and their scripts too."""
    workflows = sorted((TOP / ".github/workflows").glob("*.yml"))
    assert workflows
    command = (need_tool("actionlint"), "-no-color", *map(str, workflows))
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
