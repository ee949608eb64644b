"""What fuzzing begins with: small true files of every kind, made by code, and this machine's smallest libraries."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zlib
from pathlib import Path
from random import Random

import zstandard

from fuzz.targets import FUZZED, LAYER_END, LOADERS
from minpack.content import BytesContent
from minpack.ld.cache import CacheEntry, build_cache
from minpack.lock.file import lock_bytes
from minpack.lock.values import ImageKey, Lock, LockedBase, LockedData, LockedFile, LockedImage, LockedPackage
from minpack.oci import mediatypes
from minpack.oci.compress import gzip_member
from minpack.oci.compression import Compression
from minpack.paths import normal
from minpack.shared.members import members_of, table_of
from minpack.shared.names import ARTIFACT
from minpack.target import Target
from support import debmaker, tarmaker
from support.elfmaker import GLIBC, MACHINES, MUSL, library, make_elf, program, static_program, upx_program
from support.gomaker import GoForm, go_program
from support.images import LOWER, archive_bytes, archive_of, parts_of
from support.layers import random_layers
from support.symbolmaker import TYPES, Need, Symbol, Version, linked_elf

#: Libraries of this machine that are no longer than this are seeds, cut behind what is loaded.
SMALL, MOST = 15000, 6
DIRECTORIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
KEY = debmaker.Key()
OLD_CACHE = b"ld.so-1.7.0\0" + (1).to_bytes(4, "little") + bytes(12) + bytes(4)


#: What programs ask for: of any library, and what glibc and minpack know to open others.
ASKED = ("ext", "open64", "dlopen", "pthread_exit", "getaddrinfo", "iconv_open")


def linked(machine: str, style: str, interpreter: str | None = None, name: str = "l.so") -> bytes:
    """A file that has every table: with an interpreter a program, which needs a library of that name."""
    plain, jump = TYPES[MACHINES[machine].number]
    asked = [Symbol(text, 0, value=0, version=2 if text == "ext" else 1) for text in ASKED]
    return linked_elf(
        [*asked, Symbol("f"), Symbol("g", version=0x8004), Symbol("g", version=3)],
        machine=machine,
        style=style,
        relocations=[("g", plain), ("", plain), *((text, plain) for text in ASKED)],
        jumps=[("ext", jump)],
        needs=[Need(name, "V_1.1", 2), Need(name, "V_2", 5)],
        versions=[Version(name, 1, 1), Version("V_1.1", 3), Version("GLIBC_2.17", 4)],
        soname=None if interpreter else name,
        needed=[name],
        interpreter=interpreter,
        tags={0x70000011: 10, 0x70000013: 1} if machine.startswith("mips") else {},
        tail=b"\0libother.so.1\0/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache\0",
    ).data


def note(type_: int, data: bytes, owner: bytes = b"GNU\0") -> bytes:
    """A note of a 64-bit little-endian file."""
    head = len(owner).to_bytes(4, "little") + len(data).to_bytes(4, "little") + type_.to_bytes(4, "little")
    return head + owner + bytes(-len(owner) % 4) + data + bytes(-len(data) % 4)


NOTES = (
    note(1, bytes(4) + (3).to_bytes(4, "little") + bytes(8))
    + note(3, bytes(range(20)))
    + note(5, (0xC0008002).to_bytes(4, "little") + (4).to_bytes(4, "little") + (3).to_bytes(4, "little") + bytes(4))
    + note(0x407C0C0A, b'[{"soname":["libz.so.1"],"feature":"z","priority":"suggested"}]\0', b"FDO\0")
)


def small_libraries() -> list[bytes]:
    """The smallest libraries of this machine."""
    found: dict[Path, int] = {}
    for directory in DIRECTORIES:
        for path in Path(directory).glob("*.so*") if os.path.isdir(directory) else ():
            size = path.stat().st_size if path.is_file() else SMALL + 1
            if 1000 < size <= SMALL:
                found[path.resolve()] = size
    smallest = sorted(found, key=lambda path: (found[path], str(path)))[:MOST]
    return [data for path in smallest if (data := path.read_bytes()).startswith(b"\x7fELF")]


def elf_seeds() -> list[bytes]:
    """ELF files of all kinds."""
    made = [linked(machine, "gnu") for machine in ("x86_64", "x86", "s390x", "mips64el")]
    made += [linked(machine, "sysv") for machine in ("aarch64", "s390x", "mips")]
    made += [linked("mipsel", "xhash"), linked("x86_64", "gnu", GLIBC), linked("x86_64", "gnu", MUSL)]
    made += [program(("liba.so", "libb.so"), rpath="$ORIGIN", soname="app"), library("liba.so", machine="s390x")]
    made += [static_program(overlay=b"overlay"), static_program(machine="armhf", pie=True), upx_program()]
    made += [make_elf(interpreter="/lib/ld.so", note=NOTES, filters=("f.so",), auxiliaries=("a.so",), audit="l.so")]
    return made + small_libraries()


def cache_seeds() -> list[bytes]:
    """Caches of several targets, and one behind an old one."""
    rows = [CacheEntry(f"lib{n}.so.{n}", f"/usr/lib/lib{n}.so.{n}") for n in range(4)]
    made = [build_cache(rows, Target(machine, bits, big, abi)) for machine, bits, big, abi in (
        (62, 64, False, ""), (22, 64, True, ""), (40, 32, False, "hard"))]  # fmt: skip
    return [*made, OLD_CACHE + made[0]]


def loader_seeds() -> list[bytes]:
    """The strings that the loaders of several distributions have in them."""
    return [
        b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0GLIBC_PRIVATE\0/etc/ld.so.cache\0",
        b"\0/lib64/\0/usr/lib64/\0GLIBC_PRIVATE\0/usr/local/etc/ld.so.cache\0",
        b"\0/etc/ld-musl-x86_64.path\0/lib:/usr/local/lib:/usr/lib\0" + b"1.2.4\0" + b"1.2.4-git-3-gabc\0",
        b"\0/lib/ld-musl-x86_64.so.1\0libgcompat.so.0\0",
    ]


def conf_seeds() -> list[bytes]:
    """Configurations of loaders with comments, includes and patterns."""
    return [
        b"include /etc/ld.so.conf.d/*.conf\n\0# local\n/usr/local/lib\n\0/lib/x86_64-linux-gnu\n/usr/lib/\n",
        b"/opt/a # first\ninclude c ld.so.conf.d/[ab]*.conf c.d/?.d/*\n\0hwcap 1\n\0/b=libc6\0include */a.conf\n\0/e",
        b"include ld.so.conf\ninclude *\n/opt\nrelative\n",
    ]


def tar_seeds() -> list[bytes]:
    """Tars of every format and kind of member, one of them compressed."""
    tree = [tarmaker.directory("etc/"), tarmaker.member("etc/a", b"text"), tarmaker.symlink("etc/b", "../etc/a")]
    made = [
        tarmaker.archive(*tree, tarmaker.hard_link("etc/c", "etc/a"), tarmaker.header("dev", kind=b"3")),
        tarmaker.archive(tarmaker.member("./etc/a", b"x" * 600, magic=tarmaker.GNU), tarmaker.symlink("e", "/etc")),
        tarmaker.archive(tarmaker.long_name("d/" * 60 + "f"), tarmaker.member("f", b"long")),
        tarmaker.archive(tarmaker.long_name("t" * 120, b"K"), tarmaker.symlink("l", "t")),
        tarmaker.archive(tarmaker.pax(tarmaker.records(path="p" * 150, uid="7")), tarmaker.member("p", b"data")),
        tarmaker.archive(tarmaker.pax(tarmaker.records(gid="5"), b"g"), tarmaker.member("g", b"abc")),
        tarmaker.archive(tarmaker.pax(tarmaker.records(size="3")), tarmaker.member("s", b"abc")),
        tarmaker.archive(tarmaker.member("v7", b"old", magic=tarmaker.V7), tarmaker.symlink("loop", "loop")),
        tarmaker.archive(tarmaker.directory("/"), tarmaker.member("/a", b"x"), tarmaker.hard_link("b", "/a")),
        tarmaker.archive(tarmaker.member("usr/a", b"x"), tarmaker.symlink("b", "usr"), tarmaker.member("b/c", b"y")),
        tarmaker.archive(tarmaker.member("a", b"1"), tarmaker.hard_link("b", "a"), tarmaker.member("a", b"2")),
        tarmaker.archive(tarmaker.header("d/", kind=b"D", size=5, magic=tarmaker.GNU) + tarmaker.padded(b"Yabc\0")),
        tarmaker.archive(tarmaker.sparse_member("s", 4096, {0: b"first", 2048: b"second"})),
        tarmaker.archive(tarmaker.sparse_member("s", 1 << 20, {at: b"%d" % at for at in range(0, 90_000, 3000)})),
        *(tarmaker.archive(*sparse_in_records(form)) for form in ("0.0", "0.1", "1.0")),
    ]  # fmt: skip
    return [*made, gzip.compress(made[0], mtime=0)]


def apk_text_seeds() -> list[bytes]:
    """Records of an index, a database, and a control."""
    records = (
        "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:foo\nV:1.2_rc1-r3\nA:x86_64\nS:9\nk:7\np:so:libfoo.so.1=1.2 cmd:x",
        "D:so:libc.so musl>=1.2 !bar\n\nC:Q1BBBB\nP:bar\nV:1\n\n",
    )
    database = "P:musl\nV:1\nF:lib\nM:0:0:1777\nR:ld.so\na:0:0:755\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nF:\nR:root\n\n"
    control = f"pkgname = a\npkgver = 1.2.3b_p4-r5\narch = x86_64\nsize = 12\ndepend = b\ndatahash = {'0' * 64}\n"
    return ["\n".join(records).encode(), database.encode(), control.encode()]


def sparse_in_records(form: str) -> tuple[bytes, bytes]:
    """A sparse member of 4096 bytes, of which ten are data, in a form of pax."""
    told = {"1.0": {"GNU__sparse__major": "1", "GNU__sparse__minor": "0", "GNU__sparse__realsize": "4096"}}
    told["0.1"] = {"GNU__sparse__size": "4096", "GNU__sparse__numblocks": "2", "GNU__sparse__map": "0,4,1000,6"}
    told["0.0"] = {"GNU__sparse__size": "4096", "GNU__sparse__numblocks": "2"}
    records = tarmaker.records(**told[form])
    data = b"datadata.."
    if form == "0.0":
        pieces = ((b"offset", b"0"), (b"numbytes", b"4"), (b"offset", b"1000"), (b"numbytes", b"6"))
        records += b"".join(tarmaker.record(b"GNU.sparse." + key, value) for key, value in pieces)
    if form == "1.0":
        data = tarmaker.padded(b"2\n0\n4\n1000\n6\n") + data
    return tarmaker.pax(records), tarmaker.member("s", data)


def sparse_seeds() -> list[bytes]:
    """Maps of sparse files in every form, with their data."""
    old = tarmaker.sparse_member("s", 4096, {0: b"datum", 2048: b"more"})
    long = tarmaker.sparse_member("s", 90_000, dict.fromkeys(range(0, 90_000, 10_000), b"12"))
    data = tarmaker.padded(b"2\n0\n4\n1000\n6\n") + b"datadata.."
    made = [(1, 4096, 512, old[:512] + old[512:][:9]), (1, 90_000, 1024, long[:1024] + long[1024:][:18])]
    for number, form in ((2, "0.0"), (3, "0.1")):
        records = sparse_in_records(form)[0][512:].rstrip(b"\0")
        made.append((number, 4096, len(records), records + b"datadata.."))
    made.append((4, 4096, 0, data))
    return [
        bytes((number - 1,)) + size.to_bytes(3, "little") + length.to_bytes(2, "little") + rest
        for number, size, length, rest in made
    ]


def layer_seeds() -> list[bytes]:
    """Images of layers that meet each other in every way, with a mark between them."""
    seeds: list[bytes] = []
    number = 0
    while len(seeds) < 12:
        number += 1
        tars = [one.tar.rstrip(b"\0") for one in random_layers(Random(number), 3)]  # noqa: S311 - the same each time
        seed = LAYER_END.join(tar + bytes(-len(tar) % 512) for tar in tars)
        seeds += [seed] if len(seed) <= FUZZED["layers"].longest else []
    return seeds


def unpack_seeds() -> list[bytes]:
    """Compressed data of every format, one member and two, with garbage behind it and without."""
    made = [pack(b"some data\n" * 40) for pack in (gzip.compress, lzma.compress, bz2.compress, zstandard.compress)]
    return [one + behind for one in made for behind in (b"", one, b"garbage", bytes(4))]


def apk_tar_seeds() -> list[bytes]:
    """The data of packages, and signatures."""
    sha1 = tarmaker.pax(tarmaker.records(**{"APK-TOOLS.checksum.SHA1": "11f6ad8ec52a2984abaafd7c3b516503785c2072"}))
    return [
        tarmaker.archive(sha1, tarmaker.member("usr/lib/x", b"x"), tarmaker.symlink("usr/lib/y", "x")),
        tarmaker.archive(
            tarmaker.directory("usr/"), tarmaker.member("usr/a", b"y"), tarmaker.hard_link("usr/z", "usr/a")
        ),
        tarmaker.member(".SIGN.RSA256.a.rsa.pub", bytes(256)),
    ]


def bind_seeds() -> list[bytes]:
    """Programs of both C libraries with a library."""
    seeds = []
    for interpreter in (GLIBC, MUSL):
        for style, name in (("gnu", "l.so"), ("sysv", "libc.so.6")):
            app = linked("x86_64", style, interpreter, name)
            seeds.append(len(app).to_bytes(2, "little") + app + linked("x86_64", style, name=name))
    audited = make_elf(interpreter=GLIBC, needed=("l.so",), audit="l.so:none.so", dep_audit="/lib/l.so", note=NOTES)
    libc = linked_elf((Symbol("__libc_start_main"), Symbol("stdin")), soname="l.so").data
    asking = program(("l.so", "/lib/libc.so.6"), interpreter=MUSL)
    pairs = ((audited, linked("x86_64", "gnu")), (asking, libc))
    return seeds + [len(app).to_bytes(2, "little") + app + library_ for app, library_ in pairs]


def deb_seeds() -> list[bytes]:
    """Packages, of which those that are not compressed can be changed anywhere."""
    files: dict[str, bytes | str] = {"usr/lib/": b"", "usr/lib/liba.so.1": b"library", "usr/lib/liba.so": "liba.so.1"}
    deb = debmaker.Deb("liba1", files)
    plain = debmaker.ar(
        ("debian-binary", b"2.0\n"),
        ("control.tar", debmaker.tar({"control": deb.control, "md5sums": b"0  usr/lib/liba.so.1\n"})),
        ("data.tar", debmaker.tar(files)),
    )
    return [plain, *(deb._replace(compression=kind).data for kind in ("gz", "zst"))]


def debindex_seeds() -> list[bytes]:
    """Releases; the other indexes are no releases, and few enough that most seeds are read to the end."""
    archive = debmaker.Archive("bookworm", KEY)
    archive.valid_until = debmaker.DATE
    archive.add(debmaker.Deb("liba1", {"usr/lib/liba.so.1": b""}))
    packages = lzma.decompress(archive.indexes()["main/binary-amd64/Packages.xz"])
    contents = gzip.decompress(archive.indexes()["main/Contents-amd64.gz"])
    release = archive.release()
    return [release, release.replace(b"main", b"updates/main"), release + b"X: y\n z\n", packages, contents]


def lock_seeds() -> list[bytes]:
    """Locks of both versions, of one and of two platforms, with names that are not UTF-8, links and directories."""
    base = LockedBase("debian-12", "packages", "12.1", "https://a.example/dists/bookworm", "a" * 64)
    package = LockedPackage(
        "liba1", "1:1.0", "amd64", "debian bookworm", "https://a.example/a.deb", "b" * 64, 7, "c" * 40
    )
    files = (
        LockedFile(normal("/lib"), "base", link="usr/lib"),
        LockedFile(normal("/usr/lib/%\udcff.so.1"), "package liba1", 0o755, "d" * 64),
        LockedFile(normal("/usr/lib/x"), "base", 0o755),
    )
    image = LockedImage(base, (package,), files, (LockedData("tzdata", "2025.2", "e" * 64),), (("minpack", "1"),))
    small = LockedImage(LockedBase("scratch", "scratch"))
    amd64, other = ImageKey("app", "linux/amd64"), ImageKey("%\udcff", "linux/arm/v7")
    old = Path(__file__).parents[1] / "support/locks_v1/two-platforms.lock"
    return [
        old.read_bytes(),
        *(lock_bytes(Lock(images)) for images in ({amd64: image}, {amd64: small}, {other: image, amd64: small}, {})),
    ]


#: cargo-auditable's list, and paths that programs of Rust and C have within them.
CRATES = b'{"packages":[{"name":"app","version":"0.1.0","root":true},{"name":"cc","version":"1.0.0","kind":"build"}]}'
STRINGS = (
    b"\0/rustc/0123/library/std/src/lib.rs\0/index/jiff-0.2.1/src/tz.rs\0/usr/share/zoneinfo\0GLIBC_TUNABLES\0/bin/sh"
    b"\0/etc/pki/tls/cacert.pem\0/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem\0/etc/nsswitch.conf\0/etc/gai.conf"
    b'\0OPENSSLDIR: "/usr/lib/ssl"\0/etc/ssl/cert.pem\0SSL_CERT_FILE\0/usr/share/terminfo\0/etc/passwd\0'
)


def config_seeds() -> list[bytes]:
    """Files of images in every form that TOML has for keys, tables, texts and numbers."""
    tables = '''# images
[defaults]
label = { "org.example/a.b" = "1", x = 2, "z" = true }
tag = ["me/{name}:1", 'me/{{name}}'] # several
[image.web]
programs = ["bin/web", """
bin/{platform}/\
  web""",]
expose = [80, 0x1F90]
env = ["A=1"]
"sbom" = false
[image . 'a.b' . env]
B = "2"
[profile.release]
strip = true
env = { "A" = "\\u0041" }
'''
    dotted = 'image.a.programs = \'./a\'\r\nimage.a.user = 1_000\r\nimage.a.env.A = """x"""""\r\n'
    inline = "image = { a = { programs = [ '''a''', \"b\" ], smoke = '', health = \"none\" } }"
    # Read to where its arrays are seen not to be what images are.
    arrays = "[[image]]\nd = 1979-05-27 07:32:00\n[[image.a]]\nt = [1979-05-27T07:32:00.5Z, -inf, 1e3, 0b1]\n"
    return [text.encode() for text in (tables, "\ufeff" + tables, dotted, inline, inline + "\n[profile.p]\n", arrays)]


def needs_seeds() -> list[bytes]:
    """Programs of Go in every form, and what is like them of Rust, C and a runtime with a payload."""
    forms = (("x86_64", 0xF1), ("aarch64", 0xF1), ("x86_64", 0xF0), ("s390x", 0xF1), ("x86", 0xFA), ("mips", 0xF0))
    made = [go_program(GoForm(*form)).data for form in forms]
    made += [
        go_program(GoForm("x86_64", table, inline, sections=False)).data
        for table, inline in ((0xF1, True), (0xFA, False))
    ]
    extra = {".dep-v0": zlib.compress(CRATES), ".comment": b"rustc version 1.95.0 (abc)\0", ".strings": STRINGS}
    rust = go_program(GoForm(extra=extra)).data
    for name in (b".gopclntab", b".go.buildinfo", b"\xff Go buildinf:"):
        rust = rust.replace(name, b"x" * len(name))
    return [
        *made,
        rust,
        static_program(overlay=STRINGS),
        static_program(overlay=bytes(99) + b"MEI\x0c\x0b\x0a\x0b\x0e"),
    ]


def image_seeds() -> list[bytes]:
    """An archive, and the documents of others: an index, Docker's manifest, and an artifact."""
    parts = parts_of(archive_bytes(layers=(LOWER,)))
    kept = [data for name, data in parts.items() if name.startswith("blobs/")]
    config = next(data for data in kept if b"rootfs" in data)
    docker = json.dumps([{"Config": "@1", "Layers": ["@2"], "RepoTags": ["a:1"]}]).encode()
    config_type, layer_type = mediatypes.CONFIG.encode(), mediatypes.LAYER.encode()
    image = b'{"config":{@1,"mediaType":"%s"},"layers":[{@2,"mediaType":"%s"}]}' % (config_type, layer_type)
    about = b'{"mediaType":"%s","config":{@2},"layers":[],"subject":{@0}}' % mediatypes.MANIFEST.encode()
    listed = b'{"manifests":[{@0,"annotations":{"a":"b"},"platform":{"os":"linux","architecture":"arm"}}]}'
    return [
        archive_of(parts),
        b"\0".join((b"", b'{"manifests":[{@0}]}', docker, image, config, b"x")),
        b"\0".join((b"", listed, b"[]", image, config, b"y", about)),
        b"\0".join((b"", b"", docker, b"", config, b"z")),
    ]


