"""Whether an image starts, by its files alone: all that the kernel, an engine and the loader would look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.tar_table import UnreadableContent
from minpack.base.walk import Walker, tree_below
from minpack.errors import ArchiveError, SumMismatchError, UnreadableImageError
from minpack.images.exposure import check_files, check_hidden, check_variables
from minpack.images.finding import Finding, Severity, worst
from minpack.images.lacks import SeenNeeds, check_needs, find_image_needs
from minpack.images.layers import read_layers
from minpack.images.open import open_found
from minpack.images.settings import read_settings
from minpack.images.start import check_entrypoint, check_loading, start_check
from minpack.images.surroundings import check_health, check_volumes, check_workdir
from minpack.images.users import ImageUser, find_user
from minpack.namedtuple import NamedTuple
from minpack.paths import ROOT
from minpack.plan.any_user import ANY_USER
from minpack.progress import pause
from minpack.rootfs.etc_files import User
from minpack.sources.image import display_name, opened_layers
from minpack.sources.local import store_for_unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minpack.base.options import BaseOptions
    from minpack.digest import Digest
    from minpack.images.open import FoundImage
    from minpack.images.settings import ImageSettings
    from minpack.images.smoke import Smoked
    from minpack.images.start import StartCheck, Started
    from minpack.oci.image import BuiltImage
    from minpack.progress import Progress
    from minpack.spec.acceptance import Acceptance
    from minpack.spec.base_ref import ImageRef
    from minpack.target import Platform

_ORDER = list(Severity)
#: What is an error although a container of the image starts.
_AFTER_START = frozenset(("smoke-test", "size"))


class ExaminedTree(NamedTuple):
    """The tree of an image, which is open, and what a container of it runs there; `needs` is empty if it fails."""

    settings: ImageSettings
    tree: Walker
    check: StartCheck
    started: Started
    needs: SeenNeeds = SeenNeeds()


class CheckedImage(NamedTuple):
    """What was found in the image of one platform, the worst first.

    Of an image that is too damaged to tell, platform and digest are None. `smoked` is how its smoke test went, if it
    had one: what does not start has none.
    """

    platform: Platform | None
    digest: Digest | None
    findings: tuple[Finding, ...]
    smoked: Smoked | None = None

    @property
    def starts(self) -> bool:
        """Whether a container of it starts."""
        return all(one.level is not Severity.ERROR or one.code in _AFTER_START for one in self.findings)

    @property
    def passes(self) -> bool:
        """Whether it starts, and is all else that was asked for."""
        return worst(self.findings) is not Severity.ERROR


def check_found(
    ref: ImageRef,
    options: BaseOptions,
    progress: Progress,
    platform: Platform | None = None,
    acceptance: Acceptance | None = None,
    *,
    any_user: bool = False,
) -> tuple[str, tuple[CheckedImage, ...]]:
    """What to call the image that `ref` names, and what is found in it: in the images of all platforms, or in one.

    :param acceptance: what each must pass besides.
    :param any_user: whether a platform chooses whom it runs as.
    :raises NotStartedError: it cannot be run here, and is to be.
    :raises MinpackError: there is no such image, or it cannot be had.
    """
    try:
        with open_found(ref, options, progress, platform) as found:
            images = found.built.images
            checked = tuple(check_image(image, found.name, options, any_user=any_user) for image in images)
            if acceptance is not None:
                pause(progress)
                checked = tuple(_accepted(one, found, acceptance, options) for one in checked)
            return found.name, checked
    except UnreadableImageError as error:
        if not error.damaged:
            raise
        finding = Finding("image", Severity.ERROR, "", error.reason, error.hint or "")
        return display_name(ref), (CheckedImage(None, None, (finding,)),)


def check_image(
    image: BuiltImage,
    name: str,
    options: BaseOptions,
    *,
    any_user: bool = False,
    examine: Callable[[ExaminedTree], None] | None = None,
) -> CheckedImage:
    """What is found in one image.

    :param name: what to call it in messages.
    :param any_user: whether a platform chooses whom it runs as.
    :param examine: is given the tree while it is open, unless it cannot be read.
    :raises MinpackError: a layer cannot be had, or there is no room to unpack it.
    """
    findings = dict.fromkeys(_findings(image, name, options, any_user=any_user, examine=examine or _no_more))
    ordered = sorted(findings, key=lambda one: _ORDER.index(one.level))
    return CheckedImage(image.platform, image.digest, tuple(ordered))


def _accepted(checked: CheckedImage, found: FoundImage, acceptance: Acceptance, options: BaseOptions) -> CheckedImage:
    """The same with what the image does not pass; one that does not start is not run."""
    if not checked.starts:
        return checked
    from minpack.images.accept import check_sizes, run_smoke  # noqa: PLC0415 - where something must be passed

    (image,) = (one for one in found.built.images if one.digest == checked.digest)
    only = found.only(image)
    findings, smoked = check_sizes(only, acceptance, options), None
    if acceptance.smoke is not None:
        smoked, more = run_smoke(only, acceptance.smoke, options)
        findings += more
    return checked._replace(smoked=smoked, findings=(*findings, *checked.findings))


def _no_more(_examined: ExaminedTree) -> None:
    """All is said in findings."""


def _findings(
    image: BuiltImage, name: str, options: BaseOptions, *, any_user: bool, examine: Callable[[ExaminedTree], None]
) -> Iterator[Finding]:
    settings, found = read_settings(image, name)
    yield from found
    with store_for_unpacked(options) as store:
        layers = read_layers(image, name, options, store)
        yield from layers.findings
        if settings is None or worst(layers.findings) is not None:
            return
        try:
            with opened_layers(image, name, options, store) as base:
                tree = Walker(base)
                yield from check_hidden(layers.paths)
                yield from check_tree(settings, tree, any_user=any_user, examine=examine)
        except (SumMismatchError, ArchiveError) as error:
            # Each layer is right by itself.
            reason = getattr(error, "reason", error.message)
            yield Finding("layer", Severity.ERROR, "", reason, "rebuild the image, or download it again")


def check_tree(
    settings: ImageSettings,
    tree: Walker,
    *,
    any_user: bool = False,
    examine: Callable[[ExaminedTree], None] = _no_more,
) -> Iterator[Finding]:
    """What is found in the tree of an image that is run with these settings, whatever its layers are.

    :raises MinpackError: a file cannot be read.
    """
    config, unreadable = settings.config, tuple(_unreadable(tree))
    if unreadable:
        yield from unreadable
        return
    yield from check_variables(config)
    yield from check_files(tree)
    user = find_user(config.user, tree)
    if isinstance(user, Finding):
        yield user
        user = ImageUser(User(0, 0))
    if any_user:
        from minpack.images.any_user import check_any_user  # noqa: PLC0415 - where it is asked for

        yield from check_any_user(config, tree, user.user)
        user = ImageUser(ANY_USER, home=ROOT)
    yield from check_workdir(config.workdir, tree, user.user)
    yield from check_volumes(config.volumes, tree, user.user)
    check = start_check(settings, tree, user)
    started = check_entrypoint(check)
    yield from started.findings
    yield from check_health(settings, check)
    examined = ExaminedTree(settings, tree, check, started)
    if not started.findings:
        yield from check_loading(check, started)
        examined = examined._replace(needs=find_image_needs(check, started))
        yield from check_needs(examined.needs, check, user)
    examine(examined)


def _unreadable(tree: Walker) -> Iterator[Finding]:
    """Files that are in no layer for all their names: hard links to nothing."""
    for path, entry in tree_below(tree.base, ROOT):
        if entry is not None and isinstance(entry.content, UnreadableContent):
            yield Finding(
                "layer", Severity.ERROR, path, entry.content.reason, "rebuild the image, or download it again"
            )
