"""Programs that read files nobody can know: interpreters, and what scripts are for; and what even these do not read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minpack.content import read_all
from minpack.errors import MinpackError
from minpack.paths import RootPath, name
from minpack.reach.names import is_script
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from minpack.images.start import Started
    from minpack.ld.closure import Closure
    from minpack.ld.symbol_cache import SymbolsOf
    from minpack.reach.roots import Roots
    from minpack.rootfs.entry import Entry

_INTERPRETERS = re.compile(
    r"(?:python|pypy|node|nodejs|deno|bun|java|perl|ruby|php|php-fpm|php-cgi|lua|luajit|tclsh|wish|guile|Rscript|R|julia"
    r"|erl|beam\.smp|erlexec|escript|elixir|sh|bash|dash|ash|zsh|ksh|mksh|fish|busybox|gawk|mawk|awk|mono|dotnet|ocaml|racket"
    r"|swipl|octave-cli|make|gosu|su-exec)[0-9.]*(?:-[0-9.]+)?"
)
#: What a health check is written for: its words say what it starts.
_SHELLS = re.compile(r"(?:sh|bash|dash|ash|zsh|ksh|mksh|busybox)")
#: Of these, what they are called with says what they start.
_STARTERS = frozenset(("gosu", "su-exec"))
#: Libraries that are an interpreter, which programs have within themselves.
_EMBEDDED = re.compile(
    r"lib(?:python[23]|pypy|jvm|perl|ruby|node|php|guile-|tcl[0-9]|mono|coreclr|hostfxr|R\.so|lua|julia|v8|mozjs"
    r"|swipl|octinterp)"
)
#: What packages leave that no program reads to do its work: documentation, what others are built with, what manages
#: packages, and what can be made again.
_LEFTOVERS = re.compile(
    r"/usr/(?:local/)?share/(?:doc|man|info|lintian|bug|doc-base|groff|bash-completion|zsh/vendor-completions"
    r"|fish/vendor_completions\.d|menu|applications|pixmaps|aclocal|pkgconfig|gtk-doc|reportbug|debianutils|common-licenses"
    r"|cmake|gdb|vala)/.*"
    r"|/usr/(?:local/)?(?:include|src)/.*|/(?:usr/)?(?:local/)?lib/(?:[^/]*-linux-[^/]*/)?(?:pkgconfig|cmake|debug)/.*"
    r"|/(?:usr/)?(?:local/)?lib/(?:[^/]*-linux-[^/]*/)?[^/]+\.(?:a|la)"
    r"|/var/lib/(?:apt|dpkg|apk|systemd|ucf|pam|rpm)/.*|/var/(?:cache|backups|tmp|log)/.*|/tmp/.*|/lib/apk/.*"
    r"|/(?:usr/)?s?bin/(?:apt|apt-[a-z-]+|dpkg|dpkg-[a-z-]+|debconf[a-z-]*|deb-systemd-[a-z]+|apk|add-shell|remove-shell)"
    r"|/usr/(?:lib|share)/(?:apt|dpkg|debconf|apt-listchanges)/.*|/usr/share/perl5/(?:Debconf|Debian|Dpkg)/.*|/etc/apk/.*"
    r"|/usr/lib/sysimage/rpm/.*|/var/lib/rpm/.*|/etc/apt/.*|/etc/dpkg/.*|/etc/cron\.[a-z]+/.*|/etc/logrotate\.d/.*"
)
#: Translations, which a program reads if the image sets a language.
_TRANSLATIONS = re.compile(r"/usr/(?:local/)?share/(?:locale|i18n)/.*")
_LANGUAGES = ("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE")
#: Libraries where the loader finds them by name; what lies deeper is opened by its path.
_LIBRARY = re.compile(r"/(?:usr/(?:local/)?)?lib(?:32|64|x32)?/(?:[^/]*-linux-[^/]*/)?[^/]+\.so(?:\.[0-9A-Za-z_-]+)*")
#: How scripts name libraries that they open: whole, or behind the function that does it.
_OPENED = re.compile(
    rb"lib([A-Za-z0-9_+-]{2,60})\.so"
    rb"|(?:find_library|CDLL|LoadLibrary|loadLibrary|dlopen|ffi_lib|cdef_library|Native\.load)\W{1,4}"
    rb"(?:lib)?([A-Za-z0-9_+-]{2,60})"
)
#: How programs start the shells of users (pam_open_session(3), getusershell(3)).
_LOGINS = frozenset((b"pam_open_session", b"getusershell"))
_SCRIPT = re.compile(
    r".*\.(?:py|pyc|js|mjs|cjs|ts|rb|pl|pm|t?cl|lua|sh|class|jar|php|R|jl|erl|beam|exs?|scm|conf|json|txt)"
)
#: More bytes than a script has.
_MOST_SCRIPT = 4 << 20


def interpreter_of(roots: Roots, closures: Sequence[Closure], symbols: SymbolsOf) -> str:
    """The path of the interpreter or script that the image starts; empty if it starts none.

    A shell that starts one program, and all others that only do that, do not count; nor does the shell of a health
    check. What lets users log in does: it starts their shells.
    """
    for started in roots.started:
        if started.last and not started.following and _interprets(started):
            return started.last[0].path
    health = roots.health
    if health is not None and health.last and _interprets(health) and not _is_shell(health):
        return health.last[0].path
    for entry in roots.named:
        if is_interpreter(entry.path) or is_script(entry):
            return entry.path
    last = {entry.path for started in roots.started for entry in started.last} | {one.path for one in roots.named}
    for closure in closures:
        if closure.program.entry.path in last and (_embeds(closure) or _logs_in(closure, symbols)):
            return closure.program.entry.path
    return ""


def _embeds(closure: Closure) -> bool:
    return any(_EMBEDDED.match(one.info.soname or one.name) for one in closure.objects[1:])


def _logs_in(closure: Closure, symbols: SymbolsOf) -> bool:
    """Whether the program opens sessions of users, as sshd, su and cron do."""
    try:
        return not _LOGINS.isdisjoint(symbols(closure.program).imports)
    except MinpackError:
        return True


def _interprets(started: Started) -> bool:
    """Whether what is started is a script, or called as interpreters are."""
    return len(started.last) > 1 or any(
        _INTERPRETERS.fullmatch(one) and one not in _STARTERS for one in _names(started)
    )


def _is_shell(started: Started) -> bool:
    return len(started.last) == 1 and any(map(_SHELLS.fullmatch, _names(started)))


def _names(started: Started) -> set[str]:
    """What the last program is called, and what its file is."""
    return {name(RootPath(started.names[-1])), name(started.last[0].path)}


def is_interpreter(path: RootPath) -> bool:
    """Whether the program at `path` is called as interpreters are."""
    return _INTERPRETERS.fullmatch(name(path)) is not None


def is_shell(path: RootPath) -> bool:
    """Whether a shell is at `path`."""
    return _SHELLS.fullmatch(name(path)) is not None


def needs_modules(path: RootPath) -> bool:
    """Whether the program at `path` is an interpreter that is nothing without files that nobody can know."""
    return is_interpreter(path) and not is_shell(path) and not name(path).endswith("awk")


def is_leftover(path: RootPath, env: Sequence[tuple[str, str]]) -> bool:
    """Whether no interpreter reads what is at `path` to do its work."""
    if _LEFTOVERS.fullmatch(path) is not None:
        return True
    return _TRANSLATIONS.fullmatch(path) is not None and not sets_language(env)


def sets_language(env: Iterable[tuple[str, str]]) -> bool:
    """Whether the image asks for messages in a language."""
    plain = ("", "C", "POSIX", "C.UTF-8", "C.utf8", "en_US.UTF-8")
    return any(key in _LANGUAGES and value not in plain for key, value in env)


def is_loaded_by_name(entry: Entry) -> bool:
    """Whether it is a library, or a link to one, where loaders look for names."""
    return entry.kind in (Kind.FILE, Kind.SYMLINK) and _LIBRARY.fullmatch(entry.path) is not None


def opened_in(entry: Entry) -> Iterator[str]:
    """What a script names of libraries that it opens, without ``lib`` and what follows the name."""
    if entry.content is None or not 0 < entry.size <= _MOST_SCRIPT or not _is_script(entry):
        return
    for match in _OPENED.finditer(read_all(entry.content, _MOST_SCRIPT)):
        yield (match[1] or match[2]).decode()


def _is_script(entry: Entry) -> bool:
    return _SCRIPT.fullmatch(entry.path) is not None or bool(entry.mode & 0o111)
