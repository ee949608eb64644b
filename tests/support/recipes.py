"""Pages whose commands are run: what a page has, running it in a directory of its own, and comparing what it shows.

    page = read_page(path)                       # its files, its commands with what they print, and what is not run
    ran = run_page(page, place)                  # in `place`, with the real tools
    differences(page, ran)                       # empty if the page is true

docs/recipes/index.md tells readers how the blocks of a page are meant; `support.rewriterecipes` writes pages anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Where a page's images go, as the page shows it.
SHOWN_REPOSITORY = "ghcr.io/me"
#: What stands for ``$PORT`` in what a page shows.
SHOWN_PORT = "8443"
TIMEOUT = 120
#: What differs from run to run or from machine to machine, with the same word in place of each.
_VARIES = (
    (re.compile(r"sha256:[0-9a-f]{7,64}"), "sha256:DIGEST"),
    (re.compile(r"(?<![\w.])\d[\d,.]*(?= (?:B|kB|MB|GB|bytes)(?!\w))"), "SIZE"),
    (re.compile(r"(?<![\w.])\d[\d,.]*(?= (?:ms|s|seconds)(?!\w))"), "TIME"),
    (re.compile(r"[ \t]+"), " "),
)
#: What is said of a slow download or engine, where nothing is a terminal.
_PROGRESS = re.compile(
    r"^(?:[^\n:]+: [\d.]+ (?:B|kB|MB|GB)(?: of [\d.]+ (?:B|kB|MB|GB))?|note: waiting for .*)\n", re.MULTILINE
)
_FENCE = re.compile(r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?$")
_UNRUN = re.compile(r"^\*Not run by the tests: .+\*$")


class Command(NamedTuple):
    """A command of a page, of one or more lines, and the lines that it prints there."""

    text: str
    shown: tuple[str, ...]


class Block(NamedTuple):
    """A fenced block: a file with its name, commands, or neither; `line` is that of its fence, from 0."""

    line: int
    language: str
    title: str
    lines: tuple[str, ...]
    unrun: bool

    @property
    def is_console(self) -> bool:
        return self.language == "console"


class Page(NamedTuple):
    """A page with its blocks, in order."""

    name: str
    text: str
    blocks: tuple[Block, ...]

    @property
    def run(self) -> tuple[Block, ...]:
        """The blocks with commands that are run."""
        return tuple(block for block in self.blocks if block.is_console and not block.unrun)

    @property
    def files(self) -> tuple[Block, ...]:
        """The blocks that are written to files."""
        return tuple(block for block in self.blocks if block.title and not block.unrun)

    @property
    def commands(self) -> tuple[Command, ...]:
        """All commands that are run."""
        return tuple(command for block in self.run for command in commands(block))


class Ran(NamedTuple):
    """What a command printed, to stdout and stderr, and its exit code."""

    printed: str
    code: int


def read_page(name: str, text: str) -> Page:
    """The page that `text` is.

    :raises ValueError: a fence of it cannot be understood, or has no end.
    """
    lines, found, at = text.splitlines(), [], 0
    while at < len(lines):
        if lines[at].lstrip().startswith("```"):
            match = _FENCE.match(lines[at])
            if match is None or "```" not in lines[at + 1 :]:
                raise ValueError(f"{name}:{at + 1}: this fence is not one of a page's: {lines[at]}")
            end = lines.index("```", at + 1)
            above = next((line for line in reversed(lines[:at]) if line.strip()), "")
            unrun = _UNRUN.match(above) is not None
            found.append(Block(at, match["language"], match["title"] or "", tuple(lines[at + 1 : end]), unrun))
            at = end
        at += 1
    return Page(name, text, tuple(found))


def commands(block: Block) -> tuple[Command, ...]:
    """The commands of a block: lines after ``$``, those that go on after ``>``, and what each prints.

    :raises ValueError: the block does not begin with a command.
    """
    found: list[tuple[list[str], list[str]]] = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            raise ValueError(f"line {block.line + 2} is no command: {line}")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return tuple(Command("\n".join(text), tuple(shown)) for text, shown in found)


def run_page(page: Page, place: Path, repository: str, environment: Mapping[str, str]) -> tuple[Ran, ...]:
    """Write the page's files into the directory `place`, and run its commands there in one shell.

    :param repository: what ``$REPO`` is; in what is printed, the page's name for it is in its place.
    """
    for block in page.files:
        path = place / block.title
        assert path.resolve().is_relative_to(place.resolve()), f"{block.title} is outside of the page's directory"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(block.lines) + "\n")
    script = place.parent / f"{place.name}.sh"
    script.write_text(_script([command.text for command in page.commands]))
    output = place.parent / f"{place.name}.output"
    with (
        output.open("wb") as out,
        subprocess.Popen(
            ("bash", "--noprofile", "--norc", script),
            cwd=place,
            env={**environment, "REPO": repository},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        ) as process,
    ):
        try:
            # A page that takes longer has fewer commands that ended than it shows.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=TIMEOUT)
        finally:
            _end(process.pid)
    printed = output.read_bytes().decode("utf-8", "backslashreplace")
    shown = printed.replace(repository.partition("/")[0], SHOWN_REPOSITORY.partition("/")[0])
    parts = shown.replace(f":{environment['PORT']}", f":{SHOWN_PORT}").split("\0")
    return tuple(
        Ran(_PROGRESS.sub("", output), int(code)) for output, code in zip(parts[1::3], parts[2::3], strict=False)
    )


def _script(texts: Sequence[str]) -> str:
    """The commands as a script that prints a zero before and behind the output of each, then its exit code."""
    lines = []
    for text in texts:
        lines += ["printf '\\0'; (exit ${_code:-0})", text, "_code=$?; printf '\\0%s\\0' $_code"]
    return "\n".join(lines) + "\n"


def _end(group: int) -> None:
    """End what the commands left running."""
    try:
        os.killpg(group, 15)
    except ProcessLookupError:
        return


def differences(page: Page, ran: Sequence[Ran]) -> list[str]:
    """What the page says of its commands that is not so: other output, an exit code that it does not show."""
    found = []
    told = page.commands
    if len(ran) < len(told):
        found.append(f"the page's shell ended after {len(ran)} of {len(told)} commands")
    for at, (command, one) in enumerate(zip(told, ran, strict=False)):
        if not agrees(command.shown, one.printed):
            found.append(
                f"$ {command.text}\n--- the page shows\n{_joined(command.shown)}\n--- it prints\n{one.printed}"
            )
        asked = at + 1 < len(told) and told[at + 1].text == "echo $?"
        if one.code != 0 and not asked:
            found.append(
                f"$ {command.text}\n--- ended with {one.code}, which the page does not show with echo $?\n{one.printed}"
            )
    return found


def agrees(shown: Sequence[str], printed: str) -> bool:
    """Whether `printed` is what a page shows, but for what varies.

    An ellipsis stands for anything within a line; a line that has nothing else, for any number of lines.
    """
    pattern = ""
    for line in shown:
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*?".join(re.escape(part) for part in _plain(line).split("…")) + "\n"
    lines = "".join(_plain(line) + "\n" for line in printed.splitlines())
    return re.fullmatch(pattern, lines) is not None


def _plain(line: str) -> str:
    for pattern, word in _VARIES:
        line = pattern.sub(word, line)
    return line.strip()


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def rewritten(page: Page, ran: Sequence[Ran]) -> str:
    """The page's text with what its commands printed, where it is not what the page shows."""
    lines, left = page.text.splitlines(), list(reversed(ran))
    changed = []
    for block in page.run:
        made: list[str] = []
        for command in commands(block):
            one = left.pop()
            made += [f"{'> ' if at else '$ '}{line}" for at, line in enumerate(command.text.split("\n"))]
            true = agrees(command.shown, one.printed)
            made += command.shown if true else [line.rstrip() for line in one.printed.splitlines()]
        changed.append((block, made))
    for block, made in reversed(changed):
        lines[block.line + 1 : block.line + 1 + len(block.lines)] = made
    return "\n".join(lines) + "\n"
