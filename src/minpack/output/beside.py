"""Files beside an output, each with a document about the image: an SBOM, say. The same bytes go along as artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.output.document_file import DocumentFile
from minpack.output.target import WrittenTarget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minpack.host.overwrite import HostInput
    from minpack.oci.image import Index
    from minpack.output.target import BesideFile


class BesideFiles:
    """The files that go beside an output.

    :param inputs: what they must not replace.
    :param force: they may replace files of another kind.
    :raises OutputError: one cannot be written there, as far as that shows before.
    """

    def __init__(self, files: Sequence[BesideFile], inputs: Iterable[HostInput], *, force: bool = False) -> None:
        kept = tuple(inputs)
        self._files = tuple((one, DocumentFile(one.path, kept, one.mark, one.kind, force=force)) for one in files)

    def write(self, index: Index) -> tuple[WrittenTarget, ...]:
        """Write each of them, from the artifacts of `index`.

        :raises OutputError: one cannot be written.
        """
        return tuple(self._write(one, out, index) for one, out in self._files)

    @staticmethod
    def _write(file: BesideFile, out: DocumentFile, index: Index) -> WrittenTarget:
        about = (one for one in index.artifacts if one.subject is not None and one.subject.digest == index.digest)
        data = next(one.layers[0].data for one in about if one.descriptor.artifact_type == file.media_type)
        out.write(data)
        return WrittenTarget(file.form, file.path, None, index.digest)
