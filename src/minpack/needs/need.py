"""The values of what a program needs besides its libraries: needs, what was seen of them, and the verdict."""

from __future__ import annotations

from enum import StrEnum

from minpack.errors import BadValueError
from minpack.namedtuple import NamedTuple


class Need(StrEnum):
    """Something of a root file system that a program may need at run time; a closed list, used in JSON."""

    CERTS = "certs"
    TZ = "tz"
    TMP = "tmp"
    PASSWD = "passwd"  # noqa: S105 - the file
    GROUP = "group"
    NSSWITCH = "nsswitch"
    HOME = "home"
    OS_RELEASE = "os-release"
    SERVICES = "services"
    PROTOCOLS = "protocols"
    MIME = "mime"
    LOCALE = "locale"
    GCONV = "gconv"
    TERMINFO = "terminfo"
    SHELL = "shell"
    #: /etc/hosts and /etc/resolv.conf, which container runtimes lay into every container.
    DNS = "dns"


class Verdict(StrEnum):
    """How sure it is that a program needs something; a closed list, used in JSON."""

    #: It fails without it.
    REQUIRED = "required"
    #: It asks for it somewhere, and the failure would be seen.
    LIKELY = "likely"
    #: It does without, or asks for it only if its environment says so.
    OPTIONAL = "optional"
    #: The files do not tell.
    MAYBE = "maybe"
    RUNTIME = "provided by the runtime"
    NOT_NEEDED = "not needed"

    @property
    def rank(self) -> int:
        """The higher the more it speaks for packing."""
        return _RANKS.index(self)

    @property
    def asks(self) -> bool:
        """Whether the program may ask for it at all."""
        return self.rank > Verdict.RUNTIME.rank


_RANKS = (
    Verdict.NOT_NEEDED,
    Verdict.RUNTIME,
    Verdict.OPTIONAL,
    Verdict.MAYBE,
    Verdict.LIKELY,
    Verdict.REQUIRED,
)


class Seen(StrEnum):
    """What kind of thing speaks for or against a need; a closed list, used in JSON."""

    FUNCTION = "function"
    IMPORT = "import"
    STRING = "string"
    LIBRARY = "library"
    BUILD = "build information"
    #: minpack's own default.
    DEFAULT = "default"


class Evidence(NamedTuple):
    """One thing that was seen.

    `name` is what was seen, as it is in the file: a function, an import, a string. `path` is the file of the image that
    has it, empty for options and defaults. `text` is a clause whose subject is the program, or the library at `path`.
    """

    kind: Seen
    name: str
    path: str
    text: str


class Signal(NamedTuple):
    """What one thing that was seen says of one need."""

    need: Need
    verdict: Verdict
    evidence: Evidence


class Caller(NamedTuple):
    """A function of the program that leads to `target`, over the functions `via`, nearest to `target` first."""

    target: str
    name: str
    via: tuple[str, ...] = ()
    #: The constant texts that it, or the nearest of `via`, calls `target` with.
    arguments: tuple[str, ...] = ()


class Decision(NamedTuple):
    """Whether something is packed, and what speaks for it.

    `said` is the option that decided, empty if the evidence did. `without` is what the program would say or do without
    it, empty if that is not known. `callers` is empty unless callers were asked for.
    """

    need: Need
    verdict: Verdict
    packed: bool
    evidence: tuple[Evidence, ...]
    said: str = ""
    callers: tuple[Caller, ...] = ()

    @property
    def why(self) -> str:
        """All evidence in a line."""
        return "; ".join(dict.fromkeys(evidence.text for evidence in self.evidence))


#: What the user cannot ask for: nothing that an image holds would be used.
_NOT_PACKED = {Need.DNS: "container runtimes lay /etc/hosts and /etc/resolv.conf into every container themselves"}


def parse_need(text: str) -> Need:
    """The need of that name.

    :raises BadValueError: there is none, or nothing can be packed for it.
    """
    try:
        need = Need(text)
    except ValueError as error:
        names = ", ".join(choice for choice in Need if choice not in _NOT_PACKED)
        raise BadValueError(text, "no such need", f"choose from {names}") from error
    if need in _NOT_PACKED:
        raise BadValueError(text, _NOT_PACKED[need], "leave it out")
    return need
