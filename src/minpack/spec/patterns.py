"""Patterns of what is left out of added directories, with the syntax and the meaning of gitignore(5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError
from minpack.excerpt import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pathspec import GitIgnoreSpec

#: Longer ones are no patterns that anybody wrote.
MAX_PATTERN = 4096
#: A star, as pathspec writes it; and one with what is between it and the next: where that is first found is as good as
#: anywhere later, so that nothing else is ever tried.
_STAR = "[^/]*"
_STARS = r"\[\^/\]\*((?:(?!\[\^/\]\*)(?:\[\^/\]|[^/]))+)(?=\[\^/\]\*)"


class Patterns:
    """Patterns in their order: of those that match a path the last one decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._spec = _compiled(lines)

    def deciding(self, path: str, *, is_directory: bool) -> int | None:
        """The number of the pattern that leaves `path` out, from 0; None if it is kept.

        What is in a directory that is left out is not asked for: nothing brings it back.

        :param path: in the directory that the patterns are for, without a slash in front.
        """
        found = self._spec.check_file(f"{path}/" if is_directory else path)
        return found.index if found.include else None


def parse_pattern(text: str) -> str:
    """A pattern, as gitignore(5) has it.

    :raises BadValueError: nothing matches it.
    """
    if len(text) > MAX_PATTERN:
        raise BadValueError(text, f"a pattern has at most {MAX_PATTERN} characters")
    if text.startswith("#"):
        import shlex  # noqa: PLC0415 - for refusals alone

        escaped = shlex.quote("\\" + text)
        raise BadValueError(text, "it is a comment", f"write {OPTION} {escaped}")
    if "\0" in text or "\n" in text:
        raise BadValueError(text, "a pattern is one line without a NUL")
    try:
        (pattern,) = _compiled([text]).patterns
    except ValueError:
        pattern = None
    if pattern is None or pattern.include is None:
        raise BadValueError(
            text, "nothing matches it: it is not a pattern as .gitignore has them", f"for example {OPTION} '*.log'"
        )
    return text


def parse_lines(data: bytes) -> tuple[str, ...]:
    """The patterns in a file, one a line, without comments and empty lines.

    :raises BadValueError: a line is no pattern; the reason begins with its number and text.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    numbered = enumerate(lines, 1)
    return tuple(_parse_line(line, number) for number, line in numbered if line.strip() and not line.startswith("#"))


def _parse_line(line: str, number: int) -> str:
    try:
        return parse_pattern(line)
    except BadValueError as error:
        raise BadValueError(line, f"line {number}, {quoted(line)}: {error.reason}") from error


def _compiled(lines: Iterable[str]) -> GitIgnoreSpec:
    """Raises `ValueError` where a line is no pattern."""
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - where something is left out

    try:
        # The one that is always there: others depend on what else is installed.
        spec = GitIgnoreSpec.from_lines(lines, backend="simple")
    except re.error as error:
        raise ValueError(str(error)) from error
    for pattern in spec.patterns:
        if pattern.regex is not None and pattern.regex.pattern.count(_STAR) > 1:
            pattern.regex = re.compile(re.sub(_STARS, r"(?>[^/]*?\1)", pattern.regex.pattern))
    return spec
