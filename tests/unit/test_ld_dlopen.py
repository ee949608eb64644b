"""What a closure opens later: by notes, by glibc's own habits, by known libraries, and by strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minpack.elf.strings import MAX_PLACES, PIECE
from minpack.errors import MalformedElfError
from minpack.ld.closure import Libc
from minpack.ld.dlopen import MAX_HINTS, find_late
from minpack.ld.late import LateLibrary, Level
from minpack.ld.symbol_cache import SymbolCache
from support.closures import closure_of, loaded, symbols, symbols_by
from support.elfedit import set_tag
from support.elfmaker import DT_HASH, DT_STRSZ, DT_STRTAB, ET_EXEC, dlopen_note, library, make_elf, program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack.elf.symbols import Symbols

LIBC = "/lib/libc.so.6"


def with_strings(*texts: str, soname: str | None = None) -> bytes:
    """A library that holds strings in the way compilers write them."""
    return make_elf(soname=soname, code=b"\0" + b"".join(text.encode() + b"\0" for text in texts))


def late_of(
    app: Symbols,
    others: dict[str, tuple[bytes, Symbols]] | None = None,
    *,
    glibc: str = "2.36",
    libc: Libc = Libc.GLIBC,
    program_bytes: bytes = program(),
    libc_bytes: bytes = library("libc.so.6"),
) -> tuple[LateLibrary, ...]:
    """What /app with these symbols and these other objects opens later."""
    files = {"/app": program_bytes} | {path: data for path, (data, _) in (others or {}).items()} | {LIBC: libc_bytes}
    versions = symbols(defines=("libc.so.6", "GLIBC_2.2.5", "GLIBC_2.9", f"GLIBC_{glibc}", "GLIBC_PRIVATE"))
    known = {"/app": app, LIBC: versions} | {path: made for path, (_, made) in (others or {}).items()}
    return find_late(closure_of(files, libc), symbols_by(known))


def sonames(found: Sequence[LateLibrary], level: Level | None = None) -> list[tuple[str, ...]]:
    """The names found, of one level if it is given."""
    return [late.sonames for late in found if level is None or late.level is level]


def test_a_program_that_opens_nothing_has_nothing() -> None:
    """No finding without a reason."""
    assert late_of(symbols(("puts", "malloc"))) == ()


@pytest.mark.parametrize("name", ["pthread_exit", "pthread_cancel", "thrd_exit"])
def test_libgcc_is_required_where_glibc_aborts_without_it(name: str) -> None:
    """A program that ends threads needs the unwinder, and the finding says for what."""
    (found,) = late_of(symbols(("puts", name)))
    assert found == LateLibrary(
        ("libgcc_s.so.1",), Level.REQUIRED, "/app", f"imports {name}, which aborts without it", ()
    )


def test_libgcc_is_recommended_where_only_a_library_may_end_threads() -> None:
    """A library may import what this program never makes it call; a backtrace that finds nothing ends no program."""
    (found,) = late_of(symbols(), {"/lib/libx.so": (library("libx.so"), symbols(("pthread_exit",)))})
    assert (found.level, found.needed_by) == (Level.RECOMMENDED, "/lib/libx.so")
    (found,) = late_of(symbols(("backtrace",)))
    assert (found.level, found.evidence) == (Level.RECOMMENDED, "imports backtrace, which finds nothing without it")


def test_a_weak_import_is_a_hint() -> None:
    """Weak references to thread functions mostly ask whether there are threads."""
    (found,) = late_of(symbols(weak=("pthread_cancel",)))
    assert (found.level, found.evidence) == (Level.HINT, "imports pthread_cancel, which aborts without it (weakly)")


def test_libgcc_is_found_once_at_its_highest_level() -> None:
    """Whoever imports what in which order, there is one finding, the strongest."""
    others = {"/lib/libx.so": (library("libx.so"), symbols(("backtrace", "pthread_exit")))}
    (found,) = late_of(symbols(("backtrace", "pthread_cancel"), weak=("thrd_exit",)), others)
    assert (found.level, found.needed_by) == (Level.REQUIRED, "/app")
    assert found.evidence.startswith("imports pthread_cancel")


def test_libgcc_that_is_loaded_anyway_is_not_opened_later() -> None:
    """What the closure has is no finding, by file name or by soname."""
    others = {"/lib/libgcc_s.so.1": (library("libgcc_s.so.1"), symbols())}
    assert late_of(symbols(("pthread_exit",)), others) == ()
    others = {"/lib/other.so": (library("libgcc_s.so.1"), symbols())}
    assert late_of(symbols(("pthread_exit",)), others) == ()


def test_functions_of_that_name_that_are_not_glibc_s_do_not_count() -> None:
    """A name with another library's version is another function."""
    assert late_of(symbols(("pthread_exit",), version="NPTH_1.0")) == ()
    assert sonames(late_of(symbols(("pthread_exit",), version=""))) == [("libgcc_s.so.1",)]


