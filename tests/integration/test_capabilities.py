"""File capabilities: from bases and programs, through every format, as every reader of images gives them."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minpack.oci.validate import validate_archive, validate_layout
from minpack.rootfs.access import CAPABILITY, read_capability
from support.capabilities import NET_RAW, capability
from support.cc import Compiler
from support.elfmaker import static_program
from support.packing import minpack, packed, write_program
from support.places import as_nobody, shared_directory
from support.tarmaker import archive, hard_link, member, pax, record
from support.tools import need_tool
from support.trees import bsd_tar, gnu_tar

if TYPE_CHECKING:
    from support.docker import Docker

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("root")]

#: What a container does not have by itself.
ADMIN = capability(permitted=(21,), effective=True)
NAMES = ("/bin/ping", "/bin/twin", "/bin/again")
PLATFORM = "--platform=linux/amd64"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A root file system in which one file of three names has a capability, and owners that are not root."""
    root = tmp_path / "base"
    (root / "bin").mkdir(parents=True)
    for name, mode in (("ping", 0o755), ("plain", 0o755), ("text", 0o644)):
        (root / "bin" / name).write_bytes(static_program())
        (root / "bin" / name).chmod(mode)
    os.link(root / "bin/ping", root / "bin/again")
    os.link(root / "bin/ping", root / "bin/twin")
    os.chown(root / "bin/ping", 7, 8)
    os.setxattr(root / "bin/ping", CAPABILITY, NET_RAW)
    # It means nothing where nothing is executed.
    os.setxattr(root / "bin/text", CAPABILITY, NET_RAW)
    return root


def kept_in(root: Path) -> dict[str, bytes]:
    """The files below a directory that have a capability."""
    paths = (Path(directory) / name for directory, _, files in os.walk(root) for name in files)
    return {str(path)[len(str(root)) :]: data for path in paths if (data := read_capability(str(path)))}


def base_in(kind: str, root: Path, tmp_path: Path) -> Path:
    """The root file system as a base of that kind."""
    if kind == "directory":
        return root
    if kind == "bsdtar":
        return bsd_tar(root, tmp_path / "base.tar", "--format=pax", "--xattrs")
    out = gnu_tar(root, tmp_path / "base.tar", "--format=pax", "--xattrs", "--xattrs-include=*")
    if kind == "tar.gz":
        subprocess.run(["gzip", "-k", str(out)], check=True)
        return Path(f"{out}.gz")
    return out


@pytest.mark.tool
@pytest.mark.parametrize("kind", ["directory", "tar", "tar.gz", "bsdtar"])
def test_a_base_image_has_them(kind: str, base: Path, tmp_path: Path) -> None:
    """Whatever the base is, the image is the same; from a kept index too."""
    source = base_in(kind, base, tmp_path)
    for number in range(2):
        out = tmp_path / f"root{number}"
        command = ("base", "image", source, PLATFORM, "--format=rootfs", "-o", out)
        minpack(*command, f"--cache-dir={tmp_path / 'store'}")
        assert kept_in(out) == dict.fromkeys(NAMES, NET_RAW)
        assert (out / "bin/ping").stat().st_uid == 7


def layer_members(path: Path) -> list[tarfile.TarInfo]:
    """The members of a bare tar."""
    with tarfile.open(path) as tar:
        return tar.getmembers()


@pytest.mark.tool
@pytest.mark.parametrize("tar", ["tar", "bsdtar"])
def test_tars_have_them(tar: str, base: Path, tmp_path: Path) -> None:
    """They are pax records of the file and of its links, and the common tools give them back."""
    minpack("base", "image", base, PLATFORM, "--format=tar", "-o", tmp_path / "out.tar")
    said = {f"/{m.name}" for m in layer_members(tmp_path / "out.tar") if f"SCHILY.xattr.{CAPABILITY}" in m.pax_headers}
    assert said == set(NAMES)
    (tmp_path / "out").mkdir()
    options = ("--xattrs", "--xattrs-include=*") if tar == "tar" else ("--xattrs",)
    command = [need_tool(tar), "-C", str(tmp_path / "out"), "-xpf", str(tmp_path / "out.tar"), *options]
    subprocess.run(command, check=True)
    assert kept_in(tmp_path / "out") == dict.fromkeys(NAMES, NET_RAW)


