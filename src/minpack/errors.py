"""Every error that minpack raises on purpose.

    MinpackError                       .message  .hint  .exit_code = 1
    ├── UsageError                     an option that cannot be meant            exit 2
    │   ├── BadValueError              a value of which it is not said what it was given for
    │   └── ContradictoryOptionsError  two options say different things of one path
    ├── InputError                     a file that was named cannot be used
    ├── ElfError
    │   ├── NotElfError                text, a script, an empty file, …
    │   ├── MalformedElfError          an offset or count that cannot be true
    │   └── NotProgramError            a library, an object file, a packed program
    ├── ResolveError                   understood, and the answer is no          exit 3
    │   ├── MissingLibraryError        with the directories considered
    │   ├── UnloadableLibraryError     the first file found cannot be loaded
    │   ├── UnloadableFileError        added libraries that no program could load
    │   ├── DanglingLinkError          added links that lead nowhere in the image
    │   ├── UnboundSymbolError         a symbol or version that no library defines
    │   ├── UnreadableFileError        the image's user may not read or run a file
    │   ├── EntrypointError            nothing that a container can start
    │   ├── HealthCheckError           nothing that a container can run to see whether it is healthy
    │   ├── LibcMismatchError          a glibc program on a musl base, or the reverse
    │   ├── WrongTargetError           another architecture
    │   ├── DifferentProgramsError     platforms of one image that have different programs
    │   ├── AmbiguousLibraryError      several packages have it, and nothing says which
    │   └── BaseNeededError            a dynamic program and no base             exit 2
    ├── BaseError                      a base that cannot be read
    │   ├── UnknownBaseError
    │   ├── ArchiveError               a tarball that is damaged or unsafe
    │   ├── ImageBaseError             an image where a root file system is meant
    │   └── NotInBaseError             a file that was needed is not there       exit 3
    ├── PackageError                   a package, or an index of packages, that cannot be used
    │   └── UntrustedPackageError      no trusted key signed it, or not these bytes
    ├── StoreError                     the directory that keeps downloads
    ├── DownloadError                  the network said no
    │   └── OfflineError
    ├── SumMismatchError               downloaded bytes are not the expected ones
    ├── LockError                      a lock file that cannot be used
    │   └── LockedError                what is built is not what the lock names      exit 3
    ├── ConfigError                    a minpack.toml that cannot be used               exit 2
    ├── RootfsError
    │   └── PathConflictError          two different things at one path
    ├── ImageError
    │   ├── NothingToClaimError        files of every vulnerability are in it     exit 3
    │   ├── UnreadableImageError       an archive or layout that holds no image to read
    │   │   └── NotInImageError        a path that an image lacks                     exit 3
    │   ├── NotTextError               bytes that are not UTF-8 where JSON has text
    │   └── ChangedInputError          a file changed while it was packed
    ├── OutputError                    a target that cannot be written
    ├── RegistryError                  a registry, or what is between, said no
    │   ├── RegistryAccessError        no login, a wrong one, or one without the right
    │   └── NotInRegistryError         no such repository, tag or blob
    ├── CredentialsError               a file or helper of credentials that cannot be used
    ├── KeyFileError                   a file that holds no key to sign or verify with
    ├── UnverifiedError                an image that is not signed as it should be       exit 3
    ├── EngineError                    the container engine said no
    ├── ExecutorError                  what builds images on other machines said no
    ├── NotStartedError                a program that was to be run          exit 125
    ├── SmokeTestError                 an image that does not do what is expected       exit 3
    ├── TooLargeError                  an image over its bound, with what is largest    exit 3
    ├── ResourceError                  the system has no more memory or open files to give
    └── InternalError                  a fault of minpack's: all that nobody expected

Texts read ``cannot <verb> <object>: <reason>``; the hint says what to do.
Each class takes plain data and builds its own text, so that `kind` and
`data` in the JSON error document follow from the class and its attributes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.excerpt import few, listed, quoted, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The most lines of a message, and the most characters of a line, a reason and a hint: whatever a class is given.
MOST_LINES, MOST_LINE, MOST_REASON = 100, 2000, 1000
#: Of what is missing so many are shown, each with so many of the places where it was sought.
MOST_MISSING, MOST_PLACES = 8, 20


def _reason(text: str) -> str:
    return shorten(text, MOST_REASON)


class MinpackError(Exception):
    """The base of all errors of this package."""

    exit_code = 1
    #: The platform whose image it is about, of several.
    platform = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        # Lines of minpack's own are indented: no name that is shown can begin another.
        lines = (shorten(line, MOST_LINE) for line in re.split(r"\n(?=  )", message))
        message = "\n".join(few(lines, MOST_LINES, "  and {} more"))
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is None else shorten(hint, MOST_REASON)

    def for_platform(self, platform: str) -> None:
        """Say that it is about the image for `platform`, of several."""
        self.message = "\n  ".join((self.message, f"platform: {platform}"))
        self.args = (self.message,)
        self.platform = platform

    @property
    def kind(self) -> str:
        """The class's name in kebab case, without ``Error``: ``missing-library``."""
        name = type(self).__name__.removesuffix("Error")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()

    @property
    def data(self) -> dict[str, object]:
        """The values the error was made from, for programs to read."""
        return {k: v for k, v in vars(self).items() if k not in ("message", "hint")}


