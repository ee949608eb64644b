"""What a file of images may have in it, and where it says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.config.keys import ConfigKey, KeyKind, near
from minpack.config.model import read_config
from minpack.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from minpack.config.model import Config

KEYS = (
    ConfigKey("base", KeyKind.MANY, "[OS/ARCH=]BASE", has_pairs=True),
    ConfigKey("env", KeyKind.MANY, "KEY=VALUE", has_pairs=True),
    ConfigKey("tag", KeyKind.MANY, "NAME"),
    ConfigKey("format", KeyKind.ONE, "FORMAT", choices=("archive", "oci")),
    ConfigKey("created", KeyKind.ONE, "SECONDS"),
    ConfigKey("strip", KeyKind.FLAG),
    ConfigKey("debug", KeyKind.ONE, "IMAGE", bare="busybox"),
)
IMAGE = '[image.a]\nprograms = ["x"]\n'


def read(place: Path, text: str) -> Config:
    """The file with that text."""
    path = place / "minpack.toml"
    path.write_text(text)
    return read_config(str(path), KEYS)


def refused(place: Path, text: str) -> tuple[str, str | None]:
    """Where and why the file is refused, and the hint."""
    with pytest.raises(ConfigError) as caught:
        read(place, text)
    return caught.value.message.replace(f"{place}/", ""), caught.value.hint


def test_every_form_of_a_value(tmp_path: Path) -> None:
    """Texts, numbers, arrays and tables are what the command line would have, each with its place."""
    config = read(
        tmp_path, f"{IMAGE}tag = ['a', \"b\"]\nenv = {{A = 1, B = true}}\nstrip = true\ncreated = 7\ndebug = true"
    )
    found = config.images["a"]
    assert {key: [text.text for text in one.texts] for key, one in found.items()} == {
        "programs": ["x"],
        "tag": ["a", "b"],
        "env": ["A=1", "B=true"],
        "strip": [],
        "created": ["7"],
        "debug": ["busybox"],
    }
    assert found["strip"].flag is True
    assert [str(text.place) for text in found["env"].texts] == ["4:12", "4:19"]
    assert [str(text.place) for text in found["tag"].texts] == ["3:8", "3:13"]


def test_false_takes_back(tmp_path: Path) -> None:
    """So does an empty array: what the defaults set is not set then."""
    config = read(tmp_path, f"{IMAGE}tag = false\nstrip = false\nenv = []")
    assert all(config.images["a"][key].is_unset for key in ("tag", "strip", "env"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "",
            "cannot use minpack.toml:1:1: it defines no image",
            'for example [image.app], and below it programs = ["./app"]',
        ),
        ("[imagee.a]", "cannot use imagee in minpack.toml:1:2: unknown key", "did you mean image?"),
        (
            "base = 1",
            "cannot use base in minpack.toml:1:1: unknown key",
            "base is a key of [defaults] or of an image: [image.NAME]",
        ),
        (
            "zzz = 1",
            "cannot use zzz in minpack.toml:1:1: unknown key",
            "the tables are [defaults], [image.NAME], [profile.NAME]",
        ),
        (f"{IMAGE}bsae = 1", "cannot use bsae in minpack.toml:3:1: unknown key", "did you mean base?"),
        (f"{IMAGE}tags = 1", "cannot use tags in minpack.toml:3:1: unknown key", "did you mean tag?"),
        (f"{IMAGE}qqq = 1", "cannot use qqq in minpack.toml:3:1: unknown key", "docs/config.md has all"),
        (
            f"{IMAGE}strip = 1",
            "cannot use strip in minpack.toml:3:9: it must be true or false",
            "for example strip = true",
        ),
        (
            f"{IMAGE}format = ['oci']",
            "cannot use format in minpack.toml:3:10: it must be a string",
            'for example format = "archive"',
        ),
        (
            f"{IMAGE}tag = ['a', 1.5]",
            "cannot use tag in minpack.toml:3:13: it must be a string, or an array of strings",
            'for example tag = ["NAME"]',
        ),
        (
            f"{IMAGE}tag = {{a = 1}}",
            "cannot use tag in minpack.toml:3:7: it must be a string, or an array of strings",
            'for example tag = ["NAME"]',
        ),
        (
            f"{IMAGE}tag = true",
            "cannot use tag in minpack.toml:3:7: it must be a string, or an array of strings",
            'for example tag = ["NAME"]',
        ),
        (
            f"{IMAGE}env = {{a = []}}",
            "cannot use a in minpack.toml:3:12: it must be a string, or an array of strings, or a table",
            'for example env = ["KEY=VALUE"]',
        ),
        (f'{IMAGE}tag = "a\\u0000"', "cannot use tag in minpack.toml:3:7: it has a null character", None),
        (
            "[image.A]",
            "cannot use A in minpack.toml:1:8: 'A' is no name for an image",
            "use a-z and 0-9, with one of . _ - in between",
        ),
        (
            "image = 1",
            "cannot use image in minpack.toml:1:9: it must be a table",
            "write [image.NAME] on a line of its own",
        ),
        ("[[image.a]]", "cannot use a in minpack.toml:1:9: it must be a table", "write [image.a] on a line of its own"),
        (
            f"{IMAGE}[defaults]\nprograms = 'x'",
            "cannot use programs in minpack.toml:4:1: each image has programs of its own",
            None,
        ),
        (
            f"{IMAGE}version = {{fil = 'x'}}",
            "cannot use fil in minpack.toml:3:12: unknown key",
            "did you mean file?",
        ),
        (
            f"{IMAGE}version = {{}}",
            "cannot use version in minpack.toml:3:11: it must name one place",
            'for example version = {file = "VERSION"}',
        ),
        (f"{IMAGE}version = {{env = 1}}", "cannot use env in minpack.toml:3:18: it must be a name", None),
        (
            "[image.a",
            "cannot use minpack.toml:1:9: it is not TOML: expected ']' at the end of a table declaration",
            None,
        ),
        ("a = 1\na = 2", "cannot use minpack.toml:2:6: it is not TOML: cannot overwrite a value", None),
        ("x = " + "[" * 5000, "cannot use 'minpack.toml': it is nested too deeply", None),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    """The message names the key and its place; the hint says what to write."""
    assert refused(tmp_path, text) == (message, hint)


def test_what_is_no_text_file(tmp_path: Path) -> None:
    """Bytes, directories, pipes and files that are not there are refused at once."""
    (tmp_path / "minpack.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match=r"minpack.toml:2: it is not UTF-8 text"):
        read_config(str(tmp_path / "minpack.toml"), KEYS)
    with pytest.raises(ConfigError, match="no such file or directory"):
        read_config(str(tmp_path / "none"), KEYS)
    with pytest.raises(ConfigError, match="is a directory"):
        read_config(str(tmp_path), KEYS)
    with pytest.raises(ConfigError, match="it is not a regular file"):
        read_config("/dev/zero", KEYS)


@pytest.mark.parametrize(("name", "meant"), [("bas", "base"), ("needs", "need"), ("max_size", "max-size"), ("q", "")])
def test_what_a_name_may_be_meant_to_be(name: str, meant: str) -> None:
    """A plural, an underscore and a slip of the finger lead to the key."""
    assert near(name, ("base", "need", "max-size")) == meant


@pytest.mark.parametrize(
    ("name", "meant"), [("app", "programs"), ("apps", "programs"), ("ports", "expose"), ("environment", "env")]
)
def test_what_other_tools_call_a_key(name: str, meant: str) -> None:
    """Their word leads to the key, not to one that is spelled like it; among other names it means nothing."""
    assert near(name, ("cap", "env", "expose", "programs")) == meant
    assert near(name, ("web",)) == ""