def test_musl_opens_nothing_by_itself() -> None:
    """The same imports have no consequence under musl."""
    assert late_of(symbols(("pthread_exit", "getaddrinfo", "iconv_open", "setlocale")), libc=Libc.MUSL) == ()


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("getaddrinfo", ["libnss_files.so.2", "libnss_dns.so.2"]),
        ("gethostbyname2_r", ["libnss_files.so.2", "libnss_dns.so.2"]),
        ("getpwnam", ["libnss_files.so.2"]),
        ("getgrouplist", ["libnss_files.so.2"]),
        ("initgroups", ["libnss_files.so.2"]),
        ("getservbyport_r", ["libnss_files.so.2"]),
        ("getprotoent", ["libnss_files.so.2"]),
        ("getnetbyaddr", ["libnss_files.so.2"]),
        ("getnetgrent_r", ["libnss_files.so.2"]),
        ("getgroups", []),
        ("getpid", []),
        ("gethostname", []),
        ("getprogname", []),
        ("getservices", []),
    ],
)
def test_name_services_are_libraries_before_glibc_2_34(name: str, opened: list[str]) -> None:
    """Old glibc opens files for all databases and dns for hosts; since 2.34 both are built in."""
    found = late_of(symbols((name,)), glibc="2.33")
    assert [late.sonames[0] for late in found if late.level is Level.RECOMMENDED] == opened
    assert sonames(late_of(symbols((name,)), glibc="2.34"), Level.RECOMMENDED) == []
    assert all("glibc 2.33" in late.evidence and name in late.evidence for late in found if "nss" in late.sonames[0])


def test_versions_of_glibc_are_compared_as_numbers() -> None:
    """2.9 is older than 2.31, and 2.36 newer than both."""
    assert sonames(late_of(symbols(("getpwuid",)), glibc="2.31")) == [("libnss_files.so.2",)]
    assert late_of(symbols(("getpwuid",)), glibc="2.100") == ()


def test_conversions_and_locales_are_hinted_at_with_where_libc_looks() -> None:
    """The directories are read out of the C library; of libraries, setlocale does not count."""
    libc = with_strings("/usr/lib/x/gconv/gconv-modules.cache", "/opt/locale/locale-archive", soname="libc.so.6")
    found = late_of(symbols(("iconv_open", "setlocale")), libc_bytes=libc)
    assert [(late.sonames, late.level, late.paths) for late in found] == [
        ((), Level.HINT, ("/usr/lib/x/gconv",)),
        ((), Level.HINT, ("/opt/locale",)),
    ]
    others = {"/lib/libx.so": (library("libx.so"), symbols(("setlocale", "iconv_open")))}
    (found_one,) = late_of(symbols(), others, libc_bytes=libc)
    assert (found_one.needed_by, found_one.paths) == ("/lib/libx.so", ("/usr/lib/x/gconv",))


def test_idn_is_a_hint() -> None:
    """Names that are not ASCII are rare, so its library is never packed on an import alone."""
    (found,) = late_of(symbols(("getaddrinfo",)))
    assert (found.sonames, found.level) == (("libidn2.so.0",), Level.HINT)


def test_notes_are_found_with_their_priorities() -> None:
    """The highest level comes first, alternatives stay in order, and the evidence has the note's words."""
    note = dlopen_note(
        {"soname": ["liba.so.1"], "priority": "suggested"},
        {"soname": ["libb.so.2", "libb.so.1"], "feature": "b", "description": "does b"},
        {"soname": ["libc.so.9"], "feature": "c", "priority": "required"},
    )
    found = late_of(symbols(), program_bytes=make_elf(interpreter="/lib/ld", code=b"\0", note=note))
    why = "names it in its dlopen note"
    assert found == (
        LateLibrary(("libc.so.9",), Level.REQUIRED, "/app", f"{why} (c)"),
        LateLibrary(("libb.so.2", "libb.so.1"), Level.RECOMMENDED, "/app", f"{why} (b: does b)"),
        LateLibrary(("liba.so.1",), Level.SUGGESTED, "/app", why),
    )


def test_notes_of_libraries_name_the_library() -> None:
    """The search starts at the object that carries the note."""
    data = make_elf(soname="libx.so", note=dlopen_note({"soname": ["liby.so"]}))
    (found,) = late_of(symbols(), {"/opt/libx.so": (data, symbols())})
    assert (found.sonames, found.needed_by) == (("liby.so",), "/opt/libx.so")


