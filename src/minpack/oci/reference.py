"""`Reference`: the name of an image (distribution-spec, "Pulling manifests"; Docker's normal form)."""

from __future__ import annotations

import re

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"{_PART}(?:/{_PART})*"
_DIGEST = r"sha256:[0-9a-f]{64}"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DOMAIN_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
#: The most characters of host and name together, with the slash between them (distribution's `reference` package).
MAX_NAME = 255
#: File names have up to 255 bytes; a name of this length leaves room for a host.
MAX_DEFAULT = 128
#: What an empty part most often comes from.
_UNSET = "is a shell variable unset?"
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

    :raises BadValueError: it has a digest, or a part that references cannot have.
    """
    found = _parsed(text)
    if found is None:
        reason, hint = _refusal(text)
        raise BadValueError(text, reason, hint)
    return found


class ImageName(NamedTuple):
    """An image as one is asked for: by tag, by digest (``sha256:…``), or by digest with a tag that says more."""

    host: str
    name: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self._tagged(self.name)}"

    @property
    def familiar(self) -> str:
        """As Docker shows it and users type it: without ``docker.io/`` and ``library/``."""
        short = Reference(self.host, self.name, "x").familiar.removesuffix(":x")
        return self._tagged(short)

    def _tagged(self, name: str) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse_image(text: str) -> ImageName:
    """The image that a user asks for: as `parse_reference`, and there may be a digest, which needs no tag.

    :raises BadValueError: it has a part that references cannot have.
    """
    named, at, digest = text.partition("@")
    if not at:
        return ImageName(*parse_reference(text))
    if not re.fullmatch(_DIGEST, digest):
        raise BadValueError(
            text, f"{digest!r} is not a digest", f"a digest is sha256: and 64 hexadecimal digits: {_instead(named)}"
        )
    reference = parse_reference(named)
    return ImageName(*reference[:2], reference.tag if _split(named)[0] != named else "", digest)


def _parsed(text: str) -> Reference | None:
    """The reference; None if it is none."""
    rest, tag = _split(text)
    first, slash, name = rest.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, name = "docker.io", rest
    if first == _HUB_ALIAS:
        first = "docker.io"
    if first == "docker.io" and "/" not in name:
        name = f"library/{name}"
    named = re.fullmatch(_HOST, first) and re.fullmatch(_NAME, name) and len(first) + len(name) < MAX_NAME
    # Docker takes 64 hexadecimal digits for an image's ID.
    if not named or not re.fullmatch(_TAG, tag) or re.fullmatch("[0-9a-f]{64}", rest):
        return None
    return Reference(first, name, tag)


def _split(text: str) -> tuple[str, str]:
    """What is before the tag, and the tag."""
    rest, colon, tag = text.rpartition(":")
    return (rest, tag) if colon and "/" not in tag else (text, "latest")


def _refusal(text: str) -> tuple[str, str]:
    """Why `text` is not a reference, and what to write instead: what was most likely meant."""
    for pattern, reason, instead in (
        (r"[a-z-]+://(.*)", "it is an address", r"\1"),
        (r"([^@]*)@.*", "the digest of an image cannot be chosen", r"\1"),
        (r"\s*(.*?)\s*", "it has a space", r"\1"),
    ):
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match is not None and match[0] != match[1]:
            return reason, _instead(match.expand(instead))
    rest, tag = _split(text)
    if not rest or not tag or rest.endswith("/") or "//" in rest:
        what = "its tag is empty" if not tag else "a part of its name is empty"
        return what, f"{_UNSET} {_instead('')}"
    if not re.fullmatch(_TAG, tag):
        allowed = "a tag is made of letters, digits, '.', '_' and '-', up to 128 of them"
        better = re.sub(r"[^A-Za-z0-9._-]+", "-", tag).strip(".-")[:128] or "latest"
        return f"{tag!r} is not a tag", f"{allowed}: {_instead(f'{rest}:{better}')}"
    if re.fullmatch("[0-9a-f]{64}", rest):
        return "64 hexadecimal digits mean an image's ID", _instead("")
    allowed = "names are made of lower-case letters and digits, with single '.', '_' and '-' between them"
    host, _, name = rest.partition("/")
    parts = name.split("/") if re.fullmatch(_HOST, host) and ("." in host or ":" in host) else rest.split("/")
    host = host if len(parts) <= rest.count("/") else ""
    better = "/".join(filter(None, [host, *map(_part, parts)]))
    return "it is not an image name", f"{allowed}: {_instead(better + text.removeprefix(rest))}"


def _instead(text: str) -> str:
    """What to write: `text` if that is a reference, else an example."""
    found = _parsed(text) if text else None
    return f"write {OPTION} {text if found is not None else 'me/myapp:1.0'}"


def is_host(text: str) -> bool:
    """Whether it is ``HOST[:PORT]``, as references begin with it."""
    return re.fullmatch(_HOST, text) is not None


def default_reference(program: str) -> Reference:
    """The name for a program's image: its own, lower-cased, ``:latest``; what no name can have becomes a dash."""
    name = _part(program)
    name = name[:MAX_DEFAULT].rstrip("._-")
    return Reference("docker.io", f"library/{name or 'app'}", "latest")


def _part(text: str) -> str:
    """The part of a name that is most like `text`; empty if none is."""
    text = text.lower()
    if text.isascii() and text.isalnum():
        # As most are: it takes no pattern.
        return text
    return re.sub(r"[^a-z0-9]+", _separator, text).strip("._-")


def _separator(found: re.Match[str]) -> str:
    """What was found if names may have it between letters and digits, else a dash."""
    text = found[0]
    return text if text in (".", "_", "__") or not text.strip("-") else "-"
