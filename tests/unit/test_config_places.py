"""Where keys and values of a TOML document are, compared with what tomllib reads at these places."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from minpack.config.places import find_places

DOCUMENT = '''# a comment = 1
a = 1
"b.c".d = "x\\"y" # z = 2
[t . 'u v']
x = [1, [2, 3], {k = 'v', w.z = """a
"b" """}, # = "
  "last",
]
[[arr]]
n = 1979-05-27 07:32:00
[arr.sub]
q = true
[[arr]]
n = 2
'''


def test_every_value_has_its_place() -> None:
    """In whatever way it is written: dotted and quoted keys, long strings, nested arrays, arrays of tables."""
    places = find_places(DOCUMENT).values
    shown = {path: str(place) for path, place in places.items()}
    assert shown == {
        ("a",): "2:5",
        ("b.c",): "3:1",
        ("b.c", "d"): "3:11",
        ("t",): "4:2",
        ("t", "u v"): "4:6",
        ("t", "u v", "x"): "5:5",
        ("t", "u v", "x", 0): "5:6",
        ("t", "u v", "x", 1): "5:9",
        ("t", "u v", "x", 1, 0): "5:10",
        ("t", "u v", "x", 1, 1): "5:13",
        ("t", "u v", "x", 2): "5:17",
        ("t", "u v", "x", 2, "k"): "5:22",
        ("t", "u v", "x", 2, "w"): "5:27",
        ("t", "u v", "x", 2, "w", "z"): "5:33",
        ("t", "u v", "x", 3): "7:3",
        ("arr",): "9:3",
        ("arr", 0): "9:3",
        ("arr", 0, "n"): "10:5",
        ("arr", 0, "sub"): "11:6",
        ("arr", 0, "sub", "q"): "12:5",
        ("arr", 1): "13:3",
        ("arr", 1, "n"): "14:5",
    }


def test_keys_and_values_have_places_of_their_own() -> None:
    """An unknown key is shown where the key is, and not its value."""
    found = find_places("[image.web]\r\nbsae = 'x'\r\n")
    assert str(found.keys["image", "web", "bsae"]) == "2:1"
    assert str(found.values["image", "web", "bsae"]) == "2:8"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.booleans() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.booleans())
def test_whatever_tomllib_reads_has_its_place(document: dict[str, Any], multiline: bool) -> None:
    """Each scalar's place is where a document of it alone can be read."""
    text = tomli_w.dumps(document, multiline_strings=multiline)
    read = tomllib.loads(text)
    places = find_places(text).values
    lines = text.replace("\r\n", "\n").split("\n")
    for path, value in scalars(read):
        place = places[path]
        rest = "\n".join((lines[place.line - 1][place.column - 1 :], *lines[place.line :]))
        assert begins_with(rest, value), (path, place)


def scalars(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """Each value that is no table and no array, with the path to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not isinstance(value, dict | list):
        yield path, value
    for key, member in items:
        yield from scalars(member, (*path, key))


def begins_with(text: str, value: object) -> bool:
    """Whether the first TOML value in `text` is this one."""
    for end in range(1, len(text) + 1):
        try:
            if tomllib.loads(f"x = {text[:end]}") == {"x": value}:
                return True
        except tomllib.TOMLDecodeError:
            continue
    return False


@pytest.mark.parametrize("text", ["", "# only a comment", "\n\n", "a=1"])
def test_small_documents(text: str) -> None:
    """Nothing more is needed at the end."""
    assert set(find_places(text).values) == {(key,) for key in tomllib.loads(text)}
