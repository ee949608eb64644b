"""The sample programs are built, are of the kinds they claim, and need at run time what their READMEs say."""

from __future__ import annotations

import hashlib
import http.server
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
import tzdata

from minpack.content import FileContent
from minpack.elf.info import ElfInfo, ElfKind
from minpack.elf.read import read_elf
from support.samples import SAMPLES
from support.tools import need_tool
from support.trees import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOTS = "etc/ssl/certs/ca-certificates.crt"
ZONES = "usr/share/zoneinfo"
EXIT_USAGE, EXIT_ROOTS, EXIT_ZONES, EXIT_USER, EXIT_TEMP = 2, 3, 4, 5, 6


def elf(program: Path) -> ElfInfo:
    """What the program's ELF file says."""
    return read_elf(FileContent(str(program), program.stat().st_size))


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished command, with no environment but `env`."""
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env or {}, cwd=cwd, timeout=300)


def run_here(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, run on this machine; the test is skipped where it cannot start."""
    info = elf(program)
    if sys.platform != "linux" or platform.machine() != info.target.name:
        pytest.skip(f"this machine does not run programs for Linux on {info.target}")
    if info.interpreter is not None and not Path(info.interpreter).exists():
        pytest.skip(f"this machine has no {info.interpreter}")
    return run(program, *arguments)


def run_inside(root: Path, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program as the only one in `root`, with nothing else of this machine in reach."""
    shutil.copy(program, root / "app")
    return run(need_tool("chroot"), str(root), "/app", *arguments)


def place(root: Path, *names: str) -> Path:
    """The directory `root` with what go-https looks for, as far as it is named."""
    root.mkdir()
    if ROOTS in names:
        (root / ROOTS).parent.mkdir(parents=True)
        shutil.copy(certifi.where(), root / ROOTS)
    if ZONES in names:
        shutil.copytree(Path(tzdata.__file__).parent / "zoneinfo", root / ZONES)
    if "etc/passwd" in names:
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/sbin/nologin\n", encoding="utf-8")
    if "tmp" in names:
        (root / "tmp").mkdir()
    return root


def test_go_https_is_static(go_https: Path) -> None:
    """The Go program has no interpreter and needs no library."""
    info = elf(go_https)
    assert (info.kind, info.target.name, info.interpreter, info.needed) == (ElfKind.STATIC, "x86_64", None, ())


def test_rust_glibc_needs_libc_and_libgcc(rust_glibc: Path) -> None:
    """The Rust program is a dynamic one of glibc, and needs libgcc_s."""
    info = elf(rust_glibc)
    assert (info.kind, info.target.name) == (ElfKind.DYNAMIC, "x86_64")
    assert info.interpreter == "/lib64/ld-linux-x86-64.so.2"
    assert {"libc.so.6", "libgcc_s.so.1"} <= set(info.needed)
    assert (info.rpath, info.runpath) == (None, None)


def test_c_musl_tls_needs_musl_and_openssl(c_musl_tls: Path) -> None:
    """The musl program needs musl and OpenSSL 3 and nothing else, and no path of the build is in it."""
    info = elf(c_musl_tls)
    assert (info.kind, info.target.name) == (ElfKind.DYNAMIC, "x86_64")
    assert info.interpreter == "/lib/ld-musl-x86_64.so.1"
    libc = {"libc.so", "libc.musl-x86_64.so.1"} & set(info.needed)
    assert set(info.needed) - libc == {"libssl.so.3", "libcrypto.so.3"}
    assert len(libc) == 1
    assert (info.rpath, info.runpath) == (None, None)


def test_c_glibc_needs_libm(c_glibc: Path) -> None:
    """The C program is a dynamic one of glibc, and needs libm."""
    info = elf(c_glibc)
    assert (info.kind, info.target.name) == (ElfKind.DYNAMIC, "x86_64")
    assert info.interpreter == "/lib64/ld-linux-x86-64.so.2"
    # glibc's libpthread is a library of its own before 2.34 alone.
    assert set(info.needed) - {"libpthread.so.0"} == {"libc.so.6", "libm.so.6"}
    assert (info.rpath, info.runpath) == (None, None)


def test_go_https_runs_here(go_https: Path) -> None:
    """The Go program starts and prints its uid and what it looked for."""
    done = run_here(go_https)
    assert done.returncode == 0, done.stderr
    names = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert names == ["uid", "roots", "zones", "user", "temp"]


def test_rust_glibc_runs_here(rust_glibc: Path) -> None:
    """The Rust program starts, prints its arguments and uid, resolves an address and catches a panic."""
    done = run_here(rust_glibc, "127.0.0.1", "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "hello from Rust",
        f"uid: {os.getuid()}",
        "arguments: 127.0.0.1 two",
        "127.0.0.1: 127.0.0.1",
        "panic: caught",
    ]


def test_c_glibc_runs_here(c_glibc: Path) -> None:
    """The C program starts, calculates and joins its thread."""
    done = run_here(c_glibc)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == [f"uid: {os.getuid()}", "cosine: 1.000000", "thread: 500500"]


def test_samples_refuse_what_they_do_not_know(go_https: Path, c_glibc: Path) -> None:
    """An argument that is none is wrong use, not a check that passed."""
    for program in (go_https, c_glibc):
        done = run_here(program, "-require-nonsense")
        assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
        assert "usage: " in done.stderr


def test_go_https_has_the_same_bytes_wherever_it_is_built(go_https: Path, tmp_path: Path) -> None:
    """Directory, time zone and Go's settings do not change the Go program."""
    copy = tmp_path / "elsewhere" / "go-https"
    copy.mkdir(parents=True)
    for name in ("main.go", "go.mod", "Makefile"):
        shutil.copy(SAMPLES / "go-https" / name, copy)
    (copy.parent / "toolchain.py").symlink_to(SAMPLES / "toolchain.py")
    settings = {**os.environ, "TZ": "Asia/Tokyo", "GOFLAGS": "-tags=other", "GOAMD64": "v3"}
    built = run("make", "-C", copy, env=settings)
    assert built.returncode == 0, built.stderr
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (go_https, copy / "build" / "go-https"))
    assert first == second


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("absent", "option", "code"),
    [
        (ROOTS, "-require-roots", EXIT_ROOTS),
        (ZONES, "-require-zones", EXIT_ZONES),
        ("etc/passwd", "-require-user", EXIT_USER),
        ("tmp", "-require-temp", EXIT_TEMP),
    ],
)
def test_go_https_misses_only_what_is_absent(
    go_https: Path, tmp_path: Path, absent: str, option: str, code: int
) -> None:
    """Alone with all it needs the Go program finds it; without one thing it says so, and fails if it was required."""
    names = (ROOTS, ZONES, "etc/passwd", "tmp")
    every = ("-require-roots", "-require-zones", "-require-user", "-require-temp")
    full = run_inside(place(tmp_path / "full", *names), go_https, *every)
    assert (full.returncode, "missing" in full.stdout) == (0, False), full.stdout + full.stderr
    lacking = place(tmp_path / "lacking", *(name for name in names if name != absent))
    assert run_inside(lacking, go_https, *(o for o in every if o != option)).returncode == 0
    failed = run_inside(lacking, go_https, option)
    assert failed.returncode == code
    assert failed.stdout.count("missing") == 1


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_go_https_starts_with_nothing_else(go_https: Path, tmp_path: Path) -> None:
    """In an empty directory the Go program still starts, and finds nothing."""
    done = run_inside(place(tmp_path / "empty"), go_https)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("missing") == 4


