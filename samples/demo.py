"""The demonstration behind `make demo`: build a program, pack it, run it from its image, and show each step.

It needs Python alone. The program runs in Docker when an engine answers, else
in a root made of the image's own files: by chroot(2) as root, or in a user
namespace. With a minirootfs (from the network, or named by MINPACK_BASE) a
second program is packed on Alpine.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
MINPACK = Path(sys.executable).with_name("minpack")
NAMED_BASE = "alpine-3.22"
CLONE_NEWUSER = 0x10000000


def main() -> int:
    """Run the demonstration; 0 if every program ran from its image."""
    with tempfile.TemporaryDirectory(prefix="minpack-demo-") as name:
        work = Path(name)
        engine = engine_answers()
        say("1. Build a sample: a static Go program that uses HTTPS and time zones")
        program = build("go-https", work)
        if program is None:
            return 1
        say("2. Pack it: no base to choose, nothing to download")
        minpack(work, f"./{program.name}")
        archive = work / f"{program.name}.tar"
        show(archive)
        say("3. Run it from the image" + (", in Docker" if engine else ", in a root of the image's own files"))
        ran = run_image(archive, f"{program.name}:latest", ["-require-roots", "-require-zones"], engine=engine)
        if not ran:
            return 1
        return 0 if alpine(work, engine=engine) else 1


def alpine(work: Path, *, engine: bool) -> bool:
    """The same with a program linked to musl and OpenSSL, on an Alpine base if one can be had."""
    base = os.environ.get("MINPACK_BASE", "")
    if base and os.path.exists(base):
        base = os.path.abspath(base)
    say("4. A dynamic program: its libraries come from an Alpine minirootfs")
    if not base:
        base = NAMED_BASE
        got = subprocess.run(
            [MINPACK, "base", "pull", base, "-q"], cwd=work, capture_output=True, text=True, check=False
        )
        if got.returncode != 0:
            print(f"left out: {NAMED_BASE} could not be fetched")
            print("  " + got.stderr.strip().replace("\n", "\n  "))
            print("  With a minirootfs at hand: MINPACK_BASE=./alpine-minirootfs-3.20.3-x86_64.tar.gz make demo")
            return True
    program = build("c-musl-tls", work)
    if program is None:
        print("left out: the sample could not be built here")
        return True
    minpack(work, f"./{program.name}", "--base", base)
    archive = work / f"{program.name}.tar"
    show(archive)
    return run_image(archive, f"{program.name}:latest", [], engine=engine)


def say(text: str) -> None:
    """A heading."""
    print(f"\n== {text}", flush=True)


def build(name: str, work: Path) -> Path | None:
    """Build the sample and copy its program into `work`."""
    done = subprocess.run(["make", "-C", str(TOP / "samples" / name)], check=False)
    built = TOP / "samples" / name / "build" / name
    if done.returncode != 0 or not built.exists():
        print(f"the sample {name} was not built", file=sys.stderr)
        return None
    target = work / name
    shutil.copy(built, target)
    return target


def minpack(work: Path, *arguments: str) -> None:
    """Run minpack in `work` and show the command."""
    print("$ " + shlex.join(("minpack", *arguments)), flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "MINPACK_BASE"}
    subprocess.run([MINPACK, *arguments], cwd=work, env=environment, check=True)


def engine_answers() -> bool:
    """Whether a Docker engine can be used."""
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def show(archive: Path) -> None:
    """List what is in the image, from the archive itself."""
    files = [member for layer in layers(archive) for member in layer.getmembers() if not member.isdir()]
    zones = [member for member in files if "/zoneinfo/" in member.name]
    shown = [member for member in files if member not in zones]
    print(f"in {archive.name}: {len(files)} files")
    for member in sorted(shown, key=lambda member: member.name):
        print(f"  {member.size:>10}  /{member.name}" + (f" -> {member.linkname}" if member.issym() else ""))
    if zones:
        print(f"  {sum(member.size for member in zones):>10}  /usr/share/zoneinfo/… ({len(zones)} files)", flush=True)


def layers(archive: Path) -> list[tarfile.TarFile]:
    """The layers of an image archive, lowest first."""
    with tarfile.open(archive) as outer:
        (item,) = json.loads(member_bytes(outer, "manifest.json"))
        return [tarfile.open(fileobj=io.BytesIO(member_bytes(outer, path))) for path in item["Layers"]]


def configuration(archive: Path) -> dict[str, list[str]]:
    """How the image says it is run."""
    with tarfile.open(archive) as outer:
        (item,) = json.loads(member_bytes(outer, "manifest.json"))
        config: dict[str, list[str]] = json.loads(member_bytes(outer, item["Config"]))["config"]
        return config


def member_bytes(outer: tarfile.TarFile, path: str) -> bytes:
    """The bytes of one member."""
    file = outer.extractfile(path)
    assert file is not None, path
    return file.read()


def run_image(archive: Path, name: str, arguments: list[str], *, engine: bool) -> bool:
    """Run the image's entrypoint, without network; whether it ended well."""
    sys.stdout.flush()
    if engine:
        subprocess.run(["docker", "load", "-q", "-i", str(archive)], check=True)
        command = ["docker", "run", "--rm", "--network", "none", name, *arguments]
        print("$ " + shlex.join(command), flush=True)
        code = subprocess.run(command, check=False).returncode
        subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True, check=False)
    else:
        code = run_in_root(archive, arguments)
    print(f"exit code {code}", flush=True)
    return code == 0


def run_in_root(archive: Path, arguments: list[str]) -> int:
    """Unpack the layers and run the entrypoint with that directory as its root."""
    with tempfile.TemporaryDirectory(prefix="minpack-root-") as root:
        for layer in layers(archive):
            if hasattr(tarfile, "tar_filter"):  # Python 3.11.4 has it first
                layer.extraction_filter = tarfile.tar_filter
            layer.extractall(root)  # noqa: S202 - our own archive
        config = configuration(archive)
        environment = dict(pair.split("=", 1) for pair in config["Env"])
        command = [*config["Entrypoint"], *arguments]
        print("$ chroot ROOT " + shlex.join(command), flush=True)
        return subprocess.run(command, env=environment, cwd="/", preexec_fn=lambda: enter(root), check=False).returncode


def enter(root: str) -> None:
    """Make `root` the root directory of this process: as root at once, else in a user namespace of its own."""
    if os.geteuid() != 0 and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here; start a Docker engine, or be root")
    os.chroot(root)
    os.chdir("/")


if __name__ == "__main__":
    sys.exit(main())
