# What do I type?
PYTHON ?= python3
BIN := .venv/bin
export NVR_FOSCAM_BASE_PATH ?= $(CURDIR)/instance/uploads
export NVR_DATABASE_URL ?= sqlite:///$(CURDIR)/instance/nvr.db

.PHONY: help install run test test-slow check demo bench

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: .venv/runtime ## make .venv with what the service needs to run

run: .venv/runtime ## start the service on http://127.0.0.1:8000
	@mkdir -p instance/uploads
	@$(BIN)/python wsgi.py

test: .venv/dev ## run the tests on every processor, with branch coverage
	@$(BIN)/python -m pytest --numprocesses auto --cov --cov-report=term-missing $(ARGS)

test-slow: .venv/dev ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow $(ARGS)

check: .venv/dev ## lint, format and type check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

demo: .venv/dev ## two cameras upload by FTP, curl fetches what they see
	@$(BIN)/python -m tests.demo

bench: .venv/rivals ## measure the service, alone and beside its rivals, and print the tables
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.rivals

.venv/runtime: setup.cfg
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: setup.cfg
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/runtime $@

.venv/rivals: .venv/dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[rivals]'
	@touch $@