def finished_seeds() -> list[bytes]:
    """Images with dynamic programs of both C libraries, a script, links, users, and the databases of their packages."""
    installed = b"C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:a\nV:1-r0\nA:x86_64\nL:MIT\nF:lib\nR:l.so\n\n"
    status = b"Package: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\nMaintainer: M <m@b.c>\n\n"
    config = {"architecture": "amd64", "os": "linux"}
    run = {
        "Entrypoint": ["/app", "x"],
        "User": "u:g",
        "WorkingDir": "/tmp",
        "Env": ["PATH=/bin", "LD_LIBRARY_PATH=/lib"],
    }
    health = {"Healthcheck": {"Test": ["CMD", "/bin/script"], "Interval": 10**9}, "Volumes": {"/data": {}}}
    script = tarmaker.member("bin/script", b"#!/app -x\n", mode=0o755)
    common = (
        tarmaker.member("etc/passwd", b"u:x:1:1::/home/u:/bin/sh\n"),
        tarmaker.member("etc/group", b"g:x:2:u\n"),
        tarmaker.directory("tmp"),
        tarmaker.symlink("bin/link", "../app"),
    )
    made = []
    for interpreter, database in (
        (GLIBC, tarmaker.member("var/lib/dpkg/status", status)),
        (MUSL, tarmaker.member("lib/apk/db/installed", installed)),
    ):
        tables = linked("x86_64", "gnu", interpreter), linked("x86_64", "gnu")
        for app, library_of_it in (tables, (program(("l.so",), interpreter=interpreter), library("l.so"))):
            files = (
                tarmaker.member("app", app, mode=0o755),
                tarmaker.member("lib/l.so", library_of_it),
                tarmaker.member(interpreter.lstrip("/"), LOADERS[interpreter], mode=0o755),
            )
            lower = tarmaker.archive(*files, database)[:-1024]
            upper = tarmaker.archive(*common, script)[:-1024]
            made.append(LAYER_END.join((json.dumps(config | {"config": run | health}).encode(), lower, upper)))
    bare = json.dumps(config | {"config": {"Cmd": ["script"], "Env": ["PATH=/bin"]}}).encode()
    return [*made, LAYER_END.join((bare, tarmaker.archive(script, *common)[:-1024]))]


