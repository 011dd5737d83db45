# The commands of a developer; `make help` lists them.
# `PYTHON=python3.13 make test` creates and uses .venv-3.13, and so on for each version.
PYTHON ?= python3
VERSION = import sys; print("%d.%d" % sys.version_info[:2])
OTHER = .venv-$(or $(shell $(PYTHON) -c '$(VERSION)'),$(error PYTHON=$(PYTHON) does not run))
VENV := $(if $(filter-out python3,$(PYTHON)),$(OTHER),.venv)
BIN := $(VENV)/bin
# pip refuses every file whose hash is not in the lock file.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# Two processes more than processors, because many tests wait. The tests of a file share their
# fixtures, and files begin in the order of `tests/conftest.py`.
PARALLEL = --numprocesses $(shell echo $$(($$(nproc) + 2))) --dist loadfile --no-loadscope-reorder
# For every Python from 3.11 on; without the address of a registry. Extras are kept: pip does not
# accept `coverage==7` as a pin of `coverage[toml]` once there is a newer version.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-annotate --custom-compile-command 'make lock' $(ARGS) setup.cfg
# If it were set, each process that a test starts would compile the service anew. Empty is unset.
export PYTHONDONTWRITEBYTECODE =
# The base path of a checkout, unless the environment or .env names another.
ifeq ($(shell grep -s '^NVR_FOSCAM_BASE_PATH=' .env),)
export NVR_FOSCAM_BASE_PATH ?= $(CURDIR)/instance/uploads
endif

.PHONY: help install run test test-slow coverage check audit lock demo bench baseline

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: $(VENV)/runtime ## create .venv with the packages that the service needs, compiled
	@$(BIN)/python -m compileall -q app migrations wsgi.py

run: install ## start the service on http://127.0.0.1:8000
	@mkdir -p instance/uploads
	@$(BIN)/python wsgi.py

test: $(VENV)/dev ## run the tests, some at the same time
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

coverage: $(VENV)/dev ## run the tests with branch coverage, which takes twice as long
	@$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term-missing $(ARGS)

# pytest exits with 5 where ARGS choose no test.
test-slow: $(VENV)/dev ## run the tests that take minutes, and more examples of the others
	@$(BIN)/python -m pytest -m "slow or hypothesis" --hypothesis-profile=thorough $(ARGS) || \
		[ $$? -eq 5 ]

check: $(VENV)/dev ## lint, format, type and security check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/bandit --quiet --recursive app migrations wsgi.py

demo: $(VENV)/dev ## two cameras upload by FTP, curl fetches what they see and looks back; an event is reported
	@$(BIN)/python -m tests.demo

bench: $(VENV)/rivals install ## measure the service, alone and beside its rivals, and print the tables
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.rivals

baseline: $(VENV)/dev ## count the instructions of each hot request, for the tests to compare with
	@$(BIN)/python -m benchmarks.instructions --renew

lock: $(VENV)/dev ## pin the packages in setup.cfg with hashes; ARGS=--upgrade for the newest
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --constraint requirements.lock --extra dev --output-file requirements-dev.lock
	@$(COMPILE) --constraint requirements-dev.lock --extra dev --extra rivals \
		--output-file requirements-rivals.lock

audit: $(VENV)/dev ## look the pinned packages up among the known vulnerabilities
	@$(BIN)/python .ci/audit requirements-dev.lock

$(VENV)/runtime: requirements.lock
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --requirement requirements.lock
	@touch $@

$(VENV)/dev: requirements-dev.lock
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --requirement requirements-dev.lock
	@touch $(VENV)/runtime $@

$(VENV)/rivals: $(VENV)/dev requirements-rivals.lock
	@$(INSTALL) --requirement requirements-rivals.lock
	@touch $@
