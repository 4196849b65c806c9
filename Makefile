# What a user or a developer does with this checkout. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev

# demo: KEEP=1 leaves it running, CONFIG=directory takes other manifests.
KEEP ?=
CONFIG ?=
# lab: LAB='overlap reload' runs only these.
LAB ?=
# test, unit: ARGS='-k P2 -x' goes to pytest. fuzz: FUZZ_SECONDS for each fuzzer, ARGS='--seed 7'.
# bench: ARGS='--scale 0.1 --runs 1 --scenarios full,restart --contenders kernel,bird,vrfbgp'; ARGS=--help lists them.
ARGS ?=
FUZZ_SECONDS ?= 60
# soak: SOAK_SECONDS at most, ARGS='--seed 7 --faults 1000'.
SOAK_SECONDS ?= 1800
# isolation: ISOLATION_SECONDS, half of them for the stories, half for the scripts; ARGS='--seed 7 --steps 60'.
ISOLATION_SECONDS ?= 600

need-root = $(if $(filter 0,$(shell id -u)),,$(error `make $@` builds network namespaces and needs root: run `sudo make $@`))

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: demo
demo: ## show it at work: two networks with the same addresses, real routers (root; KEEP=1, CONFIG=dir)
	@$(need-root)scripts/packages python demo
	@$(MAKE) -s $(RUN_STAMP)
	@exec $(BIN)/python -m labs.demo $(if $(filter-out 0 no,$(KEEP)),--keep) $(if $(CONFIG),--config '$(CONFIG)')

.PHONY: demo-stop
demo-stop: ## end what `make demo KEEP=1` left running
	@$(need-root)if [ -x $(BIN)/python ]; then exec $(BIN)/python -m labs.demo --stop; else echo "no demo is running"; fi

.PHONY: lab
lab: ## the stories of labs/containerlab, in containers; installs what they need (root; LAB=overlap for one)
	@$(need-root)scripts/packages python lab
	@$(MAKE) -s $(RUN_STAMP)
	@exec $(BIN)/python -m labs.stories $(LAB)

.PHONY: kubernetes
kubernetes: ## the manifests of config/kubernetes in a cluster of its own; builds it (root, Go; minutes the first time)
	@$(need-root)scripts/packages python demo lab kubernetes
	@$(MAKE) -s $(RUN_STAMP)
	@exec $(BIN)/python -m labs.kubernetes

.PHONY: venv
venv: ## .venv with the project and what its tests need
	@scripts/packages python
	@$(MAKE) -s $(DEV_STAMP)

.PHONY: test
test: ## all tests; those with real kernel and routers need root (ARGS='-k P2' for pytest)
	@scripts/packages python test
	@$(MAKE) -s $(DEV_STAMP)
	@exec $(BIN)/python -m pytest $(ARGS)

.PHONY: unit
unit: venv ## the tests that need neither root nor a network
	@exec $(BIN)/python -m pytest -q -m 'not netns' $(ARGS)

.PHONY: lint
lint: venv ## style, formatting, types and the direction of imports
	@failed=; for tool in 'ruff check .' 'ruff format --check .' mypy lint-imports; do \
	    echo "$(BIN)/$$tool"; $(BIN)/$$tool || failed+=" '$$tool'"; \
	done; [ -z "$$failed" ] || { echo "lint: failed:$$failed" >&2; exit 1; }

.PHONY: check
check: lint unit ## what every change must pass: lint and unit

.PHONY: format
format: venv ## format the code and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: fuzz
fuzz: venv ## broken messages at random for what reads them (FUZZ_SECONDS=60)
	@for module in $(patsubst tests/fuzz/%.py,%,$(filter-out %/__init__.py,$(wildcard tests/fuzz/*.py))); do \
	    $(BIN)/python -m tests.fuzz.$$module --seconds $(FUZZ_SECONDS) $(ARGS); \
	done

.PHONY: docs
docs: ## write the generated docs anew: the tables of configuration.md, cli.md, and the labs' pictures
	@scripts/packages python
	@$(MAKE) -s $(RUN_STAMP)
	@$(BIN)/python -m vrfbgp.config.schema.page docs/configuration.md docs/reload.md
	@$(BIN)/python -m vrfbgp.manual docs/cli.md
	@$(BIN)/python -m labs.stories.picture

.PHONY: soak
soak: ## random faults in a row, and the kernel right after each (root; SOAK_SECONDS=1800, ARGS='--seed 7')
	@$(need-root)scripts/packages python test
	@$(MAKE) -s $(DEV_STAMP)
	@exec $(BIN)/python -m tests.soak --seconds $(SOAK_SECONDS) $(ARGS)

.PHONY: isolation
isolation: ## stories and, in a real kernel, scripts at random, every packet judged (root; ISOLATION_SECONDS=600)
	@$(need-root)scripts/packages python test
	@$(MAKE) -s $(DEV_STAMP)
	@$(BIN)/python -m tests.isolation --seconds $$(($(ISOLATION_SECONDS) / 2)) $(ARGS)
	@exec $(BIN)/python -m tests.isolation.real --seconds $$(($(ISOLATION_SECONDS) / 2)) $(ARGS)

.PHONY: bench
bench: ## how fast, beside the bare kernel, BIRD and FRR; installs those (root; ARGS='--scale 0.1', ARGS=--help)
	@$(need-root)scripts/packages python bench
	@$(MAKE) -s $(RUN_STAMP)
	@exec $(BIN)/python -m bench $(ARGS)

.PHONY: clean
clean: ## remove all that these commands made in the checkout
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP): pyproject.toml scripts/venv
	@scripts/venv $(VENV) .
	@touch $@

$(DEV_STAMP): pyproject.toml scripts/venv
	@scripts/venv $(VENV) '.[dev]'
	@touch $(RUN_STAMP) $@
