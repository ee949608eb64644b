"""Boxes that PyNaCl opens, and its own opened."""

from __future__ import annotations

import random

import pytest
from nacl.secret import SecretBox

from minpack.trust.secretbox import open_box, sealed_box


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 63, 64, 65, 138, 1200])
def test_boxes_are_those_of_nacl(size: int) -> None:
    """Byte for byte, for sizes around those of blocks; what was changed does not open."""
    chance = random.Random(size)  # noqa: S311 - the same each time
    key, nonce, data = chance.randbytes(32), chance.randbytes(24), chance.randbytes(size)
    box = sealed_box(key, nonce, data)
    assert box == bytes(SecretBox(key).encrypt(data, nonce).ciphertext)
    assert open_box(key, nonce, box) == data
    for at in {0, 15, len(box) - 1}:
        assert open_box(key, nonce, box[:at] + bytes((box[at] ^ 1,)) + box[at + 1 :]) is None
    assert open_box(chance.randbytes(32), nonce, box) is None
