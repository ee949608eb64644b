"""An image with the same configuration and only what it asks for, proved to start as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.entries import base_of
from minpack.base.walk import Walker, tree_below
from minpack.errors import EntrypointError
from minpack.excerpt import listed
from minpack.host.overwrite import HostInput
from minpack.images.check import check_tree
from minpack.images.export import created_of
from minpack.images.finding import Severity
from minpack.layers.cache import LayerOptions
from minpack.namedtuple import NamedTuple
from minpack.oci.config import read_config
from minpack.output.inputs import guarded
from minpack.output.write import LayerInputs, write_output
from minpack.paths import ROOT, ancestors, directories_above, sort_key
from minpack.reach.find import DATABASES
from minpack.reach.model import AskedAs
from minpack.reach.why import UnneededFiles, examined, unneeded_files
from minpack.rootfs.access import POLICY_LABELS
from minpack.rootfs.entry import Kind, directory
from minpack.rootfs.tree import with_hard_links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.options import BaseOptions
    from minpack.images.smoke import Smoked
    from minpack.oci.compression import Compression
    from minpack.oci.image import BuiltImage
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.paths import RootPath
    from minpack.progress import Progress
    from minpack.reach.model import Asked
    from minpack.reach.why import Examined
    from minpack.rootfs.entry import Entry
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform

#: What the layer is called in the history of the image.
_COMMENT = "what the image asks for"
_KEEP = "keep the files that it needs with --keep PATH"


class ShrinkSpec(NamedTuple):
    """How an image is written again. `created` is None where it stays what the image says."""

    compression: Compression
    threads: int
    keep: tuple[str, ...] = ()
    created: int | None = None
    annotations: tuple[tuple[str, str], ...] = ()


class ShrunkImage(NamedTuple):
    """What was written of an image, and what was left out of it; `before` is the image as it was.

    `smoked` is how its smoke test went, if one was asked for.
    """

    name: str
    before: BuiltImage
    written: WrittenOutput
    left: UnneededFiles
    files: int
    size: int
    notes: tuple[str, ...]
    smoked: Smoked | None = None


def shrink_image(
    ref: ImageRef,
    spec: ShrinkSpec,
    output: OutputSpec,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None = None,
    machine: Platform | None = None,
) -> ShrunkImage:
    """Write the image that `ref` names without what nothing in it asks for.

    Its configuration stays. Before anything is written, what `minpack check` finds in the new tree is compared with
    what it finds in the old one.

    :param platform: the one whose image is meant, of an index; None for the only one, or that for `machine`.
    :raises EntrypointError: the image does not start, or would not without what is left out.
    :raises NotInImageError: the image has nothing at a path that is to be kept.
    :raises OutputError: it cannot be written.
    :raises MinpackError: there is no such image, or it is damaged.
    """
    inputs = (
        *((HostInput(ref.name, "the image", whole=True),) if ref.is_local else ()),
        *((HostInput(options.store, "the cache"),) if options.store is not None else ()),
    )
    output = guarded(output, inputs)
    with examined(ref, options, progress, platform, machine, spec.keep) as whole:
        _refuse_broken(whole)
        kept = _kept(whole)
        _prove(whole, kept)
        entries = with_hard_links(sorted(kept.values(), key=lambda entry: sort_key(entry.path)))
        created = spec.created if spec.created is not None else created_of(whole.image)
        config = read_config(whole.image, whole.found.name)._replace(created=created, annotations=spec.annotations)
        layer_options = LayerOptions(created, spec.compression, spec.threads, progress)
        work = LayerInputs(((_COMMENT, entries),), entries, config, layer_options, options.store, before=whole.image)
        left = unneeded_files(whole)
        (written,) = write_output((work,), output)
        return ShrunkImage(
            whole.found.name,
            whole.image,
            written,
            left,
            sum(entry.kind in (Kind.FILE, Kind.HARDLINK, Kind.SYMLINK) for entry in entries),
            sum(entry.size for entry in entries),
            (*_notes(whole), *written.notes),
        )


def _refuse_broken(whole: Examined) -> None:
    """Raise `EntrypointError` if the image does not start: what it asks for is not known then."""
    for problem in whole.reach.problems:
        hint = "name what it starts in its configuration" if problem.code == "no-command" else problem.hint
        raise EntrypointError(problem.path or whole.found.name, problem.reason, hint or "minpack check shows more")


def _kept(whole: Examined) -> dict[RootPath, Entry]:
    """All that the image asks for, with a database of the packages that still have files."""
    tree, reach = whole.tree, whole.reach
    replaced = {path for path, asked in reach.asked.items() if _is_database(asked)}
    kept = {path: entry for path, entry in reach.entries.items() if path not in replaced}
    # What a package manager reads that is started itself stays as it is.
    is_read = any(path.startswith(DATABASES) and entry.kind is Kind.FILE for path, entry in kept.items())
    database = () if is_read else whole.packages.database(list(kept.values()))
    if not database:
        kept = dict(reach.entries)
    else:
        kept = {path: entry for path, entry in kept.items() if not path.startswith(DATABASES)}
    # A package's documents may lie behind a link to another's.
    blocked = {path for path, entry in kept.items() if entry.kind is not Kind.DIRECTORY}
    kept |= {entry.path: entry for entry in database if blocked.isdisjoint(ancestors(entry.path))}
    for above in directories_above(kept):
        there = tree.lstat(above)
        kept.setdefault(above, there if there is not None and there.kind is Kind.DIRECTORY else directory(above))
    return {path: entry for path, entry in kept.items() if entry.kind is not Kind.SPECIAL}


def _is_database(asked: Asked) -> bool:
    return asked.kind is AskedAs.DATABASE or (asked.path.startswith(DATABASES) and asked.kind is AskedAs.LINK)


def _prove(whole: Examined, kept: Mapping[RootPath, Entry]) -> None:
    """Raise `EntrypointError` if something is wrong with the new tree that is not with the old one."""
    new = Walker(base_of(whole.found.name, kept.values()), whole.tree.known)
    before = {(one.code, one.path) for one in check_tree(whole.settings, whole.tree)}
    for finding in check_tree(whole.settings, new):
        if finding.level is not Severity.NOTE and (finding.code, finding.path) not in before:
            raise EntrypointError(
                finding.path or whole.found.name, f"without what is left out, {finding.reason}", _KEEP
            )


def _notes(whole: Examined) -> tuple[str, ...]:
    everything = (entry for _, entry in tree_below(whole.tree.base, ROOT) if entry is not None)
    special = sum(entry.kind is Kind.SPECIAL for entry in everything)
    notes = [*whole.base.notes]
    if whole.reach.interpreter:
        notes.append(
            f"{whole.reach.interpreter} reads files that minpack cannot know: only unused libraries, documentation"
            f" and package leftovers were left out"
        )
    notes += [f"{special} device nodes, sockets or FIFOs were left out"] if special else []
    attributes = sorted(one for one in whole.base.attributes() if not one.startswith(POLICY_LABELS))
    notes += [f"extended attributes were left out: {listed(attributes)}"] if attributes else []
    return tuple(notes)
