"""What was signed and verified, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes
from minpack.report.human import human
from minpack.report.text import row
from minpack.trust.attest import CYCLONEDX, OPENVEX, PROVENANCE, SPDX

if TYPE_CHECKING:
    from minpack.images.sign import Signed
    from minpack.images.verify import Verified

#: What the commonest statements are called.
_NAMES = {SPDX: "SBOM (SPDX)", CYCLONEDX: "SBOM (CycloneDX)", PROVENANCE: "provenance (SLSA)", OPENVEX: "VEX (OpenVEX)"}


def cosign_line(by_digest: str, public: str) -> str:
    """What verifies an image with cosign: a key, and no log of signatures.

    :param by_digest: the image as ``REPOSITORY@DIGEST``.
    """
    return f"cosign verify --key {public} --insecure-ignore-tlog=true {by_digest}"


def sign_document(signed: Signed, key: str) -> dict[str, Any]:
    """``minpack.sign/1``."""
    return {
        "schema": "minpack.sign/1",
        "image": signed.name,
        "digest": str(signed.digest),
        "key": key,
        "format": "classic" if signed.classic else "bundle",
        "subjects": [
            {
                "digest": str(subject.digest),
                "platform": str(subject.platform) if subject.platform is not None else None,
                "signatures": count,
            }
            for subject, count in signed.subjects
        ],
        "added": signed.added,
        "notes": few_notes(signed.notes),
    }


def sign_lines(signed: Signed, public: str) -> list[str]:
    """What was signed, and how to verify it."""
    total = sum(count for _, count in signed.subjects)
    lines = [signed.name, row("digest", str(signed.digest))]
    for subject, count in signed.subjects:
        what = str(subject.platform) if subject.platform is not None else "all platforms"
        about = f" and {count - 1} document{'s' if count > 2 else ''} about it" if count > 1 else ""  # noqa: PLR2004
        lines.append(row("signed", f"{what}{about}"))
    if signed.added < total:
        already = "everything" if not signed.added else f"{total - signed.added} of {total}"
        lines.append(row("unchanged", f"{already} was signed with this key before"))
    if signed.repository:
        lines.append(f"verify: {cosign_line(signed.by_digest, public)}")
    return lines


def verify_document(verified: Verified) -> dict[str, Any]:
    """``minpack.verify/1``."""
    return {
        "schema": "minpack.verify/1",
        "image": verified.name,
        "digest": str(verified.digest),
        "media_type": verified.media_type,
        "key": verified.key,
        "images": [{"platform": str(platform), "digest": str(digest)} for platform, digest in verified.images],
        "signatures": [
            {"format": one.form, "digest": str(one.digest) if one.digest is not None else None}
            for one in verified.signatures
        ],
        "statements": [
            {
                "digest": str(digest),
                "predicate_type": one.predicate_type,
                "subjects": [str(subject) for subject in one.subjects],
            }
            for digest, one in verified.statements
        ],
        "blobs": verified.blobs,
        "size": verified.size,
    }


def verify_lines(verified: Verified, key: str, lock: str | None) -> list[str]:
    """What was verified."""
    forms = " and ".join(dict.fromkeys(one.form for one in verified.signatures))
    lines = [
        verified.name,
        row("digest", str(verified.digest)),
        row("signed", f"with {key} ({forms})"),
    ]
    # By name: their order in the image is that of digests, which a new key changes.
    types = {one.predicate_type for _, one in verified.statements}
    lines += [row("states", name) for name in sorted(_NAMES.get(one, one) for one in types)]
    lines += [row("inputs", f"those of {lock}")] if lock is not None else []
    lines.append(row("content", f"{verified.blobs} blobs, {human(verified.size)}, as signed"))
    return lines
