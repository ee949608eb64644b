"""What is measured: commands, and which of them are compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import bases
import needs

if TYPE_CHECKING:
    from images import Images

DOCKERFILE = 'FROM scratch\nCOPY {0} /usr/local/bin/{0}\nUSER 65532:65532\nENTRYPOINT ["/usr/local/bin/{0}"]\n'


class Case(NamedTuple):
    """One command that is measured.

    `product` is what it writes, removed after every run, and `image_id` the file with the ID of an image it leaves in
    the engine, removed likewise. `source` is given a new time, so that it is sent to the engine again. A case that
    `remembers` finds the store as its run before left it, all others an empty one. Of a `slow` one three rounds do.
    """

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    product: Path | None = None
    image_id: Path | None = None
    source: Path | None = None
    remembers: bool = False
    slow: bool = False


class Comparison(NamedTuple):
    """Two cases, by name, whose times are divided: the first by the second."""

    title: str
    subject: str
    against: str


class Setting(NamedTuple):
    """Where a benchmark runs and with what: a program, a large one, and the first for another platform.

    `trees` are what minpack packs of the first two.

    `images` are finished ones of the first.

    `registries` are the hosts of two registries, or none; the files of the first are removed after each run: skopeo
    remembers where a blob was, and would mount it from there.
    """

    minpack: str
    work: Path
    programs: tuple[Path, Path, Path]
    trees: tuple[Path, Path]
    images: Images
    registries: tuple[str, ...] = ()


PACK, SECOND, NONE, VERSION, PYTHON = "pack", "pack again", "pack --compress none", "minpack --version", "python"
LARGE, TWO = " of 100 MB", "pack two platforms"
TAR, UMOCI, CRANE, CLASSIC, BUILDKIT = "tar and gzip -6", "umoci", "crane append", "docker build", "BuildKit"
TREE, PROOF, LDD, LDDTREE, LIBTREE = "tree", "tree --check load", "ldd", "lddtree", "libtree"
DOCKERIZE = "dockerize2"
PUSH, PUSH_AGAIN, CRANE_PUSH = "pack --push", "pack --push again", "crane append and push"
FINISHED, SKOPEO = "minpack push of 500 MB", "skopeo copy of 500 MB"
SBOM, SHOWN, SYFT = "pack --sbom spdx", "minpack sbom", "syft"
CHECK, CHECK_AGAIN, RUN, DOCKER_RUN = "minpack check", "minpack check again", "minpack run again", "docker run"
REPORT, CHECK_MANY = "minpack report", "minpack check of 5,000 files"
#: The same of ffmpeg with its libraries.
OF_FFMPEG = " ffmpeg"
IMAGE_BASE, TARBALL_BASE = "pack curl from an image again", "pack curl from a tarball again"
#: The bytes of the layer of the finished image.
FINISHED_SIZE = 500_000_000
#: Programs of the machine with few and with many libraries.
HOSTS = ("curl", "ffmpeg")

COMPARISONS = (
    Comparison("pack, against docker build (classic builder)", PACK, CLASSIC),
    Comparison("pack, against docker build (BuildKit)", PACK, BUILDKIT),
    Comparison("pack, against tar and gzip -6 of the same tree", PACK, TAR),
    Comparison("pack, against umoci insert", PACK, UMOCI),
    Comparison("pack, against crane append of the same tree", PACK, CRANE),
    Comparison("pack and push, against crane append and push of the same tree", PUSH, CRANE_PUSH),
    Comparison("pack and push again, against pack again without a push", PUSH_AGAIN, SECOND),
    Comparison("push a layout of 500 MB, against skopeo copy", FINISHED, SKOPEO),
    Comparison("pack again, against the first time", SECOND, PACK),
    Comparison("pack again, against the bare interpreter", SECOND, PYTHON),
    Comparison("pack two platforms, against one", TWO, PACK),
    Comparison("pack --compress none, against the bare interpreter", NONE, PYTHON),
    Comparison("minpack --version, against the bare interpreter", VERSION, PYTHON),
    Comparison("pack 100 MB, against docker build (classic builder)", PACK + LARGE, CLASSIC + LARGE),
    Comparison("pack 100 MB, against docker build (BuildKit)", PACK + LARGE, BUILDKIT + LARGE),
    Comparison("pack 100 MB, against tar and gzip -6 of the same tree", PACK + LARGE, TAR + LARGE),
    Comparison("pack again from an image of 8 layers, against the same tree as a tarball", IMAGE_BASE, TARBALL_BASE),
    *(
        Comparison(
            f"pack {host} with its libraries{how}, against dockerize2", f"pack {host}{check}", f"{DOCKERIZE} {host}"
        )
        for host in HOSTS
        for how, check in (("", ""), (", --check none", " --check none"))
    ),
    Comparison("minpack report -o of 5,000 files, against minpack check of the same image", REPORT, CHECK_MANY),
    Comparison("pack --sbom spdx, against pack", SBOM, PACK),
    Comparison("pack --sbom spdx, against syft of the finished image", SBOM, SYFT),
    Comparison("minpack sbom, against syft of the same image", SHOWN, SYFT),
    Comparison("pack ffmpeg --sbom spdx, against pack ffmpeg", "pack ffmpeg --sbom spdx", "pack ffmpeg"),
    Comparison(
        "pack ffmpeg --sbom spdx, against syft of the finished image", "pack ffmpeg --sbom spdx", SYFT + OF_FFMPEG
    ),
    Comparison("minpack sbom of ffmpeg, against syft of the same image", SHOWN + OF_FFMPEG, SYFT + OF_FFMPEG),
    Comparison("minpack check, against pack", CHECK, PACK),
    Comparison("minpack check again, against pack again", CHECK_AGAIN, SECOND),
    Comparison("minpack check of ffmpeg, against tree with the load proof", CHECK + OF_FFMPEG, PROOF),
    Comparison("minpack check of ffmpeg again, against tree with the load proof", CHECK_AGAIN + OF_FFMPEG, PROOF),
    Comparison("minpack run again, against docker run --network none of the same image", RUN, DOCKER_RUN),
    *(Comparison(f"tree of ffmpeg, against {other}", TREE, other) for other in (LDD, LDDTREE, LIBTREE)),
    Comparison("tree of ffmpeg with the load proof, against ldd", PROOF, LDD),
    Comparison("what a Go program of 95 MB needs, against its SHA-256", "verdict", "sha256"),
    Comparison("the same with its callers, against its SHA-256", "why", "sha256"),
)


def all_cases(setting: Setting) -> tuple[Case, ...]:
    """Every command that the machine has."""
    small, large, other = setting.programs
    return (
        _pack(setting, PACK, small),
        _pack(setting, SECOND, small)._replace(remembers=True),
        _pack(setting, NONE, small, "--compress", "none"),
        _pack(setting, TWO, small, str(other)),
        _pack(setting, SBOM, small, "--sbom", "spdx"),
        Case(VERSION, (setting.minpack, "--version")),
        Case(PYTHON, (sys.executable, "-I", "-c", "pass")),
        _tar(setting, TAR, setting.trees[0]),
        *_layer_tools(setting, small, setting.trees[0]),
        *(_push_cases(setting, small) if setting.registries else ()),
        _pack(setting, PACK + LARGE, large)._replace(slow=True),
        _tar(setting, TAR + LARGE, setting.trees[1])._replace(slow=True),
        *_host_cases(setting),
        *_base_cases(setting),
        *_tree_cases(setting),
        *_image_cases(setting),
        *(Case(name, command) for name, command in needs.commands().items()),
        *_docker_cases(setting, small, ""),
        *(case._replace(slow=True) for case in _docker_cases(setting, large, LARGE)),
    )


def _pack(setting: Setting, name: str, program: Path, *options: str) -> Case:
    archive = setting.work / f"{name}.tar".replace(" ", "-")
    return Case(name, (setting.minpack, str(program), "-o", str(archive), *options), product=archive)


def _tar(setting: Setting, name: str, tree: Path) -> Case:
    tarball = setting.work / f"{tree.name}.tar.gz"
    script = 'tar -C "$0" -cf - . | gzip -6 > "$1"'
    return Case(name, (found("sh"), "-c", script, str(tree), str(tarball)), product=tarball)


def _layer_tools(setting: Setting, program: Path, tree: Path) -> tuple[Case, ...]:
    """Tools that make images without an engine, where they are installed."""
    cases = []
    work = setting.work
    if (umoci := shutil.which("umoci")) is not None:
        layout = work / "umoci"
        script = (
            'umoci=$0; "$umoci" init --layout "$1" && "$umoci" new --image "$1:x" &&'
            ' "$umoci" insert --rootless --image "$1:x" "$2" /usr/local/bin/large'
        )
        cases.append(Case(UMOCI, (found("sh"), "-c", script, umoci, str(layout), str(program)), product=layout))
    if (crane := shutil.which("crane")) is not None:
        layer, image = work / "layer.tar", work / "crane.tar"
        subprocess.run(("tar", "-C", str(tree), "-cf", str(layer), "."), check=True)
        command = (crane, "append", "--oci-empty-base", "-f", str(layer), "-o", str(image), "-t", "large")
        cases.append(Case(CRANE, command, product=image))
    return tuple(cases)


def _push_cases(setting: Setting, program: Path) -> tuple[Case, ...]:
    """Pushes to a registry that has nothing, but for the one that is pushed again."""
    minpack, work, (host, kept) = setting.minpack, setting.work, setting.registries
    pushed = work / "registry-emptied" / "data"
    new = (found("sh"), "-c", 'exec "$@" "$0/r$$/app:1"', host)
    again = (minpack, str(program), "-q", "--push", "-t", f"{kept}/again/app:1")
    cases = [
        Case(PUSH, (*new, minpack, str(program), "-q", "--push", "-t"), product=pushed),
        Case(PUSH_AGAIN, again, remembers=True),
    ]
    if (crane := shutil.which("crane")) is not None:
        layer = work / "pushed.tar"
        subprocess.run(("tar", "-C", str(setting.trees[0]), "-cf", str(layer), "."), check=True)
        command = (*new, crane, "append", "--oci-empty-base", "--insecure", "-f", str(layer), "-t")
        cases.append(Case(CRANE_PUSH, command, product=pushed))
    if (skopeo := shutil.which("skopeo")) is not None:
        layout = _finished(setting, program)
        cases.append(Case(FINISHED, (*new, minpack, "push", "-q", str(layout)), product=pushed, slow=True))
        copy = 'exec "$0" copy -q --dest-tls-verify=false "oci:$1" "docker://$2/r$$/app:1"'
        command = (found("sh"), "-c", copy, skopeo, str(layout), host)
        cases.append(Case(SKOPEO, command, product=pushed, slow=True))
    return tuple(cases)


def _finished(setting: Setting, program: Path) -> Path:
    """A layout with a layer that is compressed, and as large as before."""
    layout, large = setting.work / "finished", setting.work / "random"
    with large.open("wb") as out:
        shutil.copyfileobj(program.open("rb"), out)
        while (left := FINISHED_SIZE - out.tell()) > 0:
            out.write(os.urandom(min(left, 1 << 20)))
    command = (setting.minpack, str(large), "--no-cache", "--format", "oci", "-q")
    subprocess.run((*command, "-o", str(layout)), check=True)
    large.unlink()
    return layout


def _host_cases(setting: Setting) -> tuple[Case, ...]:
    """Programs of the machine with all their libraries, and dockerize2 (of the Python package index) on the same."""
    cases = []
    dockerize = shutil.which("dockerize")
    for host in HOSTS:
        path = shutil.which(host)
        if path is None:
            continue
        slow = host != HOSTS[0]
        cases += [
            _pack(setting, f"pack {host}{check}", Path(path), "--base", "/", *check.split())._replace(slow=slow)
            for check in ("", " --check none", " --sbom spdx")
        ]
        if dockerize is not None:
            image = setting.work / f"{host}.oci"
            command = (dockerize, "--output-oci", str(image), path)
            cases.append(Case(f"{DOCKERIZE} {host}", command, product=image, slow=slow))
    return tuple(cases)


def _base_cases(setting: Setting) -> tuple[Case, ...]:
    """A program with a tree that has what it takes, in both forms."""
    path = shutil.which(HOSTS[0])
    if path is None:
        return ()
    tree = setting.work / "base"
    command = (setting.minpack, path, "--base", "/", "--format", "rootfs", "-o", str(tree), "-q")
    subprocess.run(command, check=True)
    places = {
        IMAGE_BASE: bases.image_of(tree, setting.work / "base-image"),
        TARBALL_BASE: bases.tarball_of(tree, setting.work / "base.tar.gz"),
    }
    return tuple(
        _pack(setting, name, Path(path), "--base", str(place))._replace(remembers=True)
        for name, place in places.items()
    )


def _tree_cases(setting: Setting) -> tuple[Case, ...]:
    """The closure of a program with over 200 libraries, and what else shows it; ldd(1) runs its loader."""
    program = shutil.which("ffmpeg")
    if program is None:
        return ()
    tree = (setting.minpack, "tree", program, "--base", "/")
    others = ((name, shutil.which(name)) for name in (LDD, LDDTREE, LIBTREE))
    return (
        Case(TREE, tree),
        Case(PROOF, (*tree, "--check", "load")),
        *(Case(name, (path, program)) for name, path in others if path is not None),
    )


def _image_cases(setting: Setting) -> tuple[Case, ...]:
    """What looks at finished images, or runs one that its runtime has unpacked before."""
    minpack, images = setting.minpack, setting.images
    # The one of minpack's development environment lies beside this interpreter.
    syft = shutil.which("syft", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    page = setting.work / "report.html"
    cases = [
        Case(RUN, (minpack, "run", str(images.program)), remembers=True),
        Case(REPORT, (minpack, "report", str(images.many), "-o", str(page)), product=page),
        Case(CHECK_MANY, (minpack, "check", str(images.many))),
    ]
    if images.loaded:
        cases.append(Case(DOCKER_RUN, (found("docker"), "run", "--rm", "--network", "none", images.loaded)))
    for archive, of in ((images.program, ""), (images.ffmpeg, OF_FFMPEG)):
        if archive is None:
            continue
        sbom = setting.work / f"{archive.stem}.spdx.json"
        shown = (minpack, "sbom", str(archive), "--format", "spdx", "-o", str(sbom))
        check = (minpack, "check", str(archive))
        cases += [
            Case(SHOWN + of, shown, product=sbom, slow=bool(of)),
            Case(CHECK + of, check),
            Case(CHECK_AGAIN + of, check, remembers=True),
        ]
        if syft is not None:
            scan = (syft, "scan", f"docker-archive:{archive}", "-q", "-o", f"spdx-json={sbom}")
            cases.append(Case(SYFT + of, scan, (("SYFT_CHECK_FOR_APP_UPDATE", "false"),), product=sbom, slow=True))
    return tuple(cases)


def _docker_cases(setting: Setting, program: Path, suffix: str) -> tuple[Case, ...]:
    """`docker build` with either builder; nothing is taken from a build cache."""
    if engine_version() is None:
        return ()
    context, image_id = setting.work / f"context-{program.name}", setting.work / f"id-{program.name}"
    context.mkdir()
    shutil.copy(program, context / program.name)
    (context / "Dockerfile").write_text(DOCKERFILE.format(program.name), encoding="utf-8")
    command = (found("docker"), "build", "--quiet", "--no-cache", "--iidfile", str(image_id), str(context))
    return tuple(
        Case(name + suffix, command, (("DOCKER_BUILDKIT", switch),), image_id=image_id, source=context / program.name)
        for name, switch in ((CLASSIC, "0"), (BUILDKIT, "1"))
    )


def engine_version() -> str | None:
    """The version of the Docker engine that answers, if one does."""
    command = ("docker", "version", "--format", "{{.Server.Version}}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class StopError(Exception):
    """The benchmark cannot be run; the text says why and what to do."""


def found(name: str) -> str:
    """The path of a program.

    :raises StopError: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise StopError(f"{name} is not installed")
    return path
