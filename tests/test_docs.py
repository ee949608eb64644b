"""The documentation says what is true now."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "docs"))

import generate  # noqa: E402 - found on the path added above

from minpack import __version__, errors  # noqa: E402
from minpack.needs.need import Need, Verdict  # noqa: E402
from support.elfmaker import GLIBC, program  # noqa: E402
from support.packing import minpack, write_program  # noqa: E402
from support.tools import need_tool  # noqa: E402

PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("samples/*/README.md")])


def test_the_command_line_reference_is_current() -> None:
    """`docs/cli.md` is what `make docs` would write."""
    assert generate.TARGET.read_text() == generate.reference(), "run `make docs`"


def test_the_keys_of_the_file_of_images_are_current() -> None:
    """Its page and its schema have what `make docs` would write."""
    assert generate.SCHEMA.read_text() == generate.schema(), "run `make docs`"
    assert generate.CONFIG.read_text() == generate.config_page(), "run `make docs`"


def test_the_manual_page_and_completions_are_current() -> None:
    """What the wheel puts below share/ is what `make docs` would write, and there is nothing else."""
    files = {path: path.read_text() for path in generate.SHARE.rglob("*") if path.is_file()}
    assert files == generate.shared_files(), "run `make docs`"


def test_the_manual_page_is_well_formed() -> None:
    """Mandoc has nothing to say, but that a release that is not made has no date."""
    page = generate.SHARE / "man/man1/minpack.1"
    done = subprocess.run((need_tool("mandoc"), "-Tlint", page), capture_output=True, text=True, check=False)
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
    assert page.read_bytes().isascii()


def test_the_manual_page_has_every_command_and_option() -> None:
    """Nothing that the help of a command shows is missing."""
    page = (generate.SHARE / "man/man1/minpack.1").read_text().replace("\\-", "-")
    shown = set(re.findall(r"--[a-z][a-z0-9-]*", generate.reference()))
    assert {name for name in shown if not re.search(rf"{name}(?![a-z0-9-])", page)} <= {"--version"}
    assert {words for words in generate.commands() if words} == {
        tuple(line.split()[2:]) for line in page.splitlines() if line.startswith(".SS minpack ")
    }


def test_every_option_has_a_help_text() -> None:
    """No option of any command is left without a word."""
    import click

    from minpack.cli.app import app

    silent = []
    for arguments in generate.commands():
        command: click.Command = app
        for name in arguments:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        silent += [
            (arguments, parameter.name)
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.help
        ]
    assert not silent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link in the documentation names a file of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_site_has_every_page() -> None:
    """Each page of docs/ is in the navigation of mkdocs.yml once, and no name there is of nothing."""
    navigation = (TOP / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    named = re.findall(r"[\w*./-]+\.md", navigation)
    pages = [str(path.relative_to(TOP / "docs")) for path in TOP.glob("docs/**/*.md")]
    outside = {"architecture.md", "changelog.md", "contributing.md", "measuring.md", "samples.md", "security.md"}
    for page in pages:
        assert sum(fnmatch.fnmatchcase(page, name) for name in named) == 1, f"add docs/{page} to nav in mkdocs.yml"
    assert {name for name in named if "*" not in name} <= {*pages, *outside}


def test_the_architecture_names_every_room() -> None:
    """Each package and module at the top of the source tree is in ARCHITECTURE.md."""
    text = (TOP / "ARCHITECTURE.md").read_text()
    for path in (TOP / "src" / "minpack").iterdir():
        if path.name.startswith(("_", "py.typed")):
            continue
        assert path.name in text or f"{path.name}/" in text, f"{path.name} is not in ARCHITECTURE.md"


def test_the_readme_names_real_options() -> None:
    """Every long option that README.md shows for minpack exists."""
    known = set(re.findall(r"--[a-z][a-z0-9-]*", generate.reference()))
    shown = set()
    for line in re.findall(r"^\s*(?:\$ )?(minpack .*)$", (TOP / "README.md").read_text(), re.MULTILINE):
        shown |= set(re.findall(r"(?<= )--[a-z][a-z0-9-]*", line.split("&&")[0].split("#")[0]))
    assert shown <= known
    assert shown, "README.md shows no options: the pattern no longer fits"


def section(page: str, title: str) -> str:
    """The text of a page's section; of the lines before the first one for an empty title."""
    text = (TOP / "docs" / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0] if title else text.partition("\n## ")[0]


def names_in(text: str) -> set[str]:
    """The names in a text's code: words of letters, digits and underscores."""
    return {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"[A-Za-z0-9_]+", code)}


def first_cells(text: str) -> list[str]:
    """The first cell of each row of a text's tables, without their heads."""
    rows = re.findall(r"^\|([^|]*)\|.*\n(?!\|---)", f"{text}\n", re.MULTILINE)
    return [row.strip() for row in rows if row.strip("-")]


