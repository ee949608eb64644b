"""docs/ci.md: each of its snippets as its tool reads it, and its commands run as they are written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from support.command import TIMEOUT, minpack
from support.fakeregistry import FakeRegistry
from support.packing import SOURCE, write_program
from support.tools import need_tool

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = SOURCE.parent
PAGE = (TOP / "docs/ci.md").read_text()
BIN = Path(sys.executable).parent


def snippets(title: str, language: str) -> list[str]:
    """The blocks of that language in a section of the page."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def snippet(title: str, language: str) -> str:
    """The only block of that language in a section."""
    (found,) = snippets(title, language)
    return found


def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """What was run, with minpack in the path, and no settings but those of the test; it ended with `code`."""
    variables = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(cwd.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        **(env or {}),
    }
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def objections(schema: str, text: str) -> list[str]:
    """What the schema that a tool's makers publish has against a file, each with its place."""
    package = files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{schema}.json"
    document = json.loads(package.read_text(encoding="utf-8"))
    checker = jsonschema.validators.validator_for(document)(document)
    return [f"{one.json_path}: {one.message[:200]}" for one in checker.iter_errors(_as_json(yaml.safe_load(text)))]


def _as_json(value: Any) -> Any:
    """What YAML 1.1 reads as JSON has it: the key ``on`` is a text, as GitHub reads it."""
    if isinstance(value, dict):
        return {"on" if key is True else str(key): _as_json(one) for key, one in value.items()}
    return [_as_json(one) for one in value] if isinstance(value, list) else value


def git(place: Path, *words: str | Path) -> str:
    """What git prints."""
    return run(need_tool("git"), *words, cwd=place).stdout.strip()


def test_every_section_is_in_the_table_and_tested_here() -> None:
    """No tool is forgotten in either."""
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = set(re.findall(r"\]\(#([a-z-]+)\)", PAGE))
    assert anchors == {title.lower().replace(" ", "-") for title in titles}
    # What is shown under "Any other" is run there too.
    tests = Path(__file__).read_text() + (TOP / "tests/integration/test_action.py").read_text()
    assert [title for title in titles if title not in tests] == []


def test_github_reads_what_is_shown(tmp_path: Path) -> None:
    """The action itself, the steps that use it, and the nightly workflow, by the schemas of GitHub's files."""
    assert objections("github-actions", (TOP / "action.yml").read_text()) == []
    job = {"runs-on": "ubuntu-latest", **yaml.safe_load(snippet("GitHub Actions", "yaml"))}
    assert objections("github-workflows", json.dumps({"on": "push", "jobs": {"image": job}})) == []
    assert objections("github-workflows", snippet("Nightly updates", "yaml")) == []
    inputs = yaml.safe_load((TOP / "action.yml").read_text())["inputs"]
    (used,) = [step["with"] for step in job["steps"] if "minpack" in step.get("uses", "")]
    assert set(used) <= set(inputs)


class Component:
    """The component as GitLab puts its inputs in: https://docs.gitlab.com/ci/inputs."""

    def __init__(self, **given: str) -> None:
        head, self.body = (TOP / "templates/pack.yml").read_text().split("\n---\n")
        self.inputs: dict[str, dict[str, str]] = yaml.safe_load(head)["spec"]["inputs"]
        assert set(given) <= set(self.inputs)
        assert all(name in given or "default" in one for name, one in self.inputs.items())
        self._given = given

    @property
    def text(self) -> str:
        """The jobs."""
        return re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", lambda found: self._value(found[1]), self.body)

    def _value(self, name: str) -> str:
        return self._given.get(name, self.inputs[name].get("default", ""))

    @property
    def job(self) -> dict[str, Any]:
        """The only job."""
        (job,) = yaml.safe_load(self.text).values()
        assert isinstance(job, dict)
        return job


def test_gitlab_reads_the_component(tmp_path: Path) -> None:
    """By GitLab's schema; each input is used, and the page has a row and an example that fits."""
    (include,) = yaml.safe_load(snippet("GitLab CI", "yaml"))["include"]
    made = Component(**include["inputs"])
    assert include["component"].partition("@")[0].endswith(f"/minpack/{Path('templates/pack.yml').stem}")
    assert set(re.findall(r"inputs\.([a-z-]+)", made.body)) == set(made.inputs)
    section = PAGE.partition("\n## GitLab CI\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z]+)`", row)} == set(made.inputs)
    for text in (made.text, snippet("GitLab CI", "yaml"), (TOP / "templates/pack.yml").read_text().split("\n---\n")[0]):
        assert objections("gitlab-ci", text) == []
    assert "$[[" not in made.text


