"""What is put over what, and what the words in braces become."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from minpack.config.keys import ConfigKey, KeyKind
from minpack.config.model import read_config
from minpack.config.resolve import expand_programs, resolve_images
from minpack.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEYS = (
    ConfigKey("tag", KeyKind.MANY, "NAME"),
    ConfigKey("env", KeyKind.MANY, "KEY=VALUE", has_pairs=True),
    ConfigKey("strip", KeyKind.FLAG),
    ConfigKey("zstd", KeyKind.FLAG),
)


def resolved(
    place: Path, text: str, *names: str, profiles: tuple[str, ...] = (), env: Mapping[str, str] | None = None
) -> dict[str, dict[str, object]]:
    """The settings of each image of a file with that text."""
    path = place / "minpack.toml"
    path.write_text(text)
    images = resolve_images(read_config(str(path), KEYS), names, profiles, env or {})
    return {
        one.name: {
            key: s.flag if s.flag is not None else [text.text for text in s.texts] for key, s in one.settings.items()
        }
        for one in images
    }


LAYERS = """
[defaults]
tag = ["d"]
env = { A = "1", B = "1" }
strip = true
[image.a]
programs = "x"
env = { B = "2" }
[image.b]
programs = "y"
tag = "b"
strip = false
env = ["C=3"]
[profile.release]
zstd = true
env = { A = "4" }
[profile.plain]
zstd = false
"""


def test_an_image_is_put_over_the_defaults(tmp_path: Path) -> None:
    """Its values take the place of theirs, but tables are added to; false takes back."""
    assert resolved(tmp_path, LAYERS) == {
        "a": {"tag": ["d"], "env": ["A=1", "B=2"], "strip": True},
        "b": {"tag": ["b"], "env": ["C=3"]},
    }


def test_profiles_are_put_over_images(tmp_path: Path) -> None:
    """In their order, the last first."""
    (found,) = resolved(tmp_path, LAYERS, "a", profiles=("release",)).values()
    assert found == {"tag": ["d"], "env": ["A=4", "B=2"], "strip": True, "zstd": True}
    (found,) = resolved(tmp_path, LAYERS, "a", profiles=("release", "plain")).values()
    assert "zstd" not in found


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """An image and a profile that the file does not have, with what may be meant."""
    with pytest.raises(UsageError) as caught:
        resolved(tmp_path, LAYERS, "c")
    assert (caught.value.message, caught.value.hint) == (
        "cannot find image 'c': the file has no such image",
        "it has a, b",
    )
    with pytest.raises(UsageError) as caught:
        resolved(tmp_path, LAYERS, profiles=("relese",))
    assert caught.value.message == "cannot use --profile 'relese': the file has no [profile.relese]"
    assert caught.value.hint == "did you mean release?"


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ('"1.2"', "1.2"),
        ("3", "3"),
        ('{file = "VERSION"}', "2.0-rc1"),
        ('{env = "CI_TAG"}', "9"),
    ],
)
def test_where_the_version_is_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: str) -> None:
    """A text, the first line of a file without the v of tags, a variable."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "VERSION").write_text("v2.0-rc1\nmore\n")
    text = f'[image.a]\nprograms = "x"\nversion = {version}\ntag = "{{name}}:{{version}}"\n'
    text += 'env = ["X={{version}} {x}"]\n'
    settings = resolved(tmp_path, text, env={"CI_TAG": "9"})["a"]
    assert settings == {"tag": [f"a:{found}"], "env": ["X={version} {x}"]}


def test_git_says_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tag, and how far the commit is from it; without a repository the place is named where it is wanted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    text = '[image.a]\nprograms = "x"\ntag = "a:{version}"\n'
    with pytest.raises(ConfigError, match=r"cannot use version in .*minpack.toml:3:7: git: "):
        resolved(tmp_path, text)
    for arguments in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "x"), ("tag", "v1.4.0")):
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)
    assert resolved(tmp_path, text)["a"]["tag"] == ["a:1.4.0"]
    # However many images want it, git is asked once.
    asked = list[object]()
    run = subprocess.run

    def counted(*arguments: Any, **options: Any) -> object:
        asked.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", counted)
    more = text.replace("image.a", "image.b").replace("a:", "b:")
    assert [one["tag"] for one in resolved(tmp_path, text + more).values()] == [["a:1.4.0"], ["b:1.4.0"]]
    assert len(asked) == 1


@pytest.mark.parametrize("version", ['{file = "none"}', '{env = "NOT_SET"}', '{file = "."}'])
def test_a_version_that_is_not_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """The place is where it should come from; nobody asks for it where it is not used."""
    monkeypatch.chdir(tmp_path)
    text = f'[image.a]\nprograms = "x"\nversion = {version}\n'
    assert resolved(tmp_path, text) == {"a": {}}
    with pytest.raises(ConfigError, match=r"cannot use version in .*minpack.toml:3:(18|19): "):
        resolved(tmp_path, f'{text}tag = "a:{{version}}"\n')


def test_programs_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the patterns; what matches nothing is refused where it is written."""
    monkeypatch.chdir(tmp_path)
    for name in ("x1", "x2"):
        (tmp_path / name).touch()
    path = tmp_path / "minpack.toml"
    path.write_text('[image.a]\nprograms = ["x2", "x*"]\n[image.b]\nprograms = ["x1",\n  "z*"]\n[image.c]\n')
    config = read_config(str(path), KEYS)
    first, second, third = resolve_images(config, (), (), {})
    assert expand_programs(first, config, ()) == ("x2", "x1")
    with pytest.raises(ConfigError, match=r"cannot use programs 'z\*' in .*:5:3: no file matches"):
        expand_programs(second, config, ())
    with pytest.raises(ConfigError, match=r"cannot use image.c in .*:6:8: it has no programs"):
        expand_programs(third, config, ())
