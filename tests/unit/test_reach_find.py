"""What an image asks for: each rule by which something is asked for, and that nothing else is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from minpack.base.options import BaseOptions
from minpack.base.walk import tree_below
from minpack.errors import NotInImageError
from minpack.net.network import Network
from minpack.paths import ROOT, RootPath
from minpack.progress import no_progress
from minpack.reach.model import AskedAs, Reach
from minpack.reach.why import Examined, examined, explain_path, groups_of, unneeded_files
from minpack.report.reach import why_document, why_lines
from minpack.spec.image_ref import parse_image_ref
from support.cc import Compiler
from support.elfmaker import DF_1_PIE, DT_DEBUG, ET_DYN, GLIBC, MACHINES, library, make_elf, program
from support.layers import layer, link, member, tar_of, write_layout
from support.startways import glibc, shell

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Generator
    from pathlib import Path

    Member = tuple[tarfile.TarInfo, bytes]

OPTIONS = BaseOptions(None, Network(offline=True), "2026-11-30")
PATH = "PATH=/usr/bin:/bin"
#: What nothing in any of the images asks for.
JUNK = (member("usr/share/junk/file", b"junk"), member("opt/junk", b"junk"), member("usr/lib/libjunk.so.1", library()))


def naming(*texts: str, needed: tuple[str, ...] = (), interpreter: str = GLIBC) -> bytes:
    """A dynamic program that has these texts among its constants."""
    code = MACHINES["x86_64"].exit_program(0) + b"\0" + b"".join(text.encode() + b"\0" for text in texts)
    return make_elf(
        type_=ET_DYN,
        needed=needed,
        interpreter=interpreter,
        flags_1=DF_1_PIE,
        tags=((DT_DEBUG, 0),),
        code=code + bytes(-len(code) % 8),
    )


@contextmanager
def image(tmp_path: Path, *members: Member, keep: tuple[str, ...] = (), **config: Any) -> Generator[Examined]:
    """An image of these members that starts /bin/app, examined."""
    values = {"Entrypoint": ["/bin/app"], "Env": [PATH], **config}
    write_layout(tmp_path / "image", [layer(tar_of(*members, *JUNK), "tar")], config_values=values)
    ref = parse_image_ref(f"oci:{tmp_path}/image")
    with examined(ref, OPTIONS, no_progress, None, None, keep) as found:
        yield found


def reach_of(tmp_path: Path, *members: Member, **config: Any) -> Reach:
    """What such an image asks for; never what nothing does."""
    with image(tmp_path, *members, **config) as found:
        reach = found.reach
        for path, asked in reach.asked.items():
            assert asked.path == path
            assert reach.chain(path)[0].by == ""
            assert [one.path for one in reach.chain(path)][-1] == path
        if not reach.interpreter:
            assert not [one.path for one in unneeded_files(found).unasked if one.path in reach.asked]
            assert {"/usr/share/junk/file", "/opt/junk"}.isdisjoint(reach.asked)
        return reach


def chain(reach: Reach, path: str) -> list[tuple[str, str]]:
    """What asks for what, up to the path."""
    return [(one.by, one.path) for one in reach.chain(RootPath(path))]


def test_a_library_is_asked_for_by_who_needs_it(tmp_path: Path) -> None:
    """From the image over the program and the library between, each link on the way as well."""
    members = (
        member("bin/app", program(("libone.so.1", "libc.so.6"))),
        member("usr/lib/libone.so.1.2", library("libone.so.1", ("libtwo.so",))),
        link("usr/lib/libone.so.1", "libone.so.1.2"),
        member("usr/lib/libtwo.so", library("libtwo.so")),
        *glibc(),
    )
    reach = reach_of(tmp_path, *members)
    one, two = "/usr/lib/libone.so.1.2", "/usr/lib/libtwo.so"
    assert chain(reach, two) == [("", "/bin/app"), ("/bin/app", one), (one, two)]
    assert reach.asked[RootPath(two)].text == "needs libtwo.so"
    assert reach.asked[RootPath("/usr/lib/libone.so.1")].kind is AskedAs.LINK
    assert reach.users[RootPath(two)] == (one,)
    assert "/usr/lib/libjunk.so.1" not in reach.asked


@pytest.mark.parametrize(
    ("text", "asked", "unasked"),
    [
        ("/etc/app.conf", ["/etc/app.conf"], ["/etc/app.d/one"]),
        ("/etc/app.d", ["/etc/app.d/one", "/etc/app.d/deep/two"], ["/etc/app.conf"]),
        ("/etc/app.d/", ["/etc/app.d/one", "/etc/app.d/deep/two"], []),
        ("/etc/app.d/%s", ["/etc/app.d/one"], []),
        ("/etc/app.c%d", ["/etc/app.conf"], ["/etc/app.d/one"]),
        ("/etc/app.d/deep/none", ["/etc/app.d/deep"], ["/etc/app.d/deep/two"]),
        ("/none:/etc/app.conf", ["/etc/app.conf"], []),
        ("--conf-path=/etc/app.conf", ["/etc/app.conf"], []),
        ("/etc", ["/etc"], ["/etc/app.conf"]),
        ("/usr/share", ["/usr/share"], ["/usr/share/app/data"]),
        ("share/app", ["/usr/share/app/data"], []),
        ("/bin/helper", ["/bin/helper"], []),
        ("HELPER=/bin/helper", [], ["/bin/helper"]),
    ],
)
def test_what_a_program_names_is_asked_for(tmp_path: Path, text: str, asked: list[str], unasked: list[str]) -> None:
    """Files, whole directories but for those that all share, patterns, and the directory of what is yet to be made."""
    members = (
        member("usr/bin/app", naming(text)),
        member("usr/bin/helper", program(), mode=0o755),
        link("bin", "usr/bin"),
        member("etc/app.conf", b"x"),
        member("etc/app.d/one", b"x"),
        member("etc/app.d/deep/two", b"x"),
        member("usr/share/app/data", b"x"),
        *glibc(),
    )
    found = {one.replace("/usr/bin/", "/bin/") for one in reach_of(tmp_path, *members).asked}
    assert set(asked) <= found
    assert found.isdisjoint(unasked)


def test_a_configuration_names_more(tmp_path: Path) -> None:
    """What an argument of the image names, what that has in it, beside it and below, and no comment."""
    conf = b"# /srv/comment\nroot /srv/www;\ninclude parts/*.conf; include one.conf\nlog /var/log/app/x.log\n"
    members = (
        member("bin/app", naming()),
        member("conf/app.conf", conf),
        member("conf/one.conf", b"x"),
        member("conf/other", b"x"),
        member("srv/www/index.html", b"x"),
        member("srv/comment", b"x"),
        member("var/log/app/old", b"x"),
        *glibc(),
    )
    reach = reach_of(tmp_path, *members, Cmd=["--config=/conf/app.conf"])
    assert {"/conf/app.conf", "/conf/one.conf", "/srv/www/index.html", "/var/log/app"} <= reach.asked.keys()
    assert {"/conf/other", "/srv/comment", "/var/log/app/old"}.isdisjoint(reach.asked)
    assert chain(reach, "/srv/www/index.html")[-2:] == [
        ("/conf/app.conf", "/srv/www"),
        ("/srv/www", "/srv/www/index.html"),
    ]


def test_what_the_configuration_of_the_image_names(tmp_path: Path) -> None:
    """Variables, volumes, the working directory, the user's home and lists, the health check; nothing of PATH."""
    members = (
        member("bin/app", naming()),
        member("bin/health", naming(needed=("libhealth.so",))),
        member("usr/lib/libhealth.so", library("libhealth.so")),
        member("etc/passwd", b"me:x:7:7::/home/me:/bin/sh\n"),
        member("home/me/.config", b"x"),
        member("home/you/.config", b"x"),
        member("data/first", b"x"),
        member("work/file", b"x"),
        member("var/opt/named", b"x"),
        member("usr/bin/other", b"x"),
        *glibc(),
    )
    config = {
        "User": "me",
        "WorkingDir": "/work",
        "Volumes": {"/data": {}},
        "Env": [PATH, "APP_DATA=/var/opt/named"],
        "Healthcheck": {"Test": ["CMD", "/bin/health"]},
    }
    asked = reach_of(tmp_path, *members, **config).asked
    assert {"/home/me/.config", "/data/first", "/work/file", "/var/opt/named", "/usr/lib/libhealth.so"} <= asked.keys()
    assert {"/home/you/.config", "/usr/bin/other"}.isdisjoint(asked)
    assert asked[RootPath("/data/first")].kind is AskedAs.INSIDE
    assert asked[RootPath("/bin/health")].text == "has it as its health check"