#: Kinds of errors that a page of cases cannot show: bases of others, and what no input leads to.
UNSHOWN = {
    "minpack", "elf", "resolve", "rootfs", "image", "internal", "unbound-symbol", "unloadable-library",
    "bad-value",
}  # fmt: skip
#: How many cases each section of errors.md has at least, so that no row is lost: raise a number when you add rows.
CASES = {
    "The program": 24,
    "Program and base": 12,
    "The base": 54,
    "Network and store": 15,
    "Packages": 23,
    "Locks": 27,
    "Paths in the image": 23,
    "The entrypoint": 15,
    "Registries": 40,
    "Finished images": 18,
    "Output and engine": 40,
    "Keys and signatures": 34,
    "Options": 71,
    "OpenVEX": 6,
    "minpack.toml": 15,
    "The machine": 3,
}


def kind_of(one: type) -> str:
    """The `kind` of a class of errors."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", one.__name__.removesuffix("Error")).lower()


def test_the_errors_page_has_every_kind() -> None:
    """Each class of errors that users meet has a case on the page, and no case has a kind that there is not."""
    text = (TOP / "docs" / "errors.md").read_text()
    shown = set(re.findall(r"\| ([a-z-]+) \|$", text, re.MULTILINE)) - {"kind", "meaning"}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    kinds = {kind_of(one) for one in classes if issubclass(one, errors.MinpackError)}
    assert shown == kinds - UNSHOWN


#: Messages of the errors that errors.md cannot show.
ELSEWHERE = (
    errors.UnboundSymbolError("./app", "/", ("it needs GLIBC_2.38",), "choose a newer base"),
    errors.UnloadableLibraryError("/lib/a.so", "/app", "it is a text file"),
    errors.BadValueError("http", "it is not a port"),
    errors.InternalError("KeyError: 'a'", (), "minpack 1", "minpack ./app", "report it"),
)


def test_troubleshooting_has_every_error() -> None:
    """Each error that minpack raises has an entry: a message that it really has, its kind and its exit code."""
    raised = {
        node.func.id
        for path in (TOP / "src" / "minpack").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    classes = [value for name, value in vars(errors).items() if name in raised and isinstance(value, type)]
    codes = {kind_of(one): one.exit_code for one in classes if issubclass(one, errors.MinpackError)}
    rows = re.findall(
        r"^\|[^|]*\|[^|]*\| (.*?) \|.* \| ([a-z-]+) \|$", (TOP / "docs/errors.md").read_text(), re.MULTILINE
    )
    messages = [*rows, *((f"`{one.message}", one.kind) for one in ELSEWHERE)]
    text = (TOP / "docs" / "troubleshooting.md").read_text()
    entries = re.findall(r"^### `(.*)`\n\n`([a-z-]+)`, exit code (\d+)\. ", text, re.MULTILINE)
    assert len(entries) == text.count("\n### ")
    for pattern, kind, code in entries:
        assert int(code) == codes.pop(kind), kind
        shape = re.compile("`" + ".*".join(map(re.escape, pattern.split("…"))))
        assert any(shape.match(message) for message, of in messages if of == kind), pattern
    assert not codes, "add entries to docs/troubleshooting.md"


def test_figures_of_the_performance_page_were_measured() -> None:
    """Each time, ratio and amount of memory on it is in benchmarks.md."""
    text = (TOP / "docs" / "performance.md").read_text()
    figures = re.findall(r"\*\*([\d.]+)\*\*|([\d.]+) ms|([\d.]+) MB of memory", text)
    assert len(figures) > 20
    measured = (TOP / "docs" / "benchmarks.md").read_text()
    for figure in {one for found in figures for one in found if one}:
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.])", measured), figure


@pytest.mark.parametrize("title", CASES)
def test_the_errors_page_loses_no_case(title: str) -> None:
    """No section has fewer rows than it had, and none is unknown."""
    assert len(re.findall(r"^\| ", section("errors.md", title), re.MULTILINE)) - 1 >= CASES[title]
    assert set(re.findall(r"^## (.*)$", (TOP / "docs" / "errors.md").read_text(), re.MULTILINE)) == set(CASES)


def test_every_exit_code_is_explained() -> None:
    """The table has the codes of all errors, of success and of signals."""
    cells = {code for cell in first_cells(section("errors.md", "")) for code in re.findall(r"\d+", cell)}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert cells == {"0", "130", "143", "129"} | {
        str(one.exit_code) for one in classes if issubclass(one, errors.MinpackError)
    }


def test_every_need_and_verdict_has_a_row() -> None:
    """The tables of needs.md have each of them once."""
    needs = [name for cell in first_cells(section("needs.md", "The needs")) for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(needs) == sorted(map(str, Need))
    verdicts = [cell.strip("`") for cell in first_cells(section("needs.md", "The verdicts"))]
    assert sorted(verdicts) == sorted(map(str, Verdict))


def test_every_variable_has_a_row() -> None:
    """The table of variables has each that minpack reads by its own name, and no others of minpack's."""
    read = {
        node.value
        for path in (TOP / "src" / "minpack").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.fullmatch(r"MINPACK_[A-Z_]+|SOURCE_DATE_EPOCH|XDG_CACHE_HOME|SSL_CERT_FILE|TMPDIR", node.value)
    }
    table = names_in("\n".join(first_cells(section("cli.md", ""))))
    assert read <= table
    assert {name for name in table if name.startswith("MINPACK_")} <= read


