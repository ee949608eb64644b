"""The documentation says what is true now."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "docs"))

import generate  # noqa: E402 - found on the path added above

PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("samples/*/README.md")])


def test_the_command_line_reference_is_current() -> None:
    """`docs/cli.md` is what `make docs` would write."""
    assert generate.TARGET.read_text() == generate.reference(), "run `make docs`"


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