def test_a_note_counts_unless_its_first_choice_is_loaded() -> None:
    """A loaded second choice does not keep the first from being opened if it is there."""
    note = dlopen_note({"soname": ["liby.so.2", "liby.so.1"]})
    data = make_elf(interpreter="/lib/ld", code=b"\0", note=note)
    first = {"/lib/liby.so.2": (library("liby.so.2"), symbols())}
    second = {"/lib/liby.so.1": (library("liby.so.1"), symbols())}
    assert late_of(symbols(), first, program_bytes=data) == ()
    assert sonames(late_of(symbols(), second, program_bytes=data)) == [("liby.so.2", "liby.so.1")]


def test_notes_of_static_programs_count_and_nothing_else() -> None:
    """A static program's notes are read, its symbols are not asked for."""
    data = make_elf(type_=ET_EXEC, dynamic=False, code=b"\0libx.so\0", note=dlopen_note({"soname": ["liby.so"]}))

    def refuse(_: object) -> Symbols:
        raise AssertionError

    assert sonames(find_late(closure_of({"/app": data}, None), refuse)) == [("liby.so",)]


STRINGS = (
    "libplugin.so.1",
    "/opt/x/mod.so",
    "libneeded.so",
    "lib%s.so",
    ".so",
    ".abi3.so",
    "see libfoo.so",
    "x/y.so",
    "libfoo.so.conf",
    "libc.so.6",
    "linux-vdso.so.1",
    "libfoo.so.1b",
    "$ORIGIN/x.so",
    "libdouble.so.1.so.2",
    "libplugin.so.1",
)


def test_stubs_of_glibc_that_are_opened_by_name_are_packed() -> None:
    """Who opens one, as Free Pascal does, has no other way to its functions; musl has them in its libc alone."""
    data = make_elf(interpreter="/lib/ld-linux-x86-64.so.2", code=b"\0libpthread.so.0\0")
    (found,) = late_of(symbols(("dlopen",)), program_bytes=data)
    assert (found.sonames, found.level) == (("libpthread.so.0",), Level.RECOMMENDED)
    (found,) = late_of(symbols(("dlopen",)), program_bytes=data, libc=Libc.MUSL)
    assert found.level is Level.HINT


def test_the_first_of_nims_endings_that_is_there_is_packed() -> None:
    """As its manual has it; a sentence with such a name in it is none."""
    text = b"@libssl.so(.3|.1.1|.1.0.2|)\0@Could not load SSL using libssl.so(.3|.1.1)\0"
    data = make_elf(interpreter="/lib/ld-linux-x86-64.so.2", code=b"\0" + text)
    (found,) = late_of(symbols(("dlopen",)), program_bytes=data)
    assert found.sonames == ("libssl.so.3", "libssl.so.1.1", "libssl.so.1.0.2", "libssl.so")
    assert (found.level, found.evidence) == (
        Level.RECOMMENDED,
        "has the string 'libssl.so(.3|.1.1|.1.0.2|)', of which Nim opens the first that is there",
    )


def test_strings_are_hints_where_libraries_can_be_opened() -> None:
    """Names and absolute paths of libraries count, but not templates, endings, sentences, or what is loaded."""
    data = make_elf(
        interpreter="/lib/ld-linux-x86-64.so.2",
        needed=("libneeded.so",),
        code=b"\0" + b"\0".join(text.encode() for text in STRINGS) + b"\0",
    )
    found = late_of(symbols(("dlopen",)), program_bytes=data)
    assert sonames(found) == [("libplugin.so.1",), ("/opt/x/mod.so",), ("libdouble.so.1.so.2",)]
    assert {late.level for late in found} == {Level.HINT}
    assert found[0].evidence == "has the string 'libplugin.so.1' and imports dlopen"
    assert late_of(symbols(("puts",)), program_bytes=data) == ()


@pytest.mark.parametrize("name", ["dlmopen", "g_module_open", "uv_dlopen", "PR_LoadLibrary", "_ZN8QLibrary4loadEv"])
def test_wrappers_of_dlopen_count(name: str) -> None:
    """Whoever calls another library's opener can open libraries too, under either C library."""
    data = with_strings("libplugin.so.1")
    for libc in (Libc.GLIBC, Libc.MUSL):
        assert sonames(late_of(symbols((name,), version=""), program_bytes=data, libc=libc)) == [("libplugin.so.1",)]


def test_a_name_that_is_sure_is_no_hint_too() -> None:
    """A string repeats what a note or glibc names already."""
    data = make_elf(code=b"\0libgcc_s.so.1\0liby.so\0", note=dlopen_note({"soname": ["liby.so"]}))
    found = late_of(symbols(("dlopen", "pthread_exit")), program_bytes=data)
    assert [(late.sonames[0], late.level) for late in found] == [
        ("libgcc_s.so.1", Level.REQUIRED),
        ("liby.so", Level.RECOMMENDED),
    ]


