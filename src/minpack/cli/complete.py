"""What shells offer for the values of options. Imported only while a shell completes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from minpack.config.document import read_document
from minpack.config.model import CONFIG, IMAGE, PROFILE
from minpack.errors import MinpackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from click.shell_completion import ShellComplete

#: What is a name in `minpack.toml`: in which tables.
_OF_FILE = {"image": IMAGE, "image or file": IMAGE, "profile": PROFILE}
#: The platforms that images are mostly of.
_PLATFORMS = ("amd64", "arm64", "arm/v7", "arm/v6", "386", "riscv64", "ppc64le", "s390x", "loong64")
#: In the completion script for fish: it would cut descriptions at their first comma.
_CUT, _WHOLE = 'string split "," $completion', 'string split --max 1 "," $completion'


def offered(kind: str, incomplete: str, given: Mapping[str, Any], name: str) -> list[CompletionItem]:
    """The values of that kind that begin so; files, where one may be meant.

    :param given: what is typed already, by parameter.
    :param name: the parameter that is completed.
    """
    if kind == "file" or (kind == "image or file" and not (given.get("file") or given.get("write"))):
        return [CompletionItem(incomplete, type="file")]
    if kind in _OF_FILE:
        typed = given.get(name) or ()
        names = _names_in(given.get("file") or CONFIG, _OF_FILE[kind])
        return [CompletionItem(value) for value in names if value.startswith(incomplete) and value not in typed]
    found = [CompletionItem(value) for value in _values(kind) if value.startswith(incomplete)]
    if kind == "base" and (incomplete and not found):
        return [CompletionItem(incomplete, type="file")]
    return found


def _names_in(path: str, table: str) -> Iterable[str]:
    """The names of the tables of images or profiles, in the order of the file; none of a file that cannot be read."""
    try:
        values = read_document(path).values.get(table)
    except MinpackError:
        return ()
    return values if isinstance(values, dict) else ()


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