def registry_seeds() -> list[bytes]:
    """Challenges, a manifest, a problem, and a file of logins."""
    challenge = b'Bearer realm="https://a.example/t",service="s",scope="repository:me/app:pull,push", Basic realm="x"'
    entries = (
        b'"auth":"bWU6cGFzc3dvcmQ="',
        b'"identitytoken":"i"',
        b'"username":"me","password":"p"',
        b'"registrytoken":"r"',
    )
    logins = [b'{"auths":{"quay.io/me":{%s},"https://quay.io/v1/":{}}}' % entry for entry in entries]
    image = b'{"schemaVersion":2,"mediaType":"%s","config":{},"layers":[]}' % mediatypes.MANIFEST.encode()
    return [
        *(challenge + b"\0" + login for login in logins),
        mediatypes.MANIFEST.encode() + b"\0" + image,
        b"https://127.0.0.1:1/x\0" + b'{"errors":[{"code":"DENIED","message":"no","detail":null}]}',
        b"\0" + b'{"manifests":[]}',
    ]


def shared_seeds() -> list[bytes]:
    """Gzip members, a zstd frame, a table, and a manifest of a cache."""
    members = b"".join(bytes(gzip_member(text * 200, Compression.BALANCED)) for text in (b"one", b"two", b"three"))
    rows = members_of(BytesContent(members).open(), len(members), 1 << 16)
    blob = b'{"digest":"sha256:%s","mediaType":"a/b","size":7,"annotations":{"dev.minpack.cache.key":"k"}}' % (
        b"0" * 64
    )
    manifest = b'{"artifactType":"%s","layers":[%s],"annotations":{"a":"b"}}' % (ARTIFACT.encode(), blob)
    return [members, zstandard.ZstdCompressor(level=3).compress(b"text" * 99), table_of(rows), manifest]


