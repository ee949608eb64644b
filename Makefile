# minpack: `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two workers more than that only wait for each other: the tests start many processes.
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo setup test coverage lint check fmt golden probe probefuzz docs site recipes dist image roots release bench counts pythons sigstore fuzz explore faults mutants live oracle starts pushes field shrinks traces clean

help: ## list the targets
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## (.*)/  \1\t\2/' | expand -t 14

$(BIN)/minpack: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: pyproject.toml $(BIN)/minpack
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/dev ## make .venv with minpack and what its tests use

demo: $(BIN)/minpack ## build a sample, pack it, run it from its image
	$(BIN)/python samples/demo.py

test: $(VENV)/dev ## run every test that this machine allows, and say what was left out
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

# Not part of test: it takes the unit tests twice as long. Two tests run as a user who may not write what is measured.
coverage: $(VENV)/dev ## the lines and branches that unit tests and loaders' rules leave out; fails below pyproject's share
	rm -rf build/coverage
	$(BIN)/coverage run -m pytest -q -n $(WORKERS) --dist loadgroup tests/unit tests/rules \
	  --deselect tests/unit/test_store.py::test_a_read_only_store_is_used \
	  --deselect tests/unit/test_store.py::test_a_store_behind_a_closed_door_is_none
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/dev ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint ## lint, import rules, documentation, unit tests
	$(BIN)/pytest -q -n $(WORKERS) tests/unit tests/test_architecture.py tests/test_docs.py tests/test_modules.py

fmt: $(VENV)/dev ## format the code and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/dev ## rewrite the golden trees and digests; review the diff
	$(BIN)/python tests/golden/rewrite.py
	git --no-pager diff --stat tests/golden

$(VENV)/probe: pyproject.toml $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[probe]'
	@touch $@

probe: $(VENV)/probe ## build the health probe of every platform, and print the bytes; ARGS=--check compares alone
	$(BIN)/python src/probe/build.py $(ARGS)

probefuzz: $(VENV)/dev ## fuzz the health probe's readers with sanitizers on (SECONDS=600 of CPU)
	MINPACK_FUZZ_SECONDS=$(or $(SECONDS),600) $(BIN)/pytest -s tests/fuzz/test_probe_fuzz.py

docs: $(VENV)/dev ## rewrite the generated parts of the documentation
	$(BIN)/python docs/generate.py

site: $(VENV)/dev ## build the documentation as a site in build/site, and fail on a warning
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "look at it: $(BIN)/python -m http.server --directory build/site --bind 127.0.0.1"

recipes: $(VENV)/dev ## run the pages of docs/recipes and write what their commands print; review the diff (PAGES=docs/recipes/ci.md)
	$(BIN)/python tests/support/rewriterecipes.py $(or $(PAGES),$(wildcard docs/recipes/*.md docs/migrate-*.md))

# The same commit gives the same bytes: hatchling writes its time, sorted names and plain modes.
dist: $(VENV)/dev ## build sdist and wheel in dist/, and check what an index would say of them
	rm -rf dist
	SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$$(git log -1 --format=%ct)) $(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	cd dist && sha256sum *

# PIN=1 takes the newest wheels that pyproject.toml allows, and writes their sums into release/requirements.txt.
image: $(VENV)/dev ## make minpack's own image for two platforms: build/minpack-image.tar (docs/install.md)
	$(if $(PIN),$(BIN)/python release/image.py --pin)
	$(BIN)/python release/image.py
	$(BIN)/minpack build minpack

roots: $(VENV)/dev ## install the wheel into bare roots of Debian, arm64 too, pack and run there (as root, with debootstrap; ROOTS=NAME)
	$(BIN)/python release/roots.py $(ROOTS)

release: $(VENV)/dev ## make a release in a clone: VERSION=X.Y.Z DATE=YYYY-MM-DD; WRITE=1 takes commit and tag over, SIGN=1 signs
	$(BIN)/python release/release.py $(VERSION) $(DATE) $(if $(WRITE),--write) $(if $(SIGN),--sign)

bench: $(BIN)/minpack ## measure minpack beside what one would use instead
	$(BIN)/python benchmarks/bench.py

counts: $(VENV)/dev ## count the instructions of four runs with valgrind; --raise is ARGS=--raise
	$(BIN)/python benchmarks/counts.py $(ARGS)

pythons: $(VENV)/dev ## unpack Debian's Python for arm64 and Python 3.13 beside this one, for tests of the same bytes
	$(BIN)/python tests/support/pythons.py

sigstore: $(VENV)/dev ## fetch sigstore's verifier, which tests of signatures ask (npm; Node is taken from PyPI where it lacks)
	$(BIN)/python tests/support/sigstoreverify.py

fuzz: $(VENV)/dev ## fuzz every reader of others' files for a minute of CPU each (SECONDS=60)
	$(BIN)/python tests/fuzz/run.py --seconds $(or $(SECONDS),60)

explore: $(VENV)/dev ## try other examples in the tests of properties than `make test` does
	$(BIN)/pytest -q -n $(WORKERS) --hypothesis-profile explore $$(grep -rl hypothesis --include='test_*.py' tests)

faults: $(VENV)/dev ## let each call of libc fail in turn, in every command (some 14,000 runs; STEP=10 tries a tenth)
	$(BIN)/python tests/faults/run.py --step $(or $(STEP),1)

mutants: $(VENV)/dev ## put 30,000 mutants of this machine's programs through all that minpack does with one
	$(BIN)/python tests/fuzz/mutants.py /bin/true /bin/ls /bin/bash /usr/bin/git /usr/bin/curl /usr/bin/xz

starts: $(VENV)/dev ## compare what minpack check says of 221 images with what an engine makes of them (some minutes)
	MINPACK_STARTS=1 $(BIN)/pytest -s tests/integration/test_check_run.py

pushes: $(VENV)/dev ## push 200 times through a bad network, and kill 100 pushes; the same of shared caches (some minutes)
	MINPACK_PUSHES=200 $(BIN)/pytest -s tests/integration/test_push_faults.py
	MINPACK_PUSHES=100 $(BIN)/pytest -s tests/integration/test_shared_caches.py -k "killed or network"

field: $(VENV)/dev ## pack and try 167 real programs, and write docs/field.md (as root; keeps a Debian of 4 GB in ~/.cache/minpack-field)
	$(BIN)/python tests/field/run.py --write $(ARGS)

traces: $(VENV)/dev ## trace 26 real programs and run their images, and write the table of docs/trace.md (as root)
	$(BIN)/python tests/field/tracing.py --write $(ARGS)

shrinks: $(VENV)/dev ## shrink images of 9 real programs, and compare what they do and open (as root; keeps 3 GB in ~/.cache/minpack-field)
	$(BIN)/python tests/field/shrinks.py $(ARGS)

live: $(VENV)/dev ## compare the catalogue of bases with the mirrors of today (MINPACK_MIRROR, MINPACK_MIRROR_DEBIAN)
	$(BIN)/pytest -q -m live tests/integration/test_live_catalogue.py

oracle: $(VENV)/dev ## the long comparisons: every program of the machine, thousands of library graphs, 300 images of layers
	MINPACK_ALL=1 MINPACK_GRAPHS=2000 MINPACK_LAYERS=300 $(BIN)/pytest -n $(WORKERS) tests/integration/test_bind.py \
	  tests/integration/test_proof.py tests/integration/test_loader_machine.py tests/integration/test_loader_graphs.py \
	  tests/integration/test_layers.py tests/unit/test_target.py tests/truth

clean: ## remove what was built, not the virtual environment
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache samples/*/build