@pytest.mark.data
@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_c_musl_tls_runs_on_alpine(c_musl_tls: Path, alpine_x86_64: Path, tmp_path: Path) -> None:
    """On a real Alpine the musl program finds its libraries and the CA certificates, and misses them once removed."""
    with tarfile.open(alpine_x86_64) as archive:
        unpack(archive, tmp_path)
    done = run_inside(tmp_path, c_musl_tls)
    assert done.returncode == 0, done.stderr
    openssl, digest, roots = done.stdout.splitlines()
    assert openssl.startswith("openssl: OpenSSL 3.")
    assert digest == f"sha256(minpack): {hashlib.sha256(b'minpack').hexdigest()}"
    count, _, where = roots.removeprefix("roots: ").partition(", default file ")
    assert int(count) == (tmp_path / ROOTS).read_text(encoding="utf-8").count("BEGIN CERTIFICATE")
    assert where == "/etc/ssl/cert.pem"
    (tmp_path / "etc/ssl/cert.pem").unlink()
    assert run_inside(tmp_path, c_musl_tls).returncode == EXIT_ROOTS


@contextmanager
def tls_server(certificate: Path, key: Path) -> Iterator[str]:
    """The URL of an HTTPS server of this process."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"hello\n"
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.tool
def test_go_https_trusts_the_system_roots(go_https: Path, tmp_path: Path) -> None:
    """The Go program gets a page from a server its CA bundle vouches for, and from no other."""
    assert run_here(go_https).returncode == 0
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = run(
        need_tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", key, "-out", certificate,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with tls_server(certificate, key) as url:
        trusted = run(go_https, url, env={"SSL_CERT_FILE": str(certificate)})
        absent = run(go_https, url + "absent", env={"SSL_CERT_FILE": str(certificate)})
        distrusted = run(go_https, url)
    assert (trusted.returncode, trusted.stdout) == (0, f"{url}: 200 OK, 6 bytes\n"), trusted.stderr
    assert (absent.returncode, "404" in absent.stdout) == (1, True)
    assert distrusted.returncode == 1
    assert "certificate signed by unknown authority" in distrusted.stderr


def test_toolchain_says_what_is_missing(tmp_path: Path) -> None:
    """Without Rust the toolchain says what to install, and exits with 3."""
    done = run(sys.executable, SAMPLES / "toolchain.py", "rustc", "--target", "x", env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("toolchain: there is no rustc; install Rust")