class UsageError(MinpackError):
    """An option or argument that cannot be meant as it stands."""

    exit_code = 2

    def __init__(self, option: str, value: str, reason: str, hint: str | None = None, *, verb: str = "use") -> None:
        super().__init__(f"cannot {verb} {option}{f' {quoted(value)}' if value else ''}: {reason}", hint)
        self.option = option
        self.value = value
        self.reason = reason


#: Stands for what a value was given for in a hint of `BadValueError`; no text has it (Unicode 15, 23.7, noncharacters).
OPTION = "\ufdd0"


class BadValueError(UsageError):
    """A value that a user wrote and that nothing can be made of.

    Who read it from somewhere says of what it was: `given_by` an option, or a key of a file.

    :param hint: with `OPTION` and a space in front of a value that is shown as it would be typed.
    """

    def __init__(self, value: str, reason: str, hint: str | None = None) -> None:
        shown = hint.replace(f"{OPTION} ", "") if hint is not None else None
        super().__init__(quoted(value), "", reason, shown)
        self.option = ""
        self.value = value
        self._hint = hint

    @property
    def data(self) -> dict[str, object]:
        """The value and what is wrong with it."""
        return {"value": self.value, "reason": self.reason}

    def given_by(self, option: str) -> UsageError:
        """The error, of a value of `option`."""
        hint = self._hint.replace(OPTION, option) if self._hint is not None else None
        return UsageError(option, self.value, self.reason, hint)


class ContradictoryOptionsError(UsageError):
    """Two options say different things of the mode or the owner (`what`) of one path in the image."""

    def __init__(self, option: str, other: str, path: str, what: str, hint: str) -> None:
        super().__init__(option, "", f"{other} gives {path!r} a different {what}", hint)
        self.other = other
        self.path = path
        self.what = what


class InputError(MinpackError):
    """A file or directory the user named cannot be used."""

    def __init__(self, path: str, reason: str, *, verb: str = "read", hint: str | None = None) -> None:
        super().__init__(f"cannot {verb} {quoted(path)}: {reason}", hint)
        self.path = path
        self.reason = reason

    @property
    def is_fault(self) -> bool:
        """Whether the system failed, as a disk or network does, and did not merely say that it may not be read."""
        return isinstance(self.__cause__, OSError) and not isinstance(self.__cause__, PermissionError)


class ElfError(MinpackError):
    """An ELF file, or a file that should be one, cannot be used."""


class NotElfError(ElfError):
    """The file is not an ELF file; `what` says what it is instead."""

    def __init__(self, path: str, what: str, hint: str | None = None) -> None:
        super().__init__(f"cannot read {quoted(path)} as an ELF program: it is {what}", hint)
        self.path = path
        self.what = what


