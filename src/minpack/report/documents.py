"""The JSON documents that commands print; within a schema's version fields are added, never renamed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minpack.excerpt import few_notes
from minpack.oci.image import PREDICATE_TYPE
from minpack.plan.reasons import sizes_by_reason
from minpack.report.allowance import Allowance
from minpack.report.findings import smoke_object
from minpack.report.human import version_text
from minpack.report.needs import need_costs
from minpack.rootfs.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minpack.base.options import OpenBase
    from minpack.base.packages import PackageFacts, PackageId
    from minpack.build.base_facts import BaseFacts
    from minpack.build.base_image import BaseImage
    from minpack.build.inputs import Input
    from minpack.build.inspect import Inspected
    from minpack.build.pack import Packed
    from minpack.build.push import Pushed
    from minpack.build.tree import ResolvedTree
    from minpack.catalog.alpine import CatalogEntry
    from minpack.elf.strip import Weight
    from minpack.errors import MinpackError
    from minpack.ld.closure import Considered, Edge, LoadedObject, Missing
    from minpack.ld.demands import Demands
    from minpack.ld.late import LateLibrary
    from minpack.ld.lookup import Proof
    from minpack.ld.variants import Variant
    from minpack.needs.findings import Findings
    from minpack.needs.need import Decision
    from minpack.oci.documents import ImageConfig
    from minpack.oci.image import Index
    from minpack.oci.reference import Reference
    from minpack.output.target import WrittenOutput, WrittenTarget
    from minpack.paths import RootPath
    from minpack.plan.model import PlannedEntry
    from minpack.plan.unpacked import Unpacked
    from minpack.shared.use import CacheUse


def pack_document(packed: Packed, references: tuple[Reference, ...]) -> dict[str, Any]:
    """``minpack.pack/1``. Without an image (`--format rootfs`, `--dry-run`) its digests are null."""
    return {
        "schema": "minpack.pack/1",
        "index": _index(packed.written),
        "images": [_image(one, references) for one in packed.images],
        "inputs": [_input(item) for item in dict.fromkeys(item for one in packed.images for item in one.inputs)],
        "artifacts": _artifacts(packed.written.built if packed.written is not None else None),
        "outputs": outputs_document(packed.written),
        "cache": _cache(packed.cache),
        "debug": None,
        "notes": few_notes(packed.notes),
    }


def push_document(pushed: Pushed) -> dict[str, Any]:
    """``minpack.push/1``: a finished image that was pushed, and where to."""
    return {
        "schema": "minpack.push/1",
        "image": pushed.image.path,
        "digest": str(pushed.built.digest),
        "media_type": pushed.built.root.media_type,
        "images": [
            {
                "platform": str(image.platform),
                "digest": str(image.digest),
                "image_id": str(image.image_id),
                "size": image.size,
            }
            for image in pushed.built.images
        ],
        "artifacts": _artifacts(pushed.built),
        "outputs": [_target(target) for target in pushed.targets],
        "notes": few_notes(pushed.notes),
    }


def base_image_document(made: BaseImage) -> dict[str, Any]:
    """``minpack.base-image/1``."""
    return {
        "schema": "minpack.base-image/1",
        "index": _index(made.written),
        "images": [
            {**_named(str(one.platform), one.written.references), **_digests(one.written)} for one in made.images
        ],
        "inputs": [_input(item) for one in made.images for item in one.inputs],
        "outputs": outputs_document(made.written),
        "cache": _cache(made.cache),
        "notes": few_notes(made.notes),
    }


def _cache(use: CacheUse | None) -> dict[str, Any] | None:
    if use is None:
        return None
    from minpack.report.shared import cache_object  # noqa: PLC0415 - for shared caches alone

    return cache_object(use)


def tree_document(resolved: ResolvedTree, chain: tuple[LoadedObject, ...]) -> dict[str, Any]:
    """``minpack.tree/1``; `unbound` is null unless symbols were checked, `why` unless a chain was asked for."""
    closure = resolved.closure
    # What is wrong comes first, where not all has room; and places have an allowance of their own.
    rows, places = Allowance(), Allowance()
    missing = rows.rows(closure.missing, lambda one: _missing(one, places))
    unbound = _unbound(resolved.proof, rows)
    document = {
        "schema": "minpack.tree/1",
        "program": closure.program.path,
        "base": resolved.base,
        "target": str(closure.program.info.target),
        "libc": closure.libc,
        "interpreter": closure.interpreter.path if closure.interpreter is not None else None,
        "objects": _objects(closure.objects, rows),
        "edges": _edges(closure.edges, rows, places),
        "missing": missing,
        "audits": [
            {
                "name": audit.name,
                "objects": _objects(audit.objects, rows),
                "edges": _edges(audit.edges, rows, places),
                "problem": audit.problem or None,
            }
            for audit in closure.audits
        ],
        "variants": _variants(resolved.variants, rows),
        "unbound": unbound,
        "late": _late(resolved.late, rows),
        "demands": _demands(resolved.demands) if resolved.demands is not None else None,
        "result": resolved.result,
        "why": [loaded.path for loaded in chain] or None,
        "notes": few_notes(resolved.notes),
    }
    return {**document, "left_out": rows.left_out + places.left_out}


def _objects(objects: tuple[LoadedObject, ...], allowance: Allowance) -> list[dict[str, Any]]:
    return allowance.rows(
        objects,
        lambda loaded: {
            "name": loaded.name,
            "path": loaded.path,
            "file": loaded.entry.path,
            "size": loaded.entry.size,
            "found_by": loaded.found_by,
            "needed_by": loaded.needed_by or None,
        },
    )


def _edges(edges: tuple[Edge, ...], allowance: Allowance, places: Allowance) -> list[dict[str, Any]]:
    return allowance.rows(
        edges,
        lambda edge: {
            "needed_by": edge.needed_by,
            "name": edge.name,
            "found_by": edge.found_by,
            "path": edge.path or None,
            "considered": _considered(edge.considered, places),
        },
    )


def _missing(missing: Missing, places: Allowance) -> dict[str, Any]:
    considered = _considered(missing.considered, places)
    return {"name": missing.name, "needed_by": missing.needed_by, "considered": considered}


def _considered(considered: tuple[Considered, ...], allowance: Allowance) -> list[dict[str, Any]]:
    return allowance.rows(considered, lambda place: {"directory": place.directory, "rule": place.rule})


def _variants(variants: tuple[Variant, ...], allowance: Allowance) -> list[dict[str, Any]]:
    return allowance.rows(
        variants,
        lambda variant: {
            "name": variant.name,
            "path": variant.path,
            "subdirectory": variant.subdirectory,
            "instead_of": variant.instead_of or None,
        },
    )


def _demands(demanded: Demands) -> dict[str, Any]:
    return {
        "isa": demanded.isa or None,
        "isa_by": demanded.isa_by or None,
        "kernel": version_text(demanded.kernel) if demanded.kernel else None,
        "kernel_by": demanded.kernel_by or None,
    }


def _late(libraries: tuple[LateLibrary, ...], allowance: Allowance) -> list[dict[str, Any]]:
    return allowance.rows(
        libraries,
        lambda library: {
            "sonames": list(library.sonames),
            "paths": list(library.paths),
            "level": library.level,
            "needed_by": library.needed_by,
            "evidence": library.evidence,
        },
    )


def _unpacked(found: tuple[Unpacked, ...], allowance: Allowance) -> list[dict[str, Any]]:
    return allowance.rows(
        found,
        lambda one: {
            "path": one.path,
            "kind": one.kind,
            "files": one.files,
            "size": one.size,
            "package": one.package or None,
            "shared": one.shared,
            "unowned": one.unowned,
            "needed_by": one.needed_by,
            "strong": one.strong,
            "option": one.option,
        },
    )


def _unbound(proof: Proof | None, allowance: Allowance) -> list[dict[str, Any]] | None:
    if proof is None:
        return None
    return allowance.rows(
        proof.unbound,
        lambda u: {"symbol": u.symbol, "version": u.version or None, "needed_by": u.needed_by, "fatal": u.fatal},
    )


def inspect_document(files: tuple[Inspected, ...]) -> dict[str, Any]:
    """``minpack.inspect/1``: the facts of one file; of several, a list of them as ``files``."""
    schema = {"schema": "minpack.inspect/1"}
    if len(files) == 1:
        return {**schema, **_inspected(files[0])}
    return {**schema, "files": [_inspected(file) for file in files]}


def _inspected(file: Inspected) -> dict[str, Any]:
    info = file.info
    allowance = Allowance()
    document = {
        "path": file.path,
        "kind": info.kind,
        "target": str(info.target),
        "platform": str(file.platform) if file.platform is not None else None,
        "libc": file.libc,
        "size": info.size,
        "interpreter": info.interpreter,
        "soname": info.soname,
        "needed": list(info.needed),
        "rpath": info.rpath,
        "runpath": info.runpath,
        "flags": info.flags,
        "flags_1": info.flags_1,
        "filters": list(info.filters),
        "auxiliaries": list(info.auxiliaries),
        "audit": info.audit,
        "dep_audit": info.dep_audit,
        "kernel": version_text(file.kernel) if file.kernel else None,
        "bases": list(file.bases),
        **_findings(file.findings),
        "needs": [_need(decision, file.costs.get(decision.need), allowance) for decision in file.needs],
        "details": {key: [list(row) for row in rows] for key, rows in file.details._asdict().items()}
        if file.details is not None
        else None,
    }
    return {**document, "left_out": allowance.left_out}


def _findings(findings: Findings) -> dict[str, Any]:
    """What tells of how a program was made; modules are Go's modules or Rust's crates."""
    return {
        "language": findings.language or None,
        "toolchain": findings.toolchain or None,
        "main": findings.main.name or None,
        "modules": [{"name": module.name, "version": module.version or None} for module in findings.modules],
        "static_libc": findings.static_libc or None,
        "payload": findings.payload,
        "warnings": list(findings.told),
    }


def bases_document(offers: tuple[CatalogEntry, ...], today: str) -> dict[str, Any]:
    """``minpack.bases/1``."""
    return {
        "schema": "minpack.bases/1",
        "bases": [
            {
                "name": offer.name,
                "newest": offer.newest,
                "architectures": list(offer.arches),
                "support_end": offer.support_end or None,
                "supported": not offer.support_end or today <= offer.support_end,
            }
            for offer in offers
        ],
    }


def base_document(opened: OpenBase, facts: BaseFacts) -> dict[str, Any]:
    """``minpack.base/1``."""
    return {
        "schema": "minpack.base/1",
        "name": facts.name,
        "kind": opened.kind,
        "platform": str(opened.platform) if opened.platform is not None else None,
        "system": facts.system or None,
        "loaders": [
            {"path": loader.path, "libc": loader.libc, "target": str(loader.target)} for loader in facts.loaders
        ],
        "url": opened.url or None,
        "sha256": opened.sha256 or None,
        "digest": opened.digest or None,
        "index_digest": opened.index_digest or None,
        "size": opened.size or None,
        "notes": few_notes(opened.notes),
    }


def error_document(error: MinpackError) -> dict[str, Any]:
    """``minpack.error/1``."""
    allowance = Allowance()
    return {
        "schema": "minpack.error/1",
        "kind": error.kind,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
        "data": {key: allowance.value(value) for key, value in error.data.items()},
        "left_out": allowance.left_out,
    }


def _image(packed: Packed, references: tuple[Reference, ...]) -> dict[str, Any]:
    plan = packed.plan
    costs = need_costs(plan)
    allowance = Allowance()
    document = {
        **_named(str(plan.config.platform), references),
        **_digests(packed.written),
        "config": _config(plan.config),
        "smoke": smoke_object(packed.smoked),
        "distribution": plan.distribution._asdict() if plan.distribution is not None else None,
        "files": [_file(planned, packed.sums, plan.facts) for planned in plan.written],
        "reasons": allowance.rows(
            sizes_by_reason(plan),
            lambda one: {"reason": one.text, "size": one.size, "files": one.files, "option": one.option or None},
        ),
        "needs": [_need(decision, costs.get(decision.need), allowance) for decision in plan.decisions],
        "late": _late(packed.late, allowance),
        "unpacked": _unpacked(packed.unpacked, allowance),
        "variants": _variants(packed.variants, allowance),
        "demands": [{"program": path, **_demands(demanded)} for path, demanded in packed.demands],
        "symbols": [
            *(_symbols(one.destination, one.weight, stripped=one.stripped) for one in packed.programs),
            *allowance.rows(packed.added, lambda one: _symbols(one.path, one.weight, stripped=one.stripped)),
        ],
    }
    return {**document, "left_out": allowance.left_out}


def _symbols(path: str, weight: Weight, *, stripped: bool) -> dict[str, Any]:
    return {"path": path, "symbol_tables": weight.symbols, "debug_sections": weight.debug, "stripped": stripped}


def _config(config: ImageConfig) -> dict[str, Any]:
    """How the image is run."""
    return {
        "entrypoint": list(config.entrypoint),
        "cmd": list(config.cmd),
        "user": config.user,
        "workdir": config.workdir,
        "env": [f"{name}={value}" for name, value in config.env],
        "ports": list(config.exposed),
        "health": _health(config),
    }


def _health(config: ImageConfig) -> dict[str, Any] | None:
    """The health check, with times in nanoseconds, which are null where engines have their defaults."""
    if config.health is None:
        return None
    test, *times = config.health
    return {"test": list(test), **dict(zip(config.health._fields[1:], (one or None for one in times), strict=True))}


def _named(platform: str, references: tuple[Reference, ...]) -> dict[str, Any]:
    return {"platform": platform, "references": [str(reference) for reference in references]}


def _artifacts(built: Index | None) -> list[dict[str, Any]]:
    """What is about the images, and went along."""
    return [
        {
            "digest": str(one.descriptor.digest),
            "artifact_type": one.descriptor.artifact_type,
            "predicate_type": dict(one.descriptor.annotations).get(PREDICATE_TYPE),
            "subject": str(one.subject.digest) if one.subject is not None else None,
        }
        for one in (built.artifacts if built is not None else ())
    ]


def _index(written: WrittenOutput | None) -> dict[str, Any] | None:
    """What the images of several platforms are together; null where there is one."""
    if written is None or written.built is None or written.built.document is None:
        return None
    return {"digest": str(written.digest) if written.digest is not None else None}


def _digests(written: WrittenOutput | None) -> dict[str, Any]:
    if written is None or written.image is None:
        return {"digest": None, "image_id": None, "size": None, "unpacked_size": None, "layers": []}
    layers = [
        {
            "digest": str(layer.descriptor.digest),
            "diff_id": str(layer.diff_id),
            "size": layer.descriptor.size,
            "media_type": layer.descriptor.media_type,
        }
        for layer in written.layers
    ]
    return {
        "digest": str(written.image_digest) if written.image_digest is not None else None,
        "image_id": str(written.image.image_id),
        "size": written.image.size,
        "unpacked_size": written.unpacked_size,
        "layers": layers,
    }


def written_object(written: WrittenOutput) -> dict[str, Any]:
    """What was written of an image: its digests, sizes and layers, and where it went."""
    return {**_digests(written), "outputs": outputs_document(written)}


def _file(
    planned: PlannedEntry, sums: Mapping[RootPath, str], facts: Mapping[PackageId, PackageFacts]
) -> dict[str, Any]:
    entry, reason = planned.entry, planned.reason
    is_file = entry.kind is Kind.FILE and entry.content is not None
    return {
        "path": entry.path,
        "type": entry.kind,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size if is_file else None,
        "sha256": sums.get(entry.path),
        "link": entry.link or None,
        "capabilities": _capabilities(entry.capability),
        "from": planned.source,
        "package": _package(planned.package, facts),
        "reason": {
            "kind": reason.kind,
            "need": reason.need or None,
            "needed_by": reason.needed_by or None,
            "found_by": reason.found_by or None,
            "text": reason.text,
        },
    }


def _capabilities(data: bytes) -> str | None:
    """File capabilities as getcap(8) shows them; null without."""
    if not data:
        return None
    from minpack.rootfs.capability import shown  # noqa: PLC0415 - few files have some

    return shown(data)


def _package(package: PackageId | None, known: Mapping[PackageId, PackageFacts]) -> dict[str, Any] | None:
    if package is None:
        return None
    facts = known.get(package)
    about = facts._asdict() if facts is not None else {}
    return {
        "name": package.name,
        "version": package.version,
        "arch": package.arch,
        "repository": package.repository or None,
        "url": package.url or None,
        "sha256": package.sha256 or None,
        "size": package.size or None,
        "signed_by": package.signed_by or None,
        **{key: about.get(key) or None for key in ("source", "source_version", "licenses", "supplier")},
    }


def _need(decision: Decision, cost: int | None, allowance: Allowance) -> dict[str, Any]:
    """One need; `cost` is in bytes of files, and null where nothing is packed and what would be is not known."""
    seen = allowance.rows(
        decision.evidence,
        lambda one: {"kind": one.kind, "name": one.name or None, "path": one.path or None, "text": one.text},
    )
    return {
        "need": decision.need,
        "verdict": decision.verdict,
        "packed": decision.packed,
        "evidence": [one.pop("text") for one in seen],
        "callers": allowance.rows(
            decision.callers,
            lambda one: {
                "target": one.target,
                "name": one.name,
                "via": list(one.via),
                "arguments": list(one.arguments),
            },
        ),
        "cost": cost,
        "seen": seen,
        "option": decision.said or None,
    }


def _input(item: Input) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "name": item.name,
        "url": item.url or None,
        "sha256": item.sha256 or None,
        "size": item.size or None,
        "version": item.version or None,
    }


def outputs_document(written: WrittenOutput | None) -> list[dict[str, Any]]:
    """Where an image went."""
    return [_target(target) for target in (written.outputs if written is not None else ())]


def _target(target: WrittenTarget) -> dict[str, Any]:
    return {
        "format": target.format,
        "path": target.path,
        "reference": target.reference,
        "digest": str(target.digest) if target.digest is not None else None,
        "sent": target.sent if target.format == "registry" else None,
        "replaced": str(target.replaced) if target.replaced is not None else None,
    }
