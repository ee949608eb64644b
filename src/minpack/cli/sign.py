"""`minpack sign`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.effects import refuse_without_registry
from minpack.cli.image import image_base_options, image_options, parse_image_argument
from minpack.cli.options import FILLED, Choice, Command, answer_options
from minpack.cli.settings import created
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes, reporting
from minpack.errors import EngineError, UsageError
from minpack.spec.base_ref import ANYWHERE, DOCKER, DOCKER_DAEMON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.options import BaseOptions
    from minpack.spec.base_ref import ImageRef

_KEY = "name a private key: --key cosign.key; minpack sign --generate-key -o cosign makes one"


@click.command("sign", cls=Command, short_help="Sign an image, or generate a signing key.")
@click.argument("image", metavar="[IMAGE]", required=False)
@click.option(
    "--key", type=FILLED, metavar="KEY", help="Private key: a file, or env://NAME for a variable that holds the PEM."
)
@click.option(
    "--signature-format",
    type=Choice(["bundle", "classic"]),
    default="bundle",
    help="bundle: the format that cosign 3 reads by default; classic: the .sig tag that cosign 1 and 2"
    " and some policy engines read. Default: bundle.",
)
@click.option("--generate-key", is_flag=True, help="Generate a key pair, NAME.key and NAME.pub; sign nothing.")
@click.option(
    "-o", "--output", metavar="NAME", type=FILLED, help="Name of the key pair's files, NAME.key and NAME.pub."
)
@click.option("--created", metavar="SECONDS", help="Timestamp of the signature. Default: SOURCE_DATE_EPOCH, else 0.")
@image_options
@answer_options
def command(image: str | None, **given: Any) -> None:  # noqa: ANN401 - the options above
    """Sign IMAGE (in a registry, an OCI layout or an archive) with a key, as cosign does.

    \b
    minpack sign --generate-key -o cosign    writes cosign.key and cosign.pub
    minpack sign ghcr.io/me/myapp:1.0 --key cosign.key
    minpack sign ./myapp.tar --key env://SIGNING_KEY

    minpack also signs attached SBOMs and provenance, and each image in an index. Signing again adds nothing. For an
    encrypted key, set COSIGN_PASSWORD, or type the password on the terminal.
    """  # noqa: D301 - click's mark for a block
    if given["generate_key"]:
        _generate(image, given)
        return
    ref = _checked(image, given)
    from minpack.cli.keys import public_name, signing_key  # noqa: PLC0415 - after what is refused at once
    from minpack.images.sign import SignSpec, sign_image  # noqa: PLC0415 - as above

    wanted = SignSpec(signing_key(given["key"]), given["signature_format"] == "classic", created(given["created"]))
    with drawing(quiet=given["quiet"]) as progress:
        signed = sign_image(ref, wanted, image_access(ref, given), progress)
    with reporting(f"{signed.name} was signed" if signed.added else ""):
        if given["as_json"]:
            from minpack.report.signatures import sign_document  # noqa: PLC0415

            print_json(sign_document(signed, wanted.key.hint))
            return
        print_notes(signed.notes, quiet=given["quiet"])
        if not given["quiet"]:
            from minpack.report.signatures import sign_lines  # noqa: PLC0415

            print_lines(sign_lines(signed, public_name(given["key"])))


def image_access(ref: ImageRef, given: Mapping[str, Any]) -> BaseOptions:
    """How the image is opened, in a registry too.

    :raises UsageError: an option is about registries, and the image is in none; or the registry must not be asked.
    """
    options = image_base_options(given, ref)
    if options.network.offline and not ref.is_local:
        reason = "signatures are in the registry, which must be asked for them"
        raise UsageError(
            "--offline", "", reason, "leave it out, and unset MINPACK_OFFLINE, or name an archive or layout"
        )
    return options


def in_registry(ref: ImageRef) -> ImageRef:
    """`ref`, of which a name means an image in a registry: there is where signatures are kept.

    :raises EngineError: it is in an engine.
    """
    if ref.transport == DOCKER_DAEMON or ref.name.startswith("sha256:"):
        hint = "push it, and name the image in the registry"
        raise EngineError("use the image in an engine", "an engine keeps no signatures", hint)
    return ref._replace(transport=DOCKER) if ref.transport == ANYWHERE else ref


def _checked(image: str | None, given: Mapping[str, Any]) -> ImageRef:
    """The image to sign.

    :raises UsageError: something is missing, or has no effect.
    :raises EngineError: it is in an engine.
    """
    if image is None:
        hint = "name the image: minpack sign ghcr.io/me/myapp:1.0 --key cosign.key"
        raise UsageError("minpack sign", "", "IMAGE is missing", hint, verb="run")
    if given["key"] is None:
        raise UsageError("minpack sign", "", "--key is missing", _KEY, verb="run")
    if given["output"] is not None:
        hint = "leave it out: a signature is kept with its image"
        raise UsageError("-o", given["output"], "it names the files of --generate-key", hint)
    ref = in_registry(parse_image_argument(image))
    if ref.is_local and given["signature_format"] == "classic":
        reason = "classic signatures are registry tags, and the image is in a file"
        raise UsageError("--signature-format", "classic", reason, "push it first, and sign it in the registry")
    return ref


def _generate(image: str | None, given: Mapping[str, Any]) -> None:
    """Make a new key.

    :raises UsageError: something is missing, or has no effect.
    """
    idle = {
        "IMAGE": image is not None,
        "--key": given["key"] is not None,
        "--created": given["created"] is not None,
        "--signature-format": given["signature_format"] != "bundle",
    }
    for option, is_given in idle.items():
        if is_given:
            raise UsageError(option, "", "--generate-key signs nothing", "give only one of them")
    refuse_without_registry(given)
    if given["output"] is None:
        hint = "name its files: minpack sign --generate-key -o cosign"
        raise UsageError("--generate-key", "", "-o is missing", hint)
    from minpack.cli.keys import new_password  # noqa: PLC0415 - where a key is made, as the next
    from minpack.host.secret_files import write_key_files  # noqa: PLC0415
    from minpack.trust.keys import new_key_pair  # noqa: PLC0415

    name = given["output"].removesuffix(".key").removesuffix(".pub")
    password = new_password()
    pair = new_key_pair(password)
    private, public = write_key_files(name, pair.private, pair.public)
    notes = () if password is not None else (f"{private!r} is not encrypted: set COSIGN_PASSWORD to make one that is",)
    with reporting(f"{private!r} and {public!r} were written"):
        if given["as_json"]:
            print_json({"schema": "minpack.key/1", "private": private, "public": public, "notes": list(notes)})
            return
        print_notes(notes, quiet=given["quiet"])
        if not given["quiet"]:
            print_lines(
                [f"wrote {private} (keep it secret)", f"wrote {public} (share it with whoever verifies images)"]
            )
