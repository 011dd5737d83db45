# What do I type?
PYTHON ?= python3
BIN := .venv/bin
# Nothing but the very files that the hashes were taken of.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# For every Python from 3.11 on; without the address of a registry. Extras are kept: pip takes
# `coverage==7` for no pin of `coverage[toml]` once there is a newer one.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-annotate --custom-compile-command 'make lock' $(ARGS) setup.cfg
export NVR_FOSCAM_BASE_PATH ?= $(CURDIR)/instance/uploads
export NVR_DATABASE_URL ?= sqlite:///$(CURDIR)/instance/nvr.db

.PHONY: help install run test test-slow coverage check audit lock demo bench baseline

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: .venv/runtime ## make .venv with what the service needs to run, all of it compiled
	@$(BIN)/python -m compileall -q app migrations wsgi.py

run: install ## start the service on http://127.0.0.1:8000
	@mkdir -p instance/uploads
	@$(BIN)/python wsgi.py

test: .venv/dev ## run the tests on every processor
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

coverage: .venv/dev ## run them with branch coverage, which takes twice as long
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov --cov-report=term-missing $(ARGS)

test-slow: .venv/dev ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow $(ARGS)

check: .venv/dev ## lint, format, type and security check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml app migrations wsgi.py

demo: .venv/dev ## two cameras upload by FTP, curl fetches what they see
	@$(BIN)/python -m tests.demo

bench: .venv/rivals install ## measure the service, alone and beside its rivals, and print the tables
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.rivals

baseline: .venv/dev ## count each hot request's instructions anew, for the tests to compare with
	@$(BIN)/python -m benchmarks.instructions --renew

lock: .venv/dev ## pin what setup.cfg asks for, with hashes; ARGS=--upgrade for the newest
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --constraint requirements.lock --extra dev --output-file requirements-dev.lock
	@$(COMPILE) --constraint requirements-dev.lock --extra dev --extra rivals \
		--output-file requirements-rivals.lock

audit: .venv/dev ## look the pinned packages up among the known vulnerabilities
	@$(BIN)/python .ci/audit requirements-dev.lock

.venv/runtime: requirements.lock
	@$(PYTHON) -m venv .venv
	@$(INSTALL) --requirement requirements.lock
	@touch $@

.venv/dev: requirements-dev.lock
	@$(PYTHON) -m venv .venv
	@$(INSTALL) --requirement requirements-dev.lock
	@touch .venv/runtime $@

.venv/rivals: .venv/dev requirements-rivals.lock
	@$(INSTALL) --requirement requirements-rivals.lock
	@touch $@
