"""What becomes of an image that is put on another: what that one lacks is written, all else is as it has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.users import listed_ids
from minpack.base.walk import Walker
from minpack.content import read_all, same_content
from minpack.errors import UsageError
from minpack.needs.need import Need
from minpack.oci.on import LowerImage, inherited_config
from minpack.paths import normal
from minpack.plan.model import Origin, ReasonKind
from minpack.rootfs.entry import Kind
from minpack.rootfs.etc_files import User
from minpack.spec.base_ref import DOCKER_ARCHIVE, DOCKER_DAEMON

if TYPE_CHECKING:
    from minpack.base.interface import Base
    from minpack.base.options import OpenBase
    from minpack.build.plan import PlannedImage
    from minpack.oci.documents import ImageConfig
    from minpack.output.target import OutputSpec
    from minpack.plan.model import PlannedEntry
    from minpack.plan.unpacked import Unpacked
    from minpack.rootfs.entry import Entry
    from minpack.spec.health import Health
    from minpack.spec.image import ImageSpec

#: What the user may leave to the image below.
USER, WORKDIR = "user", "workdir"


def lower_image(spec: ImageSpec, opened: OpenBase) -> LowerImage:
    """The image that another is put on."""
    assert opened.image is not None, "internal error: it is an image"
    assert spec.on is not None, "internal error: it is on an image"
    assert spec.on.image is not None, "internal error: as above"
    # What an engine saves has no manifest of its own, and so no digest that anyone else knows.
    has_digest = spec.on.image.transport not in (DOCKER_ARCHIVE, DOCKER_DAEMON)
    return LowerImage(opened.image, opened.url.removeprefix("docker://"), opened.digest if has_digest else "")


def check_output(spec: ImageSpec, output: OutputSpec | None) -> None:
    """Raise `UsageError` if what is written has no layers that could be kept."""
    if output is not None and not output.format.has_layers:
        on = spec.on.text if spec.on is not None else ""
        reason = f"it writes the bare files, and the programs are put on the layers of {on}"
        raise UsageError("--format", str(output.format), reason, "make an image with --format archive or oci")


def inherited_spec(spec: ImageSpec, opened: OpenBase) -> ImageSpec:
    """The spec with user and directory of the image below, where the user gave none.

    :raises UsageError: that image's user is none that it has.
    """
    run, lower = spec.run, lower_image(spec, opened)
    user, directory = _inherited_user(spec, lower), lower.run.get("WorkingDir")
    if user:
        run = run._replace(user=_user(user, Walker(opened.base)))
    if WORKDIR in spec.inherits and isinstance(directory, str) and directory.startswith("/"):
        run = run._replace(workdir=normal(directory))
    return spec._replace(run=run)


def _inherited_user(spec: ImageSpec, lower: LowerImage) -> str:
    """The user of the image below, as it names it; empty if it names none, or the user named one."""
    user = lower.run.get("User") if USER in spec.inherits else None
    return user if isinstance(user, str) else ""


def _user(text: str, walker: Walker) -> User:
    """The user of a configuration in numbers: of a name those of the image's lists (image-spec, config.md, "User")."""
    user, colon, group = text.partition(":")
    users = dict(listed_ids(walker, "/etc/passwd", 2))
    groups = dict(listed_ids(walker, "/etc/group", 1))
    known = users.get(user) or next(((uid, gid) for uid, gid in users.values() if str(uid) == user), None)
    if known is None and not user.isdecimal():
        raise UsageError(
            "--on", walker.base.name, f"its user {user!r} is not in its /etc/passwd", "give one with --user UID"
        )
    uid, gid = known or (int(user), 0)
    if colon:
        if group not in groups and not group.isdecimal():
            raise UsageError(
                "--on", walker.base.name, f"its group {group!r} is not in its /etc/group", "give one with --user"
            )
        gid = groups[group][0] if group in groups else int(group)
    return User(uid, gid)


def lacking_plan(spec: ImageSpec, planned: PlannedImage, opened: OpenBase) -> PlannedImage:
    """The plan of what the image below lacks, with its configuration as it goes on."""
    plan, lower = planned.plan, lower_image(spec, opened)
    entries = tuple(one for one in plan.entries if not _is_there(spec, one, opened.base))
    config = inherited_config(plan.config, lower, own_path="PATH" in dict(spec.run.env))
    if spec.run.health is not None:
        config = _with_health(spec.run.health, config, opened.base.name)
    user = _inherited_user(spec, lower)
    if user:
        config = config._replace(user=user)
    if user and not spec.run.any_user:
        # Where a user of that image is at home is in its own list.
        entries = tuple(one for one in entries if one.reason.need != Need.HOME)
    walker = Walker(opened.base)
    late = tuple(one for one in planned.late if not any(walker.walk(path).entry for path in one.paths))
    return planned._replace(plan=plan._replace(entries=entries, config=config), late=late)


def _with_health(health: Health, config: ImageConfig, name: str) -> ImageConfig:
    """The configuration with the health check of the image below as options change it.

    :raises UsageError: it has none, or none that they change.
    """
    if config.health is None or health.test is not None:
        return config
    if config.health.test in ((), ("NONE",)):
        raise UsageError(health.first_option, "", f"{name} has no health check", "add --health, or leave it out")
    if health.start_interval and not config.health.start_period:
        hint = "add --health-start-period, or leave it out"
        raise UsageError("--health-start-interval", "", "without a start period it is never used", hint)
    if not health.timeout:
        return config
    from minpack.spec.health import limited  # noqa: PLC0415 - for such options alone

    return config._replace(health=limited(config.health))


def _is_there(spec: ImageSpec, planned: PlannedEntry, base: Base) -> bool:
    """Whether the image below has it already, or what takes its place."""
    entry, source = planned.entry, planned.source
    there = base.lstat(entry.path)
    if there is None or source in (Origin.PROGRAM, Origin.ADDED):
        # A directory that just holds what is new, or is where the program starts, keeps the mode and owner that it has.
        is_workdir = entry.path == spec.run.workdir and not spec.run.any_user
        kept = planned.reason.kind is ReasonKind.DIRECTORY or is_workdir
        return there is not None and kept and there.kind is Kind.DIRECTORY
    if entry.kind is Kind.DIRECTORY or there.kind is Kind.DIRECTORY:
        is_home = planned.reason.need == Need.HOME and spec.run.any_user
        return entry.kind is there.kind and not is_home
    if planned.reason.kind is ReasonKind.DATABASE:
        return True
    if planned.reason.kind is ReasonKind.HEALTH:
        return _is_same_probe(entry, there)
    if spec.ca_file is not None and planned.reason.need == Need.CERTS:
        return False
    return source is Origin.DEFAULT or _is_same(entry, there)


def _is_same_probe(entry: Entry, there: Entry) -> bool:
    """Whether the image below has this very probe: another version of minpack may have packed another one."""
    if entry.content is None or there.content is None or there.content.size != entry.size:
        return False
    same_mode = (there.mode, there.uid, there.gid) == (entry.mode, entry.uid, entry.gid)
    return same_mode and read_all(there.content, entry.size) == read_all(entry.content, entry.size)


def _is_same(entry: Entry, there: Entry) -> bool:
    """Whether both are the same link or the same file, whatever their modes."""
    if entry.content is None or there.content is None:
        return (entry.kind, entry.link) == (there.kind, there.link)
    return same_content(entry.content, there.content)


def unpacked_besides(unpacked: tuple[Unpacked, ...], opened: OpenBase) -> tuple[Unpacked, ...]:
    """What is not packed and the image below has not either."""
    walker = Walker(opened.base)
    return tuple(one for one in unpacked if walker.walk(one.path).entry is None)
