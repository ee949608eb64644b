"""What was found in images, as people, programs and CI systems read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from minpack.digest import Digest
from minpack.images.check import CheckedImage
from minpack.images.finding import CODES, Finding, Severity
from minpack.report.findings import MOST_ALIKE, check_document, finding_lines
from minpack.report.junit import junit_lines
from minpack.report.sarif import sarif_document
from minpack.target import Platform

DIGEST = Digest("0" * 64)
LOST = Finding("missing-library", Severity.ERROR, "liba.so", "/app needs it", "add it")
LINKS = tuple(Finding("dangling-link", Severity.NOTE, f"/l{number}", "it leads to nothing") for number in range(5))
BROKEN = CheckedImage(Platform("linux", "arm64"), DIGEST, (LOST, *LINKS))
GOOD = CheckedImage(Platform("linux", "amd64"), DIGEST, ())
#: A name that ends what it is in, in each of the forms.
HOSTILE = Finding("secret", Severity.WARNING, '/a"><script>\x1b[31m\udcff\n]]>', "it's <b>&amp;", "")


def test_the_verdict_comes_first_and_many_alike_are_counted() -> None:
    """All of them are shown where that is asked for; a hint is said once."""
    lines = finding_lines("me/app", (GOOD, BROKEN), verbose=False)
    assert lines[:3] == ["me/app  linux/amd64: starts", "  0 errors, 0 warnings, 0 notes", ""]
    assert lines[3:6] == [
        "me/app  linux/arm64: does not start",
        "  error   liba.so: /app needs it  [missing-library]",
        "          hint: add it",
    ]
    assert lines[6 + MOST_ALIKE] == "          and 2 more dangling-link (-v)"
    assert lines[-1] == "  1 error, 0 warnings, 5 notes"
    assert len(finding_lines("me/app", (BROKEN,), verbose=True)) == 3 + 5 + 1
    alike = CheckedImage(None, None, (LOST, LOST._replace(path="libb.so")))
    assert [line for line in finding_lines("x", (alike,), verbose=False) if "hint" in line] == [lines[5]]


def test_the_document_has_every_field() -> None:
    """What does not apply is null."""
    document = check_document("me/app", (GOOD, BROKEN))
    assert (document["schema"], document["starts"], document["left_out"]) == ("minpack.check/1", False, 0)
    assert [image["starts"] for image in document["images"]] == [True, False]
    assert document["images"][1]["findings"][1] == {
        "code": "dangling-link",
        "level": "note",
        "path": "/l0",
        "reason": "it leads to nothing",
        "hint": None,
    }
    assert check_document("x", (CheckedImage(None, None, (LOST,)),))["images"][0]["digest"] is None


def test_sarif_has_a_rule_for_each_code_and_a_result_for_each_finding() -> None:
    """A result has its rule, its level and where it is; its fingerprint stays when the image is built again."""
    document = json.loads(json.dumps(sarif_document("ghcr.io/me/app:1", (BROKEN,))))
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    first, second = run["results"][:2]
    assert (first["level"], first["message"]["text"]) == ("error", "liba.so: /app needs it (hint: add it)")
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in (first, second)]
    assert places == ["ghcr.io/me/app%3A1", "l0"]
    again = sarif_document("ghcr.io/me/app:1", (BROKEN._replace(digest=Digest("1" * 64)),))
    assert again["runs"][0]["results"][0]["partialFingerprints"] == first["partialFingerprints"]


def test_junit_has_a_test_for_each_code() -> None:
    """Errors are failures; other findings are properties of a test that passes."""
    root = ET.fromstring("\n".join(junit_lines("me/app", (GOOD, BROKEN))))  # noqa: S314 - of our own
    good, broken = root.findall("testsuite")
    assert good.get("failures") == "0"
    assert len(good.findall("testcase")) == len(broken.findall("testcase")) == len(CODES)
    assert root.get("failures") == broken.get("failures") == "1"
    failures = [(case.get("classname"), case.find("failure")) for case in broken if case.find("failure") is not None]
    assert [name for name, _ in failures] == ["minpack.check.missing-library"]
    told = [one.get("value") for one in broken.iter("property")]
    assert told == ["\n".join(f"note: /l{number}: it leads to nothing" for number in range(5))]


def test_the_page_has_every_code() -> None:
    """With the same words as SARIF's rules."""
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
    assert dict(re.findall(r"^\| `([a-z-]+)` \| ([A-Z][^|]*\.) \|$", page, re.MULTILINE)) == dict(CODES)


def test_hostile_names_are_text() -> None:
    """In JSON, in XML, and as an address."""
    checked = (CheckedImage(None, None, (HOSTILE,)),)
    root = ET.fromstring("\n".join(junit_lines('"<x>\x00', checked)))  # noqa: S314 - as above
    (told,) = (one.get("value") for one in root.iter("property"))
    assert told == "warning: /a\"><script>\\x1b[31m\\xff\n]]>: it's <b>&amp;"
    (result,) = json.loads(json.dumps(sarif_document("x", checked)))["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "a%22%3E%3Cscript%3E%1B%5B31m%FF%0A%5D%5D%3E"
    assert "\n" not in finding_lines("x", checked, verbose=True)[1]
