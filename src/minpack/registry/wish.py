"""`Wish`: what a request to a registry is about, for tokens and for messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack.registry.credentials import Credential
    from minpack.registry.repository import ImageRepository


class Scope(NamedTuple):
    """Rights in one repository of a registry, as ``pull`` and ``push``."""

    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"repository:{self.name}:{','.join(self.actions)}"


class Wish(NamedTuple):
    """`verb` and `named` are for messages, the `scopes` are what it takes, and `find` gives what to log in with."""

    verb: str
    named: str
    repository: ImageRepository
    scopes: tuple[Scope, ...]
    find: Callable[[ImageRepository], Credential | None]

    @property
    def host(self) -> str:
        """The registry, as users call it."""
        return self.repository.host

    @property
    def credential(self) -> Credential | None:
        """What to log in with; None if there is nothing.

        :raises CredentialsError: what should give it does not.
        """
        return self.find(self.repository)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The scopes as token servers take them."""
        return tuple(map(str, self.scopes))
