"""Maps of sparse files that lie: each ends, and is refused in one error."""

from __future__ import annotations

import pytest

from minpack.content import BytesContent
from minpack.errors import InputError
from minpack.tar.sparse import SparseContent, SparseForm

STORED = 100


def outcome(content: SparseContent) -> str:
    """Why the file cannot be read; ``read`` if it can be."""
    try:
        with content.open() as reader:
            return "read" if len(reader.read_at(0, 100)) == content.size else "short"
    except InputError as error:
        return error.reason


@pytest.mark.parametrize("form", SparseForm)
@pytest.mark.parametrize(
    "map_",
    [
        b"0 GNU.sparse.map=0,1\n",
        b"1 \n",
        b"2 \n0 \n",
        b"99999999999999999999999999 GNU.sparse.map=0,1\n",
        b"7",
        bytes(511),
        b"x" * 512,
        b"1\n99\n99\n" * 3,
    ],
    ids=repr,
)
def test_a_damaged_map_is_refused(form: SparseForm, map_: bytes) -> None:
    """Records of no length, of one that no number holds, and blocks that are cut short give an error, and an end."""
    length = 0 if form is SparseForm.DATA else len(map_)
    source = BytesContent(map_ + bytes(STORED))
    content = SparseContent(source, form, length, source.size - length, 50, "a tar")
    assert outcome(content) in ("read", "it is a sparse file, and the map of its pieces is damaged")
