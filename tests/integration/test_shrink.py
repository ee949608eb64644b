"""`minpack why` and `minpack shrink`: what is left runs as before, and nothing that is opened was left out."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support.cc import Compiler
from support.command import COMMAND, minpack
from support.layers import config_of, described, dumped, layer, link, member, put_blobs, tar_of, write_index
from support.startways import host, shell
from support.tools import need_tool

if TYPE_CHECKING:
    import tarfile
    from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
#: It opens a plugin, a file whose path it makes, one in a directory that it names, and one beside its configuration.
SOURCE = r"""
#include <dlfcn.h>
#include <pwd.h>
#include <stdio.h>
static void show(const char *path) {
    char line[80] = "nothing";
    FILE *file = fopen(path, "r");
    if (file) fgets(line, sizeof line, file);
    printf("%s: %s\n", path, line);
}
int main(int count, char **words) {
    char path[80];
    void *plugin = dlopen("/usr/lib/app/plugins/one.so", RTLD_NOW);
    printf("%s\n", plugin ? ((const char *(*)(void)) dlsym(plugin, "word"))() : dlerror());
    snprintf(path, sizeof path, "/usr/share/app/%s.txt", "made");
    show(path);
    show("/etc/app/app.conf");
    show("/etc/app/parts/one.conf");
    show(words[1]);
    printf("%s\n", getpwuid(getuid()) ? getpwuid(getuid())->pw_dir : "nobody");
    return 7;
}
"""


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[tarfile.TarInfo, bytes]]:
    """A system with a program, all that it opens, and much that it does not."""
    place = tmp_path_factory.mktemp("built")
    compiler = Compiler(place)
    deep = compiler.make_library("libdeep.so.1", 'const char *deep(void) { return "of a plugin"; }')
    source = "extern const char *deep(void); const char *word(void) { return deep(); }"
    plugin = compiler.make_library("one.so", source, str(deep))
    app = compiler.program("app", SOURCE, "-include", "unistd.h")
    return [
        member("usr/bin/app", app.read_bytes(), mode=0o755),
        member("usr/lib/app/plugins/one.so", plugin.read_bytes()),
        member("usr/lib/x86_64-linux-gnu/libdeep.so.1", deep.read_bytes()),
        member("usr/share/app/made.txt", b"made\n"),
        member("usr/share/app/more.txt", b"more\n"),
        member("usr/share/other/data", b"x" * 100_000),
        member("usr/share/doc/app/README", b"x" * 100_000),
        member("etc/app/app.conf", b"conf\n"),
        member("etc/app/parts/one.conf", b"part\n"),
        member("etc/passwd", b"root:x:0:0::/root:/bin/sh\nme:x:77:77::/home/me:/bin/sh\n"),
        member("home/me/.profile", b"x"),
        member("data/given", b"given\n"),
        member("var/lib/dpkg/status", PACKAGES),
        member("var/lib/dpkg/info/app.list", b"/usr/bin/app\n/usr/share/app/made.txt\n"),
        member(
            "var/lib/dpkg/info/app.md5sums", SUMS % hashlib.md5(b"made\n", usedforsecurity=False).hexdigest().encode()
        ),
        member("var/lib/dpkg/info/other.list", b"/usr/share/other/data\n"),
        host("/usr/lib/x86_64-linux-gnu/libm.so.6"),
        *shell(),
        link("usr/lib64", "lib"),
    ]


SUMS = b"%b  usr/share/app/made.txt\n"
PACKAGES = b"\n".join(
    b"Package: %b\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n" % name
    for name in (b"app", b"other")
)
RUN: dict[str, Any] = {
    "Entrypoint": ["app"],
    "Cmd": ["/data/given"],
    "Env": ["PATH=/usr/bin:/bin", "A=b"],
    "User": "me",
    "WorkingDir": "/",
    "ExposedPorts": {"80/tcp": {}},
    "Labels": {"a": "b"},
    "StopSignal": "SIGINT",
    "Healthcheck": {"Test": ["CMD", "busybox", "true"], "Interval": 5_000_000_000},
    "OnBuild": ["RUN true"],
    "Unknown": {"to": ["all"]},
}


def write_image(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], **changes: Any) -> None:
    """A layout of two layers; the second has other files on top of the first's."""
    layers = [
        layer(tar_of(*members, member("data/gone", b"x")), "tar"),
        layer(tar_of(member("data/.wh.gone", b""), member("etc/hostname", b"x")), "tar"),
    ]
    config = config_of(layers, config_values=RUN | changes, created="2020-01-02T03:04:05Z", author="me")
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described("application/vnd.oci.image.config.v1+json", config),
        "layers": [one.descriptor() for one in layers],
        "annotations": {"com.example.kept": "yes"},
    }
    manifest = dumped(document)
    put_blobs(path, manifest, config, *(one.blob for one in layers))
    write_index(path, [described(MANIFEST, manifest)])


