"""What is fuzzed: functions of bytes that may raise MinpackError and nothing else."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext, suppress
from gzip import compress
from hashlib import sha256
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, NamedTuple

from minpack.apk.control import parse_control
from minpack.apk.index import parse_records
from minpack.apk.installed import parse_installed, write_installed
from minpack.apk.package import open_package
from minpack.apk.signature import read_signatures
from minpack.apk.table import make_table, read_table
from minpack.base.entries import base_of
from minpack.base.images import refuse_image
from minpack.base.layer_tars import LayerBlob
from minpack.base.layered import open_layers
from minpack.base.options import BaseOptions
from minpack.base.tar_index import index_of
from minpack.base.tarball import open_tarball
from minpack.base.walk import Walker
from minpack.cli.config import configured_keys
from minpack.config.document import read_document
from minpack.config.model import read_config
from minpack.config.resolve import resolve_images
from minpack.content import BytesContent, BytesReader, RangeContent, read_all
from minpack.deb.contents import files_table
from minpack.deb.package import read_control, read_deb
from minpack.deb.packages import packages_table
from minpack.deb.release import parse_release
from minpack.deb.table import DebTable
from minpack.deb.trust import debian_keys, signed_text
from minpack.deb.version import version_key
from minpack.digest import Digest
from minpack.elf.notes import parse_dlopen, read_notes
from minpack.elf.read import read_elf
from minpack.elf.strings import find_strings
from minpack.elf.symbols import read_symbols
from minpack.errors import MinpackError
from minpack.freshness.installed import installed_in
from minpack.images.check import check_found
from minpack.images.compare import Compared, Comparing, compare
from minpack.images.diff import PackageFiles
from minpack.images.open import open_found
from minpack.images.sbom import image_sbom
from minpack.ld.audit import ignored
from minpack.ld.bind import prove
from minpack.ld.cache import build_cache, parse_cache
from minpack.ld.constants import glibc_constants, is_gcompat, is_glibc, is_musl, musl_constants
from minpack.ld.demands import demands, musl_version
from minpack.ld.dlopen import find_late
from minpack.ld.ld_so_conf import configured_directories
from minpack.ld.resolve import resolve_closure
from minpack.ld.symbol_cache import SymbolCache
from minpack.ld.variants import find_variants, variants_note
from minpack.ld.verdict import latent_note, reasons
from minpack.lock.file import lock_bytes, read_lock
from minpack.lock.values import VERSION, differences
from minpack.needs.decide import NeedOptions, decide
from minpack.needs.detect import read_program
from minpack.needs.need import Need
from minpack.net.address import may_lead
from minpack.net.network import Network
from minpack.oci.compression import Compression
from minpack.oci.mediatypes import CONFIG, LAYER, MANIFEST
from minpack.oci.read import read_image
from minpack.oci.validate import validate_archive
from minpack.page.html import render_page
from minpack.paths import normal
from minpack.progress import no_progress
from minpack.reach.image_report import report_image
from minpack.registry.challenge import parse_challenges
from minpack.registry.credentials import Credentials
from minpack.registry.media_type import media_type_of
from minpack.registry.options import RegistryOptions
from minpack.registry.repository import ImageRepository
from minpack.registry.response import Response, problem_of
from minpack.report.findings import check_document, finding_lines
from minpack.report.image import report_document
from minpack.report.needs import caller_lines, left_out, need_rows
from minpack.rootfs.entry import Kind, file
from minpack.shared import members as layer_members
from minpack.shared.members import MemberError, members_of
from minpack.shared.names import layer_setting
from minpack.shared.remote import _artifact
from minpack.spec.image_ref import parse_image_ref
from minpack.store.store import open_store
from minpack.strace.log import MAX_PATH, LogReader, lines_of
from minpack.tar.decompress import Packing, decompress_to, packing_of
from minpack.tar.header import BLOCK, number, padded
from minpack.tar.members import decompressed as members_decompressed
from minpack.tar.members import gzip_format
from minpack.tar.sparse import SparseContent, SparseForm, is_continued
from minpack.target import Target
from minpack.tracing.observe import Observer
from minpack.trust.spdx import spdx_document
from support import tarmaker
from support.elfmaker import GLIBC, MUSL, make_elf
from support.images import archive_of, blob_name, descriptor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minpack.content import Content
    from minpack.ld.closure import Closure
    from minpack.lock.values import Difference, Lock
    from minpack.rootfs.entry import Entry
    from minpack.spec.base_ref import ImageRef

TARGETS_OF_CACHES = (Target(62, 64, False, ""), Target(22, 64, True, ""), Target(40, 32, False, "hard"))
#: A file of each loader, as far as minpack tells them apart.
LOADERS = {
    GLIBC: make_elf(soname="ld-linux-x86-64.so.2", overlay=b"\0GLIBC_PRIVATE\0/lib/\0/usr/lib/\0"),
    MUSL: make_elf(soname="libc.so", overlay=b"\0/etc/ld-musl-x86_64.path\0/lib:/usr/lib\0"),
}
KEYS = debian_keys()
SETTINGS = tuple(configured_keys())
#: Where the library is found by its names.
LIBRARIES = ("/lib/l.so", "/lib/libc.so.6", "/lib/tls/libc.so.6", "/lib/haswell/l.so")
#: What is read of any one file.
MOST = 1 << 20
#: Nothing is fetched, and nothing kept.
NO_STORE = BaseOptions(None, Network(offline=True), "2026-01-01")
#: Between the layers of an image.
LAYER_END = b"\nlayer\n"


def elf(data: bytes) -> None:
    """One ELF file: what it says of itself."""
    info = read_elf(BytesContent(data))
    assert info.size == len(data)
    assert info.end >= 0
    assert info.target.name
    assert isinstance(info.kind.is_program, bool)


def needs(data: bytes) -> None:
    """One ELF file: what it needs, who in it calls for that, and what is said of it."""
    content = BytesContent(data)
    info = read_elf(content)
    findings = read_program(content, info, "/app", ("getpwnam", "SSL_connect"), glibc=True, why=True)
    decisions = decide(findings, NeedOptions(), glibc=True)
    assert [decision.need for decision in decisions] == list(Need)
    assert all(decision.evidence for decision in decisions)
    for text in (*need_rows(decisions, {}), *left_out(decisions), *caller_lines(decisions)):
        text.encode("utf-8", "backslashreplace")


def symbols(data: bytes) -> None:
    """One ELF file: its symbols, all of them looked up."""
    found = read_symbols(BytesContent(data))
    for name in found.names:
        assert found.definitions(name)
    assert not found.definitions(b"\0")


def notes(data: bytes) -> None:
    """One ELF file: its notes and its strings."""
    content = BytesContent(data)
    with suppress(MinpackError):
        info = read_elf(content)
        read_notes(content, info)
        find_strings(content, info, b"lib", rb"lib\w+\.so(\.\d+)*")
    parse_dlopen(data)


def cache(data: bytes) -> None:
    """A cache of libraries, as loaders of several targets read it; and what is written of it."""
    for target in TARGETS_OF_CACHES:
        found = parse_cache(data, target)
        assert found.find("libc.so.6") != ""
        found.find(data[:300].decode("utf-8", "surrogateescape"))
        assert isinstance(build_cache((), target), bytes)


def conf(data: bytes) -> None:
    """An ld.so.conf and what it may include: parts of the data between NULs."""
    names = ("ld.so.conf", "ld.so.conf.d/a.conf", "ld.so.conf.d/b.conf", "c", "c.d/d.d/e")
    parts = zip(names, data.split(b"\0"), strict=False)
    walker = Walker(base_of("fuzz", [file(normal(f"/etc/{name}"), BytesContent(part)) for name, part in parts]))
    found = configured_directories(walker, "/etc/ld.so.conf")
    assert all(directory.startswith("/") for directory in found)
    assert len(set(found)) == len(found)


def tar(data: bytes) -> None:
    """A tarball, each header's sum made right, opened as a base: every entry is walked to and read, if it can be."""
    memory = os.memfd_create("tar")
    with os.fdopen(memory, "w+b", closefd=True) as opened:
        opened.write(with_sums(data))
        opened.flush()
        with open_tarball(opened, "fuzz.tar") as base:
            walker = Walker(base)
            for entry in entries(walker):
                walker.walk(entry.path)
                if entry.kind is Kind.SYMLINK:
                    walker.walk(f"{entry.path}/../{entry.link}")
                if entry.content is not None:
                    with suppress(MinpackError):
                        read(entry.content)
            assert all(path in {normal("/"), *(entry.path for entry in entries(walker))} for path in base.implied)
            refuse_image(base, "fuzz.tar", is_directory=False)