@pytest.mark.tool
def test_umoci_gives_them(base: Path, tmp_path: Path) -> None:
    """`umoci unpack` of a valid layout gives them, and getcap shows them."""
    layout = tmp_path / "layout"
    minpack("base", "image", base, PLATFORM, "--cmd=/bin/ping", "--format=oci", "-o", layout, "-t", "me/x:1")
    assert validate_layout(str(layout)) == ()
    command = [need_tool("umoci"), "unpack", "--image", f"{layout}:1", str(tmp_path / "bundle")]
    subprocess.run(command, check=True, capture_output=True)
    assert kept_in(tmp_path / "bundle/rootfs") == dict.fromkeys(NAMES, NET_RAW)
    shown = subprocess.run([need_tool("getcap"), "-r", tmp_path / "bundle"], capture_output=True, text=True, check=True)
    assert sum(line.endswith("cap_net_raw=ep") for line in shown.stdout.splitlines()) == len(NAMES)


@pytest.mark.engine
def test_an_engine_gives_them(base: Path, docker: Docker) -> None:
    """An engine unpacks them, and the kernel heeds them: what a container does not have it cannot start with."""
    os.setxattr(base / "bin/plain", CAPABILITY, ADMIN)
    name = docker.name()
    minpack("base", "image", base, PLATFORM, "--cmd=/bin/ping", "-t", name, "--load")
    docker.run(name, options=("--user=1000",))
    docker.run(name, "/bin/plain", options=("--user=1000", "--cap-add=SYS_ADMIN"))
    command = ("docker", "run", "--rm", "--network=none", "--user=1000", name, "/bin/plain")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "operation not permitted" in done.stderr


def test_programs_and_added_files_keep_them(tmp_path: Path) -> None:
    """What setcap(8) gave a program is packed, and told; it is in the document too."""
    app = write_program(tmp_path / "app")
    tool = write_program(tmp_path / "tool")
    os.setxattr(app, CAPABILITY, NET_RAW)
    os.setxattr(tool, CAPABILITY, ADMIN)
    done = minpack(app, f"--add={tool}:/bin/tool", "-o", tmp_path / "out.tar", "--json", "--no-need=certs")
    document = json.loads(done.stdout)
    files = {item["path"]: item["capabilities"] for item in document["images"][0]["files"]}
    assert {path: text for path, text in files.items() if text} == {
        "/bin/tool": "cap_sys_admin=ep",
        "/usr/local/bin/app": "cap_net_raw=ep",
    }
    (note,) = document["notes"]
    assert note == (
        "packed with file capabilities: /bin/tool (cap_sys_admin=ep), /usr/local/bin/app (cap_net_raw=ep): "
        "containers need --cap-add=SYS_ADMIN to start them"
    )
    assert validate_archive(str(tmp_path / "out.tar")) == ()


#: Exits with 0 if it may listen at port 80 of the loopback interface.
BINDS = r"""
#include <arpa/inet.h>
#include <sys/socket.h>
int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&at, sizeof at) ? 13 : 0;
}
"""
#: Docker lets everybody have every port otherwise.
PORTS = "--sysctl=net.ipv4.ip_unprivileged_port_start=1024"


@pytest.mark.engine
@pytest.mark.tool
def test_port_80_without_root(docker: Docker, tmp_path: Path) -> None:
    """With --cap the image's user may listen there, and without he may not; nor without privilege escalation."""
    app = Compiler(tmp_path).program("binds", BINDS, "-static")
    plain, able = docker.name(), docker.name()
    minpack(app, "-t", plain, "--load", "-q")
    done = minpack(app, "--cap=net_bind_service", "-t", able, "--load")
    assert "without privilege escalation the program runs without cap_net_bind_service" in done.stderr
    docker.run(able, options=(PORTS,))
    docker.run(plain, options=(PORTS,), status=13)
    docker.run(able, options=(PORTS, "--security-opt=no-new-privileges"), status=13)
    docker.run(able, options=(PORTS, "--cap-drop=ALL", "--cap-add=NET_BIND_SERVICE"))


