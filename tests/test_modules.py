"""Each module of the source has a test module of its name, or a reason why its tests are elsewhere."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import minpack

ROOT = Path(minpack.__file__).parent
TESTS = Path(__file__).parent
#: Modules without a test module of their name: where their tests are, by the reason. All of a folder ends with a slash.
ELSEWHERE = {
    "a command is run as users run it": {
        "__main__": "test_cli_commands",
        "cli/": "test_cli_commands",
        "cli/base": "test_cli_commands",
        "cli/effects": "test_option_walk",
        "cli/failing": "test_last_resort",
        "cli/complete": "test_cli_commands",
        "cli/habits": "test_cli_app",
        "cli/build": "test_build",
        "cli/build_one": "test_build",
        "cli/changes": "test_report_markdown",
        "cli/executors": "test_build",
        "cli/cluster": "test_cluster",
        "cli/dask": "test_cluster",
        "cli/worker": "test_cluster",
        "cluster/executor": "test_cluster",
        "cluster/transfer": "test_cluster_files",
        "cli/file_locks": "test_build",
        "cli/init": "test_build",
        "cli/show": "test_build",
        "build/fleet": "test_build",
        "build/unchanged": "test_build",
        "oci/shared_layout": "test_build",
        "report/fleet": "test_build",
        "report/show": "test_build",
        "config/document": "test_config_model",
        "config/keys": "test_config_model",
        "config/version": "test_config_resolve",
        "config/first": "test_config_projects",
        "spec/parallel": "test_bad_input",
        "cli/health": "test_health",
        "cli/signing": "test_sign",
        "cli/keys": "test_sign",
        "cli/lock": "test_lock",
        "cli/summary": "test_report_markdown",
        "cli/options": "test_spec_values",
        "cli/outdated": "test_outdated",
        "cli/pack": "test_cli_output",
        "cli/run": "test_cli_streams",
        "cli/run_image": "test_run_image",
        "cli/acceptance": "test_smoke",
        "images/accept": "test_smoke",
        "images/run": "test_run_image",
        "build/accept": "test_smoke",
        "images/any_user": "test_any_user",
        "cli/added": "test_any_user",
        "cli/deployment": "test_images_workload",
        "images/deploy": "test_images_workload",
        "images/names": "test_debug_image",
        "report/compose": "test_images_workload",
        "report/deployment": "test_images_workload",
        "report/kubernetes": "test_images_workload",
        "sandbox/": "test_run_image",
        "cli/debug": "test_debug",
        "cli/debug_options": "test_option_walk",
        "cli/pack_debug": "test_debug_image",
        "cli/tools": "test_option_walk",
        "report/debug": "test_option_walk",
        "cli/trace": "test_trace",
        "cli/tracing": "test_trace",
        "cli/trace_image": "test_trace",
        "report/trace": "test_trace",
        "strace/": "test_strace_log",
        "strace/watch": "test_trace",
        "tracing/": "test_trace",
        "cli/spec": "test_bad_input",
        "cli/told": "test_cli_commands",
        "cli/update": "test_lock",
        "build/inspect": "test_cli_commands",
        "build/base_image": "test_cli_commands",
        "build/": "test_build_plan",
        "build/base_facts": "test_cli_commands",
        "build/lock": "test_lock",
        "build/update": "test_lock",
        "program/stripping": "test_strip",
        "report/": "test_cli_commands",
        "library/": "test_library",
        "cli/bars": "test_report_command",
        "cli/report": "test_report_command",
        "report/image": "test_report_command",
        "report/allowance": "test_ld_hostile",
        "report/documents": "test_schema",
        "report/health": "test_health",
        "report/locks": "test_lock",
        "report/vex": "test_cli_vex",
        "cli/image": "test_cli_vex",
        "output/document_file": "test_cli_vex",
        "report/outdated": "test_outdated",
        "freshness/": "test_outdated",
        "report/signatures": "test_sign",
    },
    "a loader's rules are compared with the loader": {
        "ld/closure": "test_24_breadth_first",
        "ld/audit": "test_26_audit",
        "ld/bind": "test_bind",
        "ld/bind_glibc": "test_ld_bind_hostile",
        "ld/bind_musl": "test_bind",
        "ld/lookup": "test_ld_bind_hostile",
        "ld/glibc": "test_04_rpath_env_runpath_order",
        "ld/glibc_late": "test_ld_dlopen",
        "ld/glibc_search": "test_04_rpath_env_runpath_order",
        "ld/late": "test_ld_dlopen",
        "ld/ld_so_conf": "test_29_ld_so_conf",
        "ld/musl": "test_15_musl_path_file",
        "ld/opening": "test_16_loops",
        "ld/plugins": "test_dlopen",
        "ld/symbol_cache": "test_bind",
        "ld/variants": "test_10_hwcaps_passed_over",
        "ld/allowed": "test_resolve_companions",
        "ld/verdict": "test_ld_bind_hostile",
        "ld/fit": "test_bad_input",
    },
    "what a program needs is compared with programs that are built for it": {
        "needs/": "test_truth_native",
        "needs/golang/": "test_truth_go",
        "needs/golang/x86": "test_truth_x86",
        "needs/decide": "test_needs_golang_detect",
        "needs/level": "test_program_platforms",
        "needs/roots": "test_needs_rust",
        "provision/": "test_provision_provide",
    },
    "it is a part of a reader, and tested through the whole": {
        "apk/": "test_apk_package",
        "apk/choose": "test_apk_table",
        "apk/index": "test_apk_table",
        "apk/names": "test_apk_version",
        "deb/": "test_deb_release",
        "deb/choice": "test_debian_base",
        "elf/": "test_elf_read",
        "elf/armattributes": "test_program_platforms",
        "elf/hashes": "test_elf_symbols",
        "elf/names": "test_elf_symbols",
        "elf/relocations": "test_elf_symbols",
        "elf/sections": "test_elf_strip",
        "elf/strings": "test_ld_dlopen",
        "elf/tables": "test_elf_symbols",
        "tar/": "test_tar_read",
        "tar/members": "test_tar_decompress",
        "tar/names": "test_base_tarball",
        "tar/spool": "test_apk_package",
        "tar/zstd": "test_tar_decompress",
        "engine/conversation": "test_output_engine",
        "oci/files": "test_oci_read",
        "oci/pulled": "test_sources_pull",
        "oci/saved": "test_oci_read",
        "oci/stated": "test_oci_read",
        "oci/on": "test_build_on",
        "oci/again": "test_shrink",
        "reach/": "test_reach_find",
        "reach/shrink": "test_shrink",
        "base/layer_index": "test_base_flatten",
        "base/users": "test_program_owners",
        "base/layer_tars": "test_base_layered",
        "base/tar_index": "test_base_tarball",
        "base/tar_rows": "test_base_tarball",
        "base/tar_table": "test_base_tar_kept",
        "oci/": "test_oci_validate",
        "oci/image": "test_oci_documents",
        "oci/health": "test_spec_health",
        "build/artifacts": "test_trust_attest",
        "trust/identity": "test_trust_vex",
        "trust/vex_source": "test_trust_vex",
        "build/facts": "test_sbom",
        "build/sbom": "test_sbom",
        "cli/sbom": "test_sbom_command",
        "images/sbom": "test_sbom_command",
        "report/sbom": "test_sbom_command",
        "sources/installed": "test_sbom_command",
        "trust/tree": "test_sbom_command",
        "cli/artifacts": "test_sbom",
        "cli/build_places": "test_build",
        "plan/inside": "test_sbom",
        "trust/components": "test_trust_spdx",
        "trust/describe": "test_sbom",
        "trust/license_list": "test_trust_licenses",
        "trust/packages": "test_trust_spdx",
        "trust/programs": "test_trust_spdx",
        "trust/sbom": "test_sbom",
        "trust/": "test_trust_keys",
        "trust/classic": "test_trust_verify",
        "trust/documents": "test_trust_verify",
        "registry/signatures": "test_sign",
        "output/attach": "test_sign",
        "host/secret_files": "test_sign",
        "images/classic": "test_sign",
        "images/sign": "test_sign",
        "images/verify": "test_sign",
        "oci/compression": "test_oci_compress",
        "store/": "test_store",
        "store/fetch": "test_net_download",
        "embedded/zoneinfo": "test_embedded_base",
        "lock/": "test_lock_file",
        "net/": "test_net_download",
        "registry/": "test_registry_client",
        "shared/": "test_shared_cache",
        "registry/certificates": "test_registry_login",
        "registry/helper": "test_registry_credentials",
        "net/mirror": "test_cli_store",
        "host/": "test_host_partial",
        "host/mounts": "test_host_trees",
    },
    "its packages come from a server, and are resolved and packed": {
        "alpine/": "test_alpine_packages",
        "alpine/latest": "test_alpine_release",
        "alpine/dependencies": "test_debug_tools",
        "alpine/locked": "test_lock",
        "debian/": "test_debian_base",
        "debian/locked": "test_lock",
        "base/locked_fetch": "test_lock",
        "catalog/debian": "test_debian_base",
        "sources/": "test_rootfs_directory_modes",
        "debug/": "test_debug_tools",
        "debug/config": "test_debug_image",
        "images/": "test_images_check",
        "images/tree": "test_images_open",
        "images/choose": "test_images_diff",
        "images/compare": "test_images_diff",
        "images/elf_diff": "test_images_diff",
        "images/export": "test_export",
        "build/in_image": "test_images_diff",
        "report/diff": "test_images_diff",
        "images/graph": "test_reach_groups",
        "reach/image_report": "test_reach_groups",
        "page/": "test_page_html",
        "report/export": "test_option_walk",
        "report/junit": "test_report_findings",
        "report/sarif": "test_report_findings",
        "sources/fitting": "test_bad_input",
        "sources/local": "test_bad_input",
        "sources/locked": "test_lock",
        "resolve/": "test_build_tree",
    },
    "it is values and interfaces that others' tests use": {
        "_version": "test_cli_commands",
        "excerpt": "test_errors",
        "progress": "test_oci_compress",
        "base/entries": "test_base_overlay",
        "base/interface": "test_base_tar_kept",
        "base/options": "test_build_plan",
        "base/ownership": "test_plan_unpacked",
        "base/packages": "test_alpine_packages",
        "output/target": "test_output_write",
        "rootfs/access": "test_rootfs_capability",
        "rootfs/entry": "test_rootfs_tree",
        "rootfs/modes": "test_plan_permissions",
        "spec/image": "test_spec_values",
    },
    "it is a stage, whose plan is looked at": {
        "plan/": "test_build_plan",
        "plan/verify": "test_build_plan",
        "plan/health": "test_health",
        "plan/secure": "test_capabilities",
        "program/additions": "test_program_place",
        "program/read": "test_program_place",
    },
}
NAMES = sorted(str(path.relative_to(ROOT).with_suffix("")) for path in ROOT.rglob("*.py") if path.stem != "__init__")
TEST_MODULES = {path.stem: path for path in TESTS.rglob("test_*.py")}
#: These start minpack as users do: they reach all of it.
RUNNERS = (
    "support.command",
    "support.packing",
    "support.refusals",
    "support.locks",
    "support.killed",
    "support.places",
)


def named_for(module: str) -> str | None:
    """The test module with the module's name; that of ``store/store`` is ``test_store``."""
    parts = module.split("/")
    names = {"_".join(("test", *parts)), "_".join(("test", *dict.fromkeys(parts)))}
    return next((name for name in sorted(names) if name in TEST_MODULES), None)


