# Everything runs in .venv, which is made from requirements.lock; PYTHON is any Python 3.11 to 3.13.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEMO_HOME ?= $(HOME)/hrp-demo
FRESH ?=
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test check lint types lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## make the environment

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; ok = (3, 11) <= v < (3, 14); \
	ok or sys.exit(f"HRP needs Python 3.11 to 3.13, this is {v.major}.{v.minor}; name one: make PYTHON=python3.11")'
	@echo "making the environment in $(VENV) (a minute, once)"
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip sync --system-certs --quiet --compile-bytecode requirements.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --system-certs --quiet --no-deps --editable .
	@touch $(STAMP)

demo: $(STAMP)  ## twenty nights on real prices; FRESH=1 starts over, DEMO_HOME=... elsewhere
	@$(BIN)/python -m hrp.demo --home "$(DEMO_HOME)" $(if $(FRESH),--fresh)

test: $(STAMP)  ## the tests
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

check: lint types  ## linter and type checker

lint: $(STAMP)
	@$(BIN)/ruff format --check hrp tests benchmarks
	@$(BIN)/ruff check hrp tests benchmarks

types: $(STAMP)
	@$(BIN)/mypy

lock: $(STAMP)  ## resolve the dependencies anew
	@$(BIN)/uv pip compile --system-certs --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-header \
		--extra dev pyproject.toml --output-file requirements.lock

clean:  ## remove the environment
	rm -rf $(VENV)
