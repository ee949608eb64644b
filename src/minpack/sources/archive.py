"""Image archives that do not lie there to be read: compressed ones, and those that an engine has to make.

Each is unpacked, or saved, once, and kept in the store under what it is of.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from minpack.content import FileContent, sum_of
from minpack.digest import HashingWriter
from minpack.errors import ArchiveError, InputError, StoreError, UnreadableImageError
from minpack.store.blob import StoredBlob
from minpack.store.store import MOST_BYTES
from minpack.tar.decompress import Packing, decompress_to, packing_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from minpack.base.options import BaseOptions
    from minpack.progress import Progress
    from minpack.store.part import Part
    from minpack.store.store import Store

_SCHEMA = "minpack.archive/1"
#: No archive that takes more of the store than this is kept: it would push out all others.
_MOST_KEPT = MOST_BYTES // 4
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_DAMAGED = "build it again, or copy it again"


@contextmanager
def unpacked_archive(path: str, store: Store) -> Generator[StoredBlob | None]:
    """What the compressed archive at `path` holds, open until the block is left; None of what is not compressed.

    :raises UnreadableImageError: it is damaged.
    :raises InputError: it cannot be read.
    :raises StoreError: there is no room for it.
    """
    if not os.path.isfile(path):
        yield None
        return
    content = FileContent(path, os.stat(path).st_size)
    try:
        packing = packing_of(content, path)
    except (ArchiveError, InputError):
        # Whoever reads it says what it is.
        packing = Packing.NONE
    if packing is Packing.NONE:
        yield None
        return
    name = f"archive-unpacked-{sum_of(content)}" if store.keeps else ""
    with ArchiveDraft(store) as draft:
        if not draft.found(name):
            try:
                decompress_to(content, draft, packing, path)
            except ArchiveError as error:
                raise UnreadableImageError(path, error.reason, error.hint or _DAMAGED) from error
        yield draft.archive()


@contextmanager
def saved_archive(name: str, options: BaseOptions, progress: Progress, store: Store) -> Generator[StoredBlob]:
    """What an engine has of the image of that name, as ``docker save`` writes it, open until the block is left.

    Of an image whose ID is one of before it is what the engine gave then.

    :raises EngineError: no engine answers, or it has no such image.
    :raises StoreError: there is no room for it.
    """
    from minpack.engine.save import save_image  # noqa: PLC0415 - for images of engines alone

    with ArchiveDraft(store) as draft:

        def begin(image_id: str) -> ArchiveDraft | None:
            known = f"archive-saved-{image_id[-64:]}" if _ID.fullmatch(image_id) else ""
            return None if draft.found(known) else draft

        save_image(name, begin, environment=options.engine, progress=progress)
        try:
            yield draft.archive()
        except UnreadableImageError:
            draft.forget()
            raise


class ArchiveDraft:
    """An archive to fill, unless it is found; written in one piece from its start, into the store if that takes it.

    Leaving its ``with`` block closes what it gave.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._name = ""
        self._part: Part | None = None
        self._writer: HashingWriter | None = None
        self._blob: StoredBlob | None = None

    def found(self, name: str) -> bool:
        """Whether the store has the archive.

        :param name: what the store's record of it is called; empty for what nothing tells apart from others.
        """
        self._name = name
        record = self._store.record(name, _SCHEMA) if name else None
        # Nothing else ties what a record says to the archive that is looked for.
        if record is not None and record.get("name") == name and isinstance(sha256 := record.get("sha256"), str):
            with suppress(StoreError):
                self._blob = self._store.find(sha256).blob
        return self._blob is not None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data` behind what was written before.

        :raises StoreError: there is no room for it.
        """
        if self._writer is None:
            self._part = self._store.draft()
            self._writer = HashingWriter(_Appending(self._part))
        self._writer.write(data)

    def forget(self) -> None:
        """Let the archive be asked for again: it is none."""
        if self._name:
            self._store.drop_record(self._name)

    def archive(self) -> StoredBlob:
        """What was found, or written: kept from now on."""
        if self._blob is not None:
            return self._blob
        if self._writer is None:
            self.write(b"")
        assert self._writer is not None, "internal error: something was written"
        assert self._part is not None, "internal error: as above"
        size, sha256 = self._writer.size, self._writer.digest.hex
        if size > _MOST_KEPT or not self._name:
            self._blob = StoredBlob(os.dup(self._part.descriptor), size, sha256, "a temporary file")
            return self._blob
        self._blob = self._part.keep(sha256)
        with suppress(StoreError):
            self._store.keep_record(self._name, _SCHEMA, {"name": self._name, "sha256": sha256})
            from minpack.store.prune import prune  # noqa: PLC0415 - where something was kept

            prune(self._store)
        return self._blob

    def __enter__(self) -> ArchiveDraft:
        return self

    def __exit__(self, *exc: object) -> None:
        for one in (self._part, self._blob):
            if one is not None:
                one.close()


class _Appending:
    """Writes to the end of a file of the store's."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._at = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`."""
        self._part.write(data, self._at)
        self._at += len(data)