def test_plugins_need_libraries_too(tmp_path: Path) -> None:
    """What lies in a directory that a program names may be opened: its libraries are asked for by it."""
    members = (
        member("bin/app", naming("/opt/plugins")),
        member("opt/plugins/one.so", library("one.so", ("libdeep.so", "libown.so"), runpath="$ORIGIN/own")),
        member("opt/plugins/own/libown.so", library("libown.so")),
        member("usr/lib/libdeep.so", library("libdeep.so")),
        *glibc(),
    )
    reach = reach_of(tmp_path, *members)
    assert chain(reach, "/usr/lib/libdeep.so")[-1] == ("/opt/plugins/one.so", "/usr/lib/libdeep.so")


def test_an_interpreter_may_read_all_but_leftovers(tmp_path: Path) -> None:
    """A script is started, so scripts, data and programs stay; documents, caches and unused libraries do not."""
    left = ("usr/share/doc/x/README", "var/cache/apt/x.deb", "usr/share/man/man1/x.1", "usr/lib/libx.a", "usr/bin/dpkg")
    members = (
        member("bin/app", b"#!/bin/sh\nexit 0\n"),
        member("srv/any", b"x"),
        member("usr/lib/mod/ext.so", library("ext.so", ("libused.so",))),
        member("usr/lib/libused.so", library("libused.so")),
        member("usr/lib/libopened.so.2", library("libopened.so.2")),
        member("srv/opens.py", b'ctypes.CDLL("libopened.so.2")'),
        *(member(path, b"x") for path in left),
        *shell(),
    )
    reach = reach_of(tmp_path, *members)
    assert reach.interpreter == "/bin/app"
    assert {"/srv/any", "/usr/lib/libused.so", "/usr/lib/libopened.so.2", "/opt/junk"} <= reach.asked.keys()
    assert {f"/{path}" for path in (*left, "usr/lib/libjunk.so.1")}.isdisjoint(reach.asked)
    assert chain(reach, "/usr/lib/libopened.so.2")[-1][0] == "/srv/opens.py"


