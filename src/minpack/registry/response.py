"""`Response`, what a registry answered, and in words what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.errors import NotInRegistryError, RegistryAccessError, RegistryError
from minpack.namedtuple import NamedTuple
from minpack.net.web import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NO_LOGIN, _NO_RIGHT, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429


class Response(NamedTuple):
    """An answer: `headers` go by names in any case, `url` is where it came from, of which a Location may be a part."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Problem(NamedTuple):
    """What a registry says is wrong (distribution-spec, "Error Codes"); both are empty where it says nothing."""

    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, self)) if self.code != self.message else self.code


def problem_of(body: bytes) -> Problem:
    """The first problem in an answer's body, in short and printable words."""
    import json  # noqa: PLC0415

    try:
        document = json.loads(body)
        first = document["errors"][0]
        code, message, detail = (first.get(key) for key in ("code", "message", "detail"))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Problem()
    text = message if isinstance(message, str) and message else detail
    return Problem(*(printable(item).strip() if isinstance(item, str) else "" for item in (code, text)))


def refusal(response: Response, verb: str, named: str, host: str, redact: Callable[[str], str]) -> RegistryError:
    """The error for an answer that was not expected.

    :param verb: what was tried, as in ``push``.
    :param named: of what, as in ``ghcr.io/me/app:1.0``.
    """
    problem = problem_of(response.body)
    said = redact(str(problem)) or f"HTTP {response.status}"
    status, code = response.status, redact(problem.code)
    if status == _NOT_FOUND:
        return NotInRegistryError(verb, named, said, _not_found_hint(code, host), status=status, code=code)
    if status in (_NO_LOGIN, _NO_RIGHT):
        return RegistryAccessError(
            verb,
            named,
            f"the registry refuses it ({said})",
            f"log in as a user who may {verb} it",
            status=status,
            code=code,
        )
    hint = "try again later: the registry limits how often it is asked" if status == _TOO_MANY else None
    return RegistryError(verb, named, f"the registry answers {said}", hint, status=status, code=code)


def _not_found_hint(code: str, host: str) -> str:
    if code == "NAME_UNKNOWN":
        return f"see that the repository is spelled so; some registries, as ECR, must be told to create it ({host})"
    return "see that name and tag are spelled so"
