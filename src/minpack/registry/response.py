"""`Response`: what a registry or a token server answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple
from minpack.net.web import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


class Response(NamedTuple):
    """An answer: `headers` go by names in any case, `url` is where it came from, of which a Location may be a part."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


#: What registries may say in all headers of one answer (distribution-spec, "Warnings").
_MOST_WARNINGS = 4096


def warnings_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What a registry wants its users to know, in short and printable words: of each warning its text.

    There is nothing to be told by headers of another form (distribution-spec, "Warnings").
    """
    found = headers.get("Warning", "")
    if not found:
        return ()
    texts = re.findall(r'(?:^|,)\s*299 - "((?:[^"\\]|\\.)*+)"\s*(?=,|$)', found[:_MOST_WARNINGS])
    words = (" ".join(printable(re.sub(r"\\(.)", r"\1", text)).split()) for text in texts)
    return tuple(filter(None, words))


class Problem(NamedTuple):
    """What a registry says is wrong (distribution-spec, "Error Codes"); both are empty where it says nothing."""

    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, self))


def problem_of(body: bytes) -> Problem:
    """The first problem in an answer's body, in short and printable words."""
    import json  # noqa: PLC0415 - for refusals alone

    try:
        document = json.loads(body)
        first = document["errors"][0]
        code, message, detail = (first.get(key) for key in ("code", "message", "detail"))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Problem()
    text = message if isinstance(message, str) and message else detail
    return Problem(*(printable(item).strip() if isinstance(item, str) else "" for item in (code, text)))
