"""File capabilities: the extended attribute that gives a program rights which its user has not (capabilities(7)).

Its form is that of linux/capability.h, `struct vfs_ns_cap_data`: a word with the revision and the effective bit, then
the lower and upper halves of permitted and inheritable sets, and in revision 3 the user that is root for them.
"""

from __future__ import annotations

import os
import struct

from minpack.rootfs.access import CAPABILITY

#: How many bytes the attribute has in revision 1, in which the sets have no upper halves.
_FIRST_SIZE = 12
_EFFECTIVE = 1
_REVISION_2 = 0x02000000
_NAMES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service"
    " net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin"
    " sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override"
    " mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)
#: What containers may use unless they are given more or less (moby `oci/caps/defaults.go`, and the same in containerd).
_USUAL = (
    "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap net_bind_service sys_chroot kill"
    " audit_write"
)


def write_capability(descriptor: int, data: bytes) -> bool:
    """Give an open file its capabilities; whether the system and its file system took them."""
    setxattr = getattr(os, "setxattr", None)
    if setxattr is None:
        return False
    try:
        setxattr(descriptor, CAPABILITY, data)
    except OSError:
        return False
    return True


def shown(data: bytes) -> str:
    """The capabilities as getcap(8) shows them: ``cap_net_raw=ep``."""
    permitted, inheritable = _sets(data)
    groups: dict[str, list[str]] = {}
    for number, name in _names(permitted | inheritable):
        flags = "e" if data[0] & _EFFECTIVE else ""
        flags += ("i" if inheritable >> number & 1 else "") + ("p" if permitted >> number & 1 else "")
        groups.setdefault(flags, []).append(f"cap_{name}" if not name.isdigit() else name)
    return " ".join(f"{','.join(names)}={flags}" for flags, names in groups.items())


def names() -> list[str]:
    """The names of all capabilities, without their ``cap_``, by number."""
    return _NAMES.split()


def number_of(name: str) -> int | None:
    """The number of a capability; None where Linux has none of that name."""
    known = names()
    return known.index(name) if name in known else None


def encoded(permitted: int, inheritable: int) -> bytes:
    """The attribute, in revision 2 and with the effective bit, of two sets that are masks."""
    halves = ((permitted >> shift & 0xFFFFFFFF, inheritable >> shift & 0xFFFFFFFF) for shift in (0, 32))
    return struct.pack("<5I", _REVISION_2 | _EFFECTIVE, *(half for pair in halves for half in pair))


def permitted_names(data: bytes) -> tuple[str, ...]:
    """The capabilities that a file gives whoever runs it, by the names that engines have; none of empty `data`."""
    return tuple(name.upper() for _, name in _names(_sets(data)[0])) if data else ()


def unusual(data: bytes) -> tuple[str, ...]:
    """What a container must be given so that the program starts; nothing if it starts with less (execve(2), EPERM)."""
    if not data[0] & _EFFECTIVE:
        return ()
    usual = _USUAL.split()
    return tuple(name.upper() for _, name in _names(_sets(data)[0]) if name not in usual)


def _sets(data: bytes) -> tuple[int, int]:
    """The permitted and the inheritable set, as masks."""
    pairs = 1 if len(data) == _FIRST_SIZE else 2
    words = struct.unpack_from(f"<{2 * pairs}I", data, 4)
    permitted, inheritable = words[::2], words[1::2]
    return sum(w << 32 * n for n, w in enumerate(permitted)), sum(w << 32 * n for n, w in enumerate(inheritable))


def _names(mask: int) -> list[tuple[int, str]]:
    """The capabilities of a set: their numbers and names, which are numbers too where there are none yet."""
    known = _NAMES.split()
    return [(n, known[n] if n < len(known) else str(n)) for n in range(mask.bit_length()) if mask >> n & 1]