def as_gitlab(job: Mapping[str, Any], place: Path, registry: str, password: str, code: int = 0) -> str:
    """Run the job's script as a runner with bash does, in one shell; what it printed."""
    variables = {
        "CI_PROJECT_DIR": str(place),
        "CI_REGISTRY": registry,
        "CI_REGISTRY_IMAGE": f"{registry}/me/app",
        "CI_REGISTRY_USER": "job",
        "CI_REGISTRY_PASSWORD": password,
        "CI_COMMIT_SHORT_SHA": "0123abcd",
    }
    variables |= {name: text.replace("$CI_PROJECT_DIR", str(place)) for name, text in job["variables"].items()}
    script = "set -eo pipefail\n" + "\n".join((*job["before_script"], *job["script"]))
    done = run(need_tool("bash"), "-c", script, cwd=place, env=variables, code=code)
    run(need_tool("bash"), "-c", "\n".join(job["after_script"]), cwd=place, env=variables)
    return done.stdout + done.stderr


def test_the_component_pushes_with_the_token_of_the_job(tmp_path: Path) -> None:
    """Later jobs get what was pushed, the log what changed; the login is gone, and a failure fails the job."""
    write_program(tmp_path / "app")
    job = Component(**yaml.safe_load(snippet("GitLab CI", "yaml"))["include"][0]["inputs"]).job
    with FakeRegistry() as registry:
        registry.switches.login = ("job", "secret:token")
        first = as_gitlab(job, tmp_path, registry.host, "secret:token")
        write_program(tmp_path / "app", size=3000)
        second = as_gitlab(job, tmp_path, registry.host, "secret:token")
        digest = registry.tags("me/app")["0123abcd"]
        refused = as_gitlab(job, tmp_path, registry.host, "wrong", code=1)
    name = f"{registry.host}/me/app"
    variables = (tmp_path / job["artifacts"]["reports"]["dotenv"]).read_text()
    assert variables == f"MINPACK_DIGEST={digest}\nMINPACK_REFERENCE={name}@{digest}\n"
    assert "Changed since" not in first
    assert "Changed since" in second
    assert f"cannot push '{name}': the registry does not accept" in refused
    assert not (tmp_path / ".minpack-login").exists()
    assert "secret" not in first + second


@pytest.mark.oracle
def test_gitlab_ci_local_runs_the_component(tmp_path: Path) -> None:
    """It puts the inputs in itself, and runs the job in a shell of this machine."""
    place = tmp_path / "place"
    write_program(place / "app")
    (place / "pack.yml").write_text((TOP / "templates/pack.yml").read_text())
    include = [{"local": "pack.yml", "inputs": {"args": "./app -t me/app:1 -o app.tar"}}]
    (place / ".gitlab-ci.yml").write_text(json.dumps({"stages": ["build"], "include": include}))
    git(place, "init", "--quiet")
    git(place, "remote", "add", "origin", "https://gitlab.example.org/me/app.git")
    git(place, "add", ".")
    git(place, "commit", "--quiet", "--message", "all")
    done = run(need_tool("gitlab-ci-local"), "--force-shell-executor", cwd=place)
    assert "PASS" in done.stdout
    assert "### me/app:1" in (place / ".gitlab-ci-local/artifacts/minpack/minpack-summary.md").read_text()


def test_make_builds_what_has_changed(tmp_path: Path) -> None:
    """The rule for make, on a source of C."""
    (tmp_path / "Makefile").write_text(snippet("make", "make"))
    (tmp_path / "minpack.toml").write_text("[image.app]\nprograms = 'app'\n")
    (tmp_path / "app.c").write_text("int main(void) { return 0; }\n")
    compiler = need_tool("musl-gcc")
    first, second = (run(need_tool("make"), f"CC={compiler}", cwd=tmp_path).stdout for _ in range(2))
    assert "wrote ./app.tar" in first
    assert second.endswith("1 image: 1 unchanged\n")
    assert (tmp_path / "app.tar").exists()


def test_the_hook_of_goreleaser_packs(tmp_path: Path) -> None:
    """What goreleaser puts in braces is put in; its own reader sees the file in another test."""
    (build,) = yaml.safe_load(snippet("goreleaser", "yaml"))["builds"]
    (hook,) = build["hooks"]["post"]
    write_program(tmp_path / "dist/app_linux_amd64_v1/app")
    values = {"Path": "dist/app_linux_amd64_v1/app", "Arch": "amd64", "Version": "1.0"}
    words = shlex.split(re.sub(r"\{\{ \.(\w+) \}\}", lambda found: values[found[1]], hook))
    run(*words, cwd=tmp_path)
    assert minpack("check", "dist/app-amd64.tar", cwd=tmp_path).code == 0


