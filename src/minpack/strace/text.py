"""The texts of a call in a log of strace: its arguments, apart, and the strings and paths in them.

Source: strace(1), and what strace 4.26 to 6.1 write. Nothing here takes longer than its text is long.
"""

from __future__ import annotations

import re

#: What belongs together: a string, a comment, what ``-y`` says of a descriptor; a bracket, a comma; and all else.
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*+(?:"|\\?$)'
    r"|/\*.*?(?:\*/|$)"
    r"|(?:(?<=[0-9])|(?<=AT_FDCWD))<(?:[^<>\\-]|\\.|->|-|<[^<>]*>)*+>"
    r"|[\[({]|[\])}]|,"
    r'|[^"/\[\](){},<0-9A]+|.',
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"f": b"\f", b"v": b"\v", b"a": b"\a", b"b": b"\b", b"e": b"\x1b"}
#: A descriptor, or the working directory, with what ``-y`` says of it.
_DESCRIPTOR = re.compile(r"(-?[0-9]{1,10}|AT_FDCWD)(?:<(.*)>(?:\(deleted\))?)?", re.DOTALL)
#: What ``-yy`` says besides of a device (`3</dev/null<char 1:3>>`); older ones say within it that a file was removed.
_DEVICE = re.compile(r"<(?:char|block) [0-9]+:[0-9]+>$")
_DELETED = " (deleted)"
_DECODED = re.compile(r"(-?[0-9]+)\s*/\* ([0-9]+) in strace's PID NS \*/")


def split_call(text: str) -> tuple[list[str], str] | None:
    """The arguments in `text`, which begins behind the bracket that opens them, and what is behind them.

    None if no bracket closes them.
    """
    found: list[str] = []
    start = depth = 0
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part in ("(", "[", "{"):
            depth += 1
        elif part in (")", "]", "}"):
            if not depth:
                last = text[start : match.start()].strip()
                return ([*found, last] if last or found else found), text[match.end() :]
            depth -= 1
        elif part == "," and not depth:
            found.append(text[start : match.start()].strip())
            start = match.end()
    return None


def parse_string(text: str) -> str | None:
    """The string that `text` is, in quotes; None if it is none, or was cut off."""
    if len(text) < len('""') or text[0] != '"' or text[-1] != '"':
        return None
    return _unescaped(text[1:-1])


def parse_descriptor(text: str) -> tuple[int | None, str]:
    """The number of a descriptor, None for the working directory, and the path that ``-y`` has; empty where none is.

    What is no descriptor has the number -1.
    """
    found = _DESCRIPTOR.fullmatch(text)
    if found is None:
        return -1, ""
    path = _unescaped(_DEVICE.sub("", found[2])) if found[2] else ""
    number = None if found[1] in ("AT_FDCWD", "-100") else int(found[1])
    return number, path.removesuffix(_DELETED) if path.startswith("/") else ""


def parse_pid(text: str) -> int:
    """The process that a call gave, as strace numbers it; 0 if it gave none."""
    found = _DECODED.match(text)
    number = found[2] if found is not None else text.partition("<")[0].strip()
    return int(number) if re.fullmatch(r"[0-9]{1,10}", number) else 0


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    data = text.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_meant, data).decode("utf-8", "surrogateescape")


def _meant(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes([int(found[1], 16)])
    if found[2] is not None:
        return bytes([int(found[2], 8) & 0xFF])
    return _LETTERS.get(found[3], found[3])
