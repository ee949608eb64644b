"""`minpack deployment`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minpack.cli.image import image_base_options, image_options, image_platform_option, parse_image_argument
from minpack.cli.options import Choice, Command, Parsed, answer_options
from minpack.cli.settings import host_platform
from minpack.cli.terminal import drawing, print_json, print_lines, print_notes
from minpack.errors import UsageError

if TYPE_CHECKING:
    from minpack.images.deploy import Deployment

PLATFORMS = ("kubernetes", "compose")
KINDS = ("deployment", "pod")


def _name(text: str) -> str:
    from minpack.images.deploy import parse_name  # noqa: PLC0415 - where the option is given, as the next

    return parse_name(text)


def _reference(text: str) -> str:
    from minpack.oci.reference import parse_image  # noqa: PLC0415

    return str(parse_image(text))


@click.command("deployment", cls=Command, short_help="Print a Kubernetes or Compose manifest for an image.")
@click.argument("image", metavar="IMAGE")
@image_platform_option("this machine's")
@click.option("--for", "target", type=Choice(PLATFORMS), help="Kind of manifest to print.")
@click.option("--kind", type=Choice(KINDS), help="Kubernetes object to print. Default: deployment.")
@click.option(
    "--name", type=Parsed(_name), metavar="NAME", help="Name of the Deployment, Pod or service. Default: the image's."
)
@click.option(
    "--image",
    "reference",
    type=Parsed(_reference),
    metavar="REF",
    help="Name of the image in the manifest (ghcr.io/me/myapp:1.0). Default: its own name, with its"
    " digest if it is in a registry.",
)
@click.option("--any-user", is_flag=True, help="Let the platform choose the user, as OpenShift requires.")
@image_options
@answer_options
def command(image: str, **given: Any) -> None:  # noqa: ANN401 - the options above are its signature
    """Print a Kubernetes or Compose manifest that runs IMAGE with the fewest privileges it needs.

    \b
    minpack deployment ghcr.io/me/myapp:1.0 --for kubernetes | kubectl apply -f -
    minpack deployment ./myapp.tar --for compose > compose.yaml

    The root file system is read-only, the user is not root, and all capabilities are dropped except the program's file
    capabilities. Ports, volumes, user and health check come from the image. Empty directories that the user may write
    to become temporary volumes. IMAGE is named as for minpack check.
    """  # noqa: D301 - click's mark for a block
    _check(given)
    ref = parse_image_argument(image)
    from minpack.images.deploy import read_deployment  # noqa: PLC0415 - after what is refused at once

    options = image_base_options(given, ref)
    with drawing(quiet=given["quiet"]) as progress:
        found = read_deployment(
            *(ref, options, progress, given["platform"], host_platform()),
            any_user=given["any_user"],
            reference=given["reference"] or "",
            name=given["name"] or "",
        )
    _print(found, given)


def _check(given: dict[str, Any]) -> None:
    """Raise `UsageError` if nothing says what runs it, or an option is about Kubernetes, and it is for Compose."""
    if given["target"] is None:
        hint = "add --for kubernetes or --for compose"
        raise UsageError("minpack deployment", "", "--for is missing", hint, verb="run")
    if given["target"] != "compose":
        return
    if given["kind"] is not None:
        raise UsageError("--kind", given["kind"], "Compose has only services", "leave it out")
    if given["any_user"]:
        raise UsageError("--any-user", "", "Compose chooses no user", "leave it out")


def _print(found: Deployment, given: dict[str, Any]) -> None:
    from minpack.report import deployment  # noqa: PLC0415 - where it is printed, as the next

    how = (found, given["target"], given["kind"] or "deployment")
    if given["as_json"]:
        print_json(deployment.deployment_document(*how, any_user=given["any_user"]))
        return
    from minpack.report.yaml import yaml_lines  # noqa: PLC0415

    print_notes(deployment.platform_notes(found, given["target"], any_user=given["any_user"]), quiet=given["quiet"])
    print_lines(yaml_lines(deployment.platform_document(*how, any_user=given["any_user"])), whole=True)