@pytest.mark.oracle
def test_goreleaser_runs_the_hook(tmp_path: Path) -> None:
    """A module of Go is built for two platforms, and each is packed."""
    text = snippet("goreleaser", "yaml")
    (tmp_path / ".goreleaser.yaml").write_text(f"project_name: app\n{text}")
    (tmp_path / "go.mod").write_text("module example.org/app\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    git(tmp_path, "init", "--quiet")
    run(need_tool("goreleaser"), "build", "--snapshot", "--clean", cwd=tmp_path, env={"GOFLAGS": "-mod=mod"})
    for architecture in ("amd64", "arm64"):
        assert minpack("check", f"dist/app-{architecture}.tar", cwd=tmp_path).code == 0


@pytest.mark.oracle
def test_cargo_finds_its_subcommand(tmp_path: Path) -> None:
    """`cargo image` builds a crate, and then its image."""
    cargo = need_tool("cargo")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n')
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text("fn main() {}\n")
    script = tmp_path / "bin/cargo-image"
    script.parent.mkdir()
    script.write_text(snippet("cargo", "sh"))
    script.chmod(0o755)
    settings = snippet("cargo", "toml").replace("debian-12", "/")
    (tmp_path / "minpack.toml").write_text(f"{settings}version = '1.0'\n")
    env = {name: os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN") if name in os.environ}
    env.setdefault("RUSTUP_HOME", str(Path.home() / ".rustup"))
    path = os.pathsep.join((str(script.parent), str(Path(cargo).parent), str(BIN), os.environ["PATH"]))
    run(cargo, "image", "--check", "load", cwd=tmp_path, env={**env, "PATH": path})
    assert (tmp_path / "app.tar").exists()


def test_the_settings_of_cargo_are_settings(tmp_path: Path) -> None:
    """Before anything is built."""
    (tmp_path / "minpack.toml").write_text(snippet("cargo", "toml") + "version = '1'\n")
    assert minpack("show", cwd=tmp_path).err == "note: app: target/release/app is not built yet\n"
    run(need_tool("sh"), "-n", "-c", snippet("cargo", "sh"), cwd=tmp_path)


@pytest.fixture
def hooked(tmp_path: Path) -> Path:
    """A repository that has the page's hooks, from one that has the project's: but with the minpack that is here."""
    hooks, place = tmp_path / "hooks", tmp_path / "place"
    for one in (hooks, place):
        one.mkdir()
        git(one, "init", "--quiet", "--initial-branch", "main")
    text = (TOP / ".pre-commit-hooks.yaml").read_text()
    (hooks / ".pre-commit-hooks.yaml").write_text(text.replace("language: python", "language: system"))
    git(hooks, "add", ".")
    git(hooks, "commit", "--quiet", "--message", "hooks")
    config = snippet("pre-commit", "yaml").replace("https://HOST/OWNER/minpack", str(hooks))
    (place / ".pre-commit-config.yaml").write_text(config.replace("COMMIT", git(hooks, "rev-parse", "HEAD")))
    (place / "minpack.toml").write_text("[image.app]\nprograms = 'bin/app'\n")
    git(place, "add", ".")
    return place


def hook(place: Path, *words: str, code: int = 0) -> str:
    """What pre-commit prints."""
    env = {"PRE_COMMIT_HOME": str(place.parent / "kept")}
    return run(need_tool("pre-commit"), "run", "--color", "never", *words, cwd=place, env=env, code=code).stdout


def test_pre_commit_reads_the_hooks(tmp_path: Path) -> None:
    """The manifest is one, and the page has a row for each hook."""
    run(need_tool("pre-commit"), "validate-manifest", TOP / ".pre-commit-hooks.yaml", cwd=tmp_path)
    known = {one["id"] for one in yaml.safe_load((TOP / ".pre-commit-hooks.yaml").read_text())}
    assert known == set(re.findall(r"^\| `(minpack-\w+)` \|", PAGE, re.MULTILINE))
    assert known == {one["id"] for one in yaml.safe_load(snippet("pre-commit", "yaml"))["repos"][0]["hooks"]}


def test_pre_commit_refuses_wrong_settings(hooked: Path) -> None:
    """At a commit that changes the file, before the program is built; at others nothing runs."""
    assert "Passed" in hook(hooked)
    (hooked / "minpack.toml").write_text("[image.app]\nprograms = 'bin/app'\nbsae = 'alpine-3.22'\n")
    git(hooked, "add", ".")
    refused = hook(hooked, code=1)
    assert "cannot use bsae in minpack.toml:3:1: unknown key\nhint: did you mean base?" in refused
    git(hooked, "commit", "--quiet", "--message", "all")
    (hooked / "other").touch()
    git(hooked, "add", ".")
    assert "(no files to check)Skipped" in hook(hooked)


def test_pre_commit_checks_an_image(hooked: Path) -> None:
    """Before a push: one that starts, and one that does not."""
    write_program(hooked / "app")
    assert minpack("./app", "-o", "app.tar", cwd=hooked).code == 0
    words = ("minpack-check", "--hook-stage", "pre-push", "--all-files")
    assert "Passed" in hook(hooked, *words)
    # The same files without a command.
    assert minpack("export", "app.tar", "-o", "tree", cwd=hooked).code == 0
    words_of_base = ("base", "image", "tree", "-o", "app.tar", "--platform", "linux/amd64")
    assert minpack(*words_of_base, cwd=hooked).code == 0
    assert "[no-command]" in hook(hooked, *words, code=1)


def test_the_nightly_script_pushes_renewed_locks(tmp_path: Path) -> None:
    """With an image as base that changes in its registry: nothing before, a branch with the lock and why afterwards."""
    remote, place, script = tmp_path / "remote", tmp_path / "place", tmp_path / "nightly.sh"
    git(tmp_path, "init", "--quiet", "--bare", remote)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", place)
    script.write_text(snippet("Nightly updates", "sh"))
    write_program(place / "app")
    (tmp_path / "base/etc").mkdir(parents=True)
    with FakeRegistry() as registry:

        def publish(text: str) -> None:
            (tmp_path / "base/etc/data").write_text(text)
            words = ("base", "-t", f"{registry.host}/me/base:1", "--platform", "linux/amd64", "--push")
            ran = minpack("base", "image", *words, cwd=tmp_path)
            assert ran.code == 0, ran.err

        publish("old")
        settings = f"base = '{registry.host}/me/base:1'\ntake = '/etc/data'\nlocked = true\n"
        (place / "minpack.toml").write_text(f"[image.app]\nprograms = 'app'\n{settings}")
        run("minpack", "lock", cwd=place)
        git(place, "add", ".")
        git(place, "commit", "--quiet", "--message", "all")
        git(place, "remote", "add", "origin", remote)
        git(place, "push", "--quiet", "origin", "main")
        nightly = (need_tool("sh"), script)
        run(*nightly, cwd=place)
        assert git(remote, "branch", "--format", "%(refname:short)") == "main"
        publish("new")
        run(*nightly, cwd=place)
        assert git(remote, "diff", "--name-only", "main", "minpack-update") == "minpack.lock"
        assert "~ /etc/data" in git(remote, "log", "-1", "--format=%B", "minpack-update")
        run(*nightly, cwd=place)
    # A registry that is gone is no update, and no silence.
    run(*nightly, cwd=place, code=1)


def test_renovate_reads_its_settings_and_they_find_bases(tmp_path: Path) -> None:
    """Section Renovate: by its schema; the pattern finds images that are bases, and nothing else of a file."""
    assert objections("renovate", snippet("Renovate", "json")) == []
    (manager,) = json.loads(snippet("Renovate", "json"))["customManagers"]
    (pattern,) = manager["matchStrings"]
    digest = f"sha256:{'0' * 64}"
    lines = {
        'base = "alpine:3.22"': ("alpine", "3.22", None),
        f'base = "ghcr.io/me/base:1.0@{digest}"': ("ghcr.io/me/base", "1.0", digest),
        'on = "localhost:5000/me/base:1"': ("localhost:5000/me/base", "1", None),
        'base = "alpine-3.22"': None,
        'base = "localhost:5000/me/base"': None,
        'base = "./saved.tar"': None,
        'tag = "ghcr.io/me/app:1"': None,
    }
    for line, expected in lines.items():
        # As JavaScript and RE2 write named groups, and as Python does.
        found = re.search(pattern.replace("(?<", "(?P<"), line)
        assert (found.group("depName", "currentValue", "currentDigest") if found else None) == expected, line
    (files,) = manager["managerFilePatterns"]
    assert re.search(files.strip("/"), "images/minpack.toml")
    assert not re.search(files.strip("/"), "other.toml")


def test_dependabot_reads_its_settings(tmp_path: Path) -> None:
    """Section Dependabot, by its schema."""
    assert objections("dependabot", snippet("Dependabot", "yaml")) == []


def test_what_no_schema_allows_is_seen(tmp_path: Path) -> None:
    """The schemas are asked: the script of a job is text."""
    assert any("$.job.script" in one for one in objections("gitlab-ci", "job: { script: { a: 1 } }"))
    assert objections("github-workflows", "on: push")
    assert objections("dependabot", "version: 2")
    assert objections("renovate", "customManagers: 1")
    assert objections("github-actions", "name: x")
