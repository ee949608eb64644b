"""The tree of files of a finished image, written to a directory or a tar."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minpack.base.walk import tree_below
from minpack.excerpt import listed
from minpack.host.overwrite import HostInput
from minpack.images.choose import chosen_image
from minpack.images.open import open_found
from minpack.images.tree import open_tree
from minpack.layers.cache import LayerOptions
from minpack.namedtuple import NamedTuple
from minpack.oci.compression import Compression
from minpack.oci.config import read_config
from minpack.oci.json_node import parsed
from minpack.output.inputs import guarded
from minpack.output.target import Format
from minpack.output.write import LayerInputs, write_output
from minpack.paths import ROOT, sort_key
from minpack.rootfs.access import POLICY_LABELS
from minpack.rootfs.entry import Kind
from minpack.rootfs.modes import SET_ID_BITS
from minpack.rootfs.tree import with_hard_links
from minpack.spec.values import MAX_CREATED

if TYPE_CHECKING:
    from minpack.base.layered import LayeredBase
    from minpack.base.options import BaseOptions
    from minpack.digest import Digest
    from minpack.oci.image import BuiltImage
    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.progress import Progress
    from minpack.rootfs.entry import Entry
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform


class ExportedImage(NamedTuple):
    """The tree of one image, and what was written of it: so many `files`, which have `size` bytes together."""

    name: str
    platform: Platform
    digest: Digest
    written: WrittenOutput
    files: int
    size: int
    notes: tuple[str, ...]


def export_image(
    ref: ImageRef,
    output: OutputSpec,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None = None,
    machine: Platform | None = None,
) -> ExportedImage:
    """Write the tree of the image that `ref` names, with its modes, owners, links and capabilities.

    All has the time of the image. Device nodes, sockets and FIFOs are left out: runtimes make /dev themselves.

    :param platform: the one whose image is meant, of an index; None for the only one, or that for `machine`.
    :raises OutputError: it cannot be written there.
    :raises MinpackError: there is no such image, or it is damaged.
    """
    inputs = (*((HostInput(ref.name, "the image", whole=True),) if ref.is_local else ()), *_cache(options))
    output = guarded(output, inputs)
    with open_found(ref, options, progress, platform) as found:
        image = chosen_image(found, machine)
        with open_tree(image, found.name, options) as base:
            return _export(image, found.name, base, output, progress)


def _cache(options: BaseOptions) -> tuple[HostInput, ...]:
    return (HostInput(options.store, "the cache"),) if options.store is not None else ()


def _export(image: BuiltImage, name: str, base: LayeredBase, output: OutputSpec, progress: Progress) -> ExportedImage:
    every = sorted((entry for _, entry in tree_below(base, ROOT) if entry is not None), key=lambda e: sort_key(e.path))
    kept = [entry for entry in every if entry.kind is not Kind.SPECIAL]
    special = len(every) - len(kept)
    notes = [*base.notes, *([f"{special} device nodes, sockets or FIFOs were left out"] if special else [])]
    attributes = sorted(one for one in base.attributes() if not one.startswith(POLICY_LABELS))
    notes += [f"extended attributes were left out: {listed(attributes)}"] if attributes else []
    if output.format is Format.ROOTFS and os.geteuid():
        kept, note = _without_rights(kept)
        notes += note
    entries = with_hard_links(kept)
    work = LayerInputs(
        (("root file system", entries),),
        entries,
        read_config(image, name),
        LayerOptions(created_of(image), Compression.NONE, 1, progress),
    )
    (written,) = write_output((work,), output)
    files = sum(entry.kind in (Kind.FILE, Kind.HARDLINK) for entry in entries)
    size = sum(entry.size for entry in entries)
    return ExportedImage(name, image.platform, image.digest, written, files, size, (*notes, *written.notes))


def _without_rights(entries: list[Entry]) -> tuple[list[Entry], list[str]]:
    """The entries without set-user-ID and set-group-ID bits, which would give the rights of whoever exports."""
    meant = [entry.path for entry in entries if entry.kind is Kind.FILE and entry.mode & SET_ID_BITS]
    note = f"set-user-ID and set-group-ID bits were left out, because the files belong to you: {listed(meant)}"
    plain = [entry._replace(mode=entry.mode & ~SET_ID_BITS) if entry.kind is Kind.FILE else entry for entry in entries]
    return plain, [note] if meant else []


def created_of(image: BuiltImage) -> int:
    """When the image says that it was created, in seconds since 1970; 0 if it does not say, or what cannot be."""
    from datetime import datetime  # noqa: PLC0415 - the one use

    document = parsed(image.config.data)
    text = document.get("created") if isinstance(document, dict) else None
    try:
        seconds = int(datetime.fromisoformat(text).timestamp()) if isinstance(text, str) else 0
    except (ValueError, OverflowError):
        return 0
    return min(max(seconds, 0), MAX_CREATED)
