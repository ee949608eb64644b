"""What dynamically linked files say that they need: the functions they import from others, and the libraries they name.

Sources: the man pages of the functions; what each does without its files was tried in empty containers with glibc 2.36
and musl 1.2.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.excerpt import listed, shorten
from minpack.namedtuple import NamedTuple
from minpack.needs.need import Evidence, Need, Seen, Signal, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from minpack.elf.symbols import Symbols


class Rule(NamedTuple):
    """Importing any of `names` says `verdict` of `need`.

    Of libraries that need something just for one of many uses, `of_library` says what their import does.
    """

    need: Need
    verdict: Verdict
    names: frozenset[str]
    of_library: Verdict | None = None


def _rule(need: Need, verdict: Verdict, names: str, of_library: Verdict | None = None) -> Rule:
    return Rule(need, verdict, frozenset(names.split()), of_library)


RULES = (
    _rule(
        Need.CERTS,
        Verdict.REQUIRED,
        "SSL_CTX_set_default_verify_paths SSL_CTX_set_default_verify_file SSL_CTX_set_default_verify_dir"
        " SSL_CTX_set_default_verify_store X509_STORE_set_default_paths"
        " gnutls_certificate_set_x509_system_trust gnutls_x509_trust_list_add_system_trust"
        " curl_easy_init g_tls_backend_get_default PK11_ListCerts",
        of_library=Verdict.LIKELY,
    ),
    _rule(Need.PASSWD, Verdict.LIKELY, "getpwnam getpwuid getpwnam_r getpwuid_r getpwent getlogin getlogin_r"),
    _rule(Need.GROUP, Verdict.LIKELY, "getgrnam getgrgid getgrnam_r getgrgid_r getgrent getgrouplist initgroups"),
    _rule(
        Need.DNS,
        Verdict.RUNTIME,
        "getaddrinfo gethostbyname gethostbyname2 gethostbyname_r gethostbyaddr res_query __res_query res_search",
    ),
    _rule(
        Need.SERVICES,
        Verdict.LIKELY,
        "getservbyname getservbyport getservbyname_r getservbyport_r getservent",
        of_library=Verdict.OPTIONAL,
    ),
    # Which service is asked for is known when it runs; numbers need no file.
    _rule(Need.SERVICES, Verdict.OPTIONAL, "getaddrinfo"),
    _rule(
        Need.SHELL,
        Verdict.LIKELY,
        "system popen wordexp",
        of_library=Verdict.OPTIONAL,
    ),
    _rule(Need.TMP, Verdict.LIKELY, "tmpfile tmpfile64 tmpnam tempnam"),
    _rule(Need.TMP, Verdict.MAYBE, "mkstemp mkstemp64 mkstemps mkostemp mkostemp64 mkdtemp"),
    _rule(
        Need.TZ,
        Verdict.OPTIONAL,
        "localtime localtime_r mktime tzset __localtime64 __localtime64_r __mktime64",
    ),
)
#: What tells of programs alone: libraries have it for some one of many uses.
PROGRAM_RULES = (
    _rule(Need.SHELL, Verdict.OPTIONAL, "posix_spawn posix_spawnp execv execve execvp execvpe execl execle execlp"),
)
#: What only glibc reads files for: musl has it built in.
GLIBC_RULES = (
    _rule(
        Need.PROTOCOLS,
        Verdict.LIKELY,
        "getprotobyname getprotobynumber getprotobyname_r getprotobynumber_r getprotoent",
        of_library=Verdict.OPTIONAL,
    ),
    # C++'s `std::locale(char const*)` and `(std::string const&)`, of libstdc++ and of libc++: they throw.
    _rule(
        Need.LOCALE,
        Verdict.OPTIONAL,
        "setlocale newlocale _ZNSt6localeC1EPKc _ZNSt6localeC2EPKc"
        " _ZNSt6localeC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE _ZNSt3__16localeC1EPKc"
        " _ZNSt3__16localeC1ERKNS_12basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEEE",
    ),
    _rule(
        Need.GCONV,
        Verdict.OPTIONAL,
        "iconv_open",
    ),
)
_TERMINFO = frozenset(("setupterm", "initscr", "newterm", "tgetent"))
#: OpenSSL's methods and functions of either side of a connection.
_CLIENT = frozenset(("TLS_client_method", "TLS_method", "SSLv23_client_method", "SSLv23_method", "SSL_connect"))
_SERVER = frozenset(("TLS_server_method", "SSLv23_server_method", "SSL_accept"))
#: The C library, and what every program of a compiler is linked to: they offer all, and need nothing by themselves.
_SILENT = (
    "libc.so.",
    "libc.musl-",
    "libm.so.",
    "libpthread.so.",
    "libdl.so.",
    "librt.so.",
    "libresolv.so.",
    "libnss_",
    "libutil.so.",
    "libstdc++.so.",
    "libgcc_s.so.",
    # Thirty megabytes of tables.
    "libicudata.so.",
    "ld-",
)
#: C++20's look-ups of time zones, whatever their parameters (libstdc++, ``src/c++20/tzdb.cc``).
_CXX_ZONES = ("_ZNSt6chrono11locate_zone", "_ZNSt6chrono8get_tzdb", "_ZNSt6chrono12current_zone")


#: All names that tell something.
_TELLING = frozenset(
    name.encode()
    for names in (_TERMINFO, _CLIENT, _SERVER, *(rule.names for rule in (*RULES, *GLIBC_RULES, *PROGRAM_RULES)))
    for name in names
)
_CXX_START = b"_ZNSt6chrono"


def is_silent(soname: str) -> bool:
    """Whether a library offers what others need, and needs nothing by itself."""
    return soname.startswith(_SILENT)


def telling_imports(symbols: Symbols) -> frozenset[str]:
    """The names that a file refers to and does not define, as far as they tell of needs."""
    return frozenset(
        name.decode("utf-8", "surrogateescape")
        for name in symbols.imports
        if name in _TELLING or name.startswith(_CXX_START)
    )


def import_signals(
    imports: Collection[str], path: str, *, soname: str, is_program: bool, glibc: bool
) -> Iterator[Signal]:
    """What the imports of the file at `path` say.

    :param imports: its `telling_imports`.
    :param soname: empty if it has none.
    :param glibc: whether it runs with glibc.
    """
    if not is_program and is_silent(soname):
        return
    for rule in (*RULES, *(GLIBC_RULES if glibc else ()), *(PROGRAM_RULES if is_program else ())):
        found = sorted(rule.names.intersection(imports))
        if found:
            verdict = rule.verdict if is_program else rule.of_library or rule.verdict
            yield Signal(rule.need, verdict, _imports(path, found, is_program=is_program))
    zones = sorted(name for name in imports if name.startswith(_CXX_ZONES))
    if zones:
        yield Signal(Need.TZ, Verdict.LIKELY, _imports(path, zones, is_program=is_program))
    yield from _tls(imports, path, is_program=is_program)
    found = sorted(_TERMINFO.intersection(imports))
    if found:
        # A library, as readline, does without; so does what asks for termcap alone.
        fails = is_program and found != ["tgetent"]
        verdict = Verdict.REQUIRED if fails else Verdict.OPTIONAL
        yield Signal(Need.TERMINFO, verdict, _imports(path, found, is_program=is_program))


def _tls(imports: Collection[str], path: str, *, is_program: bool) -> Iterator[Signal]:
    """OpenSSL without a word of the system's certificates: the program may name their file itself."""
    if RULES[0].names.intersection(imports):
        return
    for names, verdict in ((_CLIENT, Verdict.MAYBE), (_SERVER, Verdict.NOT_NEEDED)):
        found = sorted(names.intersection(imports))
        if found:
            side = "client" if verdict is Verdict.MAYBE else "server"
            yield Signal(Need.CERTS, verdict, _imports(path, found, f" as a TLS {side} does", is_program=is_program))
            return


def _imports(path: str, names: list[str], so: str = "", *, is_program: bool) -> Evidence:
    subject = "" if is_program else shorten(path.rpartition("/")[2]) + " "
    return Evidence(Seen.IMPORT, names[0], path, f"{subject}imports {listed(names)}{so}")
