"""What a file that is not an ELF file is, told by its first bytes."""

from __future__ import annotations

import re

_FOR_LINUX = "build it for Linux: GOOS=linux, cargo --target x86_64-unknown-linux-musl, or in a Linux container"
_UNPACK = "unpack it and name the program in it"
_LINK = "link it into a program and name that"

#: The first bytes, what has them, and what to do then.
_KNOWN = (
    (b"MZ", "a Windows program", _FOR_LINUX),
    (b"\xcf\xfa\xed\xfe", "a macOS program", _FOR_LINUX),
    (b"\xce\xfa\xed\xfe", "a macOS program", _FOR_LINUX),
    (b"\xca\xfe\xba\xbe", "a macOS universal program or a Java class", _FOR_LINUX),
    (b"\0asm", "a WebAssembly module", _FOR_LINUX),
    (b"!<arch>\n", "a static library", _LINK),
    (b"!<thin>\n", "a static library", _LINK),
    (b"BC\xc0\xde", "LLVM bitcode", _LINK),
    (b"\x1f\x8b", "a gzip file", _UNPACK),
    (b"\xfd7zXZ\0", "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"PK\x03\x04", "a zip file", _UNPACK),
)
#: How the first name in an image archive begins: a blob, a layer, or a document.
_IN_IMAGE = re.compile(rb"blobs/|[0-9a-f]{64}[/.]|(index\.json|manifest\.json|oci-layout)\0")
#: The control characters that texts have none of: all but tab, line feed, form feed, carriage return, escape.
_NO_TEXT = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n\f\r\x1b")


def _is_dockerfile(head: bytes) -> bool:
    """Whether the first words are those of a Dockerfile: behind comments and ARG, FROM (Dockerfile reference)."""
    for line in head.split(b"\n"):
        word = line.split(maxsplit=1)[:1]
        if word and not line.lstrip().startswith(b"#") and word[0].upper() != b"ARG":
            return word[0] == b"FROM"
    return False


def what_else(head: bytes) -> tuple[str, str | None]:
    """What a file that is not an ELF file is, and what to do about it.

    :param head: its first bytes, a few thousand if it has them.
    """
    if not head:
        return "an empty file", "build the program first"
    if head.startswith(b"#!"):
        line = head[2:128].split(b"\n")[0].decode("utf-8", "replace").strip()
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        return (
            f"a script (#!{shown})",
            "minpack packs compiled (ELF) programs; a script needs its interpreter in the image",
        )
    for magic, what, hint in _KNOWN:
        if head.startswith(magic):
            return what, hint
    if head[257:262] == b"ustar" and _IN_IMAGE.match(head):
        hint = "name a program; minpack inspect and minpack tree look into an image with --path PATH"
        return "an archive of a container image", hint
    if head[257:262] == b"ustar":
        return "a tar file", _UNPACK
    if _is_dockerfile(head):
        return "a Dockerfile", "minpack needs no Dockerfile: name the compiled program"
    if head.translate(None, _NO_TEXT) == head:
        return "a text file", "name the compiled program, not its source"
    return "no ELF file (it does not start with \\x7fELF)", "name a program built for Linux"
