"""The relocation types that matter to symbol lookup, for each machine (the processor supplements; glibc `elf.h`)."""

from __future__ import annotations

from typing import NamedTuple


class RelocationTypes(NamedTuple):
    """The numbers of one machine's types.

    `jump_slot` are calls through the procedure linkage table, `tls` what glibc
    looks up as strictly as those (elf_machine_type_class), `ifunc` what calls a
    resolver, which musl does not know.
    """

    jump_slot: frozenset[int]
    tls: frozenset[int]
    copy: frozenset[int]
    ifunc: frozenset[int]

    def kind(self, type_: int) -> str:
        """``jump``, ``tls``, ``copy`` or nothing."""
        if type_ in self.jump_slot:
            return "jump"
        if type_ in self.tls:
            return "tls"
        return "copy" if type_ in self.copy else ""


_NONE = RelocationTypes(frozenset(), frozenset(), frozenset(), frozenset())

# machine: jump slot; TLS; copy; irelative
_TABLE = {
    62: ((7,), (16, 17, 18, 36), (5,), (37,)),
    3: ((7,), (14, 35, 36, 37, 41), (5,), (42,)),
    183: ((1026,), (1028, 1029, 1030, 1031), (1024,), (1032,)),
    40: ((22,), (13, 17, 18, 19), (20,), (160,)),
    22: ((11,), (54, 55, 56), (9,), (61,)),
    243: ((5,), (6, 7, 8, 9, 10, 11, 12), (4,), (58,)),
    258: ((5,), (6, 7, 8, 9, 10, 11, 13, 14), (4,), (12,)),
    21: ((21,), (68, 73, 78), (19,), (248,)),
    20: ((21,), (68, 73, 78), (19,), (248,)),
    8: ((127,), (38, 39, 40, 41, 47, 48), (126,), ()),
    2: ((21,), (74, 75, 76, 77, 78, 79), (19,), (249,)),
    43: ((21,), (74, 75, 76, 77, 78, 79), (19,), (249,)),
    4: ((21,), (40, 41, 42), (19,), ()),
    42: ((164,), (149, 150, 151), (162,), ()),
    15: ((129,), (242, 243, 153), (128,), ()),
}


def relocation_types(machine: int) -> RelocationTypes:
    """The types of `machine`, an e_machine; none are known of others."""
    row = _TABLE.get(machine)
    return _NONE if row is None else RelocationTypes(*(frozenset(numbers) for numbers in row))