def keys_of(value: Any) -> set[str]:
    """The names of all fields in a document, at any depth."""
    if isinstance(value, dict):
        return set(value) | {key for member in value.values() for key in keys_of(member)}
    return {key for member in value for key in keys_of(member)} if isinstance(value, list) else set()


def test_every_field_of_a_document_has_a_row(tmp_path: Path) -> None:
    """json.md names, in the section of each schema, all fields that a command's document has."""
    app = write_program(tmp_path / "app")
    (tmp_path / "dynamic").write_bytes(program(("libc.so.6",), interpreter=GLIBC))
    commands = {
        "pack/1": ("pack", app, "--dry-run"),
        "tree/1": ("tree", app, "--check", "load"),
        "inspect/1": ("inspect", app, "--full"),
        "bases/1": ("base", "list"),
        "base/1": ("base", "info", "scratch"),
        "lock/1": ("lock", app, "--base", "scratch"),
        "update/1": ("update", app),
        "outdated/1": ("outdated",),
        "cache/1": ("cache", "info"),
        "pruned/1": ("cache", "prune"),
        "error/1": ("pack", tmp_path / "missing"),
    }
    text = (TOP / "docs" / "json.md").read_text()
    shared = names_in(section("json.md", "`minpack.pack/1`"))
    for schema, command in commands.items():
        done = minpack(*command, "--json", cwd=tmp_path, status=1 if schema == "error/1" else 0)
        (title,) = (line for line in re.findall(r"^## (.*)$", text, re.MULTILINE) if f"`minpack.{schema}`" in line)
        document = json.loads(done.stdout)
        fields = keys_of(document) if schema == "pack/1" else set(document)
        known = names_in(section("json.md", title)) | (shared if schema == "base-image/1" else set())
        assert fields - {"schema", "data"} <= known | {"data"}, schema


def test_the_table_of_files_names_real_options() -> None:
    """Each option in files.md exists."""
    known = set(re.findall(r"--[a-z][a-z0-9-]*", generate.reference()))
    cells = first_cells(section("files.md", ""))
    options = {option for cell in cells for option in re.findall(r"--[a-z]+", cell)}
    assert {"--add", "--dir", "--symlink", "--volume", "--workdir"} <= options <= known


#: The pages for contributors.
FOR_CONTRIBUTORS = ("CONTRIBUTING.md", "SECURITY.md", "docs/releasing.md")


@pytest.mark.parametrize("page", FOR_CONTRIBUTORS)
def test_contributors_are_told_of_what_there_is(page: str) -> None:
    """Each target of make and each file that the page names exists."""
    text = (TOP / page).read_text()
    targets = set(re.findall(r"^([a-z0-9]+):.*## ", (TOP / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ +)make ([a-z]+)", text, re.MULTILINE))
    assert named
    assert named <= targets
    for path in re.findall(r"`((?:tests|docs|src|samples|\.ci)/[\w./-]+|cli/[\w./-]+|[a-z]+/[\w-]+\.py)", text):
        assert (TOP / path).exists() or (TOP / "src" / "minpack" / path).exists(), path


def test_every_kind_of_test_has_its_row() -> None:
    """CONTRIBUTING.md has each directory of tests, and how long it takes."""
    rows = re.findall(r"^\|(.*)\|$", (TOP / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    timed = {name for row in rows if row.count("|") == 3 for name in re.findall(r"`tests/(\w+)/`", row.split("|")[0])}
    kinds = {path.parent.relative_to(TOP / "tests").parts[0] for path in (TOP / "tests").glob("*/*.py")}
    assert timed == kinds - {"support"}


def test_the_changelog_has_a_section_for_each_version() -> None:
    """What is not released comes first, then versions with their dates, the newest first: the one that this is."""
    first, *released = re.findall(r"^## (.*)$", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == "Unreleased"
    matches = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \(\d{4}-\d\d-\d\d\)", title) for title in released]
    numbers = [tuple(map(int, match.groups())) for match in matches if match is not None]
    assert len(numbers) == len(released)
    assert numbers == sorted(set(numbers), reverse=True)
    assert not numbers or ".".join(map(str, numbers[0])) == __version__
    kinds = re.findall(r"^### (.*)$", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
