"""What a finished image must pass before it is delivered: a smoke test, and bounds of its size."""

from __future__ import annotations

from minpack.errors import BadValueError
from minpack.namedtuple import NamedTuple

#: The most that an exit code can be (wait(2)).
MAX_EXIT_CODE = 255
#: Seconds that a smoke test may take.
SMOKE_SECONDS = 60.0
_SECONDS = r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h)?"
_IN_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}
#: The most characters of a pattern, so that it is compiled at once.
_MOST_PATTERN = 1000


class SmokeSpec(NamedTuple):
    """A run of an image, and what is expected of it.

    `arguments` take the place of the image's command; without any it runs as it is. `output` is a regular expression
    that its output, stdout and stderr together, must have a match for; empty for any output. `seconds` is how long it
    may take.
    """

    arguments: tuple[str, ...] = ()
    exit_code: int = 0
    output: str = ""
    seconds: float = SMOKE_SECONDS


class Acceptance(NamedTuple):
    """What an image must pass; one that does not is not delivered.

    `max_size` bounds the bytes of its blobs, as a registry stores them, and `max_unpacked` those of its layers' tars.
    """

    smoke: SmokeSpec | None = None
    max_size: int | None = None
    max_unpacked: int | None = None


def parse_arguments(text: str) -> tuple[str, ...]:
    """The words of a command line, split as a POSIX shell does; an empty text has none.

    :raises BadValueError: a quote is not closed, or a word cannot be an argument.
    """
    import shlex  # noqa: PLC0415 - for what few runs have

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        reason = "a quotation mark is not closed" if "quot" in str(error) else "nothing follows its last backslash"
        raise BadValueError(text, reason, "write a quotation mark of the text itself as \\'") from error
    if any("\0" in word for word in words):
        raise BadValueError(text, "a NUL cannot be in an argument")
    return words


def parse_exit_code(text: str) -> int:
    """An exit code of a process, or 128 and the number of the signal that ends it.

    :raises BadValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_EXIT_CODE)) and int(text) <= MAX_EXIT_CODE):
        raise BadValueError(
            text, f"it is not an exit code, 0 to {MAX_EXIT_CODE}", "for a signal, add 128 to its number"
        )
    return int(text)


def parse_pattern(text: str) -> str:
    """A regular expression of Python's; its lines are looked at one by one (``^`` and ``$``).

    :raises BadValueError: it is none, or longer than any should be.
    """
    import re  # noqa: PLC0415 - as above

    if len(text) > _MOST_PATTERN:
        raise BadValueError(text, f"it has more than {_MOST_PATTERN} characters")
    try:
        re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadValueError(
            text, f"it is not a regular expression: {error}", "escape . + ( [ with a backslash"
        ) from error
    return text


def parse_seconds(text: str) -> float:
    """A time, in seconds or with a unit: ``90``, ``1.5s``, ``10m``, ``1h``.

    :raises BadValueError: it is none, or nothing.
    """
    import re  # noqa: PLC0415 - as above

    found = re.fullmatch(_SECONDS, text)
    seconds = float(found[1]) * _IN_SECONDS[found[2]] if found is not None else 0.0
    if not seconds:
        raise BadValueError(text, "it is not a time", "for example 30, 1.5s or 10m")
    return seconds
