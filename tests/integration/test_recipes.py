"""The recipes, and the guides for those who come from other tools, are true: each is run, and prints what it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from support.recipeplaces import TOOLS, words, workplace
from support.recipes import agrees, commands, differences, read_page, rewritten, run_page
from support.tools import need_tool

if TYPE_CHECKING:
    from support.recipes import Page, Ran

DOCS = Path(__file__).parents[2] / "docs"
INDEX = "index.md"
RECIPES = tuple(path.name for path in sorted(DOCS.glob("recipes/*.md")))
#: What others call what minpack does.
GUIDES = tuple(path.name for path in sorted(DOCS.glob("migrate-*.md")))
PATHS = (*DOCS.glob("recipes/*.md"), *DOCS.glob("migrate-*.md"))
PAGES = {path.name: read_page(path.name, path.read_text(encoding="utf-8")) for path in sorted(PATHS)}
#: The target that not every Rust has.
MUSL_TARGET = "x86_64-unknown-linux-musl"
#: Files that the commands of a page use without naming them.
IMPLIED = {"Dockerfile"}


def needs(page: Page) -> list[pytest.MarkDecorator]:
    """The marks of a page's test: whether it needs an engine, and what not every machine can have."""
    marks = [pytest.mark.tool]
    marks += [pytest.mark.engine] if "docker" in words(page) else []
    return marks + ([pytest.mark.oracle] if MUSL_TARGET in words(page) else [])


RUN = [pytest.param(name, marks=needs(page), id=name) for name, page in PAGES.items() if name != INDEX]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all pages download into: minpack's cache is safe for several processes."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if base.name.startswith("popen-") else base) / "recipes-cache"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.mark.parametrize("name", RUN)
def test_a_recipe_prints_what_it_shows(
    name: str, tmp_path: Path, cache: Path, data: Path, request: pytest.FixtureRequest
) -> None:
    """The page's commands, run from top to bottom with real tools, print what the page says."""
    page = PAGES[name]
    if "docker" in words(page):
        request.getfixturevalue("engine")
    if MUSL_TARGET in words(page):
        _need_musl_target()
    project = tmp_path / "project"
    project.mkdir()
    with workplace(page, tmp_path, cache, data) as (repository, environment):
        ran = run_page(page, project, repository, environment)
    assert not (found := differences(page, ran)), "\n".join(found)