@pytest.mark.parametrize(
    ("entrypoint", "interpreter"),
    [
        (["/bin/sh", "-c", "exec app"], ""),
        (["env", "app"], ""),
        (["/bin/sh"], "/bin/busybox"),
        (["/bin/sh", "-c", "app && app"], "/bin/busybox"),
    ],
)
def test_what_only_starts_one_program_is_no_interpreter(
    tmp_path: Path, entrypoint: list[str], interpreter: str
) -> None:
    """Of a shell with one plain command the command counts, and that program is asked for by the shell."""
    reach = reach_of(tmp_path, member("usr/bin/app", naming()), *shell(), Entrypoint=entrypoint)
    assert reach.interpreter == interpreter
    assert "/usr/bin/app" in reach.asked
    if not interpreter:
        assert chain(reach, "/usr/bin/app") == [("", "/bin/busybox"), ("/bin/busybox", "/usr/bin/app")]


@pytest.mark.parametrize("entrypoint", [["/bin/app", "5", "helper"], ["/bin/app", "/usr/bin/helper"]])
def test_a_program_may_start_those_among_its_arguments(tmp_path: Path, entrypoint: list[str]) -> None:
    """By name or path, as timeout, find and su do; if that is an interpreter, what it reads is not known."""
    members = (member("bin/app", naming()), *glibc())
    helper = member("usr/bin/helper", naming("/etc/helper.conf"), mode=0o755)
    reach = reach_of(tmp_path / "1", *members, helper, member("etc/helper.conf", b"x"), Entrypoint=entrypoint)
    assert "/etc/helper.conf" in reach.asked
    assert not reach.interpreter
    script = member("usr/bin/helper", b"#!/bin/sh\nexit 0\n", mode=0o755)
    assert reach_of(tmp_path / "2", *members, script, Entrypoint=entrypoint).interpreter == "/usr/bin/helper"
    python = member("usr/bin/python3", naming(), mode=0o755)
    reach = reach_of(tmp_path / "3", *members, python, Entrypoint=["/bin/app", "5", "python3", "x.py"])
    assert reach.interpreter == "/usr/bin/python3"


def test_a_program_that_logs_users_in_starts_their_shells(tmp_path: Path) -> None:
    """As sshd, su and cron do: what users run is not known."""
    for number, (function, interpreter) in enumerate((("pam_open_session", "/bin/app"), ("pam_authenticate", ""))):
        place = tmp_path / str(number)
        place.mkdir()
        source = f"extern int {function}(void); int main(void) {{ return {function}(); }}"
        compiler = Compiler(place)
        pam = compiler.make_library("libpam.so.0", f"int {function}(void) {{ return 0; }}")
        app = compiler.program("app", source, str(pam))
        members = (member("bin/app", app.read_bytes()), member("usr/lib/libpam.so.0", pam.read_bytes()), *shell())
        assert reach_of(place, *members).interpreter == interpreter


