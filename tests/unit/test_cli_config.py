"""Every option of pack is a key, and means the same in the file as on the command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import tomli_w
from test_option_walk import rows  # type: ignore[import-not-found] # pytest puts it on the path

from minpack.cli.build import command as build_command
from minpack.cli.config import OF_A_RUN, check_ready, configured_keys, key_name, pack_context, read_images, ready_images
from minpack.cli.pack import command as pack_command
from minpack.config.keys import KeyKind
from minpack.errors import ConfigError, UsageError
from support.optionwalk import extended

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As the group of all commands has it: click keeps the option --help of a command as it is first made.
CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
ROWS = {
    option: shlex.join(extended(pack_command, shlex.split(call), shlex.split(more)))
    for option, (call, more) in rows("pack").items()
}
MORE = {option: more for option, (_, more) in rows("pack").items()}
KEYS = {f"--{key.name}": key for key in configured_keys()}
OPTIONS = [one for one in pack_command.params if isinstance(one, click.Option)]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for option in OPTIONS:
        if isinstance(option.envvar, str):
            monkeypatch.delenv(option.envvar, raising=False)


def words(text: str) -> list[str]:
    """The words of a row, with hosts in place of what stands for them."""
    hosts = {"REGISTRY": "localhost:5000", "SECURE": "localhost:5001", "OTHER": "http://x.example"}
    return shlex.split(re.sub("|".join(hosts), lambda found: hosts[found[0]], text))


def written(place: Path, arguments: list[str]) -> Path:
    """The file of one image that is what these words are for pack."""
    context = click.Context(pack_command, **CONTEXT)
    texts, _, _ = pack_command.make_parser(context).parse_args(list(arguments))
    table: dict[str, Any] = {"programs": list(texts["programs"])}
    for option in OPTIONS:
        if option.name in texts and option.name not in OF_A_RUN:
            table[key_name(option)] = texts[option.name]
    path = place / "minpack.toml"
    path.write_text(tomli_w.dumps({"image": {"app": table}}))
    return path


def given_by_file(*more: str) -> dict[str, Any]:
    """What pack is given for the only image of the file."""
    with build_command.make_context("build", list(more), **CONTEXT) as outer:
        (image,) = read_images(outer.params)
        (ready,) = ready_images([image], outer)
    with pack_context(ready) as given:
        return given


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What pack is given by these words."""
    with pack_command.make_context("pack", list(arguments), **CONTEXT) as context:
        return {name: value for name, value in context.params.items() if name not in OF_A_RUN}


def test_every_option_is_a_key() -> None:
    """But for those about one run; and none is missing from what is compared below."""
    others = {f"--{key_name(option)}" for option in OPTIONS if option.name in OF_A_RUN}
    assert KEYS.keys() | others == {f"--{key_name(option)}" for option in OPTIONS}
    assert ROWS.keys() >= KEYS.keys()


@pytest.mark.parametrize("option", sorted(KEYS))
def test_a_key_means_what_the_option_means(option: str, tmp_path: Path) -> None:
    """Whatever the walk of options gives it: the values that pack is given are equal, each one of them."""
    arguments = [word for word in words(ROWS[option]) if word not in ("--quiet", "--json", "--verbose", "--dry-run")]
    written(tmp_path, arguments)
    found = given_by_file()
    assert {name: value for name, value in found.items() if name not in OF_A_RUN} == parsed(arguments)


@pytest.mark.parametrize("option", sorted(KEYS))
def test_a_command_line_is_put_over_the_file(option: str, tmp_path: Path) -> None:
    """An option of minpack build takes the place of the file's."""
    written(tmp_path, ["./app"])
    more = words(MORE[option])
    found = given_by_file(*more)
    assert {name: value for name, value in found.items() if name not in OF_A_RUN} == parsed(["./app", *more])


@pytest.mark.parametrize(
    "arguments",
    [
        "--tag A b",
        "--expose x",
        "--user 'a b'",
        "--compress most",
        "--add x",
        "--base-sha512 1",
        "--mirror x",
        "--need x",
    ],
)
def test_what_an_option_refuses_the_key_refuses(arguments: str, tmp_path: Path) -> None:
    """For the same reason, with the place in place of the option."""
    option, *_ = arguments.split()
    with pytest.raises(UsageError) as typed:
        parsed(["./app", *shlex.split(arguments)[:2]])
    written(tmp_path, ["./app", *shlex.split(arguments)[:2]])
    with pytest.raises(ConfigError) as caught:
        given_by_file()
    assert caught.value.reason == typed.value.reason
    assert (caught.value.path, caught.value.key) == ("minpack.toml", option[2:])
    # An array has its values below it.
    assert caught.value.line in (5, 6)


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("user = ''", None),
        ("env = ['HOME']", None),
        ("tag = 'a:'", 'write tag = "me/myapp:1.0"'),
        ("label = 'x'", 'for an empty value: label = "x="'),
    ],
)
def test_hints_are_about_the_file(setting: str, hint: str | None, tmp_path: Path) -> None:
    """What they say to write can be written there, and nothing is about a shell."""
    (tmp_path / "minpack.toml").write_text(f"[image.a]\nprograms = './x'\n{setting}\n")
    with pytest.raises(ConfigError) as caught:
        given_by_file()
    assert caught.value.hint == hint


