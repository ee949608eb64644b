"""Which options are chosen for what an image lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.base.entries import base_of
from minpack.base.walk import Walker
from minpack.content import BytesContent
from minpack.needs.need import Need
from minpack.paths import RootPath
from minpack.rootfs.entry import directory, file, symlink
from minpack.rootfs.etc_files import User
from minpack.spec.values import AddedDirectory
from minpack.strace.access import Use
from minpack.tracing.choose import Chooser, directories_for
from minpack.tracing.observe import Used
from minpack.tracing.options import PackOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.rootfs.entry import Entry

APP = [f"/usr/share/app/{name}" for name in ("a", "b", "sub/c", "sub/d")]
MIXED = ["/usr/lib/plugins/one", "/usr/lib/plugins/two"]
LARGE = "/usr/share/large/rest"
FILES = [
    *APP,
    *MIXED,
    *("/usr/share/large/a", "/usr/share/large/b"),
    *("/usr/lib/libone.so.1", "/usr/lib/app/plug.so", "/usr/bin/tool", "/bin/sh", "/etc/services", "/etc/shadow"),
    "/usr/share/zoneinfo/Europe/Berlin",
]


class Owners:
    """`Ownership` by the name of the directory, but for what several have."""

    def owners(self, paths: Iterable[RootPath]) -> dict[RootPath, str]:
        """The package of each file; the second plugin is nobody's of the first's."""
        return {path: "other" if path == MIXED[1] else path.split("/")[3] for path in paths if path.count("/") > 2}

    def owns_all(self, package: str, paths: Iterable[RootPath]) -> bool:
        """Not asked here."""
        raise NotImplementedError

    def are_related(self, package: str, other: str) -> bool:
        """Not asked here."""
        raise NotImplementedError

    def is_unmodified(self, entry: Entry, package: str) -> bool:
        """Not asked here."""
        raise NotImplementedError


@pytest.fixture
def tree() -> Walker:
    """The files of `FILES`, of which one is large."""
    entries = [file(RootPath(path), BytesContent(b"x"), 0o755) for path in FILES]
    large = file(RootPath(LARGE), BytesContent(bytes(9 << 20)))
    links = [symlink(RootPath("/share"), "usr/share"), directory(RootPath("/var/spool/all"), 0o1777)]
    return Walker(base_of("tree", [*entries, large, *links, directory(RootPath("/var/spool/own"))]))


def chosen(tree: Walker, *paths: str, stage: int = 2, use: Use = Use.OPENED) -> str:
    """The options for these, as text."""
    used = []
    for path in paths:
        entry = tree.walk(path).entry
        assert entry is not None
        used.append(Used(RootPath(path), entry, (use,)))
    chooser = Chooser(tree, Owners(), {Need.MIME})
    return " ".join(chooser.choose(used, stage).words)


@pytest.mark.parametrize(
    ("paths", "options"),
    [
        ((), ""),
        ((APP[0],), "--take /usr/share/app/a"),
        ((APP[0], APP[1]), "--take /usr/share/app"),
        ((APP[2], APP[3]), "--take /usr/share/app/sub"),
        ((APP[0], APP[2], APP[3]), "--take /usr/share/app"),
        (("/share/app/a", "/share/app/b"), "--take /share/app"),
        (MIXED, "--take /usr/lib/plugins/one --take /usr/lib/plugins/two"),
        (("/usr/share/large/a", "/usr/share/large/b"), "--take /usr/share/large/a --take /usr/share/large/b"),
        (("/usr/share/large/a", LARGE), "--take /usr/share/large"),
        (("/usr/lib/libone.so.1",), "--add-lib libone.so.1"),
        (("/usr/lib/app/plug.so",), "--take /usr/lib/app/plug.so"),
        (("/bin/sh", "/etc/services", "/usr/share/zoneinfo/Europe/Berlin"), "--need services --need shell --need tz"),
        (("/etc/shadow",), ""),
    ],
)
def test_options_are_few_and_bring_little_besides(tree: Walker, paths: tuple[str, ...], options: str) -> None:
    """A need, a directory of one package, a file, a library by its name; never passwords."""
    assert chosen(tree, *paths) == options


def test_libraries_come_after_what_may_bring_them(tree: Walker) -> None:
    """Plugins before libraries; a library that is executed is a program."""
    libraries = ("/usr/lib/libone.so.1", "/usr/lib/app/plug.so")
    assert chosen(tree, *libraries, stage=0) == ""
    assert chosen(tree, *libraries, stage=1) == "--take /usr/lib/app/plug.so"
    assert chosen(tree, libraries[0], stage=0, use=Use.EXECUTED) == "--take /usr/lib/libone.so.1"


def test_a_shell_that_is_only_looked_for_is_no_need(tree: Walker) -> None:
    """Its file is what was asked about."""
    assert chosen(tree, "/bin/sh", use=Use.EXAMINED) == "--take /bin/sh"


def test_directories_are_those_that_are_listed_or_written_to(tree: Walker) -> None:
    """With the mode of the base's where all may write there; not /tmp's."""
    image = Walker(base_of("image", [file(RootPath("/usr/share/app/a"), BytesContent(b"x"))]))
    listed = tuple(map(RootPath, ("/usr/share/app", "/usr/share/large", "/usr/share")))
    written = tuple(map(RootPath, ("/var/spool/all/x", "/var/spool/own/x", "/tmp/x", "/none/x")))
    assert directories_for(listed, written, tree, image) == (
        AddedDirectory(RootPath("/usr/share/large"), 0o755, User(0, 0)),
        AddedDirectory(RootPath("/var/spool/all"), 0o1777, User(0, 0)),
        AddedDirectory(RootPath("/var/spool/own")),
    )


def test_options_together_have_each_once() -> None:
    """Sorted, and without what a directory brings."""
    one = PackOptions(None, (Need.TZ,), (RootPath("/a/b"), RootPath("/c")), ("libx.so",))
    two = PackOptions(RootPath("/bin/x"), (Need.SHELL, Need.TZ), (RootPath("/a"),), ("liba.so", "libx.so"))
    assert one.merged(two) == two.merged(one)
    assert " ".join(one.merged(two).words) == (
        "--dest /bin/x --need shell --need tz --take /a --take /c --add-lib liba.so --add-lib libx.so"
    )
