# make run        JupyterLab on the quickstart notebook
# make test       the default test suite
# make test-long  the slow figures
# make test-live  the connectors on real services: LIVE=file.toml, see CONTRIBUTING.md
# make check      lint, types and import contracts of Python and TypeScript
# make bench      the figures of the README, beside their peers
# make soak       a server among faults for MINUTES=30: it must hold on to nothing
# make clean      what the targets above made
#
# Each sets up what is missing first, and is quick the second time.

MINUTES ?= 30
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
LAB_SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
	labextension/package.json labextension/tsconfig.json labextension/yarn.lock

.DEFAULT_GOAL := help
.PHONY: help run test .test-browser .test-others test-long test-live check bench soak clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

run: $(VENV)/.run-ready
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=notebooks \
		--LabApp.default_url=/lab/tree/01_quickstart.ipynb $(LAB_FLAGS)

test: $(VENV)/.dev-ready
	@$(BIN)/python -m tests.servers.install
	@$(MAKE) --no-print-directory -j2 .test-browser .test-others

# Beside each other: both wait more than they compute.
.test-browser:
	$(BIN)/python -m pytest -q -m "not long" tests/browser $(PYTEST_FLAGS)

.test-others:
	$(BIN)/python -m pytest -q -m "not long" --ignore=tests/browser $(PYTEST_FLAGS)

test-long: $(VENV)/.dev-ready
	@$(BIN)/python -m tests.servers.install
	$(BIN)/python -m pytest -q -m long $(PYTEST_FLAGS)

check: $(VENV)/.dev-ready labextension/node_modules/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" jlpm run types && PATH="$(CURDIR)/$(BIN):$$PATH" jlpm run lint

test-live: $(VENV)/.dev-ready
	@test -f "$(LIVE)" || { echo "Name the file with the connections: make test-live LIVE=live.toml (CONTRIBUTING.md)" >&2; exit 1; }
	AISER_LIVE="$(abspath $(LIVE))" $(BIN)/python -m pytest -q tests/conformance/test_connectors.py tests/conformance/test_network.py $(PYTEST_FLAGS)

bench: $(VENV)/.dev-ready
	$(BIN)/python benchmarks/run.py

soak: $(VENV)/.dev-ready
	@$(BIN)/python -m tests.servers.install
	$(BIN)/python benchmarks/soak.py $(MINUTES)

clean:
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis dist notebooks/data
	rm -rf labextension/node_modules labextension/lib labextension/types labextension/tsconfig.tsbuildinfo aiser_jupyter/labextension

$(UV):
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed: install it, or name it with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@command -v node >/dev/null \
		|| { echo "Node.js 20.19 or newer is needed to build the JupyterLab panel from a checkout: install it (nodejs.org)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "The venv module is missing: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
		|| { echo "pip could not reach its package index: check the network or pip's configuration" >&2; exit 1; }

# The editable install builds the panel where its sources are newer than the build.
$(VENV)/.run-ready: pyproject.toml $(LAB_SOURCES) | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -e '.[lab]'
	@touch $@

$(VENV)/.dev-ready: pyproject.toml $(LAB_SOURCES) | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -e '.[dev]'
	@touch $@ $(VENV)/.run-ready

labextension/node_modules/.ready: labextension/package.json labextension/yarn.lock | $(VENV)/.dev-ready
	cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" jlpm install --immutable
	@touch $@
