"""What a program did not find, of a log; that strace is asked is tested with smoke tests."""

from __future__ import annotations

from minpack.images.absent import absent_in
from minpack.strace.access import Access, TraceLog, Use


def test_what_was_found_elsewhere_is_not_absent() -> None:
    """Loaders and shells look in one directory after another; other failures, and questions, are no absence."""
    log = TraceLog(
        (
            Access("/a/lib.so", Use.OPENED, "ENOENT"),
            Access("/b/lib.so", Use.OPENED),
            Access("/bin/tool", Use.EXECUTED, "ENOENT"),
            Access("/dev/kvm", Use.OPENED, "ENOENT"),
            Access("/etc/app.conf", Use.OPENED, "ENOENT"),
            Access("/etc/asked", Use.EXAMINED, "ENOENT"),
            Access("/etc/ld.so.cache", Use.OPENED, "ENOENT"),
            Access("/etc/secret", Use.OPENED, "EACCES"),
            Access("/etc/written", Use.WRITTEN, "ENOENT"),
        )
    )
    assert absent_in(log) == ("/bin/tool", "/etc/app.conf")
