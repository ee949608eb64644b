"""What shells offer for the values of options. Imported only while a shell completes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import ShellComplete

#: The platforms that images are mostly of.
_PLATFORMS = ("amd64", "arm64", "arm/v7", "arm/v6", "386", "riscv64", "ppc64le", "s390x", "loong64")
#: In the completion script for fish: it would cut descriptions at their first comma.
_CUT, _WHOLE = 'string split "," $completion', 'string split --max 1 "," $completion'


def offered(kind: str, incomplete: str) -> list[CompletionItem]:
    """The values of that kind that begin so; files, where one may be meant."""
    found = [CompletionItem(value) for value in _values(kind) if value.startswith(incomplete)]
    if kind == "base" and (incomplete and not found):
        return [CompletionItem(incomplete, type="file")]
    return found


def script(shell: ShellComplete) -> str:
    """The completion script of a shell."""
    text = shell.source()
    return text.replace(_CUT, _WHOLE)


def _values(kind: str) -> Iterable[str]:
    if kind == "zone":
        from zoneinfo import available_timezones  # noqa: PLC0415 - it reads directories

        return sorted(available_timezones())
    if kind == "need":
        from minpack.needs.need import Need  # noqa: PLC0415 - as the others here: for one kind alone

        return [str(need) for need in Need if need is not Need.DNS]
    if kind == "user":
        return ("65532:65532", "nonroot", "nobody", "root")
    if kind == "platform":
        return [f"linux/{name}" for name in _PLATFORMS]
    return [*_named_bases(), *(["scratch"] if kind == "base" else [])]


def _named_bases() -> list[str]:
    """The catalogue, the newest first."""
    from minpack.catalog.alpine import catalogue  # noqa: PLC0415
    from minpack.catalog.debian import debian_catalogue  # noqa: PLC0415

    return [entry.name for entry in reversed((*catalogue(), *debian_catalogue()))]
