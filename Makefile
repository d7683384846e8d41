# Everything runs in .venv, which is made from requirements.lock; PYTHON is any Python 3.11 to 3.13. Only the contract of
# the broker also runs in .venv-ib_async: the two client libraries of TWS cannot share an environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO_HOME ?= $(HOME)/hrp-demo
FRESH ?=
PLANT ?=
NIGHTS ?=
CLIENT ?= ib_insync
CONTRACT_VENV := $(if $(filter ib_insync,$(CLIENT)),$(VENV),$(VENV)-$(CLIENT))
# As many tests at a time as there are processors; those of one file stay together and share what they set up.
BESIDE := -n auto --dist loadfile
UV_IN = VIRTUAL_ENV=$(abspath $(1)) $(BIN)/uv pip
COMPILE = $(BIN)/uv pip compile --system-certs --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test parity rehearse contract check lint types lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## make the environment

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; ok = (3, 11) <= v < (3, 14); \
	ok or sys.exit(f"HRP needs Python 3.11 to 3.13, this is {v.major}.{v.minor}; name one: make PYTHON=python3.11")'
	@echo "making the environment in $(VENV) (a minute, once)"
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(call UV_IN,$(VENV)) sync --system-certs --quiet --compile-bytecode requirements.lock
	@$(call UV_IN,$(VENV)) install --system-certs --quiet --no-deps --editable .
	@touch $(STAMP)

demo: $(STAMP)  ## twenty nights on real prices; FRESH=1 starts over, DEMO_HOME=... elsewhere
	@$(BIN)/python -m hrp.demo --home "$(DEMO_HOME)" $(if $(FRESH),--fresh)

test: $(STAMP)  ## the tests
	@$(BIN)/python -m pytest $(BESIDE) --cov --cov-report=term:skip-covered

contract: $(CONTRACT_VENV)/installed  ## the broker's contract on CLIENT=ib_insync or CLIENT=ib_async
	@HRP_IB_CLIENT=$(CLIENT) $(CONTRACT_VENV)/bin/python -m pytest $(BESIDE) tests/integration tests/test_execution

$(VENV)-ib_async/installed: requirements-ib_async.lock $(STAMP)
	@echo "making the environment in $(@D) (seconds, once)"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(@D)
	@$(call UV_IN,$(@D)) sync --system-certs --quiet requirements-ib_async.lock
	@$(call UV_IN,$(@D)) install --system-certs --quiet --no-deps --editable .
	@touch $@

rehearse: $(STAMP)  ## the crash matrix and every scenario: nights that go wrong
	@$(BIN)/hrp rehearse --crash-matrix --all

parity: $(STAMP)  ## a year of nights equals the backtest to the cent; PLANT=1 must be found, NIGHTS=... for fewer
	@$(BIN)/python benchmarks/parity.py $(if $(PLANT),--plant) $(if $(NIGHTS),--nights $(NIGHTS))

check: lint types  ## linter and type checker

lint: $(STAMP)
	@$(BIN)/ruff format --check hrp tests benchmarks
	@$(BIN)/ruff check hrp tests benchmarks

types: $(STAMP)
	@$(BIN)/mypy

lock: $(STAMP)  ## resolve the dependencies of both environments anew
	@$(COMPILE) --extra dev pyproject.toml --output-file requirements.lock
	@# the same versions where it can be: ib_async asks for time zones of 2025
	@grep -v '^tzdata==' requirements.lock | \
		$(COMPILE) --group ib-async --constraint - --output-file requirements-ib_async.lock

clean:  ## remove the environments
	rm -rf $(VENV) $(VENV)-ib_async
