"""The options about the signature of an image that is packed, from them to how it is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.cli.keys import public_name, signing_key
from minpack.errors import UsageError
from minpack.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.output.target import OutputSpec, WrittenOutput
    from minpack.trust.keys import SigningKey


class Signing(NamedTuple):
    """With which key an image is signed, and in cosign's older form or not."""

    key: SigningKey
    classic: bool
    public: str


def signing(given: Mapping[str, Any], output: OutputSpec) -> Signing | None:
    """How the image is signed, if it is.

    :raises UsageError: it goes nowhere where a signature is kept.
    :raises KeyFileError: the key cannot be used.
    """
    if given["sign"] is None:
        form = given.get("signature_format")
        if form is not None:
            raise UsageError("--signature-format", form, "nothing is signed", "add --sign KEY, or leave it out")
        return None
    classic = given.get("signature_format") == "classic"
    if output.path is None and output.registry is None:
        reason, hint = "an engine keeps no signatures", "add --push or -o FILE, or leave it out"
        raise UsageError("--sign", given["sign"], reason, hint)
    if classic and output.registry is None:
        reason = "classic signatures are registry tags, and nothing is pushed"
        raise UsageError("--signature-format", "classic", reason, "add --push, or leave it out")
    return Signing(signing_key(given["sign"]), classic, public_name(given["sign"]))


def signed_output(output: OutputSpec, signed: Signing | None) -> OutputSpec:
    """`output`, whose registries get signatures in cosign's older form, if that is wanted."""
    if signed is None or not signed.classic:
        return output
    from minpack.images.classic import sign_index_classic  # noqa: PLC0415 - for that form alone

    name = output.references[0].familiar
    return output._replace(
        before_names=lambda client, repository, index: sign_index_classic(client, repository, index, signed.key, name)
    )


def verification_lines(signed: Signing | None, written: WrittenOutput | None) -> list[str]:
    """How to verify what was pushed, a line for each repository."""
    if written is None or signed is None:
        return []
    from minpack.report.signatures import cosign_line  # noqa: PLC0415 - for what is printed

    pushed = dict.fromkeys(one.by_digest for one in written.outputs if one.format == "registry")
    return [f"verify: {cosign_line(one, signed.public)}" for one in pushed]


def signature_notes(output: OutputSpec, signed: Signing | None) -> tuple[str, ...]:
    """What the user should know of the signature."""
    notes = []
    if signed is not None and signed.classic and output.path is not None:
        notes.append(f"{output.path!r} has no signature: classic signatures are kept only in registries")
    if signed is not None and not signed.key.is_deterministic:
        notes.append("the signature differs each time: OpenSSL 3.2 or newer makes the same one (update cryptography)")
    return tuple(notes)
