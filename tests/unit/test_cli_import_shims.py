"""click is imported without modules that it mentions: these tests fail when another version of click needs them."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from minpack.cli import import_shims

NAMES = ("datetime", "gettext", "inspect", "uuid")


def output_of(code: str) -> str:
    """What an interpreter of its own prints: what was imported before would change the answer."""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_click_asks_for_nothing_that_is_left_out() -> None:
    """The command line is imported without the real modules, which click would get as soon as it wants more of them."""
    loaded = f"sorted(set({NAMES}) & sys.modules.keys() - before)"
    code = f"import sys; before = set(sys.modules); import minpack.cli.run, minpack.cli.pack; print({loaded})"
    assert output_of(code) == "[]"


def test_all_others_get_the_real_modules() -> None:
    """Whoever imports one of them later has what it was asked for."""
    real = "inspect.signature, uuid.uuid4, datetime.datetime.now, gettext.translation"
    assert output_of(f"import minpack.cli.run, {', '.join(NAMES)}; print(all(({real})))") == "True"


def test_click_gets_the_real_module_for_what_a_stand_in_lacks() -> None:
    """A click that wants more works as well, and is only slower."""
    assert output_of("import minpack.cli.run, click.core as core; print(core.inspect.isclass(int))") == "True"


@pytest.mark.parametrize(
    "use", ["click.UUID.convert('x', None, None)", "click.DateTime().convert('2026-11-30', None, None)"]
)
def test_what_is_left_out_is_never_used_by_accident(use: str) -> None:
    """A class that only has a name refuses to be used: a wrong answer would look like a right one."""
    code = f"import minpack.cli.run, click\ntry:\n    {use}\nexcept AssertionError as error:\n    print(error)"
    assert "cli/import_shims.py leaves out" in output_of(code)


@pytest.mark.parametrize("text", ["", "One line.", "  Indented.  ", "One.\n\n    Two.\n      Three.\n    ", "\tTab."])
def test_help_is_laid_out_as_ever(text: str) -> None:
    """The short way for texts of one line gives what `inspect` gives."""
    assert import_shims._cleandoc(text) == inspect.cleandoc(text)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_messages_are_in_the_singular_for_one_alone(number: int) -> None:
    """As without translations."""
    assert import_shims._ngettext("one", "many", number) == ("one" if number == 1 else "many")
