# Everything that is run here has a target. JSON goes to standard output; all else to standard error.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
BIN := .venv/bin
RUN := $(BIN)/python
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test check format lint types imports unit bench load chaos grow memory conformance lock clean peers sbom
help: ## show what there is
	@grep -E '^[a-z.]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

.venv: .venv/.ready ## make the environment
.venv/.ready: requirements.lock pyproject.toml
	@tools/environment "$(PYTHON)" >&2
	@touch $@

demo: .venv/.ready ## the main job, with three servers: ONCE=1 JSON=1 SEED= REGISTER= STATE= HOST=
	@$(RUN) -m demo $(if $(ONCE),--once) $(if $(JSON),--json) $(if $(SEED),--seed "$(SEED)") $(if $(REGISTER),--register "$(REGISTER)") $(if $(STATE),--state "$(STATE)") $(if $(HOST),--host "$(HOST)")

# Tests with browsers, other processes and others' programs: without coverage, which would slow down the servers.
HEAVY := browser or peers or slow
test: .venv/.ready peers ## everything that decides whether a change lands
	@tools/requirements >&2
	$(MAKE) format lint types imports
	$(RUN) -m pytest -n 2 -q -m "not ($(HEAVY))" --cov --cov-report=term:skip-covered $(ARGS)
	$(RUN) -m pytest -n 2 -q -m "$(HEAVY)" $(ARGS)

check: .venv/.ready format lint types imports unit ## the fast subset
format: .venv/.ready
	$(BIN)/ruff format --check --quiet .
lint: .venv/.ready
	$(BIN)/ruff check .
types: .venv/.ready
	$(RUN) -m mypy
imports: .venv/.ready
	PYTHONPATH=. $(BIN)/lint-imports
unit: .venv/.ready
	$(RUN) -m pytest -n 2 -q -m "not browser and not postgres and not peers and not slow" $(ARGS)

peers: tests/peers/npm/node_modules/.ready
tests/peers/npm/node_modules/.ready: tests/peers/npm/package-lock.json .venv/.ready
	@tools/node >&2
	@tools/npm-peers >&2
	@touch "$@"

bench: .venv/.ready ## figures as multiples of one signature verification: JSON=1
	@$(RUN) -m benchmarks $(if $(JSON),--json) $(ARGS)

LOAD = $(RUN) -m benchmarks.load $(if $(JSON),--json) $(if $(SECONDS),--seconds "$(SECONDS)") $(if $(WORKERS),--workers "$(WORKERS)") $(if $(WALLETS),--wallets "$(WALLETS)") $(if $(PACE),--pace "$(PACE)") $(ARGS)

load: .venv/.ready ## closed-loop load on PostgreSQL: SECONDS= WORKERS= WALLETS= JSON=1
	@$(LOAD) load
chaos: .venv/.ready ## load while workers and PostgreSQL are killed, then an audit: SECONDS= JSON=1
	@$(LOAD) chaos
grow: .venv/.ready ## the cost of a walk with a full database: ROWS= OPEN= SECONDS= JSON=1
	@$(LOAD) grow $(if $(ROWS),--rows "$(ROWS)") $(if $(OPEN),--open "$(OPEN)")
memory: .venv/.ready ## memory idle and under load: SECONDS= JSON=1
	@$(LOAD) memory

conformance: .venv/.ready ## the OpenID Foundation's plans against a suite that runs (conformance/README.md): SUITE= PART= ONLY=
	@$(RUN) -m conformance $(PART) $(if $(SUITE),--suite "$(SUITE)") $(if $(ONLY),--only "$(ONLY)")

mutants: .venv/.ready ## mutation testing of formats, trust and presentation
	$(BIN)/mutmut run $(ARGS)

sbom: .venv/.ready ## the bill of materials of what runs in production: dist/byoid.cdx.json
	@tools/sbom dist/byoid.cdx.json

lock: ## resolve the dependencies anew (needs uv)
	uv lock -q && uv export -q --all-extras --no-emit-project --format requirements.txt --no-header --no-annotate -o requirements.lock >/dev/null && rm -f uv.lock

clean: ## remove what was made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/.artifacts tests/peers/npm/node_modules
