"""What `minpack check` found, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import listed, shorten
from minpack.images.finding import Severity
from minpack.report.allowance import Allowance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.images.check import CheckedImage
    from minpack.images.finding import Finding
    from minpack.images.smoke import Smoked

#: Of one code and level so many are shown, unless all are asked for.
MOST_ALIKE = 3


def check_document(name: str, checked: Sequence[CheckedImage], *, any_user: bool = False) -> dict[str, Any]:
    """``minpack.check/1``.

    :param any_user: whether it was checked as a user that the platform chooses.
    """
    allowance = Allowance()
    images = [
        {
            "platform": str(one.platform) if one.platform is not None else None,
            "digest": str(one.digest) if one.digest is not None else None,
            "starts": one.starts,
            "smoke": smoke_object(one.smoked),
            "findings": allowance.rows(one.findings, finding_row),
        }
        for one in checked
    ]
    starts = all(one.starts for one in checked)
    return {
        "schema": "minpack.check/1",
        "image": name,
        "any_user": any_user,
        "starts": starts,
        "images": images,
        "left_out": allowance.left_out,
    }


def smoke_object(smoked: Smoked | None) -> dict[str, Any] | None:
    """How a smoke test went; null where there was none."""
    if smoked is None:
        return None
    return {
        "command": [shorten(word) for word in smoked.command],
        "passed": smoked.passed,
        "exit_code": smoked.code,
        "output": [shorten(line) for line in smoked.last_lines],
        "problem": smoked.problem or None,
    }


def smoke_text(smoked: Smoked) -> str:
    """What was run, and how it ended."""
    return f"exit code {smoked.code}: {listed(smoked.command, separator=' ')}"


def _verdict(checked: CheckedImage) -> str:
    if not checked.starts:
        return "does not start"
    if checked.smoked is None:
        return "starts"
    return f"starts, and {'passes' if checked.smoked.passed else 'fails'} its smoke test"


def finding_row(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        "code": finding.code,
        "level": finding.level,
        "path": finding.path or None,
        "reason": finding.reason,
        "hint": finding.hint or None,
    }


def finding_lines(name: str, checked: Sequence[CheckedImage], *, verbose: bool) -> list[str]:
    """The verdict on each image, and what was found; of many alike a few, unless `verbose`."""
    lines: list[str] = []
    for one in checked:
        lines += [""] if lines else []
        platform = f"  {one.platform}" if one.platform is not None else ""
        lines.append(f"{shorten(name)}{platform}: {_verdict(one)}")
        lines += _smoke_lines(one.smoked, verbose=verbose)
        lines += _all_lines(one.findings, verbose=verbose)
        lines.append(f"  {_counts(one.findings)}")
    return lines


def _smoke_lines(smoked: Smoked | None, *, verbose: bool) -> list[str]:
    """What was run and, of a test that failed or with more detail, the last lines of its output."""
    if smoked is None:
        return []
    output = smoked.last_lines if verbose or not smoked.passed else ()
    return [f"  smoke   {smoke_text(smoked)}", *(f"          {shorten(line)}" for line in output)]


def _all_lines(findings: Sequence[Finding], *, verbose: bool) -> list[str]:
    lines: list[str] = []
    groups: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.level, finding.code), []).append(finding)
    for (level, code), members in groups.items():
        shown = members if verbose else members[:MOST_ALIKE]
        hint = ""
        for number, finding in enumerate(shown):
            where = f"{shorten(finding.path)}: " if finding.path else ""
            lines.append(f"  {level:<8}{where}{shorten(finding.reason, 1000)}  [{code}]")
            # A hint is said once for all that have it.
            following = shown[number + 1].hint if number + 1 < len(shown) else ""
            hint = finding.hint
            if hint and hint != following:
                lines.append(f"          hint: {hint}")
        if len(shown) < len(members):
            lines.append(f"          and {len(members) - len(shown)} more {code} (-v)")
    return lines


def _counts(findings: Sequence[Finding]) -> str:
    counts = {level: sum(finding.level is level for finding in findings) for level in Severity}
    return ", ".join(f"{count} {level}{'s' if count != 1 else ''}" for level, count in counts.items())