def strace_seeds() -> list[bytes]:
    """Logs in several forms, of one process and of several that come between each other."""
    one = (
        b'execve("/bin/sh", ["sh", "-c", "a, b)"], 0x7f /* 3 vars */) = 0',
        b'openat(AT_FDCWD</home>, "we\\"ird \\303\\244", O_RDONLY|O_NOFOLLOW) = 3</home/we\\"ird>',
        b'newfstatat(3</a\\74>(deleted), "", {st_mode=S_IFREG|0644, ...}, AT_EMPTY_PATH) = 0 <0.000012>',
        b'chdir("/b") = 0',
        b'getcwd("/b", 4096) = 3',
        b'chroot("/c") = -1 EPERM (Operation not permitted)',
        b'connect(3<socket:[1]>, {sa_family=AF_INET6, sin6_port=htons(1), inet_pton(AF_INET6, "::1", &x)}, 28) = 0',
        b'bind(3, {sa_family=AF_UNIX, sun_path=@"x"}, 9) = 0',
        b'renameat2(AT_FDCWD, "a", 3</d>, "\\x2f\\x61", 0) = 0',
        b"dup2(3, 9) = 9",
        b"+++ exited with 0 +++",
    )
    several = (
        b"1 10:11:12.123456 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES} <unfinished ...>",
        b'2 10:11:12.123456 open("x", O_RDWR|O_CREAT <unfinished ...>',
        b"1 10:11:12.123456 <... clone3 resumed>, 88) = 7 /* 2 in strace's PID NS */",
        b"2 10:11:12.123456 <... open resumed>, 0666) = -1 ENOENT (No such file or directory)",
        b"2 --- SIGCHLD {si_signo=SIGCHLD} ---",
        b"[pid 3] fchdir(3) = 0",
    )
    return [b"\n".join(one), b"\n".join(b"12 " + line for line in one), b"\n".join(several)]


def seeds_of(target: str) -> list[bytes]:
    """The seeds of a target by its name."""
    makers = {
        "apk-texts": apk_text_seeds,
        "apk-tars": apk_tar_seeds,
        "cache": cache_seeds,
        "conf": conf_seeds,
        "loader": loader_seeds,
        "needs": needs_seeds,
        "tar": tar_seeds,
        "layers": layer_seeds,
        "sparse": sparse_seeds,
        "unpack": unpack_seeds,
        "bind": bind_seeds,
        "deb": deb_seeds,
        "debindex": debindex_seeds,
        "lock": lock_seeds,
        "config": config_seeds,
        "image": image_seeds,
        "finished": finished_seeds,
        "registry": registry_seeds,
        "shared": shared_seeds,
        "strace": strace_seeds,
    }
    return makers.get(target, elf_seeds)()
