"""What `minpack check` found as a JUnit report, the form of test results that CI systems read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from minpack.images.finding import CODES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.images.check import CheckedImage
    from minpack.images.finding import Finding


def junit_lines(name: str, checked: Sequence[CheckedImage]) -> list[str]:
    """A suite for each image, with a test for each code: it fails by errors, and has other findings as a property."""
    failures = sum(finding.level is Severity.ERROR for one in checked for finding in one.findings)
    head = f'tests="{len(CODES) * len(checked)}" failures="{failures}" errors="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="minpack check" {head}>']
    for one in checked:
        lines += _suite(name, one)
    return [*lines, "</testsuites>"]


def _suite(name: str, image: CheckedImage) -> Iterator[str]:
    platform = f" {image.platform}" if image.platform is not None else ""
    failed = {finding.code for finding in image.findings if finding.level is Severity.ERROR}
    yield (
        f"  <testsuite name={_quoted(name + platform)}"
        f' tests="{len(CODES)}" failures="{len(failed)}" errors="0" skipped="0">'
    )
    for code, text in CODES.items():
        found = [finding for finding in image.findings if finding.code == code]
        case = f"    <testcase classname={_quoted(f'minpack.check.{code}')} name={_quoted(text)}"
        if not found:
            yield f"{case}/>"
            continue
        yield f"{case}>"
        yield from _outcome(found)
        yield "    </testcase>"
    yield "  </testsuite>"


def _outcome(found: Sequence[Finding]) -> Iterator[str]:
    errors = [finding for finding in found if finding.level is Severity.ERROR]
    others = [finding for finding in found if finding.level is not Severity.ERROR]
    if errors:
        text = "\n".join(map(_text, errors))
        yield f"      <failure type={_quoted(errors[0].code)} message={_quoted(text)}/>"
    if others:
        told = "\n".join(f"{finding.level}: {_text(finding)}" for finding in others)
        yield f'      <properties><property name="findings" value={_quoted(told)}/></properties>'


def _text(finding: Finding) -> str:
    about = f"{finding.path}: " if finding.path else ""
    return f"{about}{finding.reason}" + (f" (hint: {finding.hint})" if finding.hint else "")


def _quoted(text: str) -> str:
    """An attribute's value; what XML 1.0 cannot have (section 2.2) is shown as an escape."""
    shown = "".join(one if one.isprintable() or one in "\t\n" else f"\\x{ord(one) & 0xFF:02x}" for one in text)
    return quoteattr(shown, {"\n": "&#10;", "\t": "&#9;"})