def test_a_script_of_a_program_names_more(tmp_path: Path) -> None:
    """The shell of the script, and the programs that it starts; but no interpreter that needs modules."""
    script = b"#!/bin/sh\n# other\n$dir/helper | sort -u && perl -e 1\n"
    members = (
        member("usr/bin/app", naming("/usr/lib/app/script")),
        member("usr/lib/app/script", script, mode=0o755),
        *(member(f"usr/bin/{one}", naming(), mode=0o755) for one in ("helper", "sort", "perl", "other")),
        *shell(),
    )
    asked = reach_of(tmp_path, *members, Entrypoint=["/usr/bin/app"]).asked
    assert {"/bin/sh", "/usr/bin/helper", "/usr/bin/sort"} <= asked.keys()
    assert {"/usr/bin/perl", "/usr/bin/other"}.isdisjoint(asked)
    assert asked[RootPath("/usr/bin/sort")].text == "contains sort"


def test_fonts_are_asked_for_where_fontconfig_is_loaded(tmp_path: Path) -> None:
    """It has the names of its directories in its code, in pieces."""
    members = (
        member("bin/app", naming(needed=("libfontconfig.so.1",))),
        member("usr/lib/libfontconfig.so.1", library("libfontconfig.so.1")),
        member("etc/fonts/fonts.conf", b"x"),
        member("usr/share/fonts/one/a.ttf", b"x"),
        *glibc(),
    )
    asked = reach_of(tmp_path, *members).asked
    assert {"/etc/fonts/fonts.conf", "/usr/share/fonts/one/a.ttf"} <= asked.keys()


def test_an_image_that_starts_nothing_may_be_run_with_anything(tmp_path: Path) -> None:
    """Nothing is known of it, and that is told."""
    reach = reach_of(tmp_path, member("bin/app", naming()), *glibc(), Entrypoint=[])
    assert reach.interpreter
    assert [problem.code for problem in reach.problems] == ["no-command"]
    assert "/bin/app" in reach.asked


def test_what_is_kept_by_an_option(tmp_path: Path) -> None:
    """With all that is in it, and what that needs."""
    members = (member("bin/app", naming()), *glibc())
    with image(tmp_path, *members, keep=("/usr/share",)) as found:
        assert found.reach.asked[RootPath("/usr/share")].text == "keeps it (--keep /usr/share)"
        assert "/usr/share/junk/file" in found.reach.asked
    with pytest.raises(NotInImageError), image(tmp_path / "2", *members, keep=("/none",)):
        pass


def test_one_path_is_explained(tmp_path: Path) -> None:
    """A link with what it leads to; what is nothing's has no chain, and what is not there is an error."""
    with image(tmp_path, member("usr/bin/app", naming()), link("bin", "usr/bin"), *glibc()) as found:
        explained = explain_path(found, RootPath("/bin/app"))
        assert (explained.entry.path, len(explained.chain)) == ("/usr/bin/app", 1)
        explained = explain_path(found, RootPath("/bin"))
        assert (explained.target, bool(explained.chain)) == ("/usr/bin", True)
        assert explain_path(found, RootPath("/opt/junk")).chain == ()
        assert explain_path(found, RootPath("/")).chain != ()
        with pytest.raises(NotInImageError):
            explain_path(found, RootPath("/none"))


def test_what_nothing_asks_for_is_grouped(tmp_path: Path) -> None:
    """By the package whose file it is, by dpkg's database, else by directory; the bytes of one file count once."""
    status = b"Package: junk\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n"
    members = (
        member("bin/app", naming()),
        member("var/lib/dpkg/status", status),
        member("var/lib/dpkg/info/junk.list", b"/usr/share/junk/file\n"),
        link("opt/again", "opt/junk2", hard=True),
        *glibc(),
    )
    members = (member("opt/junk2", b"12345678"), *members)
    with image(tmp_path, *members) as found:
        unneeded = unneeded_files(found)
        rows = {name: (version, files, size) for name, version, files, size in groups_of(unneeded)}
    assert rows["junk"] == ("1", 1, 4)
    assert rows["/opt/"] == ("", 3, 12)
    assert sum(size for _, _, size in rows.values()) == unneeded.unasked_size


def test_every_path_has_an_answer(tmp_path: Path) -> None:
    """Of links in circles, out of the tree and to nothing, of names that are no text, as text and as JSON."""
    odd = (
        link("loop", "loop"),
        link("usr/none", "/none"),
        link("usr/up", "../../../.."),
        member("usr/\udcff\n\x1b[31m", b"x"),
        member("bin/app", b"#!/bin/sh\n. /usr/inc\n"),
        member("bin/cut", naming()[:100]),
        member("usr/inc", b"x"),
        link("etc/app", "../etc"),
    )
    with image(tmp_path, *odd, *shell(), Cmd=["/loop", "/usr/up", "-o=/etc/app/app/app", ":", "="]) as found:
        paths = [path for path, _ in tree_below(found.tree.base, ROOT)]
        for path in paths:
            explained = explain_path(found, path)
            assert why_document(explained)["path"] == path
            assert why_lines(explained, verbose=True)
        assert len(paths) > len(odd)
