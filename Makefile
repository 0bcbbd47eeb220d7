# What there is to do here; `make` lists it. Everything runs in VENV, which `make setup` fills with pinned packages.

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COMPILED := uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header
LOCKED := $(COMPILED) pyproject.toml
SOURCES := pyproject.toml requirements.lock
PEERS := .venv-peers
PEERS_LOCK := bench/peers/requirements.lock
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup up demo test check fix bench bench-peers chaos lock

help: ## List these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything, pinned by hash, into .venv (all other targets do it by themselves)
	@echo 'All is installed in $(VENV); try: make demo'

demo: $(READY) ## Watch an agent survive the death of its worker and ask you for an approval; no key needed
	@$(BIN)/perdure demo

up: $(READY) ## Run the whole system on this machine until Ctrl-C
	@$(BIN)/perdure up

test: $(READY) ## Run all tests, against real servers; most of the time they wait, so several do at once (JOBS=1: one)
	@$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(READY) ## Run everything that checks without running: style, types, layers, test prose, the locks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/interrogate tests
	$(BIN)/pytest tests/packaging

fix: $(READY) ## Repair and format what can be repaired by a program
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure what this costs beside the plainest way of doing the same, here and now; takes minutes
	@for each in append budgets read requests policy snapshots turn throughput history conversation waiting; do \
		$(BIN)/python -m bench.$$each && echo || exit 1; done

chaos: $(READY) ## Kill and freeze everything at every moment, then at random (SEED= KILLS= THREADS= CASE= REPORT=)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS)) $(if $(THREADS),--threads $(THREADS)) \
		$(if $(CASE),--case $(CASE)) $(if $(REPORT),--report $(REPORT))

bench-peers: $(READY) $(PEERS)/.ready ## Do the same work with Perdure and with its peers, in an environment of theirs; a quarter of an hour
	@$(BIN)/python -m bench.peers

lock: $(READY) ## Pin again: what pyproject.toml newly asks for (UPGRADE=--upgrade: the newest of everything)
	$(BIN)/$(LOCKED) --group dev $(UPGRADE) --output-file requirements.lock
	$(BIN)/$(LOCKED) --group build --all-extras --constraints requirements.lock $(UPGRADE) --output-file requirements-image.lock
	$(BIN)/$(COMPILED) bench/peers/requirements.in $(UPGRADE) --output-file $(PEERS_LOCK)

# A Python of 3.11 or newer, by whichever name it goes here.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

$(READY): $(SOURCES)
	@test -n "$(PYTHON)" || { echo 'Perdure needs Python 3.11 or newer, and none is on PATH. Install one, or name it: make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'This Python has no venv module. On Debian or Ubuntu: apt install python3-venv'; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing pinned packages into $(VENV), once …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(PEERS)/.ready: $(PEERS_LOCK)
	@$(PEERS)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(PEERS)
	@echo 'Installing the pinned peers into $(PEERS), once …'
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(PEERS_LOCK)
	@touch $@