class MalformedElfError(ElfError):
    """The file says something of itself that cannot be true, at `offset` bytes into it."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(
            f"cannot read {quoted(path)}: malformed ELF file: {reason} (at offset {offset})",
            "the file is damaged or was cut short; build or copy it again",
        )
        self.path = path
        self.offset = offset
        self.reason = reason


class NotProgramError(ElfError):
    """The ELF file is none that can be started, or none that can be analysed."""

    def __init__(self, path: str, what: str, hint: str) -> None:
        super().__init__(f"cannot pack {quoted(path)}: it is {what}", hint)
        self.path = path
        self.what = what


class ResolveError(MinpackError):
    """The program was understood, and it would not start on this base."""

    exit_code = 3


class MissingLibraryError(ResolveError):
    """Libraries that the loader would not find.

    `missing` holds, for each, the name, the object that needs it, and the
    directories considered in order, each with the rule that names it.
    """

    def __init__(
        self,
        program: str,
        base: str,
        missing: Sequence[tuple[str, str, Sequence[tuple[str, str]]]],
        hint: str,
    ) -> None:
        names = listed(dict.fromkeys(name for name, _, _ in missing), MOST_MISSING)
        lines = [f"cannot pack {quoted(program)} on {shorten(base)}: missing {names}"]
        before: Sequence[tuple[str, str]] = ()
        for name, needed_by, considered in missing[:MOST_MISSING]:
            needed = f"  {shorten(name)}, needed by {shorten(needed_by)}"
            if considered and considered == before:
                lines.append(f"{needed}, not found there either")
                continue
            lines.append(f"{needed}{', not found in:' if considered else ''}")
            places = (f"    {shorten(directory)}  ({rule})" for directory, rule in considered)
            lines += few(places, MOST_PLACES, "    and {} more")
            before = considered
        if len(missing) > MOST_MISSING:
            lines.append(f"  and {len(missing) - MOST_MISSING} more")
        super().__init__("\n".join(lines), hint)
        self.program = program
        self.base = base
        self.missing = missing


class UnloadableLibraryError(ResolveError):
    """The loader would open this file for a needed name, fail to load it, and stop."""

    def __init__(self, path: str, needed_by: str, reason: str) -> None:
        super().__init__(
            f"cannot load {quoted(path)}, needed by {shorten(needed_by)}: {reason}",
            "remove it, or make the loader find another copy first (rpath, LD_LIBRARY_PATH)",
        )
        self.path = path
        self.needed_by = needed_by
        self.reason = reason


class UnloadableFileError(ResolveError):
    """Libraries or programs that were added and would not load: `files` has each with the reason."""

    def __init__(self, files: tuple[tuple[str, str], ...], base: str, hint: str) -> None:
        path, reason = files[0]
        lines = [f"cannot pack {quoted(path)} on {shorten(base)}: it would not load: {_reason(reason)}"]
        others = (f"  {shorten(other)}: {_reason(why)}" for other, why in files[1:])
        super().__init__("\n".join((*lines, *few(others, MOST_MISSING, "  and {} more"))), hint)
        self.files = files
        self.base = base


class DanglingLinkError(ResolveError):
    """Links that were added, each with its target, lead nowhere in the image, and --strict refuses that."""

    def __init__(self, links: tuple[str, ...]) -> None:
        names = listed(links, MOST_MISSING)
        super().__init__(f"cannot pack broken symbolic links: {names}", "add their targets, or leave out --strict")
        self.links = links


class UnboundSymbolError(ResolveError):
    """Everything is found, and the program would not start: `reasons` says what nothing defines."""

    def __init__(self, program: str, base: str, reasons: tuple[str, ...], hint: str) -> None:
        lines = (
            f"cannot pack {quoted(program)} on {shorten(base)}: it would not start",
            *few(map(_reason, reasons), MOST_PLACES),
        )
        super().__init__("\n  ".join(lines), hint)
        self.program = program
        self.base = base
        self.reasons = reasons


class UnreadableFileError(ResolveError):
    """A file that starting the program takes is closed to the image's user."""

    def __init__(self, path: str, user: str, what: str, hint: str) -> None:
        super().__init__(f"cannot start the program as {shorten(user)}: {what} {quoted(path)}", hint)
        self.path = path
        self.user = user
        self.what = what