def layers(data: bytes) -> None:
    """Layers of an image, each header's sum made right, laid over each other: the tree has no whiteout and no loop."""
    tars = [with_sums(part) + bytes(2 * BLOCK) for part in data.split(LAYER_END)[:8]]
    blobs = [_layer(BytesContent(tar)) for tar in tars]
    with open_store(None) as store, open_layers("fuzz", blobs, store) as base:
        walker, found = Walker(base), list(entries(Walker(base)))
        assert len({entry.path for entry in found}) == len(found)
        for entry in found:
            assert not entry.path.rpartition("/")[2].startswith(".wh.")
            walker.walk(entry.path)
            if entry.content is not None:
                with suppress(MinpackError):
                    read(entry.content)


def _layer(tar: BytesContent) -> LayerBlob:
    digest = sha256(tar.data).hexdigest()
    return LayerBlob("a layer", digest, digest, lambda: nullcontext(tar))


def sparse(data: bytes) -> None:
    """A sparse file's map in each of its forms, and its data: however it is read, its bytes are the same."""
    form, size, length = data[:1], int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:6], "little")
    source = BytesContent(data[6:])
    known = SparseForm(1 + form[0] % 4) if form else SparseForm.DATA
    length = min(length, source.size) if known is not SparseForm.DATA else 0
    content = SparseContent(source, known, length, source.size - length, min(size, MOST), "fuzz")
    with content.open() as reader:
        whole = read_all(content, MOST)
        for at in range(0, content.size, 1 + content.size // 8):
            assert reader.read_at(at, 700) == whole[at : at + 700]


def unpack(data: bytes) -> None:
    """Compressed data of every format, with something behind it or not."""
    content = BytesContent(data)
    strict, lenient = bytearray(), bytearray()
    behind: list[int] = []
    packing = packing_of(content, "fuzz")
    decompress_to(content, Bytes(lenient), packing, "fuzz", MOST, behind.append)
    assert all(0 < at < len(data) for at in behind)
    if not behind:
        decompress_to(content, Bytes(strict), packing, "fuzz", MOST)
        assert strict == lenient


class Bytes(NamedTuple):
    """Bytes in memory to write to."""

    data: bytearray

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`."""
        self.data.extend(data)


def bind(data: bytes) -> None:
    """A program and a library on which all is asked that is asked of a closure."""
    walker, known = walker_in(data), SymbolCache()
    closure = resolve_closure(walker, "/app")
    proof = prove(closure, known)
    assert all(len(line) > 1 for line in reasons(proof))
    latent_note(proof)
    demands(closure, known)
    find_late(closure, known)
    assert all(len(line) > 1 for line in ignored(closure, known))
    variants_note(find_variants(closure, walker))


def closure_in(data: bytes) -> Closure:
    """The closure of the program in `data`."""
    return resolve_closure(walker_in(data), "/app")


def walker_in(data: bytes) -> Walker:
    """A tree with a program, as long as the first two bytes say, and a library, which is the rest."""
    length = int.from_bytes(data[:2], "little")
    program, library = BytesContent(data[2 : 2 + length]), BytesContent(data[2 + length :])
    made = [file(normal("/app"), program, 0o755), *(file(normal(path), library, 0o755) for path in LIBRARIES)]
    made += [file(normal(path), BytesContent(loader), 0o755) for path, loader in LOADERS.items()]
    return Walker(base_of("fuzz", made))


def loader(data: bytes) -> None:
    """A loader's file: whose it is, and what is built into it."""
    is_musl(data)
    is_glibc(data)
    is_gcompat(data)
    assert musl_constants(data, MUSL).path
    for target in TARGETS_OF_CACHES:
        assert glibc_constants(data, target).directories
    musl_version(BytesContent(data))


def deb(data: bytes) -> None:
    """A .deb file: its parts, what it says of itself, and its files."""
    memory = os.memfd_create("deb")
    with os.fdopen(memory, "w+b") as opened:
        opened.write(data)
        opened.flush()
        parts = read_deb(RangeContent(memory, 0, len(data), "fuzz.deb"))
        read_control(parts)
        if packing_of(parts.data, "fuzz.deb") is Packing.NONE:
            index_of(parts.data, "fuzz.deb")


def debindex(data: bytes) -> None:
    """Indexes of a Debian archive: a release, packages, contents, a signed message, and the tables made of them."""
    for read_index in (packages_table, files_table):
        with suppress(MinpackError):
            made = DebTable(BytesReader(table := read_index((data[:50], data[50:]), "fuzz")), len(table))
            assert made.valid
            assert len(list(made.keys())) == made.count
    DebTable(BytesReader(data), len(data)).find(b"libc6")
    with suppress(MinpackError):
        version_key(data.decode("utf-8", "surrogateescape").strip())
    with suppress(MinpackError):
        signed_text(data, KEYS, "fuzz")
    parse_release(data, "fuzz")


def apk_texts(data: bytes) -> None:
    """An index's records, a database of installed packages, and a package's control."""
    text = data.decode("utf-8", "surrogateescape")
    for record in parse_records(text):
        assert record.file_name
        assert isinstance(record.depends, tuple)
    table = make_table(parse_records(text))
    assert read_table(table.data) == table
    table.providers("so:libfoo.so.1")
    for package in parse_installed(data):
        assert write_installed([package])
    if text.startswith("pkg"):
        assert parse_control(data, (), "fuzz").name


def apk_tars(data: bytes) -> None:
    """A package's data and its signatures, past compression and sums, which no mutation would find."""
    tar = with_sums(data)
    read_signatures(tar, "fuzz")
    stream = compress(tar)
    control = f"pkgname=a\npkgver=1\narch=noarch\ndatahash={sha256(stream).hexdigest()}\n"
    whole = compress(tarmaker.member(".PKGINFO", control.encode())) + stream
    with open_package(BytesContent(whole), None, "fuzz", "/tmp") as opened:
        for one in opened.files:
            assert ".." not in one.entry.path.split("/")
            if one.entry.content is not None:
                read(one.entry.content)


def lock(data: bytes) -> None:
    """A lock file; one that is read is written as one that reads the same."""
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        first = read_lock(file.name)
        assert not differences_in(first, first)
        file.seek(0)
        file.truncate()
        file.write(lock_bytes(first))
        file.flush()
        assert read_lock(file.name) == first._replace(version=VERSION)


def config(data: bytes) -> None:
    """A minpack.toml: its values, each with its place, and what its images are set to by each profile."""
    with NamedTemporaryFile() as opened:
        opened.write(data)
        opened.flush()
        document = read_document(opened.name)
        assert set(document.places.values) >= set(paths_in(document.values))
        lines = [*data.decode("utf-8-sig").split("\n"), ""]
        for place in (*document.places.keys.values(), *document.places.values.values()):
            assert 1 <= place.column <= len(lines[place.line - 1])
        found = read_config(opened.name, SETTINGS)
        # Git would be asked for a version.
        if b"version" not in data and b"\\" not in data:
            for image in resolve_images(found, (), tuple(found.profiles), {}):
                assert image.name in found.images
                assert all(setting.texts or setting.flag for setting in image.settings.values())


def paths_in(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of each value in a table, or in an array."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from paths_in(one, (*path, key))


def image(data: bytes) -> None:
    """An image archive of others: a tar, or its documents between NULs, in which ``@1`` is the descriptor of one."""
    if data[:1] == b"\0":
        index, docker, *documents = (*data[1:].split(b"\0"), b"", b"")[:8]
        blobs: dict[str, bytes] = {}
        for at, document in reversed(tuple(enumerate(documents))):
            described = json.dumps(descriptor_of(document, MANIFEST))
            marks = (b"@%d" % at, described[1:-1].encode())
            index, docker = index.replace(*marks), docker.replace(b"@%d" % at, blob_name(document).encode())
            documents = [one.replace(*marks) for one in documents]
            blobs[blob_name(document)] = document
        parts = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index} if index else {}
        data = archive_of(parts | {"manifest.json": docker} | blobs)
    else:
        data = with_sums(data)
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for built, names in read_image(file.name):
            assert built.images
            assert all(names)
            assert len({one.descriptor.digest for one in built.blobs}) == len(built.blobs)
            for one in built.blobs:
                with suppress(MinpackError):
                    one.copy_to(Bytes(bytearray()))
        validate_archive(file.name)


def registry(data: bytes) -> None:
    """What a registry answers: a header, an address, and a body that is a manifest, a problem or a file of logins."""
    header, _, body = data.partition(b"\0")
    text = header.decode("latin-1")
    for challenge in parse_challenges(text):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(challenge.scopes)
    assert str(problem_of(body)).isprintable()
    with suppress(ValueError):
        assert "json" in media_type_of(Response(200, {"Content-Type": text}, body, ""))
    with suppress(ValueError):
        assert not may_lead("https://a.example", text) or text.startswith("https:")
    with NamedTemporaryFile() as file:
        # Helpers would be run.
        file.write(body.replace(b"cred", b"c"))
        file.flush()
        found = Credentials(RegistryOptions(auth_files=(file.name,))).find(ImageRepository("quay.io", "me/app"))
        assert found is None or found.basic.isascii()


def shared(data: bytes) -> None:
    """What a shared cache has: a layer of gzip members or of zstd, a table of members, a manifest."""
    content, most = BytesContent(data), 1 << 16
    with content.open() as reader:
        with suppress(MemberError):
            members = members_of(reader, len(data), most)
            # What is taken for a layer is one to every other program.
            held = b"".join(members_decompressed(reader, gzip_format(), "layer"))
            assert [one.holds for one in members] == [] or sum(one.holds for one in members) == len(held)
            assert layer_members.read_table(layer_members.table_of(members), len(data), most) == members or any(
                not one.holds for one in members
            )
        for compression in (Compression.BALANCED, Compression.ZSTD):
            with suppress(MemberError):
                layer_members.check_layer(
                    reader, len(data), Digest.of(b""), 1 << 20, layer_setting("fuzz", compression)
                )
    with suppress(MemberError):
        assert sum(one.size for one in layer_members.read_table(data, len(data) * 8, most)) == len(data) * 8
    found = _artifact(data)
    assert found is None or all(blob.size > 0 for blob in found.blobs)


def finished(data: bytes) -> None:
    """A finished image: its configuration, and layers behind it. It is checked, listed, compared and reported on."""
    config, *tars = data.split(LAYER_END)[:4]
    tars = [with_sums(one) + bytes(2 * BLOCK) for one in tars]
    with suppress(ValueError, RecursionError):
        document = json.loads(config)
        if isinstance(document, dict):
            # No mutation would find the sums.
            ids = [f"sha256:{sha256(one).hexdigest()}" for one in tars]
            config = json.dumps(document | {"rootfs": {"type": "layers", "diff_ids": ids}}).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor_of(config, CONFIG),
            "layers": [descriptor_of(one, LAYER) for one in tars],
        }
    ).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [descriptor_of(manifest, MANIFEST)]}).encode()
    blobs = {blob_name(one): one for one in (*tars, config, manifest)}
    with NamedTemporaryFile(suffix=".tar") as file:
        file.write(archive_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index} | blobs))
        file.flush()
        ref = parse_image_ref(file.name)
        _, checked = check_found(ref, NO_STORE, no_progress)
        assert checked
        assert finding_lines("it", checked, verbose=True)
        json.dumps(check_document("it", checked)).encode()
        with suppress(MinpackError):
            assert compare(Compared("it", ref), ref, Comparing(NO_STORE, no_progress, None, None, _packages)).is_equal
        if len(data) % 4 == 0:
            # It takes as long as all the rest.
            with suppress(MinpackError):
                _report(ref)
        with open_found(ref, NO_STORE, no_progress) as found:
            json.dumps(spdx_document(image_sbom(found, NO_STORE, no_progress))).encode()


def _report(ref: ImageRef) -> None:
    """A report of an image: every byte has a reason, and every script of the page is the template's."""
    report = report_image(ref, Comparing(NO_STORE, no_progress, None, None, _packages))
    assert sum(one.size for one in report.totals) == report.size
    json.dumps(report_document(report, None)).encode()
    assert render_page(report).count(b"<script") == 2


def _packages(tree: Walker) -> tuple[PackageFiles, ...]:
    found = installed_in(tree).packages
    return tuple(PackageFiles(one.name, one.version, tuple(file.path for file in files)) for one, files in found)


def strace(data: bytes) -> None:
    """A log of strace: every path that it tells is absolute and short, and the same log tells the same again."""
    logs = []
    for _ in range(2):
        reader = LogReader("/start")
        for line in lines_of(data.splitlines(keepends=True)):
            reader.read(line, 1)
        logs.append(reader.log())
    assert logs[0] == logs[1]
    walker = Walker(base_of("it", ()))
    observed = Observer(walker, "/home/me").observe(logs[0])
    for access in logs[0].accesses:
        assert access.path.startswith("/")
        assert len(access.path) <= MAX_PATH
    assert not observed.used


def differences_in(one: Lock, other: Lock) -> list[Difference]:
    """All that differs, platform by platform."""
    return [found for name, image in one.images.items() for found in differences(image, other.images[name])]


class Fuzzed(NamedTuple):
    """A target by its name, and how many bytes it is given at most."""

    run: Callable[[bytes], None]
    longest: int


FUZZED = {
    "apk-texts": Fuzzed(apk_texts, 4096),
    "apk-tars": Fuzzed(apk_tars, 16384),
    "elf": Fuzzed(elf, 16384),
    "symbols": Fuzzed(symbols, 16384),
    "needs": Fuzzed(needs, 16384),
    "notes": Fuzzed(notes, 16384),
    "cache": Fuzzed(cache, 4096),
    "loader": Fuzzed(loader, 4096),
    "conf": Fuzzed(conf, 4096),
    "tar": Fuzzed(tar, 16384),
    "layers": Fuzzed(layers, 16384),
    "sparse": Fuzzed(sparse, 4096),
    "unpack": Fuzzed(unpack, 4096),
    "bind": Fuzzed(bind, 16384),
    "deb": Fuzzed(deb, 16384),
    "debindex": Fuzzed(debindex, 4096),
    "lock": Fuzzed(lock, 4096),
    "config": Fuzzed(config, 4096),
    "image": Fuzzed(image, 8192),
    "finished": Fuzzed(finished, 16384),
    "registry": Fuzzed(registry, 4096),
    "shared": Fuzzed(shared, 4096),
    "strace": Fuzzed(strace, 16384),
}


def with_sums(data: bytes) -> bytes:
    """A tar whose headers have the right sums, which no mutation would find, and which whoever lies would put in."""
    out = bytearray(data)
    at = 0
    while at + BLOCK <= len(out) and any(out[at : at + BLOCK]) and out[:2] != b"\x1f\x8b":
        out[at + 148 : at + 156] = b" " * 8
        out[at + 148 : at + 156] = b"%06o\0 " % sum(out[at : at + BLOCK])
        size = number(bytes(out[at + 124 : at + 136]))
        block, is_first = bytes(out[at : at + BLOCK]), True
        at += BLOCK
        if block[156:157] == b"S":  # what follows is a map, which has no sum
            while len(block) == BLOCK and is_continued(block, header=is_first):
                block, is_first = bytes(out[at : at + BLOCK]), False
                at += BLOCK
        at += padded(size if size is not None else 0)
    return bytes(out)


def entries(walker: Walker) -> Iterator[Entry]:
    """All entries of a base."""
    todo = [normal("/")]
    while todo:
        here = todo.pop()
        for name in walker.base.listdir(here):
            entry = walker.lstat(normal(f"{here}/{name}"))
            assert entry is not None
            yield entry
            if entry.kind is Kind.DIRECTORY:
                todo.append(entry.path)


def read(content: Content) -> None:
    """Read the bytes of an entry."""
    assert len(read_all(content, MOST)) == content.size
