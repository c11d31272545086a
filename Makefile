# Two commands do everything for a newcomer: `make demo` and `make test`. Each works first, on a fresh clone.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
# Processes that share the commit tier; 0 runs it in one, one test after another.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup tools demo up test test-faults soak test-nightly bench lint types style generated protos reference accuracy size sbom audit lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv with hash-checked packages, build the DSP kernels

$(READY): requirements-build.txt requirements.txt pyproject.toml hatch_build.py $(wildcard libs/dsp/tapelog_dsp/kernels/*.[ch])
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tapelog needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": call make with PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

tools: $(TOOLS) ## add what tests and lints need

$(TOOLS): $(READY) requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements-dev.txt
	@touch $@

demo: setup ## a real song from raw stems to a delivered master, through the real services, into out/
	$(BIN)/tapelog demo

up: setup ## the whole system on this machine, until Ctrl-C
	$(BIN)/tapelog up

test: tools lint ## lint, types and the commit tier of tests (real broker, real servers, real audio); WORKERS=2
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-faults: tools ## the fault battery; its figures go into docs/reliability.md (some tests need root)
	$(BIN)/python -m pytest -q -m faults --battery tests/faults/figures.json; status=$$?; \
	$(BIN)/python tools/gen_battery.py; exit $$status

soak: tools ## half an hour of work, memory and descriptors meanwhile; MINUTES=30
	$(BIN)/python -m pytest -m faults -s tests/faults/test_soak.py --soak-minutes $(or $(MINUTES),30) \
	  --battery tests/faults/figures.json; status=$$?; $(BIN)/python tools/gen_battery.py; exit $$status

test-nightly: tools ## the tests that take minutes
	TAPELOG_HYPOTHESIS=search $(BIN)/python -m pytest -m nightly

bench: tools ## measure: figures with the command that made them
	$(BIN)/python -m pytest -m bench -s

lint: tools ## ruff, import contracts, proto lint, mypy strict
	@$(MAKE) --no-print-directory -j 2 types style generated

style: tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

generated: tools
	$(BIN)/python tools/gen_protos.py --lint --check --breaking
	$(BIN)/python tools/gen_reference.py --check
	$(BIN)/python tools/gen_events.py --check
	$(BIN)/python tools/gen_asyncapi.py --check
	$(BIN)/python tools/gen_limits.py --check
	$(BIN)/python tools/gen_capacity.py --check
	$(BIN)/python tools/gen_metrics.py --check
	$(BIN)/python tools/gen_battery.py --check
	$(BIN)/python tools/gen_dashboard.py --check

types: tools ## mypy --strict
	$(BIN)/mypy libs services cli tools

protos: tools ## regenerate protos/gen from protos/tapelog
	$(BIN)/python tools/gen_protos.py

reference: tools ## regenerate docs/reference, docs/asyncapi.yaml and the tables of events, limits and metrics from the code
	$(BIN)/python tools/gen_reference.py
	$(BIN)/python tools/gen_events.py
	$(BIN)/python tools/gen_asyncapi.py
	$(BIN)/python tools/gen_limits.py
	$(BIN)/python tools/gen_capacity.py
	$(BIN)/python tools/gen_metrics.py
	$(BIN)/python tools/gen_dashboard.py

accuracy: tools ## measure the core again and write docs/accuracy.md with its plots
	$(BIN)/python tools/gen_accuracy.py

size: tools ## lines of code per package
	$(BIN)/python tools/count_lines.py

sbom: tools ## write the bill of materials (CycloneDX) of what is locked into dist/
	$(BIN)/python tools/sbom.py

audit: tools ## look the locked packages up among known vulnerabilities; fails when it cannot
	$(BIN)/python tools/audit.py

lock: tools ## resolve the hashed requirement files anew
	tools/lock.sh

clean: ## remove what was made here
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache
