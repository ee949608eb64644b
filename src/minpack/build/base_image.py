"""A whole base as an image: FROM scratch, ADD minirootfs, CMD /bin/sh, without a Dockerfile."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from minpack.base.options import BaseKind
from minpack.base.walk import tree_below
from minpack.build.inputs import Input, base_input
from minpack.build.several import check_several, merged_notes
from minpack.elf.read import read_elf
from minpack.errors import BaseError, EntrypointError, MinpackError, UsageError, WrongTargetError
from minpack.excerpt import listed
from minpack.layers.cache import LayerOptions
from minpack.ld.fit import find_loaders
from minpack.namedtuple import NamedTuple
from minpack.oci.documents import ImageConfig
from minpack.output.inputs import base_inputs, guarded, left_out
from minpack.output.write import LayerInputs, write_output
from minpack.paths import ROOT, RootPath, sort_key
from minpack.plan.entrypoint import Start, check_start
from minpack.program.platforms import platform_of_file
from minpack.rootfs.access import POLICY_LABELS
from minpack.rootfs.entry import Entry, Kind
from minpack.rootfs.etc_files import NOBODY
from minpack.rootfs.tree import WHITEOUT, with_hard_links
from minpack.sources.session import open_session
from minpack.spec.image import DEFAULT_PATH, SHELL, unexpanded
from minpack.target import Platform

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.base.walk import Walker
    from minpack.oci.compression import Compression
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.progress import Progress
    from minpack.shared.cache import SharedCache
    from minpack.shared.use import CacheUse
    from minpack.spec.base_ref import BaseRef
    from minpack.spec.image import RunConfig


class BaseImageSpec(NamedTuple):
    """An image of everything in a base, run as `run` says; without entrypoint and cmd as ``/bin/sh``.

    Of several `platforms` it is one for each; without any, the one that the base is for.
    """

    base: BaseRef
    platforms: tuple[Platform, ...]
    run: RunConfig
    created: int
    compression: Compression
    threads: int


class BaseImage(NamedTuple):
    """What was made. Of several platforms it is the image of the first by its name, and `others` are the others'."""

    written: WrittenOutput
    platform: Platform
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]
    #: What is run: the entrypoint and its arguments; empty if nothing is.
    cmd: tuple[str, ...]
    others: tuple[BaseImage, ...] = ()
    #: What was taken from shared caches and written to one; None where none is named.
    cache: CacheUse | None = None

    @property
    def images(self) -> tuple[BaseImage, ...]:
        """That of each platform."""
        return (self, *self.others)


class _Prepared(NamedTuple):
    """An image that can be written, as long as its base is open."""

    work: LayerInputs
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]


def pack_base(spec: BaseImageSpec, options: BaseOptions, output: OutputSpec, progress: Progress) -> BaseImage:
    """Make an image of the whole base, with the modes, owners and hard links it has.

    Device nodes, sockets and FIFOs are left out: runtimes make /dev themselves.

    :raises BaseError: the base is this host, is made of packages, or holds names an image cannot have.
    :raises UsageError: the platform cannot be told from the base.
    """
    if options.cache is None:
        return _packed(spec, options, output, progress)
    from minpack.build.shared import open_caches  # noqa: PLC0415 - for shared caches alone

    with open_caches(options) as caches:
        made = _packed(spec, caches.options, output, progress, caches.shared)
        use = caches.finish(progress, write=True)
    return made._replace(cache=use, notes=(*made.notes, *use.notes))


def _packed(
    spec: BaseImageSpec,
    options: BaseOptions,
    output: OutputSpec,
    progress: Progress,
    shared: SharedCache | None = None,
) -> BaseImage:
    ref = spec.base
    if ref.kind is BaseKind.PACKAGES:
        reason = "it is assembled from packages on demand, so there is no whole tree to pack"
        raise BaseError(ref.text, reason, "use a tarball, or a directory with a root file system")
    if len(spec.platforms) > 1:
        check_several(spec.platforms, options, output)
    with ExitStack() as stack:
        found = []
        for wanted in spec.platforms or (None,):
            with _of_platform(wanted if len(spec.platforms) > 1 else None):
                found.append(stack.enter_context(_prepared(spec, wanted, options, output, progress, shared)))
        found.sort(key=lambda one: str(one.work.config.platform))
        _check_different([one.work.config.platform for one in found])
        output = guarded(output, base_inputs(ref, options, whole=True))
        written = write_output(tuple(one.work for one in found), output)
    made = [_base_image(one, out) for one, out in zip(found, written, strict=True)]
    notes = merged_notes([(one.platform, one.notes) for one in made])
    return made[0]._replace(others=tuple(made[1:]), notes=(*notes, *written[0].notes))


def _base_image(image: _Prepared, written: WrittenOutput) -> BaseImage:
    config = image.work.config
    return BaseImage(written, config.platform, image.inputs, image.notes, config.entrypoint + config.cmd)


@contextmanager
def _of_platform(platform: Platform | None) -> Generator[None]:
    """Let errors say which platform they are of, if there are several."""
    try:
        yield
    except MinpackError as error:
        if platform is not None:
            error.for_platform(str(platform))
        raise


def _check_different(platforms: Sequence[Platform]) -> None:
    """Raise `UsageError` if the base has one image for two of the platforms."""
    twice = next((one for one in platforms if platforms.count(one) > 1), None)
    if twice is not None:
        raise UsageError("--platform", str(twice), "the base has one image for two of the platforms", "leave one out")


@contextmanager
def _prepared(
    spec: BaseImageSpec,
    wanted: Platform | None,
    options: BaseOptions,
    output: OutputSpec,
    progress: Progress,
    shared: SharedCache | None,
) -> Generator[_Prepared]:
    """The image of one platform, while its base is open."""
    ref = spec.base
    options = options._replace(any_platform=wanted is None)
    fetched_for = wanted or Platform("linux", "amd64")
    with open_session(ref, fetched_for, options, progress, with_packages=False) as session:
        if ref.is_host:
            raise BaseError(
                "/", "minpack does not pack a whole host", "use a tarball, or a directory with a root file system"
            )
        output = guarded(output, base_inputs(ref, options, whole=True))
        outside = left_out(output, (ref.name,) if ref.kind is BaseKind.DIRECTORY else (), options.store)
        packed, notes = _packed_entries(ref, session.opened.base, outside.paths)
        platform = session.opened.platform or _platform(session.walker, wanted)
        entries = with_hard_links(packed)
        config, start_notes = _started(spec, platform, session.walker, bare=not output.format.has_layers)
        layer_options = LayerOptions(spec.created, spec.compression, spec.threads, progress, shared=shared)
        work = LayerInputs((("root file system", entries),), entries, config, layer_options, options.store)
        left = (*outside.notes, *unexpanded(spec.run), *_owner_notes(packed), *notes)
        notes = (*session.opened.notes, *left, *_attribute_notes(session.opened.base, packed), *start_notes)
        yield _Prepared(work, (base_input(ref, session.opened, sums=True),), notes)


def _packed_entries(ref: BaseRef, base: Base, left_out: frozenset[str]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """What an image of the base has of it, and notes of what it has not.

    :raises BaseError: that is nothing, or has a name that images cannot have.
    """
    found = _entries(ref, base, left_out)
    packed = tuple(entry for entry in found if entry.kind is not Kind.SPECIAL)
    if not packed:
        raise BaseError(base.name, "it is empty")
    bad = next((entry.path for entry in packed if WHITEOUT in entry.path), None)
    if bad is not None:
        raise BaseError(base.name, f"it holds {bad!r}, a name reserved for whiteouts in image layers")
    special = len(found) - len(packed)
    return packed, (f"{special} device nodes, sockets or FIFOs were left out",) if special else ()


def _owner_notes(entries: tuple[Entry, ...]) -> tuple[str, ...]:
    """What to say of owners that an image takes as they are and that none has meant."""
    from collections import Counter  # noqa: PLC0415 - for images of whole bases alone

    owners = Counter(max(entry.uid, entry.gid) for entry in entries)
    odd = Counter({owner: count for owner, count in owners.items() if owner >= NOBODY})
    if not odd and owners[0]:
        return ()
    # Where a user unpacks, all is that user's; in a user namespace what has no name there is nobody's.
    (owner, count), *_ = (odd or owners).most_common(1)
    files = "1 file belongs" if count == 1 else f"{count} files belong"
    instead = "name the tarball, or unpack it as root, to keep its owners"
    return (f"{files} to uid {owner}: did a user unpack the base? {instead}",)


def _started(
    spec: BaseImageSpec, platform: Platform, walker: Walker, *, bare: bool
) -> tuple[ImageConfig, tuple[str, ...]]:
    """How the image is run, proved to start; without a command of the user's as the base's shell, if that starts.

    :param bare: the files alone are wanted, which say nothing of it.
    :raises EntrypointError: what the user named would not start.
    """
    run = spec.run
    env = {"PATH": DEFAULT_PATH, **dict(run.env)}
    said = (platform, run.entrypoint or (), spec.created, run.cmd, tuple(env.items()))
    config = ImageConfig(*said, labels=run.labels, annotations=run.annotations)
    if bare:
        return config, ()
    if config.entrypoint or config.cmd:
        check_start(Start(config, walker, frozenset(), None, "name a program of the base by its path"))
        return config, ()
    try:
        shell = config._replace(cmd=(SHELL,))
        check_start(Start(shell, walker, frozenset(), None, ""))
    except EntrypointError as error:
        return config, (f"the image has no command: {SHELL} cannot be started, {error.reason} (--cmd names another)",)
    return shell, ()


def _attribute_notes(base: Base, entries: Sequence[Entry]) -> tuple[str, ...]:
    """What is to be told of the extended attributes that are not packed, as they are none of an image."""
    from minpack.base.directory import DirectoryBase  # noqa: PLC0415 - one of the three at most was imported before
    from minpack.base.layered import LayeredBase  # noqa: PLC0415
    from minpack.base.tarball import TarballBase  # noqa: PLC0415

    found: frozenset[str] = frozenset()
    if isinstance(base, DirectoryBase):
        found = base.attributes(entry.path for entry in entries)
    elif isinstance(base, (TarballBase, LayeredBase)):
        found = base.attributes()
    names = sorted(name for name in found if not name.startswith(POLICY_LABELS))
    if not names:
        return ()
    return (f"extended attributes were left out: {listed(names)}",)


def _platform(walker: Walker, wanted: Platform | None) -> Platform:
    """The platform that the loaders of the base, or else its shell, are for; `wanted` may choose its variant.

    :raises WrongTargetError: the base is for others than the one wanted.
    :raises UsageError: it does not tell one, and none is wanted.
    """
    paths = [loader.path for loader in find_loaders(walker)] or [SHELL]
    entries = [entry for path in paths if (entry := walker.find_file(path)) is not None]
    platforms = {
        platform_of_file(entry.content, read_elf(entry.content, entry.path))
        for entry in entries
        if entry.content is not None
    } - {None}
    if wanted is not None:
        if platforms and all(platform[:2] != wanted[:2] for platform in platforms if platform is not None):
            has = ", ".join(sorted(map(str, platforms)))
            raise WrongTargetError(
                walker.base.name, str(wanted), has, "leave out --platform: the platform comes from the base"
            )
        return wanted
    platform = platforms.pop() if len(platforms) == 1 else None
    if platform is None:
        raise UsageError("--platform", "", "the base does not name its platform", "name it with --platform linux/amd64")
    return platform


def _entries(ref: BaseRef, base: Base, left_out: frozenset[str]) -> list[Entry]:
    """Everything in the base, each directory before what is in it.

    :param left_out: what is not taken of a directory of this host: paths of the host, absolute and without links.
    """
    without: frozenset[RootPath] = frozenset()
    if left_out:
        from minpack.base.directory import paths_below  # noqa: PLC0415 - imported already, as the base is one

        without = paths_below(ref.name, left_out)
    found = (entry for _, entry in tree_below(base, ROOT, without) if entry is not None)
    return sorted(found, key=lambda entry: sort_key(entry.path))
