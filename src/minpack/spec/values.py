"""One parser for each value that a user writes; none knows by which option, or key of a file, it was given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.errors import OPTION, BadValueError
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT, RootPath, normal, parse_root_path

if TYPE_CHECKING:
    from minpack.registry.repository import ImageRepository
    from minpack.rootfs.etc_files import User
    from minpack.spec.owners import OwnerName

#: Where a program lies in its image unless --dest says otherwise.
PROGRAM_DIRECTORY = RootPath("/usr/local/bin")


#: The last second of 9999: RFC 3339 has four digits for the year.
MAX_CREATED = 253402300799


MAX_MODE = 0o7777
#: A mode, a user and a group.
MAX_RIGHTS = 3


MAX_PORT = 65535


#: The most ports that one range may have.
MAX_PORTS = 1000


#: The signals of Linux without ``SIG`` (signal(7), "Standard signals"); RTMIN and RTMAX with the distances that Docker
#: knows (moby's `signal` package).
# Compiled when it is first used, as most runs do not.
_SIGNAL = (
    r"ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    r"|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(\+(1[0-5]|[1-9]))?|RTMAX(-(1[0-4]|[1-9]))?"
)


MAX_SIGNAL = 64


class Addition(NamedTuple):
    """A file or directory of the host and where it goes.

    Without `mode` files are 0644, or 0755 if their owner may execute them, and directories 0755; without `owner` all
    are the owner's of all additions. A directory's `mode` is that of its files and directories: those that are
    executable, and directories, can be executed by whoever may read them, and other files by nobody. Its text is what
    `parse_addition` reads.
    """

    source: str
    destination: RootPath
    mode: int | None = None
    owner: User | OwnerName | None = None
    #: What is not taken of a directory, with all that is below it: paths in it.
    without: frozenset[RootPath] = frozenset()

    def __str__(self) -> str:
        return f"{self.source}:{self.destination}{_rights(self.mode, self.owner)}"


class AddedDirectory(NamedTuple):
    """A directory, 0755 unless `mode` is given; its owner is the image's user unless given.

    Its text is what `parse_directory` reads.
    """

    path: RootPath
    mode: int | None = None
    owner: User | OwnerName | None = None

    def __str__(self) -> str:
        return f"{self.path}{_rights(self.mode, self.owner)}"


class AddedLink(NamedTuple):
    """A symbolic link to `target`, as written. Its text is what `parse_link` reads."""

    path: RootPath
    target: str

    def __str__(self) -> str:
        return f"{self.target}:{self.path}"


def _rights(mode: int | None, owner: User | OwnerName | None) -> str:
    """``[:[MODE][:USER[:GROUP]]]``."""
    text = f":{mode:04o}" if mode is not None else ""
    return f"{text or ':'}:{owner}" if owner is not None else text


def parse_destination(text: str, programs: tuple[str, ...]) -> tuple[RootPath | None, RootPath]:
    """Where programs go, as `ImageSpec` has it: a path that ends with a slash is the directory they all go into.

    :raises BadValueError: it is one file's place and there are several programs, or it is not absolute.
    """
    path = parse_root_path(text)
    if text.endswith("/"):
        return None, path
    if len(programs) > 1:
        hint = f"end it with a slash to put all into one directory: {OPTION} {text}/"
        raise BadValueError(text, f"it names one file, but there are {len(programs)} programs", hint)
    return path, PROGRAM_DIRECTORY


def parse_place(text: str) -> RootPath:
    """A path in the image other than the root.

    :raises BadValueError: it is the root, or not absolute.
    """
    path = parse_root_path(text)
    if path == ROOT:
        raise BadValueError(text, "the root of the image is always there", "name a directory below it")
    return path


#: What --take is given for all that there is strong evidence of.
STRONG = "strong"


def parse_take(text: str) -> str:
    """A path in the base, or a pattern of such paths, or ``strong``.

    :raises BadValueError: it is not absolute, or the root.
    """
    if text == STRONG:
        return text
    path = parse_root_path(text)
    if path == ROOT:
        raise BadValueError(text, "the whole base is not part of a program", "minpack base image packs all of it")
    return path


def parse_addition(text: str) -> Addition:
    """``SRC:DST[:[MODE][:USER[:GROUP]]]``, MODE octal; a DST that ends with a slash is the directory it goes into.

    It is read from the right, and DST is the last part that is absolute: SRC may have colons in it.

    :raises BadValueError: there is no DST, or it is not absolute, or what follows it is no mode and owner.
    """
    parts = text.split(":")
    backwards = range(len(parts) - 1, 0, -1)
    at = next((at for at in backwards if parts[at].startswith("/")), 0)
    # Without one, what is no mode or owner was meant to be it.
    at = at or next((at for at in backwards if not parts[at].isdigit()), len(parts) - 1)
    source, destination, rights = ":".join(parts[:at]), parts[at], parts[at + 1 :]
    if not source or not destination or not _may_be_rights(rights):
        reason = "it is not SRC:DST[:MODE[:USER[:GROUP]]]"
        raise BadValueError(text, reason, f"for example {OPTION} config.toml:/etc/myapp/")
    mode, owner = _parse_rights(rights, text, f"for example {OPTION} key.pem:/etc/myapp/:0600:nonroot")
    return Addition(source, _below(destination, source), mode, owner)


def _may_be_rights(parts: list[str]) -> bool:
    """Whether there are as many parts as it may be; of two numbers the first may have been meant for no mode."""
    return len(parts) <= MAX_RIGHTS and not (len(parts) == 2 and all(part.isdigit() for part in parts))  # noqa: PLR2004


def _parse_rights(parts: list[str], text: str, hint: str) -> tuple[int | None, User | OwnerName | None]:
    """The mode and the owner that `parts`, up to three, say; before an owner the mode may be empty.

    :raises BadValueError: they say none.
    """
    if not parts:
        return None, None
    mode, *owner = parts
    if (mode or not owner) and (not re.fullmatch("[0-7]{1,5}", mode, re.ASCII) or int(mode, 8) > MAX_MODE):
        raise BadValueError(text, f"{mode!r} is not an octal mode up to {MAX_MODE:o}", hint)
    if not owner:
        return int(mode, 8), None
    from minpack.spec.owners import parse_owner_parts  # noqa: PLC0415 - for owners alone

    return int(mode, 8) if mode else None, parse_owner_parts(owner, text, hint)


def _below(destination: str, source: str) -> RootPath:
    """The path that `destination` is, or that `source` has in it if it ends with a slash."""
    path = parse_root_path(destination)
    name = source.rstrip("/").rpartition("/")[2]
    return normal(f"{path}/{name}") if destination.endswith("/") and name != ".." else path


def parse_directory(text: str) -> AddedDirectory:
    """``PATH[:[MODE][:USER[:GROUP]]]``, MODE octal.

    :raises BadValueError: it does not have that form.
    """
    path, *rest = text.split(":")
    if not _may_be_rights(rest):
        raise BadValueError(text, "it is not PATH[:MODE[:USER[:GROUP]]]", f"for example {OPTION} /data:0750:1000:1000")
    mode, owner = _parse_rights(rest, text, f"for example {OPTION} /data:0750:1000:1000")
    return AddedDirectory(parse_place(path), mode, owner)


def parse_link(text: str) -> AddedLink:
    """``TARGET:PATH``, as `ln -s TARGET PATH`; a PATH that ends with a slash is the directory it goes into.

    :raises BadValueError: a part is empty, or PATH is not absolute.
    """
    target, colon, path = text.rpartition(":")
    if not colon or not target or not path or "\0" in target:
        raise BadValueError(text, "it is not TARGET:PATH", f"for example {OPTION} busybox:/bin/sh")
    if target.startswith("/") and not path.startswith("/"):
        hint = f"the target comes first, as in ln -s: {OPTION} {_quoted(f'{path}:{target}')}"
        raise BadValueError(text, "a path in the image must be absolute", hint)
    return AddedLink(parse_place(_below(path, target)), target)


def parse_variable(text: str) -> tuple[str, str]:
    """A variable of the environment, ``KEY=VALUE``.

    :raises BadValueError: there is no key or no equals sign, or the key has a space.
    """
    key, equals, _ = text.partition("=")
    # Docker takes the variable's value from the shell's environment then.
    if not equals and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        hint = f'minpack takes no variable from this shell: write {OPTION} {key}="${key}"'
        raise BadValueError(text, "it is not KEY=VALUE", hint)
    return _parse_pair(text, f"for example {OPTION} name=value")


def parse_label(text: str) -> tuple[str, str]:
    """A label, ``KEY=VALUE``.

    :raises BadValueError: there is no key or no equals sign, or the key has a space.
    """
    hint = f"for an empty value: {OPTION} {_quoted(text or 'name')}=" if "=" not in text else ""
    return _parse_pair(text, hint)


def _parse_pair(text: str, alone: str) -> tuple[str, str]:
    """``KEY=VALUE``; `alone` is what to write in place of a key alone."""
    key, equals, value = text.partition("=")
    if not equals:
        raise BadValueError(text, "it is not KEY=VALUE", alone)
    if not key or "\0" in text:
        raise BadValueError(text, "it is not KEY=VALUE", f"for example {OPTION} name=value")
    if re.search(r"\s", key):
        better = f"{(key.split() or ['name'])[-1]}={value.lstrip()}"
        raise BadValueError(text, f"{key!r} has a space", f"write {OPTION} {_quoted(better)}")
    return key, value


def _quoted(text: str) -> str:
    """`text` as a shell takes it for one word."""
    import shlex  # noqa: PLC0415 - for refusals alone

    return shlex.quote(text)


def parse_zone(text: str) -> str:
    """The name of a time zone, as ``Europe/Berlin``.

    :raises BadValueError: it has a part that no zone's name has.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*", text):
        raise BadValueError(text, "it is not a time zone's name", "for example Europe/Berlin")
    return text