class EntrypointError(ResolveError):
    """What the image is started with is not there, or nothing that the kernel or the image's user can start."""

    def __init__(self, program: str, reason: str, hint: str) -> None:
        super().__init__(f"cannot start {quoted(program)}: {reason}", hint)
        self.program = program
        self.reason = reason


class HealthCheckError(ResolveError):
    """What the health check runs is not there, or nothing that the kernel or the image's user can start."""

    def __init__(self, program: str, reason: str, hint: str) -> None:
        super().__init__(f"cannot run the health check {quoted(program)}: {reason}", hint)
        self.program = program
        self.reason = reason


class LibcMismatchError(ResolveError):
    """The program's C library is not the base's."""

    def __init__(self, program: str, interpreter: str, libc: str, base: str, base_libc: str, hint: str) -> None:
        has = f"{shorten(base)} has {base_libc}" if base_libc else f"{shorten(base)} has no C library"
        super().__init__(f"cannot pack {quoted(program)}: it needs {libc} ({shorten(interpreter)}), but {has}", hint)
        self.program = program
        self.interpreter = interpreter
        self.libc = libc
        self.base = base
        self.base_libc = base_libc


class WrongTargetError(ResolveError):
    """An ELF file is of another architecture than the one wanted."""

    def __init__(self, path: str, wanted: str, got: str, hint: str | None = None) -> None:
        super().__init__(f"cannot use {quoted(path)}: it is for {got}, not {wanted}", hint)
        self.path = path
        self.wanted = wanted
        self.got = got