def test_another_choice_of_a_note_is_no_hint_where_the_first_is_loaded() -> None:
    """The file holds the names of all its choices, and opens but one."""
    note = dlopen_note({"soname": ["liby.so.2", "liby.so.1"]})
    data = make_elf(code=b"\0liby.so.2\0liby.so.1\0", note=note)
    loaded_first = {"/lib/liby.so.2": (library("liby.so.2"), symbols())}
    assert late_of(symbols(("dlopen",)), loaded_first, program_bytes=data) == ()


def test_strings_are_found_wherever_pieces_meet() -> None:
    """A name across the border of two pieces is found whole, at every offset."""
    text = b"libborder.so.1"
    for at in range(PIECE - 2200, PIECE + 30, 7):
        data = make_elf(code=bytes(at) + text + bytes(5000))
        assert sonames(late_of(symbols(("dlopen",)), program_bytes=data)) == [("libborder.so.1",)]


def test_a_name_without_its_beginning_is_none() -> None:
    """Text that is longer than any name is no name, even where a piece cuts it."""
    data = make_elf(code=b"\0" + b"a" * (PIECE + 5000) + b"libx.so.1\0liby.so\0")
    assert sonames(late_of(symbols(("dlopen",)), program_bytes=data)) == [("liby.so",)]


def test_the_string_table_is_a_hole_in_the_data() -> None:
    """Names in it are no hints, and one that begins right behind it is."""
    data = make_elf(code=b"\0libin.so\0libbehind.so\0")
    at = data.index(b"\0libin.so")
    data = set_tag(set_tag(data, DT_STRTAB, at), DT_STRSZ, len(b"\0libin.so\0"))
    assert sonames(late_of(symbols(("dlopen",)), program_bytes=data)) == [("libbehind.so",)]


def test_hints_of_one_file_are_bounded() -> None:
    """A file full of names gives the first of them, and no search for more than so many."""
    names = [f"lib{number}.so" for number in range(MAX_PLACES + 100)]
    found = late_of(symbols(("dlopen",)), program_bytes=with_strings(*names))
    assert sonames(found) == [(name,) for name in names[:MAX_HINTS]]
    data = make_elf(code=b"x.so\0" * MAX_PLACES + b"\0libbehind.so\0")
    assert sonames(late_of(symbols(("dlopen",)), program_bytes=data)) == [("x.so",)]


def test_openssl_s_own_directories_are_read_out_of_it() -> None:
    """What libcrypto says it was built with are the places it opens (crypto/cversion.c)."""
    data = with_strings(
        'OPENSSLDIR: "/etc/ssl"',
        'ENGINESDIR: "/lib/engines-3"',
        'MODULESDIR: "/lib/ossl"',
        "MODULESDIR: N/A",
        soname="libcrypto.so.3",
    )
    found = late_of(symbols(), {"/lib/libcrypto.so.3": (data, symbols())})
    assert [late.paths for late in found] == [
        ("/etc/ssl/openssl.cnf",),
        ("/lib/engines-3",),
        ("/lib/ossl/legacy.so", "/lib/ossl/fips.so"),
    ]
    assert all(late.level is Level.HINT and '"/' in late.evidence for late in found)
    assert all(late.needed_by == "/lib/libcrypto.so.3" for late in found)


@pytest.mark.parametrize(
    ("soname", "paths"),
    [
        ("libpam.so.0", ("/etc/pam.d", "/usr/lib64/security")),
        ("libsasl2.so.3", ("/usr/lib64/sasl2",)),
        ("libQt6Gui.so.6", ("/usr/lib64/qt6/plugins/platforms",)),
        ("libpamc.so.0", None),
    ],
)
def test_known_libraries_have_their_plugins(soname: str, paths: tuple[str, ...] | None) -> None:
    """Plugins lie beside the library that loads them, whatever the distribution calls the directory."""
    found = late_of(symbols(), {f"/usr/lib64/{soname}": (library(soname), symbols())})
    assert [late.paths for late in found] == ([] if paths is None else [paths])


def test_nss_opens_libraries_by_name() -> None:
    """Mozilla's NSS has names to search for in place of directories, of which some have alternatives."""
    found = late_of(symbols(), {"/lib/libnss3.so": (library("libnss3.so"), symbols())})
    assert sonames(found) == [("libsoftokn3.so",), ("libfreeblpriv3.so", "libfreebl3.so"), ("libnssckbi.so",)]


def test_symbols_are_read_once_for_all_who_ask() -> None:
    """The cache gives the same symbols again, and a file's damage is an error each time."""
    cache, whole = SymbolCache(), loaded("/lib/libx.so", library("libx.so"))
    assert cache(whole) is cache(whole)
    damaged = set_tag(library("libx.so"), DT_HASH, 1 << 40)
    for _ in range(2):
        with pytest.raises(MalformedElfError):
            cache(loaded("/lib/liby.so", damaged))
