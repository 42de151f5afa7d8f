# Words to know: setup demo test check bench docs. Two commands on a fresh Debian machine: make demo, make test.
.DEFAULT_GOAL := help
.PHONY: help setup dev demo test check bench fuzz docs lock format

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help:
	@echo "make setup   the program in $(BIN)/kaukoluenta"
	@echo "make demo    a small town, all real parts, in the browser"
	@echo "make test    everything that must hold, on real components"
	@echo "make check   format, lint, types, import contracts, generated files"
	@echo "make bench   speed, as ratios side by side"
	@echo "make fuzz    mutated telegrams for a minute"
	@echo "make docs    write the generated pages anew"

# debian-packages.sh installs what is missing when it may (root), and otherwise says the command.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh tests/debian-packages.sh python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/run.lock
	$(PIP) install --require-hashes -r requirements/build.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

setup: $(VENV)/run.stamp
dev: $(VENV)/dev.stamp

demo: setup
	$(BIN)/kaukoluenta demo

test: dev
	@sh tests/debian-packages.sh mosquitto chromium
	$(BIN)/python -m pytest

check: dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

format: dev
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

bench: dev
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

# atheris ships for few Pythons; without it the fuzzer mutates blindly and says so.
fuzz: dev
	-$(PIP) install --require-hashes -r requirements/fuzz.lock
	$(BIN)/python -m fuzz.mbus_telegrams --seconds 60

docs: dev
	$(BIN)/python docs/generate.py

# Resolves the newest versions that pyproject.toml allows. Needs `uv` on PATH.
LOCK = uv pip compile --quiet --no-config --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
lock:
	$(LOCK) pyproject.toml --all-extras -o requirements/run.lock
	$(LOCK) --group build -o requirements/build.lock
	$(LOCK) --group fuzz -o requirements/fuzz.lock
	$(LOCK) pyproject.toml --all-extras --group build --group dev -c requirements/run.lock -o requirements/dev.lock
