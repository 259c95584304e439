SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
export PYTHON
DATA ?=
ENGINE ?= embedded
# Further options for the command behind the target: make demo ARGS=--once, make test ARGS="-k cursor"
ARGS ?=

BIN := .venv/bin
UV := $(BIN)/uv pip
INSTALL := $(UV) install --python $(BIN)/python
TRAIN := .venv/.train-ready
DEV := .venv/.dev-ready
PACKAGES := announcing api cli core evaluation gnn graph loaders matching reports scoring synthetic webhooks
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make pins" $(UV) compile --quiet --upgrade --generate-hashes --python-version 3.11

.PHONY: help
help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: demo
demo: $(TRAIN) ## Set up, then run the main job and serve it (DATA=folder, ENGINE=embedded|neo4j)
	$(BIN)/offerpath demo --engine $(ENGINE) $(if $(DATA),--data $(DATA)) $(ARGS)

.PHONY: test
test: .prerequisites $(DEV) ## Set up, then run every test that needs no real data
	$(BIN)/pytest -m "not real" $(ARGS)

.PHONY: test-real
test-real: .prerequisites $(DEV) ## The tests on the real data sets (OFFERPATH_DATA, default ../shared/data)
	OFFERPATH_DATA="$${OFFERPATH_DATA:-../shared/data}" $(BIN)/pytest -m real $(ARGS)

.PHONY: check
check: $(DEV) ## Lint, formatting, types, imports between rooms, schema drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/offerpath schema --check

.PHONY: fix
fix: $(DEV) ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: schema
schema: $(TRAIN) ## Write schema.graphql anew
	$(BIN)/offerpath schema

.PHONY: serve
serve: $(TRAIN) ## Serve the graph in .offerpath (or OFFERPATH_HOME)
	$(BIN)/offerpath serve $(ARGS)

.PHONY: bench
bench: $(DEV) ## Measure what benchmarks/ holds (ARGS=name of one)
	@for script in benchmarks/$(if $(ARGS),$(ARGS),*).py; do \
		echo "== $$script"; PYTHONPATH=. $(BIN)/python $$script; \
	done

.PHONY: pins
pins: $(DEV) ## Pin the newest third-party versions with their hashes
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE) pyproject.toml -o requirements/serve.txt
	$(COMPILE) pyproject.toml --extra train -o requirements/train.txt
	$(COMPILE) pyproject.toml --extra train --extra dev -o requirements/dev.txt

# ---- set-up: one environment, filled from the pins, remembered by a stamp ----

.PHONY: .prerequisites
.prerequisites:
	@.ci/prerequisites python neo4j chromium node

$(BIN)/uv: requirements/bootstrap.txt
	@.ci/prerequisites python
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(TRAIN): $(BIN)/uv requirements/train.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/train.txt
	$(call finish)
	@touch $@

$(DEV): $(BIN)/uv requirements/dev.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(call finish)
	@touch $@ $(TRAIN)

# The product itself is installed in place; then its kernels are compiled once, for every later start.
define finish
$(INSTALL) --no-deps --no-build-isolation --quiet --editable .
$(BIN)/python -m compileall -q $(PACKAGES)
$(BIN)/python -m scoring.warm
endef