def elsewhere(module: str) -> str | None:
    """The test module that the table has for a module, or for the nearest folder it is in."""
    table = {name: test for group in ELSEWHERE.values() for name, test in group.items()}
    folders = [f"{module.rsplit('/', up)[0]}/" for up in range(1, module.count("/") + 1)]
    return next((table[name] for name in (module, *folders) if name in table), None)


@cache
def imports_of(path: Path) -> frozenset[str]:
    """What a module of minpack, of the tests or of what supports them imports, at the start or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


def path_of(name: str) -> Path | None:
    """The file of a module of minpack or of what supports tests; None for all others."""
    top, _, rest = name.partition(".")
    root = {"minpack": ROOT, "support": TESTS / "support"}.get(top)
    path = root / f"{rest.replace('.', '/')}.py" if root is not None and rest else None
    return path if path is not None and path.is_file() else None


@cache
def reached_from(test: str) -> frozenset[str]:
    """The modules of minpack that a test module and the fixtures beside it reach through imports."""
    seen: set[str] = set()
    rest = [TEST_MODULES[test], *TEST_MODULES[test].parent.glob("conftest.py")]
    while rest:
        for name in imports_of(rest.pop()):
            path = path_of(name)
            if path is not None and name not in seen:
                seen.add(name)
                rest.append(path)
    return frozenset(seen)


@pytest.mark.parametrize("module", NAMES)
def test_each_module_is_tested(module: str) -> None:
    """The tests of a module are in the test module of its name, or where the table says."""
    test = named_for(module) or elsewhere(module)
    assert test is not None, (
        f"write tests/unit/test_{module.replace('/', '_')}.py, or say in ELSEWHERE where its tests are"
    )
    assert test in TEST_MODULES, f"there is no {test}.py"
    reached = reached_from(test)
    name = f"minpack.{module.replace('/', '.')}"
    assert name in reached or any(runner in reached for runner in RUNNERS), f"{test}.py does not reach {name}"


def test_the_table_has_no_more_than_it_needs() -> None:
    """A module in it exists, has no test module of its own name, and is there once."""
    listed = [name for group in ELSEWHERE.values() for name in group]
    assert len(listed) == len(set(listed))
    for name in listed:
        if name.endswith("/"):
            assert any(module.startswith(name) and elsewhere(module) for module in NAMES), f"there is nothing in {name}"
        else:
            assert name in NAMES, f"there is no {name}.py"
            assert named_for(name) is None, f"{name} has a test module of its own"


#: Unit tests of several modules at once, or of what tests and benchmarks use.
SUBJECTS = ("test_bases_agree", "test_counts", "test_option_walk", "test_tools")


def test_unit_tests_are_named_for_modules() -> None:
    """The name of a unit test's module begins with that of a module, of a room, or of a subject below."""
    rooms = {name.replace("/", "_") for name in NAMES} | {name.rpartition("/")[0].replace("/", "_") for name in NAMES}
    for path in (TESTS / "unit").glob("test_*.py"):
        stem = path.stem.removeprefix("test_")
        assert path.stem in SUBJECTS or any(stem == room or stem.startswith(f"{room}_") for room in rooms if room), stem