def documents(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the configuration of the image in a layout."""
    (listed,) = json.loads((path / "index.json").read_bytes())["manifests"]
    manifest = json.loads((path / "blobs/sha256" / listed["digest"][7:]).read_bytes())
    return manifest, json.loads((path / "blobs/sha256" / manifest["config"]["digest"][7:]).read_bytes())


def output_of(image: str, cwd: Path, *options: str) -> tuple[int, bytes]:
    """The exit code of what an image starts, and what that writes."""
    ran = minpack("run", *options, image, cwd=cwd)
    return ran.code, ran.out + ran.err.encode()


@pytest.mark.tool
def test_a_shrunk_image_runs_as_before(members: list[Any], tmp_path: Path) -> None:
    """With its whole configuration, the user's lines, what it opens, and the packages of what is left."""
    write_image(tmp_path / "image", members)
    shrunk = minpack("shrink", "oci:image", "--format", "oci", "-o", "small", "--json", cwd=tmp_path)
    assert shrunk.code == 0, shrunk.err
    document = json.loads(shrunk.out)
    assert document["after"]["files_size"] < document["before"]["files_size"] - 200_000
    assert {one["package"] or one["directory"] for one in document["left_out"]} >= {"other", "/usr/share/doc/"}
    again = minpack("why", "oci:small", "--unneeded", "--json", cwd=tmp_path)
    assert json.loads(again.out)["all_files"] == document["after"]["files"]
    before, after = output_of("oci:image", tmp_path), output_of("oci:small", tmp_path)
    assert before == after
    assert before[0] == 7
    assert b"of a plugin\n" in before[1]
    assert before[1].count(b"nothing") == 0
    old, new = documents(tmp_path / "image"), documents(tmp_path / "small")
    assert new[1]["config"] == old[1]["config"]
    assert (new[1]["author"], new[1]["created"]) == ("me", "2020-01-02T03:04:05Z")
    assert new[0]["annotations"]["com.example.kept"] == "yes"
    assert [len(new[1]["rootfs"]["diff_ids"]), len(new[1]["history"]), len(new[0]["layers"])] == [1, 1, 1]
    exported = minpack("export", "oci:small", "-o", "-", cwd=tmp_path)
    names = subprocess.run(["tar", "-t"], input=exported.out, capture_output=True, check=True).stdout.decode().split()
    assert {"var/lib/dpkg/status.d/app", "home/me/.profile", "bin/busybox"} <= set(names)
    assert {"var/lib/dpkg/status.d/other", "var/lib/dpkg/status", "data/gone"}.isdisjoint(names)
    assert minpack("check", "oci:small", cwd=tmp_path).code == 0


def test_the_same_image_gives_the_same_bytes(members: list[Any], tmp_path: Path) -> None:
    """However it is stored; a shrunk image has nothing left to shrink, and --created gives another time."""
    write_image(tmp_path / "image", members)
    digests = []
    for number, more in enumerate(((), ("--created", "5"))):
        for source in ("oci:image", f"small{number}.tar"):
            out = f"small{number}.tar" if source == "oci:image" else f"again{number}.tar"
            ran = minpack("shrink", source, "-o", out, "-t", "me/small:1", "-q", *more, cwd=tmp_path)
            assert ran.code == 0, ran.err
            digests.append(hashlib.sha256((tmp_path / out).read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2] == digests[3]
    document = json.loads(minpack("why", "small0.tar", "--unneeded", "--json", cwd=tmp_path).out)
    assert [one["path"] for one in document["unneeded"] if not one["path"].startswith("/var/lib/dpkg/")] == []


def test_why_says_what_asks(members: list[Any], tmp_path: Path) -> None:
    """The chain as text and as JSON; 3 if nothing asks; 2 for no path, and for a path and --unneeded."""
    write_image(tmp_path / "image", members)
    path = "/lib/x86_64-linux-gnu/libdeep.so.1"
    ran = minpack("why", "oci:image", "/usr/lib/x86_64-linux-gnu/libdeep.so.1", cwd=tmp_path)
    assert ran.code == 0, ran.err
    lines = [line.strip() for line in ran.out.decode().splitlines()]
    assert lines[2:6] == [
        "the image starts it",
        "-> /usr/bin/app",
        "/usr/bin/app has the string '/usr/lib/app/plugins/one.so' and imports dlopen",
        "-> /usr/lib/app/plugins/one.so",
    ]
    assert lines[-2:] == ["/usr/lib/app/plugins/one.so needs libdeep.so.1", f"-> /usr{path}"]
    document = json.loads(minpack("why", "oci:image", "/usr/share/app/made.txt", "--json", cwd=tmp_path).out)
    assert document["package"] == {"name": "app", "version": "1"}
    assert [step["kind"] for step in document["chain"]] == ["program", "named", "inside"]
    ran = minpack("why", "oci:image", "/usr/share/other/data", cwd=tmp_path)
    assert (ran.code, "nothing in the image asks for it" in ran.out.decode()) == (3, True)
    assert minpack("why", "oci:image", "/none", cwd=tmp_path).code == 3
    assert minpack("why", "oci:image", cwd=tmp_path).code == 2
    assert minpack("why", "oci:image", "/etc", "--unneeded", cwd=tmp_path).code == 2


def test_what_is_kept_and_what_is_refused(members: list[Any], tmp_path: Path) -> None:
    """--keep keeps what nothing asks for; an image that does not start is refused, and nothing is written."""
    write_image(tmp_path / "image", members)
    ran = minpack(
        "shrink", "oci:image", "--keep", "/usr/share/other", "--format", "tar", "-o", "kept.tar", cwd=tmp_path
    )
    assert ran.code == 0, ran.err
    assert b"usr/share/other/data" in (tmp_path / "kept.tar").read_bytes()
    ran = minpack("shrink", "oci:image", "--keep", "/none", "-o", "none.tar", cwd=tmp_path)
    assert (ran.code, "--keep" in ran.err) == (3, True)
    write_image(tmp_path / "broken", members, Entrypoint=["/bin/none"])
    ran = minpack("shrink", "oci:broken", "-o", "none.tar", cwd=tmp_path)
    assert ran.code == 3
    assert "cannot start '/bin/none': the image has no such file" in ran.err
    assert not (tmp_path / "none.tar").exists()


def test_a_smoke_test_comes_before_the_delivery(members: list[Any], tmp_path: Path) -> None:
    """As for pack: what ends otherwise than expected is not written."""
    write_image(tmp_path / "image", members)
    ran = minpack("shrink", "oci:image", "--smoke", "", "-o", "small.tar", cwd=tmp_path)
    assert (ran.code != 0, (tmp_path / "small.tar").exists()) == (True, False)
    expected = ("--smoke", "/data/given", "--smoke-exit", "7", "--smoke-output", "given")
    ran = minpack("shrink", "oci:image", *expected, "-o", "small.tar", cwd=tmp_path)
    assert (ran.code, (tmp_path / "small.tar").exists()) == (0, True), ran.err


@pytest.mark.tool
def test_nothing_that_a_run_opens_is_unneeded(members: list[Any], tmp_path: Path) -> None:
    """strace(1) says what a real run opens: the kernel's word against minpack's."""
    need_tool("strace")
    write_image(tmp_path / "image", members)
    document = json.loads(minpack("why", "oci:image", "--unneeded", "--json", cwd=tmp_path).out)
    unneeded = {one["path"] for one in document["unneeded"]}
    assert "/usr/share/other/data" in unneeded
    strace = ["strace", "-f", "--seccomp-bpf", "-e", "trace=openat,execve", "-o", "trace"]
    subprocess.run([*strace, *COMMAND, "run", "oci:image"], cwd=tmp_path, check=False, capture_output=True)
    trace = (tmp_path / "trace").read_text(errors="replace")
    # What follows the program's own start is of the image.
    inside = trace[trace.rindex('execve("/usr/bin/app"') :]
    opened = {m[1] for m in re.finditer(r'(?:openat|execve)\([^"]*"(/[^"]*)".* = [0-9]', inside)}
    assert "/usr/share/app/made.txt" in opened
    assert opened & unneeded == set()