@pytest.mark.tool
def test_every_format_has_what_was_asked_for(tmp_path: Path) -> None:
    """As root or not, of a program whose file has another: archive, layout and tar; and a directory as root alone."""
    app = write_program(tmp_path / "app")
    os.setxattr(app, CAPABILITY, NET_RAW)
    wanted = ("--cap=net_bind_service", "--cap=CHOWN+eip")
    data = capability(permitted=(0, 10), inheritable=(0,), effective=True)
    minpack(app, *wanted, "--format=rootfs", "-o", tmp_path / "tree", "-q")
    assert kept_in(tmp_path / "tree") == {"/usr/local/bin/app": data}
    minpack(app, *wanted, "--format=oci", "-t", "me/x:1", "-o", tmp_path / "layout", "-q")
    command = [need_tool("umoci"), "unpack", "--image", f"{tmp_path / 'layout'}:1", str(tmp_path / "bundle")]
    subprocess.run(command, check=True, capture_output=True)
    assert kept_in(tmp_path / "bundle/rootfs") == {"/usr/local/bin/app": data}
    with shared_directory() as place:
        (place / "app").write_bytes(app.read_bytes())
        (place / "app").chmod(0o755)
        for form in ("tar", "rootfs"):
            ran = as_nobody("./app", *wanted, f"--format={form}", "-o", form, cwd=place)
            assert ran.code == 0, ran.err
            assert ("could not be given file capabilities" in ran.err) == (form == "rootfs")
        told = [m for m in layer_members(place / "tar") if f"SCHILY.xattr.{CAPABILITY}" in m.pax_headers]
    assert [member.name.rsplit("/", 1)[-1] for member in told] == ["app"]


def test_the_first_program_alone_has_it(tmp_path: Path) -> None:
    """Others keep what their files have; root has it anyway, which is told."""
    first, second = write_program(tmp_path / "first"), write_program(tmp_path / "second")
    os.setxattr(second, CAPABILITY, NET_RAW)
    document = packed(first, second, "--cap=setuid", "-o", tmp_path / "out.tar")
    files = {item["path"]: item["capabilities"] for item in document["files"] if item["capabilities"]}
    assert files == {"/usr/local/bin/first": "cap_setuid=ep", "/usr/local/bin/second": "cap_net_raw=ep"}
    done = minpack(first, "--cap=setuid", "--user=0", "--dry-run")
    assert "--cap changes nothing for root" in done.stderr
    # The kernel starts no program whose capabilities the container lacks, not even for root.
    done = minpack(first, "--cap=net_admin", "--user=0", "--dry-run")
    assert "--cap-add=NET_ADMIN to start" in done.stderr
    assert "changes nothing" not in done.stderr


#: What ways to find a library loaders ignore in programs with capabilities: the options of the linker, and of minpack.
UNSAFE = {
    "$ORIGIN": (("-Wl,-rpath,$ORIGIN",), ()),
    "LD_LIBRARY_PATH": ((), ("--env=LD_LIBRARY_PATH=/usr/local/bin",)),
}


