"""What `minpack check` finds: one value for each thing that is wrong with an image."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from minpack.namedtuple import NamedTuple


class Severity(StrEnum):
    """How much it weighs; a closed list, used in JSON."""

    #: No container of the image starts, or it does not pass what was asked for.
    ERROR = "error"
    #: It starts, and fails at something that it was made for.
    WARNING = "warning"
    #: What whoever ships it may want to know.
    NOTE = "note"


#: What each code says. Codes are used in JSON, SARIF and JUnit; none is ever given another meaning.
CODES = MappingProxyType(
    {
        "image": "The documents or blobs of the image are damaged or missing.",
        "layer": "A layer is damaged, unsafe, or does not match the image.",
        "duplicate-path": "A layer has a duplicate path, which engines refuse.",
        "operating-system": "The image is not for Linux.",
        "platform": "The index lists the image under the wrong platform.",
        "setting": "The configuration has an invalid value.",
        "no-command": "The image has neither an entrypoint nor a command.",
        "not-found": "The program that the image starts is not in the image.",
        "not-in-path": "The program is in no directory of PATH.",
        "not-a-file": "The program that the image starts is a directory or a device.",
        "not-executable": "The image's user may not run the program.",
        "closed-directory": "The image's user may not enter a directory on the path.",
        "dangling-link": "A symbolic link is broken.",
        "link-loop": "Symbolic links form a loop.",
        "not-a-program": "The file is neither an ELF program nor a script.",
        "damaged-program": "The ELF file is malformed.",
        "wrong-architecture": "The program is for another architecture than the image.",
        "script-interpreter": "The interpreter of a script cannot be started.",
        "elf-interpreter": "The dynamic loader that a program names cannot be started.",
        "missing-library": "The dynamic loader does not find a library.",
        "unloadable-library": "The dynamic loader finds a library that it cannot load.",
        "unloadable-program": "The dynamic loader cannot load the program.",
        "missing-version": "A library lacks a symbol version that is needed.",
        "missing-symbol": "No library defines a symbol that is needed.",
        "unreadable-file": "The image's user may not read a file that is needed.",
        "capabilities": "The program requires a capability that containers do not have by default.",
        "unknown-user": "The image's user is not in its /etc/passwd, or is not a number that engines accept.",
        "unknown-group": "The image's group is not in its /etc/group, or is not a number that engines accept.",
        "workdir": "The working directory cannot be entered.",
        "volume": "A volume cannot be mounted, or the image's user cannot write to it.",
        "any-user": "An arbitrary UID cannot use the directories of the image's user.",
        "home": "The home directory is missing, or the image's user cannot write to it.",
        "tmp": "The image's user has no directory for temporary files.",
        "health-check": "The health check cannot be run.",
        "preload": "A preloaded library is missing.",
        "late-library": "A library that the program loads at run time is missing.",
        "lazy-symbol": "The program fails when it calls a function that no library defines.",
        "cpu": "The program starts only on newer CPUs.",
        "need": "The program asks for data that the image lacks.",
        "secret": "A password, private key or token is in the image.",
        "set-id": "A program runs with the rights of its owner or with capabilities.",
        "size": "The image is over its size limit.",
        "smoke-test": "The image failed its smoke test.",
    }
)


class Finding(NamedTuple):
    """Something that is wrong with an image.

    `code` is one of `CODES`. `path` is that of a file in the image, or the name or setting that it is about; empty for
    the image itself. `reason` is a clause about it, and `hint` says what to do; it may be empty.
    """

    code: str
    level: Severity
    path: str
    reason: str
    hint: str = ""


def worst(findings: tuple[Finding, ...]) -> Severity | None:
    """The level of the worst finding; None if there is none."""
    there = {finding.level for finding in findings}
    return next((level for level in Severity if level in there), None)
