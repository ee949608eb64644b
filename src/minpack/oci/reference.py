"""`Reference`: the name of an image (distribution-spec, "Pulling manifests"; Docker's normal form)."""

from __future__ import annotations

import re

from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DOMAIN_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
#: The most characters of host and name together, with the slash between them (distribution's `reference` package).
MAX_NAME = 255
#: File names have up to 255 bytes; a name of this length leaves room for a host.
MAX_DEFAULT = 128
#: Docker Hub under its older name (distribution's `reference` package).
_HUB_ALIAS = "index.docker.io"


class Reference(NamedTuple):
    """``host/name:tag``, all three given."""

    host: str
    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}:{self.tag}"

    @property
    def familiar(self) -> str:
        """As Docker shows it and users type it: without ``docker.io/`` and ``library/``."""
        if self.host != "docker.io":
            return str(self)
        official, _, rest = self.name.partition("/")
        short = official == "library" and "/" not in rest
        return f"{rest if short else self.name}:{self.tag}"


def parse_reference(text: str) -> Reference:
    """The reference a user wrote; ``app`` means ``docker.io/library/app:latest``.

    The first part is a host if it has a dot, a colon or an upper-case letter, or is
    ``localhost`` (Docker's rule).

    :raises UsageError: it has a digest, or a part that references cannot have.
    """
    if "@" in text:
        raise UsageError("--tag", text, "a digest cannot be chosen", "give a name and a tag, as me/myapp:1.0")
    rest, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        rest, tag = text, "latest"
    first, slash, name = rest.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, name = "docker.io", rest
    if first == _HUB_ALIAS:
        first = "docker.io"
    if first == "docker.io" and "/" not in name:
        name = f"library/{name}"
    hint = "names are lower case, as me/myapp:1.0"
    if not re.fullmatch(_HOST, first) or not re.fullmatch(_NAME, name) or len(first) + len(name) >= MAX_NAME:
        raise UsageError("--tag", text, "it is not an image name", hint)
    if not re.fullmatch(_TAG, tag):
        raise UsageError("--tag", text, f"{tag!r} is not a tag", hint)
    return Reference(first, name, tag)


def default_reference(program: str) -> Reference:
    """The name for a program's image: its own, lower-cased, ``:latest``; what no name can have becomes a dash."""
    name = re.sub(r"[^a-z0-9]+", _separator, program.lower()).strip("._-")
    name = name[:MAX_DEFAULT].rstrip("._-")
    return Reference("docker.io", f"library/{name or 'app'}", "latest")


def _separator(found: re.Match[str]) -> str:
    """What was found if names may have it between letters and digits, else a dash."""
    text = found[0]
    return text if text in (".", "_", "__") or not text.strip("-") else "-"
