"""File capabilities in the form of linux/capability.h."""

from __future__ import annotations

import struct


def capability(*, permitted: tuple[int, ...] = (), inheritable: tuple[int, ...] = (), effective: bool = False) -> bytes:
    """The attribute of these capabilities, by number, in revision 2."""
    masks = [sum(1 << number for number in numbers) for numbers in (permitted, inheritable)]
    halves = [mask >> shift & 0xFFFFFFFF for shift in (0, 32) for mask in masks]
    return struct.pack("<I4I", 2 << 24 | effective, *halves)


#: ``cap_net_raw=ep``, as ping has it.
NET_RAW = capability(permitted=(13,), effective=True)
