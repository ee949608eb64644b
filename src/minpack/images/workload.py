"""How to run an image with as little as it needs: its user, what it writes to, ports, capabilities and probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.base.walk import Walker, tree_below
from minpack.errors import BadValueError, UnreadableImageError
from minpack.excerpt import few, listed
from minpack.images.finding import Finding
from minpack.images.settings import read_settings
from minpack.images.start import check_entrypoint, start_check
from minpack.images.tree import open_tree
from minpack.images.users import ImageUser, find_user
from minpack.namedtuple import NamedTuple
from minpack.oci.json_node import parsed
from minpack.paths import ROOT, normal
from minpack.plan.any_user import ANY_USER
from minpack.plan.permissions import is_writable
from minpack.rootfs.capability import permitted_names
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import User
from minpack.rootfs.modes import SET_ID_BITS, TMP, VAR_TMP
from minpack.spec.health import read_test
from minpack.spec.values import parse_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minpack.base.options import BaseOptions
    from minpack.images.start import Started
    from minpack.oci.documents import ImageConfig
    from minpack.oci.image import BuiltImage

#: What engines mount themselves.
_MOUNTED = ("/dev", "/proc", "/sys")
#: More directories are not mounted, and more paths not named.
MOST_MOUNTS, MOST_NAMED = 32, 3
_MOST_PORTS = 100


class Probe(NamedTuple):
    """What a health check asks; `kind` is ``http``, ``tcp``, ``grpc`` or ``exec``, and times are in nanoseconds.

    A server is asked at `port`, `rest` being the path or the name of a service. `test` is what Docker runs, with its
    ``CMD`` or ``CMD-SHELL``, and `command` what that means. What is 0 is not said.
    """

    kind: str
    test: tuple[str, ...]
    command: tuple[str, ...]
    port: int = 0
    rest: str = ""
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Mount(NamedTuple):
    """A directory that the program writes to; of a volume the content is to be kept.

    `is_closed` says that the image's user cannot write to what the image has there.
    """

    path: str
    is_volume: bool = False
    is_closed: bool = False


class Workload(NamedTuple):
    """An image as it is to be run, its root file system being read-only.

    `user` is None where the image's is not known. `capabilities` are those of the program's file, by the names that
    Kubernetes and Docker have. `ports` are numbers with ``tcp``, ``udp`` or ``sctp``. `home` is a HOME to set, empty
    for that of the image.
    """

    user: User | None
    mounts: tuple[Mount, ...] = ()
    ports: tuple[tuple[int, str], ...] = ()
    capabilities: tuple[str, ...] = ()
    probe: Probe | None = None
    stop_signal: str = ""
    home: str = ""
    notes: tuple[str, ...] = ()


def read_workload(image: BuiltImage, name: str, options: BaseOptions, *, any_user: bool = False) -> Workload:
    """How to run an image of one platform; without what depends on its user if that is not known.

    :param name: what to call it in messages.
    :param any_user: whether the platform chooses the user.
    :raises UnreadableImageError: it is damaged.
    """
    settings, found = read_settings(image, name)
    if settings is None:
        raise UnreadableImageError(name, found[0].reason, found[0].hint or None)
    config = settings.config
    with open_tree(image, name, options) as base:
        tree = Walker(base)
        user = find_user(config.user, tree)
        known = None if isinstance(user, Finding) else user
        started = check_entrypoint(start_check(settings, tree, known or ImageUser(User(0, 0))))
        capabilities, gained = _gained(started)
        mounts, closed = _mounts(config, tree, None if known is None else known.user, any_user=any_user)
        ports, wrong = _ports(config.exposed)
        home = _home(config, known, any_user=any_user)
    notes = (
        *((f"{user.reason}: {user.hint}",) if isinstance(user, Finding) else ()),
        *_start_notes(started),
        *gained,
        *closed,
        *wrong,
    )
    probe = _probe(image)
    signal, no_text = config.stop_signal, "has what is not Unicode, and is left out: YAML cannot have it"
    if probe is not None and not all(map(is_unicode, (*probe.test, *probe.command))):
        probe, notes = None, (*notes, f"the health check {no_text}")
    if not is_unicode(signal):
        signal, notes = "", (*notes, f"the stop signal {no_text}")
    return Workload(
        None if known is None else known.user,
        *(mounts, ports, capabilities, probe, signal, home, notes),
    )


def _start_notes(started: Started) -> Iterator[str]:
    if started.findings:
        one = started.findings[0]
        yield f"a container of it does not start: {one.path or one.code}: {one.reason} (minpack check shows more)"


def _gained(started: Started) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The capabilities that files of the start give, and a note of what they and set-user-ID bits mean."""
    names = dict.fromkeys(name for entry in started.files for name in permitted_names(entry.capability))
    set_id = [entry.path for entry in started.files if entry.mode & SET_ID_BITS]
    notes = []
    if set_id:
        notes.append(f"{listed(set_id, MOST_NAMED)} is set-ID, which has no effect with no_new_privs")
    return tuple(names), tuple(notes)