class DifferentProgramsError(ResolveError):
    """The platforms of one image have different programs: `programs` has the names of each platform's."""

    def __init__(self, programs: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        lines = [f"cannot pack one image for {len(programs)} platforms: their programs differ"]
        rows = (f"  {platform}: {shorten(listed(names))}" for platform, names in programs)
        lines += few(rows, MOST_PLACES, "  and {} more")
        hint = "give each platform programs with the same file names"
        if all(len(names) == 1 for _, names in programs):
            hint += f", or one place for all: --dest /usr/local/bin/{programs[0][1][0]}"
        super().__init__("\n".join(lines), hint)
        self.programs = programs


class AmbiguousLibraryError(ResolveError):
    """More than one package has the library; `candidates` holds name, version and repository of each."""

    def __init__(self, soname: str, candidates: tuple[tuple[str, str, str], ...]) -> None:
        lines = [f"cannot choose a package for {shorten(soname)}: several packages have it, and none is preferred"]
        rows = (shorten(f"  {name} {version}  ({repository})") for name, version, repository in candidates)
        lines += few(rows, MOST_PLACES, "  and {} more")
        super().__init__("\n".join(lines), f"choose one with --package {candidates[0][0]}")
        self.soname = soname
        self.candidates = candidates


class BaseNeededError(ResolveError):
    """A dynamically linked program was given without a base to take its libraries from."""

    exit_code = 2

    def __init__(self, program: str, interpreter: str, hint: str) -> None:
        super().__init__(
            f"cannot pack {quoted(program)}: it is dynamically linked ({shorten(interpreter)}) and needs a --base",
            hint,
        )
        self.program = program
        self.interpreter = interpreter


class BaseError(MinpackError):
    """A base cannot be read."""

    def __init__(self, base: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot read base {quoted(base)}: {reason}", hint)
        self.base = base
        self.reason = reason


class UnknownBaseError(BaseError):
    """No base of that name is in the catalogue, and no such file exists."""


class ArchiveError(BaseError):
    """The base's tarball is damaged, or holds what could leave its root."""


class ImageBaseError(BaseError):
    """The base is an image; `what` says which form of one."""

    def __init__(self, base: str, what: str, hint: str) -> None:
        super().__init__(base, f"it is {what}, not a root file system", hint)
        self.what = what


class NotInBaseError(BaseError):
    """A file that was asked for is neither in the base nor in minpack's own data."""

    exit_code = 3

    def __init__(self, base: str, path: str, why: str, hint: str) -> None:
        super().__init__(base, f"it has no {shorten(path)}, {why}", hint)
        self.path = path


class PackageError(MinpackError):
    """A package or an index of packages, which `what` names, cannot be used."""

    def __init__(self, what: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot use {shorten(what)}: {reason}", hint)
        self.what = what
        self.reason = reason


class UntrustedPackageError(PackageError):
    """It is not signed by a trusted key, or is not what was signed."""


class StoreError(MinpackError):
    """The directory that keeps downloads cannot be used."""

    def __init__(self, path: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot use store {quoted(path)}: {reason}", hint)
        self.path = path
        self.reason = reason


class DownloadError(MinpackError):
    """A download failed for good; `status` is HTTP's, if it was one that did it."""

    def __init__(self, url: str, reason: str, hint: str | None = None, *, status: int | None = None) -> None:
        super().__init__(f"cannot download {url}: {reason}", hint)
        self.url = url
        self.reason = reason
        self.status = status

    @property
    def is_gone(self) -> bool:
        """Whether the server does not have it, or not any more, as what a mirror has replaced (404, 410)."""
        return self.status in (404, 410)


class OfflineError(DownloadError):
    """A download would be needed, and downloads are switched off."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "it is not in the cache, and --offline forbids downloads", "run once without --offline")


class SumMismatchError(MinpackError):
    """Bytes do not have the sum they should have."""

    def __init__(self, what: str, algorithm: str, expected: str, actual: str, hint: str) -> None:
        super().__init__(
            f"cannot verify {shorten(what)}: its {algorithm} differs\n  expected {expected}\n  actual   {actual}", hint
        )
        self.what = what
        self.algorithm = algorithm
        self.expected = expected
        self.actual = actual


class LockError(MinpackError):
    """A lock file cannot be read or written, or is none."""

    def __init__(self, lock: str, reason: str, hint: str | None = None, *, verb: str = "use lock") -> None:
        super().__init__(f"cannot {verb} {quoted(lock)}: {reason}", hint)
        self.lock = lock
        self.reason = reason


class LockedError(LockError):
    """What would be built is not what the lock names.

    `differences` holds, for each, what kind of thing it is, its name, what the lock has of it, and what there is now;
    either of the last two is empty where there is nothing.
    """

    exit_code = 3
    #: More differences than these are counted.
    most_lines = 20

    def __init__(
        self,
        lock: str,
        differences: tuple[tuple[str, str, str, str], ...],
        hint: str = "minpack update renews the lock and shows what changes",
    ) -> None:
        lines = few((_difference(*difference) for difference in differences), self.most_lines, "\n  and {} more")
        super().__init__(lock, f"this build differs from it{''.join(lines)}", hint, verb="build from")
        self.differences = differences


def _difference(kind: str, name: str, locked: str, now: str) -> str:
    """A line for a difference; of sums the first digits, which tell them apart."""
    name, locked, now = (
        shorten(re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]+", r"\1…", text)) for text in (name, locked, now)
    )
    if not locked:
        return f"\n  {kind} {name}: not in the lock, now {now}"
    return f"\n  {kind} {name}: locked {locked}, {f'now {now}' if now else 'now absent'}"


class ConfigError(MinpackError):
    """A file of images cannot be read, or a value in it cannot be meant.

    :param line: where it is; 0 where it is about the whole file, as is a `column` of 0 about the whole line.
    :param key: what is set there; empty where the text itself cannot be read.
    """

    exit_code = 2

    def __init__(self, path: str, line: int, column: int, key: str, value: str, reason: str, hint: str | None) -> None:
        at = "".join(f":{number}" for number in (line, column) if number)
        what = (
            f"{shorten(key)}{f' {quoted(value)}' if value else ''} in {shorten(path)}{at}" if key else f"{quoted(path)}"
        )
        super().__init__(f"cannot use {what if key or not at else f'{shorten(path)}{at}'}: {_reason(reason)}", hint)
        self.path = path
        self.line = line
        self.column = column
        self.key = key
        self.value = value
        self.reason = reason


class RootfsError(MinpackError):
    """The tree that was asked for cannot be."""


class PathConflictError(RootfsError):
    """Two different things were put at one path."""

    def __init__(self, path: str, first: str, second: str) -> None:
        super().__init__(
            f"cannot place {quoted(path)}: {shorten(second)} conflicts with {shorten(first)}",
            "give one of them another path (--dest for a program), or leave one out",
        )
        self.path = path
        self.first = first
        self.second = second


class ImageError(MinpackError):
    """An image cannot be made."""


class NothingToClaimError(ImageError):
    """Files of every vulnerability of the list `source` are in an image; `present` says of each which."""

    exit_code = 3

    def __init__(self, image: str, source: str, present: tuple[str, ...]) -> None:
        lines = (
            f"cannot claim anything about {quoted(image)}: it has files of every vulnerability in {quoted(source)}",
            *few(map(_reason, present), MOST_PLACES),
        )
        super().__init__("\n  ".join(lines))
        self.image = image
        self.source = source
        self.present = present


class UnreadableImageError(ImageError):
    """An image archive or layout is damaged, or holds no image that minpack can read."""

    #: Whether it is an image for all that is wrong with it.
    damaged = False

    def __init__(self, image: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot read image {quoted(image)}: {_reason(reason)}", hint)
        self.image = image
        self.reason = reason

    def of_damaged(self) -> UnreadableImageError:
        """The error, which says that it is an image, and a damaged one."""
        self.damaged = True
        return self


class NotInImageError(UnreadableImageError):
    """An image lacks the path that was asked for; `why` is a clause about the path."""

    exit_code = 3

    def __init__(self, image: str, path: str, why: str) -> None:
        hint = "minpack export IMAGE -o - | tar -t lists the files of an image"
        super().__init__(image, f"it has no {shorten(path)}, {why}", hint)
        self.path = path


class NotTextError(ImageError):
    """What the image's configuration should hold is not UTF-8; `text` has the bytes as surrogate escapes."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"cannot put {quoted(text)} into an image's configuration: it is not UTF-8",
            "rename the program or choose its path with --dest, and give options in UTF-8",
        )
        self.text = text


class ChangedInputError(ImageError):
    """A file did not have the size it had when it was planned, or was written to since."""

    def __init__(self, path: str, planned: int, actual: int) -> None:
        how = f"{planned} bytes planned, {actual} read" if planned != actual else "it was written to"
        super().__init__(
            f"cannot pack {quoted(path)}: it changed while it was read ({how})",
            "let the build that writes it finish, then pack again",
        )
        self.path = path
        self.planned = planned
        self.actual = actual


class OutputError(MinpackError):
    """A target cannot be written; what was there before is untouched."""

    def __init__(self, path: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot write {quoted(path)}: {reason}", hint)
        self.path = path
        self.reason = reason


class EngineError(MinpackError):
    """The container engine cannot be reached or refused the image."""

    def __init__(self, verb: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot {verb}: {reason}", hint)
        self.reason = reason


class ExecutorError(MinpackError):
    """What builds images on other machines cannot be used, or gave one up; `executor` is what the user named."""

    def __init__(self, executor: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot use {shorten(executor)}: {_reason(reason)}", hint)
        self.executor = executor
        self.reason = reason


class NotStartedError(MinpackError):
    """A program was to be run, and was not started; its exit code is the one that runtimes have for that."""

    exit_code = 125

    def __init__(self, verb: str, reason: str, hint: str | None, exit_code: int) -> None:
        super().__init__(f"cannot {verb}: {_reason(reason)}", hint)
        self.reason = reason
        self.exit_code = exit_code


class SmokeTestError(MinpackError):
    """An image was run, and did not do what is expected of it: `code` is the exit code, `output` the last lines of it.

    `absent` are paths that it asked for and that are not in the image, where that is known.
    """

    exit_code = 3

    def __init__(
        self,
        image: str,
        command: Sequence[str],
        code: int,
        reason: str,
        output: Sequence[str],
        hint: str | None = None,
        absent: Sequence[str] = (),
    ) -> None:
        lines = [f"cannot pack {quoted(image)}: it fails its smoke test: {_reason(reason)}"]
        lines.append(f"command: {listed(command, MOST_LINES, ' ')}")
        lines += [f"output: {shorten(line)}" for line in output]
        lines += few((f"not found: {shorten(path)}" for path in absent), MOST_MISSING, "and {} more paths not found")
        super().__init__("\n  ".join(lines), hint)
        self.image = image
        self.command = tuple(command)
        self.code = code
        self.reason = reason
        self.output = tuple(output)
        self.absent = tuple(absent)


class TooLargeError(MinpackError):
    """An image has more bytes than it may have; `what` says which, and `reasons` what most of them are for."""

    exit_code = 3

    def __init__(
        self, image: str, what: str, size: int, most: int, reasons: Sequence[tuple[str, int]], hint: str | None = None
    ) -> None:
        lines = [f"cannot pack {quoted(image)}: it is {size:,} bytes {what}, and the limit is {most:,}"]
        lines += [f"{amount:>13,} bytes  {shorten(text)}" for text, amount in reasons]
        super().__init__("\n  ".join(lines), hint)
        self.image = image
        self.what = what
        self.size = size
        self.most = most
        self.reasons = tuple(reasons)


class RegistryError(MinpackError):
    """A registry did not do what it was asked for; `status` is HTTP's and `code` the registry's own, if it has them."""

    def __init__(
        self, verb: str, name: str, reason: str, hint: str | None = None, *, status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(f"cannot {verb} {quoted(name)}: {_reason(reason)}", hint)
        self.name = name
        self.reason = reason
        self.status = status
        self.code = code


class RegistryAccessError(RegistryError):
    """The registry wants a login, another one, or one that may do more."""


class NotInRegistryError(RegistryError):
    """The registry has no such repository, tag or blob, or does not show it to everyone."""


class CredentialsError(MinpackError):
    """Credentials for registries cannot be read: `source` is the file or the program that should give them."""

    def __init__(self, source: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot read credentials from {quoted(source)}: {_reason(reason)}", hint)
        self.source = source
        self.reason = reason


class KeyFileError(MinpackError):
    """A key cannot be read or used: `key` is its file, or ``env://NAME``."""

    def __init__(self, key: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot use key {quoted(key)}: {_reason(reason)}", hint)
        self.key = key
        self.reason = reason


class UnverifiedError(MinpackError):
    """An image is not signed as it should be, or is not what was signed.

    `problem` is a word for programs, such as ``no-signature`` or ``wrong-key``.
    """

    exit_code = 3

    def __init__(self, image: str, problem: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot verify {quoted(image)}: {_reason(reason)}", hint)
        self.image = image
        self.problem = problem
        self.reason = reason


class ResourceError(MinpackError):
    """The system has no more of something that every command needs."""

    def __init__(self, command: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"cannot run {command}: {reason}", hint)
        self.command = command
        self.reason = reason


class InternalError(MinpackError):
    """An exception that nobody expected, with what a report of it needs.

    `places` are those it came through, the innermost first; `versions` are minpack's, Python's and the system's.
    """

    def __init__(self, error: str, places: tuple[str, ...], versions: str, command: str, hint: str) -> None:
        through = few((f"at {shorten(place)}" for place in places), MOST_PLACES)
        lines = (f"internal error: {_reason(error)}", *through, shorten(versions), f"command: {_reason(command)}")
        super().__init__("\n  ".join(lines), hint)
        self.error = error
        self.places = places
        self.versions = versions
        self.command = command


def reason_of(error: OSError) -> str:
    """What the system says of `error`, lower case, without number and path."""
    text = error.strerror or str(error) or "unknown error"
    return text[:1].lower() + text[1:]
