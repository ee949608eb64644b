"""Licences as distributions write them become SPDX expressions, or references to the distribution's words."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from license_expression import get_spdx_licensing  # type: ignore[import-untyped]

from minpack.trust.license_list import EXCEPTIONS, LICENSES
from minpack.trust.licenses import license_of

SPDX = get_spdx_licensing()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("MIT",), "MIT"),
        (("mit OR (apache-2.0 AND BSD-3-clause)",), "MIT OR (Apache-2.0 AND BSD-3-Clause)"),
        (("GPL-3.0-or-later WITH GCC-exception-3.1",), "GPL-3.0-or-later WITH GCC-exception-3.1"),
        (("GPL-2.0-or-later AND ((ISC))",), "GPL-2.0-or-later AND ISC"),
        # As DEP-5 writes them.
        (("GPL-2+", "LGPL-2.1", "Expat"), "MIT AND GPL-2.0-or-later AND LGPL-2.1-only"),
        (("GPL-2+ or Artistic, and Expat",), "(GPL-2.0-or-later OR Artistic-1.0) AND MIT"),
        (("Expat or MPL-1.1", "Zlib"), "(MIT OR MPL-1.1) AND Zlib"),
        (("GFDL-NIV-1.3+",), "GFDL-1.3-no-invariants-or-later"),
        (("Apache-2", "CC0"), "Apache-2.0 AND CC0-1.0"),
        (("Perl",), "(Artistic-1.0-Perl OR GPL-1.0-or-later)"),
        # A deprecated identifier has a successor that says the same.
        (("GPL-2.0", "LGPL-2.1+"), "GPL-2.0-only AND LGPL-2.1-or-later"),
        (("Public-Domain",), "LicenseRef-Public-Domain"),
        ((), ""),
        (("", " "), ""),
    ],
)
def test_an_expression(texts: tuple[str, ...], expected: str) -> None:
    """What identifiers, operators and names of DEP-5 mean."""
    assert license_of(texts).expression == expected


@pytest.mark.parametrize("text", ["GPL2+ custom", "GPL-3+ with Autoconf exception", "((MIT", "MIT AND", "a" * 3000])
def test_what_is_no_expression_is_a_reference_to_its_words(text: str) -> None:
    """Nothing is guessed of it; two texts never have one reference."""
    found = license_of((text,))
    assert found.references == {found.expression: text[:2000]}
    assert license_of((f"{text} ",)).expression == found.expression
    assert license_of((f"{text}!",)).expression != found.expression


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_text_gives_a_valid_expression(texts: list[str]) -> None:
    """Whatever a database says, a validator takes it."""
    found = license_of(texts)
    if found.expression:
        assert not _unknown(found.expression)
    assert all(name in found.expression for name in found.references)


WORDS = st.sampled_from(("MIT", "GPL-2+", "expat", "custom", "AND", "or", "with", "(", ")", ",", "Libtool-exception"))


@settings(max_examples=50)
@example([",", "AND", "MIT"])
@given(st.lists(WORDS, max_size=9))
def test_any_words_give_a_valid_expression(words: list[str]) -> None:
    """The same of texts that are almost right."""
    found = license_of((" ".join(words),))
    if found.expression:
        assert not _unknown(found.expression)


def _unknown(expression: str) -> list[str]:
    """The identifiers that the library behind spdx-tools does not know, but for references."""
    parsed = SPDX.parse(expression)
    return [key for key in SPDX.unknown_license_keys(parsed) if not key.startswith("LicenseRef-")]


def test_the_list_is_spdxs() -> None:
    """As CycloneDX's schema has it, each identifier once."""
    schema = json.loads(files("cyclonedx.schema._res").joinpath("spdx.SNAPSHOT.schema.json").read_text())
    assert sorted([*LICENSES.split(), *EXCEPTIONS.split()]) == sorted(schema["enum"])