def _mounts(
    config: ImageConfig, tree: Walker, user: User | None, *, any_user: bool
) -> tuple[tuple[Mount, ...], tuple[str, ...]]:
    """The volumes, and the empty directories that the user may write to; with notes of those that are not empty.

    Nothing shows where root writes, but for the directories of temporary files.
    """
    volumes = [str(normal(path)) for path in config.volumes if path.startswith("/") and normal(path) != ROOT]
    usable = dict.fromkeys(path for path in volumes if not _why_unmounted(path))
    wrong = (f"the volume {path!r} {why}, and cannot be mounted" for path in volumes if (why := _why_unmounted(path)))
    notes = few(wrong, MOST_NAMED, "{} more volumes cannot be mounted")
    hidden = [path for path in usable if tree.base.listdir(normal(path))]
    if hidden:
        notes.append(f"a volume of Kubernetes hides what the image has in {listed(hidden, MOST_NAMED)}")
    found = {path: Mount(path, is_volume=True, is_closed=_is_closed(tree, path, user)) for path in usable}
    # Without one in the image engines make the place to mount it.
    temporary = [TMP, *([VAR_TMP] if _is_directory(tree, VAR_TMP) else [])]
    users = [*([user] if user is not None and user.uid else []), *([ANY_USER] if any_user else [])]
    written = list(_written(tree, users)) if users else []
    empty = [path for path, is_empty in written if is_empty and not _why_unmounted(path)]
    lost = (
        f"{path!r} {why}, and cannot be mounted" for path, gone in written if gone and (why := _why_unmounted(path))
    )
    notes += few(lost, MOST_NAMED, "{} more directories cannot be mounted")
    for path in (*temporary, *empty):
        if not any(path == one or path.startswith(f"{one}/") for one in found):
            found[str(path)] = Mount(str(path))
    full = [path for path, is_empty in written if not is_empty and path not in (*found, *temporary)]
    if full:
        notes.append(
            f"the root is read-only, so {users[-1]} cannot write to {listed(full, MOST_NAMED)}, which has files"
        )
    if user is not None and not user.uid:
        notes.append("the image's user is root: minpack cannot tell what it writes to, and the root is read-only")
    if len(found) > MOST_MOUNTS:
        notes.append(f"{len(found) - MOST_MOUNTS} more directories that it may write to are not mounted")
    # Volumes first, then those of temporary files.
    return tuple(sorted([*found.values()][:MOST_MOUNTS])), tuple(notes)


def _why_unmounted(path: str) -> str:
    """Why no platform mounts a directory at `path`, as a clause about it; empty if they do."""
    if ":" in path:
        return "has a colon in its path"
    return "" if is_unicode(path) else "has bytes in its path that are not UTF-8"


def is_unicode(text: str) -> bool:
    """Whether YAML can have a text (YAML 1.2.2, 5.2): lone surrogates are no characters."""
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _is_closed(tree: Walker, path: str, user: User | None) -> bool:
    return user is not None and user.uid != 0 and not is_writable(tree, path, user)


def _is_mounted(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in _MOUNTED)


def _is_directory(tree: Walker, path: str) -> bool:
    entry = tree.walk(path).entry
    return entry is not None and entry.kind is Kind.DIRECTORY


def _written(tree: Walker, users: Sequence[User]) -> Iterator[tuple[str, bool]]:
    """The directories that one of the users may write to, and whether each is empty."""
    for path, entry in sorted(tree_below(tree.base, ROOT), key=lambda one: one[0]):
        if entry is None or entry.kind is not Kind.DIRECTORY or _is_mounted(path):
            continue
        if any(is_writable(tree, path, user) for user in users):
            yield path, not tree.base.listdir(path)


def _ports(exposed: Sequence[str]) -> tuple[tuple[tuple[int, str], ...], tuple[str, ...]]:
    found, notes = dict[tuple[int, str], None](), []
    for text in exposed:
        try:
            for one in parse_ports(text):
                number, _, protocol = one.partition("/")
                found[int(number), protocol] = None
        except BadValueError as error:
            notes.append(f"the image exposes {text!r}: {error.reason}")
    if len(found) > _MOST_PORTS:
        notes.append(f"{len(found) - _MOST_PORTS} more ports are left out")
    return tuple(sorted(found))[:_MOST_PORTS], tuple(notes)


def _home(config: ImageConfig, user: ImageUser | None, *, any_user: bool) -> str:
    """A HOME that can be written to, for a user without one; empty where the image says one, or might."""
    if dict(config.env).get("HOME"):
        return ""
    has_home = user is None or user.home not in ("", ROOT)
    return TMP if any_user or not has_home else ""


def _probe(image: BuiltImage) -> Probe | None:
    """The health check, if there is one that asks something."""
    document = parsed(image.config.data)
    run = document.get("config") if isinstance(document, dict) else None
    stated = run.get("Healthcheck") if isinstance(run, dict) else None
    if not isinstance(run, dict) or not isinstance(stated, dict):
        return None
    kind, test = _texts(stated.get("Test"))[:1], _texts(stated.get("Test"))[1:]
    if not test or kind not in (("CMD",), ("CMD-SHELL",)):
        return None
    shell = _texts(run.get("Shell")) or ("/bin/sh", "-c")
    command = test if kind == ("CMD",) else (*shell, *test)
    names = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
    times = tuple(value if type(value := stated.get(key)) is int and value > 0 else 0 for key in names)
    asked = read_test(command)
    # The kubelet asks from outside, and does not reach what listens on the loopback interface alone.
    reached = asked is not None and asked.has_probe and not asked.host
    what = (str(asked.kind), asked.port, asked.rest) if asked is not None and reached else ("exec", 0, "")
    return Probe(what[0], (*kind, *test), command, *what[1:], *times)


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - of JSON
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