def parse_locale(text: str) -> str:
    """The name of a locale, as ``de_DE.UTF-8`` or ``C.UTF-8`` (locale(7)).

    :raises BadValueError: it has a part that no locale's name has.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9-]+)?(@[A-Za-z0-9]+)?", text):
        better = re.fullmatch(r"([a-z]{2})-([A-Za-z]{2})(\..*)?", text, re.ASCII)
        hint = (
            f"write {OPTION} {better[1]}_{better[2].upper()}.UTF-8" if better else "for example C.UTF-8 or de_DE.UTF-8"
        )
        raise BadValueError(text, "it is not a locale's name", hint)
    return text


def parse_ports(text: str) -> tuple[str, ...]:
    """Ports as images have them: ``8080`` means ``8080/tcp`` (image-spec, config.md, "ExposedPorts").

    ``8000-8010/udp`` means each of them, as Docker takes it.

    :raises BadValueError: it is not a port and no range, or a range of more than `MAX_PORTS`.
    """
    numbers, slash, protocol = text.partition("/")
    first, dash, last = numbers.partition("-")
    if not _is_port(first) or (dash and not _is_port(last)):
        raise BadValueError(text, "it is not a port", _port_hint(text))
    if slash and protocol.lower() not in ("tcp", "udp", "sctp"):
        raise BadValueError(text, f"{protocol!r} is not a protocol that images know", "for example 8080 or 53/udp")
    begin, end = int(first), int(last or first)
    if begin > end:
        raise BadValueError(text, "the range ends before it begins", f"write {OPTION} {end}-{begin}")
    if end - begin >= MAX_PORTS:
        raise BadValueError(text, f"a range has at most {MAX_PORTS} ports", "name those it listens on")
    return tuple(f"{port}/{protocol.lower() or 'tcp'}" for port in range(begin, end + 1))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PORT)) and 0 < int(text) <= MAX_PORT


def _port_hint(text: str) -> str:
    """What to write instead, as far as that can be told."""
    if match := re.fullmatch(r"(?:[^/]*:)?(\d+(?:-\d+)?)?:(\d+(?:-\d+)?)((?:/[a-z]+)?)", text, re.ASCII):
        inside = f"an image names the port that the program listens on: {OPTION} {match[2]}{match[3]}"
        return f"{inside}; docker run -p {text} publishes it" if match[1] else inside
    if re.fullmatch(r"\d+(,\s*\d+)+", text, re.ASCII):
        return "one at a time: " + " ".join(f"{OPTION} {port}" for port in re.findall(r"\d+", text))
    if match := re.fullmatch(r"([a-z]+)/(\d+)", text, re.ASCII):
        return f"write {OPTION} {match[2]}/{match[1]}"
    return "for example 8080, 53/udp or 8000-8010"


def parse_volume(text: str) -> RootPath:
    """The path of a volume in the image.

    :raises BadValueError: it names a place of the host too, is the root, or not absolute.
    """
    if match := re.fullmatch(r"[^:]+:(/[^:]*)(?::\w+)?", text):
        hint = f"an image names the path in it: {OPTION} {_quoted(match[1])}; docker run -v {_quoted(text)} mounts it"
        raise BadValueError(text, "a volume in an image has no path on the host", hint)
    return parse_place(text)


def parse_signal(text: str) -> str:
    """A signal as images have it: ``TERM`` means ``SIGTERM``, numbers stay (image-spec, config.md, "StopSignal").

    :raises BadValueError: Linux has no such signal.
    """
    name = text.upper().removeprefix("SIG")
    if re.fullmatch(_SIGNAL, name, re.ASCII):
        return f"SIG{name}"
    if text.isascii() and text.isdigit() and len(text) < len("100") and 0 < int(text) <= MAX_SIGNAL:
        return text
    hint = (
        "RTMIN+1 to RTMIN+15 and RTMAX-14 to RTMAX-1 are known"
        if name.startswith("RTM")
        else "for example SIGTERM or SIGINT"
    )
    raise BadValueError(text, "no such signal", hint)


def parse_size(text: str) -> int:
    """A number of bytes; ``500MB`` has decimal units, ``500MiB`` binary ones.

    :raises BadValueError: it is not a size.
    """
    found = re.fullmatch(r"(\d{1,12}) ?(?:([kKMGT]?)(i?)B?)", text, re.ASCII)
    if found is None:
        raise BadValueError(text, "it is not a size", "for example 500MB, 2GB or 512MiB")
    number, unit, binary = found.groups()
    return int(number) * int((1024 if binary else 1000) ** " KMGT".index(unit.upper() or " "))


def parse_days(text: str) -> int:
    """A number of days.

    :raises BadValueError: it is none.
    """
    if re.fullmatch(r"\d{1,6}", text, re.ASCII):
        return int(text)
    match = re.fullmatch(r"(\d{1,6}) ?d(ays?)?", text, re.ASCII)
    raise BadValueError(text, "it is not a number of days", f"write {OPTION} {match[1] if match else 30}")


def parse_sha512(text: str) -> str:
    """A SHA-512 in lower-case hexadecimal digits.

    :raises BadValueError: it is none.
    """
    if not re.fullmatch(r"[0-9a-f]{128}", text.lower(), re.ASCII):
        bare = text.lower().removeprefix("sha512:")
        sha256 = re.fullmatch(r"(sha256:)?[0-9a-f]{64}", text.lower(), re.ASCII) is not None
        hint = f"write {OPTION} {bare}" if re.fullmatch(r"[0-9a-f]{128}", bare, re.ASCII) else ""
        hint = hint or ("this is a SHA-256: " if sha256 else "") + "sha512sum FILE prints it"
        raise BadValueError(text, "a SHA-512 has 128 hexadecimal digits", hint)
    return text.lower()


def parse_host(text: str) -> str:
    """The ``HOST[:PORT]`` of a registry, as references begin with it.

    :raises BadValueError: it is none.
    """
    from minpack.oci.reference import is_host  # noqa: PLC0415 - for registries alone

    if not is_host(text):
        bare = re.sub(r"^[a-z]+://", "", text).partition("/")[0]
        raise BadValueError(text, "it is not HOST[:PORT]", f"write {OPTION} {bare if is_host(bare) else 'HOST'}")
    return text


def parse_cache(text: str) -> ImageRepository:
    """A repository of a registry that is a shared cache.

    :raises BadValueError: it is none, or has a tag.
    """
    from minpack.oci.reference import parse_reference  # noqa: PLC0415 - for shared caches alone
    from minpack.registry.repository import ImageRepository  # noqa: PLC0415 - as above

    reference = parse_reference(text)
    named = f"{reference.host}/{reference.name}"
    if ":" in text.rpartition("/")[2]:
        reason = "it has a tag, and a shared cache is a whole repository: minpack chooses the tags"
        raise BadValueError(text, reason, f"write {OPTION} {text.rpartition(':')[0]}")
    if reference.host == "docker.io" and reference.name.startswith("library/"):
        hint = "name its owner: ME/cache on Docker Hub, or ghcr.io/ME/cache on another registry"
        raise BadValueError(text, f"it means {named}, which is for Docker's official images", hint)
    return ImageRepository(reference.host, reference.name)