@pytest.mark.engine
@pytest.mark.tool
@pytest.mark.parametrize("way", UNSAFE)
def test_a_library_that_loaders_ignore(way: str, docker: Docker, tmp_path: Path) -> None:
    """It is refused before an engine sees it, `check` sees it in a finished image, and so it is: it does not start."""
    flags, options = UNSAFE[way]
    library = Compiler(tmp_path).make_library("libown.so.1", "int own(void) { return 0; }")
    command = [need_tool("gcc"), "-x", "c", "-o", str(tmp_path / "app"), "-", "-x", "none", str(library), *flags]
    subprocess.run(command, input="int own(void); int main(void) { return own(); }", text=True, check=True)
    app, name = tmp_path / "app", docker.name()
    files = ("--base=/", f"--add={library}:/usr/local/bin/", *options)
    minpack(app, *files, "-t", name, "--load", "-q")
    docker.run(name)
    done = minpack(app, *files, "--cap=chown", "--dry-run", status=3)
    assert f"it finds libown.so.1 by {way}" in done.stderr
    assert "which its loader ignores in programs with file capabilities" in done.stderr
    minpack(app, *files, "--cap=chown", "--user=0", "--dry-run")
    minpack(app, *files, "--cap=chown", "--check=none", "-t", name, "--load", "-o", tmp_path / "out.tar", "-q")
    assert "libown.so.1" in docker.run(name, status=127).stderr
    checked = json.loads(minpack("check", tmp_path / "out.tar", "--json", status=3).stdout)
    assert "missing-library" in {one["code"] for one in checked["images"][0]["findings"]}


def test_one_file_with_two_capabilities_does_not_exist(tmp_path: Path) -> None:
    """An image with a capability is another image, and its layer another layer, kept by itself."""
    app = write_program(tmp_path / "app")
    digests = []
    for data in (NET_RAW, ADMIN, b""):
        if data:
            os.setxattr(app, CAPABILITY, data)
        else:
            os.removexattr(app, CAPABILITY)
        document = packed(app, "-o", tmp_path / "out.tar", f"--cache-dir={tmp_path / 'store'}", "--no-need=certs")
        digests.append(document["digest"])
    assert len(set(digests)) == 3


def test_files_of_a_base_keep_them(tmp_path: Path) -> None:
    """What is taken of a base has its capability, whatever else of its mode is not packed."""
    root = tmp_path / "base"
    zones = root / "usr/share/zoneinfo"
    zones.mkdir(parents=True)
    (zones / "UTC").write_bytes(b"TZif2")
    (zones / "UTC").chmod(0o4755)
    os.setxattr(zones / "UTC", CAPABILITY, NET_RAW)
    app = write_program(tmp_path / "app")
    options = (f"--base={root}", "--need=tz", "--no-need=certs", "--format=rootfs", "-o", tmp_path / "out", "--json")
    notes = json.loads(minpack(app, *options).stdout)["notes"]
    assert kept_in(tmp_path / "out") == {"/usr/share/zoneinfo/UTC": NET_RAW}
    assert "packed with file capabilities: /usr/share/zoneinfo/UTC (cap_net_raw=ep)" in notes


def test_other_attributes_are_told(base: Path, tmp_path: Path) -> None:
    """What else a base's files have is left out, and told by name; labels of the host's own policy are not."""
    os.setxattr(base / "bin/ping", "user.origin", b"x")
    os.setxattr(base / "bin", "trusted.overlay.opaque", b"y")
    os.setxattr(base / "bin/text", "security.selinux", b"system_u:object_r:bin_t:s0\0")
    expected = "extended attributes were left out: trusted.overlay.opaque, user.origin"
    for source in (base, base_in("tar", base, tmp_path)):
        out = tmp_path / "image.tar"
        done = minpack("base", "image", source, PLATFORM, "--cmd=/bin/ping", "-o", out, "--json")
        assert json.loads(done.stdout)["notes"] == [expected]


def test_a_capability_that_is_none_is_told(tmp_path: Path) -> None:
    """What the kernel would not take is not packed: no engine could unpack it."""
    bad = pax(record(f"SCHILY.xattr.{CAPABILITY}".encode(), b"nonsense"))
    tar = archive(bad, member("bin/app", static_program(), mode=0o755), hard_link("bin/again", "bin/app"))
    (tmp_path / "base.tar").write_bytes(tar)
    command = ("base", "image", tmp_path / "base.tar", PLATFORM, "--cmd=/bin/app", "-o", tmp_path / "out.tar")
    assert f"extended attributes were left out: {CAPABILITY}" in minpack(*command).stderr
    assert validate_archive(str(tmp_path / "out.tar")) == ()
