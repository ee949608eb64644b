"""What packages say of themselves, and the distribution that they are of: read from the databases of the base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minpack.base.mirrors import official
from minpack.base.options import BaseKind
from minpack.base.os_release import find_distribution
from minpack.base.walk import Walker
from minpack.plan.model import Origin
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack.base.interface import Base
    from minpack.base.options import BaseOptions
    from minpack.base.os_release import Distribution
    from minpack.base.packages import PackageFacts, PackageId
    from minpack.plan.model import Plan
    from minpack.progress import Progress
    from minpack.sources.session import Session
    from minpack.trust.components import Contents

#: Where files are from that a distribution has.
_OF_DISTRIBUTION = (Origin.BASE, Origin.PACKAGE)


def with_facts(plan: Plan, session: Session, options: BaseOptions) -> Plan:
    """The plan with what is known of the packages that its files are from, and with their distribution.

    :raises MinpackError: a package is damaged.
    """
    ids = {planned.package for planned in plan.entries if planned.package is not None}
    facts = package_facts(sorted(ids), session, options)
    taken = any(planned.source in _OF_DISTRIBUTION for planned in plan.entries)
    distribution = distribution_of(session) if taken else None
    return plan._replace(facts=facts, distribution=distribution, kind=session.packages.kind)


def package_facts(ids: Iterable[PackageId], session: Session, options: BaseOptions) -> dict[PackageId, PackageFacts]:
    """What these packages say of themselves, each with the address that it has without a mirror.

    :raises MinpackError: a package is damaged.
    """
    debian = session.opened.kind is BaseKind.PACKAGES
    found = {}
    for id_ in ids:
        facts = session.packages.facts(id_)
        found[id_] = facts._replace(address=official(id_.url, options, debian=debian)) if id_.url else facts
    return found


def contents_below(plan: Plan, base: Base, progress: Progress) -> Contents:
    """What an image contains that is put on `base`, besides what is planned.

    :raises MinpackError: a file of it cannot be read, or its database is damaged.
    """
    from minpack.trust.components import Subject  # noqa: PLC0415 - for --on alone, as the next
    from minpack.trust.tree import describe_tree  # noqa: PLC0415

    own = {planned.entry.path for planned in plan.entries if planned.entry.kind is not Kind.DIRECTORY}
    return describe_tree(Subject(""), base, (), progress, own)


def distribution_of(session: Session) -> Distribution | None:
    """What the base says that it is, as far as that is known without fetching a package for it."""
    return find_distribution(Walker(session.packages.known(session.opened.base)).find_file)
