"""The published schema takes what minpack takes, and refuses what it refuses."""

from __future__ import annotations

import json
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from minpack.cli.config import configured_keys
from minpack.config.model import read_config
from minpack.config.schema import schema_of
from minpack.errors import ConfigError
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path

KEYS = tuple(configured_keys())
SCHEMA = schema_of(KEYS)
IMAGE = '[image.a]\nprograms = ["x"]\n'
GOOD = (
    IMAGE,
    f"{IMAGE}expose = [80, '53/udp']\nuser = 1000\nstrip = true\nsbom = false",
    f"{IMAGE}env = {{A = '1', B = true}}\nlabel = ['a=b']\nbase = {{'linux/arm64' = 'scratch'}}",
    f"{IMAGE}format = 'oci'\ncompress = false\nversion = {{git = true}}",
    f"[defaults]\nversion = {{file = 'V'}}\n{IMAGE}[profile.release]\nprograms = 'y'\nsbom = ['spdx', 'cyclonedx']",
)
BAD = (
    "",
    "[images.a]\nprograms = 'x'",
    f"{IMAGE}bsae = 'x'",
    f"{IMAGE}strip = 'yes'",
    f"{IMAGE}user = ['a']",
    f"{IMAGE}tag = {{a = 'b'}}",
    f"{IMAGE}env = {{A = []}}",
    f"{IMAGE}expose = 1.5",
    f"{IMAGE}version = {{git = 'x'}}",
    f"{IMAGE}version = {{}}",
    "[image.A]\nprograms = 'x'",
    f"[defaults]\nprograms = 'x'\n{IMAGE}",
    "image = 1",
)


def faults(document: dict[str, Any]) -> list[str]:
    """What the schema says is wrong."""
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(document)]


def test_it_is_a_schema() -> None:
    """Of the draft that it names, with a key for each option, each with its help."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    properties = SCHEMA["properties"]["image"]["additionalProperties"]["properties"]
    assert set(properties) == {"programs", "version", *(key.name for key in KEYS)}
    assert all(one["description"] for one in properties.values())


@pytest.mark.parametrize("text", GOOD)
def test_it_takes_what_minpack_takes(tmp_path: Path, text: str) -> None:
    """Every form of a value."""
    (tmp_path / "minpack.toml").write_text(text)
    read_config(str(tmp_path / "minpack.toml"), KEYS)
    assert faults(tomllib.loads(text)) == []


@pytest.mark.parametrize("text", BAD)
def test_it_refuses_what_minpack_refuses(tmp_path: Path, text: str) -> None:
    """Keys that are not known, and values of another form."""
    (tmp_path / "minpack.toml").write_text(text)
    with pytest.raises(ConfigError):
        read_config(str(tmp_path / "minpack.toml"), KEYS)
    assert faults(tomllib.loads(text))


@pytest.mark.oracle
def test_taplo_finds_the_same(tmp_path: Path) -> None:
    """The checker of editors takes the good files and refuses the bad ones."""
    taplo = need_tool("taplo")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    for kind, texts in {"good": GOOD, "bad": BAD}.items():
        for number, text in enumerate(texts):
            (tmp_path / f"{kind}{number}.toml").write_text(text)
    command = [taplo, "lint", "--schema", f"file://{tmp_path}/schema.json"]
    good = subprocess.run([*command, *map(str, tmp_path.glob("good*"))], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    bad = subprocess.run([*command, *map(str, tmp_path.glob("bad*"))], capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert not [path.name for path in tmp_path.glob("bad*") if path.name not in bad.stderr], bad.stderr