def _need_musl_target() -> None:
    root = subprocess.run((need_tool("rustc"), "--print", "sysroot"), capture_output=True, text=True, check=True)
    if not (Path(root.stdout.strip()) / "lib/rustlib" / MUSL_TARGET).is_dir():
        pytest.skip(f"rustup target add {MUSL_TARGET}")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_on_a_recipe_is_left_unrun_in_silence(name: str) -> None:
    """Each block is a file that a command uses, or commands, or has a line above it that says that it is not run."""
    page = PAGES[name]
    used = "\n".join([command.text for command in page.commands] + [line for one in page.files for line in one.lines])
    for block in page.blocks:
        assert block.unrun or block.title or block.is_console, (
            f"{name}:{block.line + 1} is neither run nor said not to be"
        )
        if block.title and not block.unrun:
            own = block.title.rpartition("/")[2]
            assert own in used or block.title.partition("/")[0] in used or own in IMPLIED, (
                f"{name}: {block.title} is not used"
            )
    assert page.commands or name == INDEX, f"{name} has no command that is run"
    # Code by indentation would be passed over.
    assert not re.search(
        r"^    \S", re.sub(r"^```.*?^```$", "", page.text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )


def test_the_index_has_every_recipe() -> None:
    """Each page has its row."""
    rows = re.findall(r"^\| \[[^]]+\]\(([^)]+)\) \|", PAGES[INDEX].text, re.MULTILINE)
    assert sorted(rows) == sorted(set(RECIPES) - {INDEX})


@pytest.mark.parametrize("name", [name for name in PAGES if name != INDEX])
def test_a_recipe_has_its_parts(name: str) -> None:
    """The problem comes first, in a line, and what can go wrong last, or what is different."""
    first, problem = [line for line in PAGES[name].text.splitlines() if line][:2]
    assert first.startswith("# ")
    assert problem.startswith("*")
    assert problem.endswith(".*")
    last = "What is different" if name in GUIDES else "What can go wrong"
    assert re.findall(r"^## (.*)$", PAGES[name].text, re.MULTILINE)[-1] == last


@pytest.mark.parametrize("name", GUIDES)
def test_the_words_of_a_guide_are_minpacks(name: str) -> None:
    """Each option in the column of minpack exists, and each command."""
    rows = re.findall(r"^\| .* \| (.*) \|$", PAGES[name].text, re.MULTILINE)
    assert len(rows) > 12
    said = " ".join(code for row in rows for code in re.findall(r"`([^`]+)`", row) if "docker build" not in code)
    reference = (DOCS / "cli.md").read_text()
    assert set(re.findall(r"--[a-z][a-z-]*", said)) <= set(re.findall(r"--[a-z][a-z0-9-]*", reference))
    named = set(re.findall(r"minpack ([a-z]+)", said))
    assert named <= set(re.findall(r"^## minpack ([a-z]+)", reference, re.MULTILINE))


def test_the_jobs_of_ci_call_the_script_that_is_run() -> None:
    """What is not run of the page of CI is little: GitLab's job calls the script, with the variables that it reads."""
    page = PAGES["ci.md"]
    (script,) = page.files[:1]
    assert script.title == "publish.sh"
    assert "sh publish.sh" in page.commands[1].text
    (job,) = [block for block in page.blocks if block.title == ".gitlab-ci.yml"]
    described = yaml.safe_load("\n".join(job.lines))["image"]
    assert described["script"] == "sh publish.sh"
    read = set(re.findall(r"\$([A-Z_]+)", "\n".join(script.lines)))
    assert read == described["variables"].keys() - {"MINPACK_CACHE_DIR"}


def test_the_action_is_used_as_it_is() -> None:
    """Inputs and outputs of the action, on the page of CI, are those of action.yml."""
    (workflow,) = [block for block in PAGES["ci.md"].blocks if block.title.startswith(".github/")]
    steps = yaml.safe_load("\n".join(workflow.lines))["jobs"]["image"]["steps"]
    action = yaml.safe_load((DOCS.parent / "action.yml").read_text())
    (step,) = [step for step in steps if "minpack@" in step.get("uses", "")]
    assert step["with"].keys() <= action["inputs"].keys()
    outputs = set(re.findall(r"outputs\.(\w+)", "\n".join(workflow.lines)))
    assert outputs
    assert outputs <= action["outputs"].keys()


def test_the_figures_of_the_comparison_were_measured() -> None:
    """Each time and size is in the tables of the benchmarks, but those that the page says are others' or tried once."""
    paragraphs = (DOCS / "comparison.md").read_text().split("\n\n")
    text = "\n".join(one for one in paragraphs if not re.search("docker image ls|by its manual|tried once", one))
    measured = [float(number) for number in re.findall(r"\d+\.\d+", (DOCS / "benchmarks.md").read_text())]
    scale = {"ms": 1.0, "s": 1000.0, "MB": 1.0}
    figures = re.findall(r"(?<![\d.])(\d+(?:\.\d+)?) (ms|s|MB)\b", text)
    assert len(figures) > 8
    for number, unit in figures:
        exact = len(number.partition(".")[2])
        assert any(round(one / scale[unit], exact) == float(number) for one in measured), f"{number} {unit}"
    shares = re.findall(r"(?<![\d.])(0\.\d\d)(?![\d.])", text.partition("## When")[2])
    assert shares
    assert set(shares) <= set(re.findall(r"\*\*(0\.\d\d)\*\*", (DOCS / "benchmarks.md").read_text()))


def test_the_programs_of_the_comparison_were_tried() -> None:
    """How many programs work is what the field says."""
    pattern = r"(\d+) real programs (\d+) worked as they were packed by default, and (\d+) "
    ((all_of_them, *counted),) = re.findall(pattern, (DOCS / "comparison.md").read_text())
    field = (DOCS / "field.md").read_text()
    assert re.search(rf"^{all_of_them} programs of ", field, re.MULTILINE)
    assert re.findall(r"^\| (?:works|told) \| (\d+) \|", field, re.MULTILINE) == counted


TEXT = """# Page

*It is a test.*

```text title="greeting"
hello
```

```console
$ cat greeting
hello
$ printf '%s\\n' one \\
>     two
one
…
$ false
$ echo $?
1
$ false
$ echo sha256:0123456789ab of 17.2 MB at $REPO/app
sha256:ffffffffffff of 3 MB at ghcr.io/me/app
```
"""


@pytest.fixture
def ran(tmp_path: Path) -> tuple[Page, tuple[Ran, ...]]:
    """A page that is wrong in one place, and what its commands print."""
    page = read_page("page.md", TEXT)
    (tmp_path / "project").mkdir()
    variables = {"PATH": "/usr/bin:/bin", "PORT": "40000"}
    return page, run_page(page, tmp_path / "project", "127.0.0.1:39999/me", variables)


def test_a_page_that_is_not_true_is_found_out(ran: tuple[Page, tuple[Ran, ...]]) -> None:
    """A failure that no echo shows is the one difference; a changed line is another."""
    page, printed = ran
    (found,) = differences(page, printed)
    assert found.startswith("$ false\n--- ended with 1")
    false = read_page("page.md", TEXT.replace("```console\n$ cat greeting\nhello", "```console\n$ cat greeting\nhallo"))
    assert "hallo" in differences(false, printed)[0]


def test_a_page_whose_shell_ends_early_is_found_out(ran: tuple[Page, tuple[Ran, ...]]) -> None:
    """Commands that never ran are a difference."""
    page, printed = ran
    assert differences(page, printed[:-1])[0] == "the page's shell ended after 5 of 6 commands"


def test_a_page_is_written_anew_where_it_is_wrong_alone(ran: tuple[Page, tuple[Ran, ...]]) -> None:
    """What agrees stays as it is, with its ellipses."""
    page, printed = ran
    assert rewritten(page, printed) == TEXT
    wrong = read_page("page.md", TEXT.replace("$ cat greeting\nhello", "$ cat greeting\ngoodbye\nall"))
    assert rewritten(wrong, printed) == TEXT


@pytest.mark.parametrize(
    ("shown", "printed", "agree"),
    [
        (["a …", "b"], "a long line\nb\n", True),
        (["a …", "b"], "a long line\nanother\nb\n", False),
        (["a", "…", "b"], "a\nb\n", True),
        (["a", "…", "b"], "a\nx\ny\nb\n", True),
        (["a", "…"], "b\n", False),
        (["12 kB"], "3.4 MB\n", False),
        (["12 kB"], "3.4 kB\n", True),
        (["12 files"], "13 files\n", False),
        ([], "something\n", False),
    ],
)
def test_what_may_differ(shown: list[str], printed: str, agree: bool) -> None:
    """Sizes may, with the same unit; numbers of other things may not."""
    assert agrees(shown, printed) == agree


@pytest.mark.parametrize("text", ["```python\nx\n", "```sh {.x}\nx\n```\n", "   ```sh\nx\n```\n"])
def test_fences_that_are_not_understood_are_refused(text: str) -> None:
    """No block is passed over because of how it is written."""
    with pytest.raises(ValueError, match=r"page\.md:1"):
        read_page("page.md", text)


def test_output_before_any_command_is_refused() -> None:
    """A block of commands begins with one."""
    (block,) = read_page("page.md", "```console\nhello\n```\n").blocks
    with pytest.raises(ValueError, match="line 2"):
        commands(block)


def test_tools_of_recipes_are_known() -> None:
    """Every tool that recipes may use can be looked for."""
    for tool in TOOLS:
        need_tool(tool)