def contradictions() -> Iterator[tuple[str, str]]:
    """Texts of a file in which two keys contradict each other, and where that is shown."""
    yield 'cache-dir = "x"\nno-cache = true', "cache-dir in minpack.toml:3:13"
    yield 'keys = "x"\nno-packages = true', "keys in minpack.toml:3:8"
    yield "no-packages = true\nkeys = 'x'", "keys in minpack.toml:4:8"


@pytest.mark.parametrize(("text", "shown"), list(contradictions()))
def test_keys_that_contradict_each_other(text: str, shown: str, tmp_path: Path) -> None:
    """As options do, with the place of the first."""
    (tmp_path / "minpack.toml").write_text(f'[image.a]\nprograms = "x"\n{text}\n')
    with pytest.raises(ConfigError, match=shown):
        given_by_file()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('health-timeout = "30"', 'write health-timeout = "30s"'),
        ('health = "http://:80/a#b"', 'write health = "http://:80/a"'),
        ('health = "http://:80?a"', "write health = 'http://:80/?a'"),
        ('health-retries = "0"', "for example health-retries = 3"),
        ('cap = "net_raw+p"', 'write cap = "net_raw+ep", or net_raw+eip'),
        ('exclude = "#x"', r"write exclude = '\#x'"),
    ],
)
def test_hints_are_lines_of_the_file(text: str, shown: str, tmp_path: Path) -> None:
    """Texts are in quotes, so that the file can be read with them."""
    path = tmp_path / "minpack.toml"
    path.write_text(f'[image.app]\nprograms = ["a"]\n{text}\n')
    with pytest.raises(ConfigError) as caught:
        given_by_file()
    assert shown in (caught.value.hint or "")


def test_the_environment_is_put_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the command line over both."""
    (tmp_path / "minpack.toml").write_text('[image.a]\nprograms = "x"\nbase = "alpine-3.20"\n')

    def base(*more: str) -> str:
        ((_, found),) = given_by_file(*more)["base"]
        return str(found.text)

    assert base() == "alpine-3.20"
    monkeypatch.setenv("MINPACK_BASE", "alpine-3.21")
    assert base() == "alpine-3.21"
    assert base("--base", "alpine-3.22") == "alpine-3.22"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """As its commands are run there; afterwards the process is where it was."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "minpack.toml").write_text('[image.a]\nprograms = "x*"\n')
    (tmp_path / "sub" / "x1").touch()
    before = Path.cwd()
    with build_command.make_context("build", ["-f", "sub/minpack.toml"], **CONTEXT) as outer:
        (image,) = read_images(outer.params)
    assert image.programs == ("x1",)
    assert Path.cwd() == before


def test_kinds_follow_from_options() -> None:
    """Switches are true or false, what may be repeated is an array, and pairs may be a table."""
    assert KEYS["--strip"].kind is KeyKind.FLAG
    assert (KEYS["--env"].kind, KEYS["--env"].has_pairs) == (KeyKind.MANY, True)
    assert (KEYS["--base"].kind, KEYS["--base"].has_pairs) == (KeyKind.MANY, True)
    assert (KEYS["--tag"].kind, KEYS["--tag"].has_pairs) == (KeyKind.MANY, False)
    assert KEYS["--compress"].choices == ("none", "balanced", "small")


def check_file() -> None:
    """Check the only image of the file, as before it is built."""
    with build_command.make_context("build", [], **CONTEXT) as outer:
        (image,) = read_images(outer.params)
        (ready,) = ready_images([image], outer)
        check_ready(ready)


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        (
            "tag = 'app:{vers}'",
            "cannot use tag 'app:{vers}' in minpack.toml:3:7: '{vers}' is not a tag",
            "the words in braces that are replaced are {version} and {name}",
        ),
        (
            "push = true",
            "cannot use image.app in minpack.toml:1:8: it has no tag to push it under",
            'for example tag = "ghcr.io/me/app:1.0"',
        ),
    ],
)
def test_an_image_that_cannot_be_pushed(tmp_path: Path, table: str, message: str, hint: str) -> None:
    """The error names the image or the value, and what to write there."""
    (tmp_path / "minpack.toml").write_text(f"[image.app]\nprograms = 'app'\n{table}\n")
    (tmp_path / "app").touch()
    with pytest.raises(ConfigError) as caught:
        check_file()
    assert (caught.value.message, caught.value.hint) == (message, hint)
