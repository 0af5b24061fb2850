# Every command of the project; `make help` lists them.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
DONE := $(VENV)/.ready-for-tests
# Loops are compiled once here, and not by every process of the tests.
WARM := $(RUN)/python -c 'from privacy.deidentify.search.engine import warm_up; warm_up()'
INSTALL := $(RUN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-fast serve bench bench-deid accuracy accuracy-peers audit faults lint openapi clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is needed: apt-get install python3-venv"; exit 1; }
	$(INSTALL) --editable .
	@touch $@

$(DONE): $(READY)
	$(INSTALL) --editable '.[dev]'
	@touch $@

demo: $(READY) ## set up the sample city, ask one question over HTTP, serve (ONCE=1: stop after the question)
	@$(RUN)/sudare demo $(if $(ONCE),--once) $(if $(RESIDENTS),--residents $(RESIDENTS))

serve: $(READY) ## serve what is registered
	@$(RUN)/sudare init && $(RUN)/sudare serve

test: $(DONE) ## run the tests, with a real PostgreSQL and a real Chromium where installable
	@bash scripts/install-test-tools
	@$(WARM)
	$(RUN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-long: $(DONE) ## what takes minutes: planted faults, the audit of ε from outside, and more cases of what `make test` tells once
	@bash scripts/install-test-tools
	@$(WARM)
	$(RUN)/python -m pytest -n 2 --dist loadfile -m long

test-fast: $(DONE) ## run the tests that need no other program
	$(RUN)/python -m pytest -m "not long" tests/unit tests/http

faults: $(DONE) ## only the fault tests: kill -9, damaged files, planted mutants
	$(RUN)/python -m pytest tests/faults

audit: $(DONE) ## measure the promised privacy from outside, over HTTP, with more persons than the tests take
	AUDIT_RUNS=20000 $(RUN)/python -m pytest tests/statistical -v

bench: $(DONE) ## run the benchmarks and write docs/performance.md
	@bash scripts/install-test-tools
	$(RUN)/python -m bench

bench-deid: $(DONE) ## measure de-identification beside ARX's figures, for docs/performance.md (QUICK=1: no big tables)
	$(RUN)/python -m bench.deid $(if $(QUICK),--quick)

accuracy: $(READY) ## measure how far answers are from the truth and write docs/accuracy.md
	$(INSTALL) --editable '.[accuracy]'
	$(RUN)/python -m bench.accuracy

accuracy-peers: $(READY) ## measure other libraries for that report, in environments of their own (half an hour; one needs Java)
	$(RUN)/python -m bench.peers.install
	$(RUN)/python -m bench.accuracy peers

lint: $(DONE) ## check style and types
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

openapi: $(READY) ## write openapi.yaml anew
	$(RUN)/sudare openapi > openapi.yaml

clean: ## remove what the commands above made, the data of the demonstration included
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
