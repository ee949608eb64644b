"""`Secret`: text that is shown to nobody."""

from __future__ import annotations

import re
from threading import Lock
from typing import NoReturn


class Secret:
    """A password or a token. It has no text form but that of `reveal`, and cannot be pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, to be sent to its server."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


class Redactor:
    """Takes known secrets out of what a server says: some repeat what they were sent. Several threads may use it."""

    def __init__(self) -> None:
        self._known: frozenset[Secret] = frozenset()
        self._lock = Lock()

    def learn(self, *secrets: Secret) -> None:
        """Never let these through."""
        # What is shorter stands in any text.
        telling = {secret for secret in secrets if len(secret.reveal()) > 3}  # noqa: PLR2004
        with self._lock:
            self._known |= telling

    def redact(self, text: str) -> str:
        """`text` without the secrets that are known."""
        known = sorted((secret.reveal() for secret in self._known), key=len, reverse=True)
        return re.sub("|".join(map(re.escape, known)), "…", text) if known else text
