"""`Findings`: what was read of one program, or of all files of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from minpack.needs.need import Caller, Need, Signal


class Module(NamedTuple):
    """A module or crate, and its version, which may be empty."""

    name: str
    version: str


class Advice(NamedTuple):
    """What to do about something that cannot be read of a program, and the option that does it."""

    text: str
    option: str


class Findings(NamedTuple):
    """What was read of a program.

    `language` is empty where nothing tells, `toolchain` is as the program has it. `main` is the module or package that
    it was built from. `static_libc` is ``glibc`` or ``musl`` where one is within the program. `zones` are the time
    zones that it names, if it names all that it loads, else None. `openssl` are the directories in which its OpenSSL
    looks for ``cert.pem``, `bundles` other paths of the CA bundle that its libraries have built in. `users` are the
    system users that it looks up by name. `payload` is the number of bytes behind the ELF image. `callers` is empty
    unless asked for.
    """

    language: str = ""
    toolchain: str = ""
    main: Module = Module("", "")
    modules: tuple[Module, ...] = ()
    static_libc: str = ""
    signals: tuple[Signal, ...] = ()
    zones: tuple[str, ...] | None = None
    openssl: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    payload: int = 0
    warnings: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    callers: Mapping[Need, tuple[Caller, ...]] = {}

    @property
    def told(self) -> tuple[str, ...]:
        """All warnings, those with an advice too."""
        return (*self.warnings, *(advice.text for advice in self.advice))

    def unheeded(self, used: Collection[str]) -> tuple[str, ...]:
        """The warnings without those whose advice was followed: `used` are the options that were given."""
        return (*self.warnings, *(advice.text for advice in self.advice if advice.option not in used))
