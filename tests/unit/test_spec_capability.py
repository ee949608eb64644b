"""What --cap means: names and flags, and the attribute that setcap(8) would give."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from minpack.cli.options import value_of
from minpack.errors import UsageError
from minpack.rootfs.access import CAPABILITY
from minpack.rootfs.capability import names, shown
from minpack.spec.capability import Capability, capability_data, parse_capability
from support.tools import need_tool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "text", ["net_bind_service", "CAP_NET_BIND_SERVICE", "cap_net_bind_service=ep", "net_bind_service+pe"]
)
def test_ways_to_write_one(text: str) -> None:
    """With and without its prefix and flags, in either case."""
    assert parse_capability(text) == Capability(10, "net_bind_service")


def test_every_name_is_known() -> None:
    """All of capabilities(7), each with its number; and each is written as it is read."""
    found = [parse_capability(f"{name}+eip") for name in names()]
    assert [(one.number, one.name, one.inheritable) for one in found] == [(n, x, True) for n, x in enumerate(names())]
    assert found == [parse_capability(str(one)) for one in found]
    assert len(found) == 41


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("net_bind", "Linux has no such capability", "did you mean net_bind_service?"),
        ("all", "Linux has no such capability", "capabilities(7)"),
        ("net_raw,chown", "more than one", "one at a time: --cap net_raw"),
        ("net_raw+p", "permitted and effective", "--cap net_raw+ep"),
        ("net_raw+", "permitted and effective", "--cap net_raw+ep"),
        ("net_raw+ep+i", "it is not NAME[+ep]", "--cap net_bind_service"),
        ("10", "it is not NAME[+ep]", "--cap net_bind_service"),
        ("net_räw", "it is not NAME[+ep]", "--cap net_bind_service"),
    ],
)
def test_what_is_none(text: str, reason: str, hint: str) -> None:
    """Refused, with what may have been meant."""
    with pytest.raises(UsageError) as caught:
        value_of("--cap", parse_capability)(text)
    assert reason in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_the_attribute() -> None:
    """Several are one attribute, each once; those above 31 are in its upper halves."""
    wanted = [parse_capability(text) for text in ("net_raw", "checkpoint_restore+eip", "net_raw")]
    assert shown(capability_data(wanted)) == "cap_net_raw=ep cap_checkpoint_restore=eip"
    assert capability_data([parse_capability("net_bind_service")]).hex() == "0100000200040000000000000000000000000000"
    assert capability_data(()) == b""


@pytest.mark.tool
@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("texts", [("net_bind_service",), ("net_raw+eip", "bpf+eip"), ("chown", "setuid", "perfmon")])
def test_it_is_what_setcap_gives(texts: tuple[str, ...], tmp_path: Path) -> None:
    """Byte for byte."""
    wanted = [parse_capability(text) for text in texts]
    (tmp_path / "file").touch()
    flags = "eip" if wanted[0].inheritable else "ep"
    words = f"{','.join(f'cap_{one.name}' for one in wanted)}={flags}"
    subprocess.run([need_tool("setcap"), words, tmp_path / "file"], check=True)
    assert os.getxattr(tmp_path / "file", CAPABILITY) == capability_data(wanted)
