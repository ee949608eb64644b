"""The list that VEX statements are made from: vulnerabilities, and the files that have the vulnerable code.

TOML, or JSON by the same keys; a person or another tool writes it, who knows what minpack cannot:

    author = "Example Team <security@example.org>"

    [vulnerabilities]
    CVE-2024-6387 = ["/usr/sbin/sshd"]
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from minpack.errors import InputError, reason_of
from minpack.lock.file import parse_toml
from minpack.namedtuple import NamedTuple
from minpack.oci.json_node import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Far more than such a list has: bytes, vulnerabilities, files of one, characters of a text.
MAX_SOURCE, MAX_VULNERABILITIES, MAX_PATHS, MAX_TEXT = 16 << 20, 100_000, 1_000, 1_000
#: CVE-2024-1, GHSA-…, RUSTSEC-…, DSA-5448-1, and those that others give out.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")
#: An absolute path, whose parts may be patterns.
_PATH = re.compile(r"/[^\0-\x1f\x7f]{1,4095}")
_HINT = 'it has author = "NAME" and a table [vulnerabilities] with lines like CVE-2024-6387 = ["/usr/sbin/sshd"]'


class VexSource(NamedTuple):
    """Who says it, and the files that have the code of each vulnerability, sorted by its name."""

    author: str
    vulnerabilities: tuple[tuple[str, tuple[str, ...]], ...]


def read_source(path: str) -> VexSource:
    """What the file `path` lists.

    :raises InputError: it cannot be read, or is not such a list.
    """
    try:
        with open(path, "rb", opener=lambda *given: os.open(given[0], given[1] | os.O_NONBLOCK)) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_SOURCE + 1) if regular else b""
    except OSError as error:
        raise InputError(path, reason_of(error), hint="--from takes a TOML or JSON file") from error
    if not regular:
        raise InputError(path, "it is not a regular file", hint="--from takes a TOML or JSON file")
    if len(data) > MAX_SOURCE:
        raise InputError(path, f"it has more than {MAX_SOURCE} bytes", hint=_HINT)
    try:
        return parse_source(data)
    except ValueError as error:
        raise InputError(path, str(error), hint=_HINT) from error


def parse_source(data: bytes) -> VexSource:
    """What the list in `data` says.

    :raises ValueError: it is none; the text says why.
    """
    document = _document(data)
    if not isinstance(document, dict):
        raise ValueError("it is not a table")  # noqa: TRY004 - what is wrong is the file
    others = sorted(document.keys() - {"author", "vulnerabilities"})
    if others:
        raise ValueError(f"it has the unknown key {others[0][:MAX_TEXT]!r}")
    author, listed = document.get("author"), document.get("vulnerabilities")
    if not isinstance(author, str) or not author.strip() or len(author) > MAX_TEXT or not author.isprintable():
        raise ValueError("author is missing" if author is None else "author is not a name")
    if not isinstance(listed, dict) or not listed:
        raise ValueError("vulnerabilities is missing" if listed is None else "vulnerabilities lists nothing")
    if len(listed) > MAX_VULNERABILITIES:
        raise ValueError(f"it lists more than {MAX_VULNERABILITIES} vulnerabilities")
    return VexSource(author.strip(), tuple(sorted((_id(key), _paths(key, listed)) for key in listed)))


def _document(data: bytes) -> object:
    """The value of the JSON or TOML in `data`."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    try:
        # A document of TOML never begins so.
        return parsed(data.removeprefix(b"\xef\xbb\xbf")) if start == b"{" else parse_toml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"it is not {'JSON' if start == b'{' else 'TOML'}: {error}") from error


def _id(text: object) -> str:
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValueError(f"{str(text)[:MAX_TEXT]!r} is not the name of a vulnerability")
    return text


def _paths(key: str, listed: Mapping[str, object]) -> tuple[str, ...]:
    """The files of a vulnerability."""
    paths = listed[key]
    if not isinstance(paths, list) or not paths or len(paths) > MAX_PATHS:
        raise ValueError(f"{key} is not a list of 1 to {MAX_PATHS} paths")
    for path in paths:
        if not isinstance(path, str) or not _PATH.fullmatch(path) or path.endswith("/"):
            raise ValueError(f"{key} has {str(path)[:MAX_TEXT]!r}, which is not the absolute path of a file")
    return tuple(sorted(set(paths)))
