"""The list of vulnerabilities and files, and the OpenVEX that is made of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from minpack.digest import Digest
from minpack.errors import InputError
from minpack.oci.documents import canonical
from minpack.trust.vex import Absence, VexFacts, openvex, product
from minpack.trust.vex_source import VexSource, parse_source, read_source

if TYPE_CHECKING:
    from pathlib import Path

TOML = b"""\
author = "Team <team@example.org>"

[vulnerabilities]
GHSA-aaaa-bbbb-cccc = ["/usr/lib/libb.so.2", "/usr/bin/b*"]
CVE-2024-6387 = ["/usr/sbin/sshd", "/usr/sbin/sshd"]
"""
SOURCE = VexSource(
    "Team <team@example.org>",
    (("CVE-2024-6387", ("/usr/sbin/sshd",)), ("GHSA-aaaa-bbbb-cccc", ("/usr/bin/b*", "/usr/lib/libb.so.2"))),
)
DIGEST = Digest("ab" * 32)


@pytest.mark.parametrize(
    "data",
    [
        TOML,
        b"\xef\xbb\xbf" + TOML,
        json.dumps({"author": SOURCE.author, "vulnerabilities": dict(SOURCE.vulnerabilities)}, indent=1).encode(),
    ],
)
def test_a_list_is_toml_or_json(data: bytes) -> None:
    """Each file once, all in order."""
    assert parse_source(data) == SOURCE


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "author is missing"),
        (b"\xff", "it is not UTF-8 text"),
        (b"author", "it is not TOML: "),
        (b"{", "it is not JSON: "),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b"a." * 100_000 + b"b = 1", "it is nested too deeply"),
        (b'{"a": 1, "a": 2}', "it is not JSON: duplicate key"),
        (b'author = ""', "author is not a name"),
        (b'author = "a\\nb"', "author is not a name"),
        (b'author = "a"', "vulnerabilities is missing"),
        (b'author = "a"\nvulnerabilities = {}', "vulnerabilities lists nothing"),
        (b'author = "a"\nproduct = 1', "it has the unknown key 'product'"),
        (b'author = "a"\n[vulnerabilities]\n"a b" = ["/x"]', "'a b' is not the name of a vulnerability"),
        (b'author = "a"\n[vulnerabilities]\nCVE-1 = "/x"', "CVE-1 is not a list of 1 to"),
        (b'author = "a"\n[vulnerabilities]\nCVE-1 = []', "CVE-1 is not a list of 1 to"),
        (b'author = "a"\n[vulnerabilities]\nCVE-1 = ["x"]', "CVE-1 has 'x', which is not the absolute path of a file"),
        (b'author = "a"\n[vulnerabilities]\nCVE-1 = ["/x/"]', "CVE-1 has '/x/', which is not"),
        (b'author = "a"\n[vulnerabilities]\nCVE-1 = [7]', "CVE-1 has '7', which is not"),
    ],
)
def test_what_is_no_list_says_why(data: bytes, reason: str) -> None:
    """And nothing is guessed."""
    with pytest.raises(ValueError, match=re.escape(reason)) as raised:
        parse_source(data)
    assert str(raised.value).startswith(reason)


@pytest.mark.parametrize("name", ["none", ".", "large"])
def test_a_file_that_cannot_be_one(name: str, tmp_path: Path) -> None:
    """Missing, a directory, too large."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(InputError):
        read_source(str(tmp_path / name))


def test_a_statement_names_image_files_and_reason() -> None:
    """The same document for the same facts: its name follows from what it says."""
    facts = VexFacts("Team", (Absence("CVE-1", ("/b", "/c"), (product("App", DIGEST),)),), 86400)
    document = json.loads(canonical(openvex(facts)))
    assert document.pop("@id").startswith("urn:uuid:")
    assert document == {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "Team",
        "timestamp": "1970-01-02T00:00:00Z",
        "version": 1,
        "tooling": "minpack",
        "statements": [
            {
                "vulnerability": {"name": "CVE-1"},
                "products": [
                    {
                        "@id": f"pkg:oci/app@sha256%3A{'ab' * 32}",
                        "identifiers": {"purl": f"pkg:oci/app@sha256%3A{'ab' * 32}"},
                    }
                ],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
                "impact_statement": "None of the files with the vulnerable code is in the image: /b, /c",
            }
        ],
    }
    assert openvex(facts) == openvex(facts)
    assert openvex(facts) != openvex(facts._replace(author="Other"))


def test_products_have_the_last_part_of_a_name() -> None:
    """Scanners ask with no more of it, and in lower case."""
    assert product("ghcr.io/Me/My.App", DIGEST) == f"pkg:oci/my.app@sha256%3A{'ab' * 32}"
