"""Shards: every name is in exactly one, and stays there whatever other images there are."""

from __future__ import annotations

import subprocess

import pytest

from minpack.errors import BadValueError
from minpack.spec.shard import MOST_SHARDS, Shard, parse_shard

NAMES = [f"image-{number}" for number in range(300)]


@pytest.mark.parametrize("total", [1, 2, 10, 299, MOST_SHARDS])
def test_every_name_is_in_exactly_one_shard(total: int) -> None:
    """Of any number of shards; of ten none has three times as many as its share."""
    shards = [Shard(number, total) for number in range(1, total + 1)]
    found = [[shard for shard in shards if shard.has(name)] for name in NAMES]
    assert all(len(one) == 1 for one in found)
    if total == 10:
        assert max(sum(one == [shard] for one in found) for shard in shards) < 90


def test_the_rule_is_that_of_the_documentation() -> None:
    """The SHA-256 of the name as a number, modulo the shards, as sha256sum has it."""
    for name in NAMES[:5]:
        script = f"printf %s {name} | sha256sum | cut -c-64 | tr a-f A-F"
        digits = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
        assert Shard(int(digits, 16) % 7 + 1, 7).has(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3", "not NUMBER/TOTAL"),
        ("", "not NUMBER/TOTAL"),
        ("a/b", "not NUMBER/TOTAL"),
        ("-1/2", "not NUMBER/TOTAL"),
        ("1/2/3", "not NUMBER/TOTAL"),
        ("٣/10", "not NUMBER/TOTAL"),
        ("0/10", "from 1 to 10"),
        ("11/10", "from 1 to 10"),
        ("0/0", "1 to 1000 parts"),
        ("1/1001", "1 to 1000 parts"),
    ],
)
def test_what_is_no_shard(text: str, reason: str) -> None:
    """It is refused, with a value that would be one."""
    with pytest.raises(BadValueError, match=reason):
        parse_shard(text)


def test_a_shard_is_what_it_is_written_as() -> None:
    """Reading what is printed gives the same."""
    assert parse_shard("3/10") == Shard(3, 10)
    assert parse_shard(str(Shard(3, 10))) == Shard(3, 10)
