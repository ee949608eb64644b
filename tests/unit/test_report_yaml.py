"""PyYAML reads what is written, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from minpack.report.yaml import scalar, yaml_lines

TRICKY = (
    *("", " ", "y", "No", "ON", "null", "~", "1", "0x1f", "1e3", "12:30:45", "2020-01-01", ".inf", "nan", "=", "<<"),
    *("a: b", "a #b", "- a", "[a]", "{a}", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "'a'", '"a"', "a\\b", "---"),
    *("a\nb", "a\tb", "\x00", "\x85", "\u2028", "\ufeff", "\u202e", "\U0001f600", "ä", "a:", ":", "/a", "-", "?"),
)
#: What a JSON document of an image can have: no half of a pair.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(TRICKY)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("text", TRICKY)
def test_text_stays_text(text: str) -> None:
    """No text is taken for a number, a date, a truth or a mark of YAML's, and each is in one line of what is seen."""
    written = scalar(text)
    assert written.isprintable()
    assert yaml.safe_load(written) == text
    assert yaml.safe_load("\n".join(yaml_lines({text: [text, {text: text}]}))) == {text: [text, {text: text}]}


@given(document=st.dictionaries(TEXTS, VALUES, max_size=5))
def test_documents_are_read_again(document: dict[str, Any]) -> None:
    """Nested as they may be, and empty."""
    written = "\n".join(yaml_lines(document))
    assert (yaml.safe_load(written) or {}) == document
    assert all(line.isprintable() for line in written.split("\n"))


def test_how_it_looks() -> None:
    """As people write it: two spaces, no quotes where none are needed."""
    document: dict[str, Any] = {
        "kind": "Pod",
        "spec": {"list": [{"name": "a", "command": ["x", "1"]}, []], "none": {}},
        "on": True,
    }
    assert yaml_lines(document) == [
        "kind: Pod",
        "spec:",
        "  list:",
        "    - name: a",
        "      command:",
        "        - x",
        '        - "1"',
        "    - []",
        "  none: {}",
        '"on": true',
    ]
