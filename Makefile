# `make` alone lists what there is. Needs Python >= 3.11, pip and make; uses uv where it is on PATH.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PREVIOUS := .venv-previous
MANAGE := $(BIN)/python manage.py
UV := $(shell command -v uv 2>/dev/null)
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run dev test test-fast test-postgres coverage lint format bench corpus matrix lock clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# pip says nothing but errors at first; when that fails it is asked again with everything it has to say.
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input install --require-hashes -r
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say PYTHON=python3.12 or so")'
	@test -x $(BIN)/python || $(if $(UV),$(UV) venv -q --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))
	@echo "installing $(1) …"
	@$(if $(UV),VIRTUAL_ENV=$(VENV) $(UV) pip install -q --require-hashes -r $(1),$(PIP) $(1) -qq || $(PIP) $(1))
	@touch $(2)
endef

$(VENV)/.run: requirements.txt
	$(call install,requirements.txt,$@)

$(VENV)/.dev: requirements-dev.txt
	$(call install,requirements-dev.txt,$@)
	@touch $(VENV)/.run

# The SDKs of the generation before, which tests/sdk drives beside the newest ones.
$(PREVIOUS)/.sdk: VENV := $(PREVIOUS)
$(PREVIOUS)/.sdk: BIN := $(PREVIOUS)/bin
$(PREVIOUS)/.sdk: requirements-sdk-previous.txt
	$(call install,requirements-sdk-previous.txt,$@)

run: $(VENV)/.run  ## install, migrate, create what a first start needs, serve on http://127.0.0.1:8000
	@$(MANAGE) bootstrap && exec $(MANAGE) serve

dev: $(VENV)/.dev  ## as run, restarting on changes of the code
	@$(MANAGE) bootstrap && exec $(MANAGE) serve --reload

# Three workers also on two cores: many tests wait for a server. A part of the suite: PYTEST_ARGS="tests/ir".
test: $(VENV)/.dev $(PREVIOUS)/.sdk  ## the whole test suite; REQUIRE_SERVICES=1 turns skips into failures
	@$(BIN)/python -m pytest -n 3 $(PYTEST_ARGS)

test-fast: $(VENV)/.dev  ## only what needs no real server, no browser and no patience
	@$(BIN)/python -m pytest -n 2 -m "not slow" $(PYTEST_ARGS)

# Most tests use no database, or a server process with one of its own; a second run would tell nothing about those.
test-postgres: $(VENV)/.dev  ## the tests that use a database, on the server in DATABASE_URL (postgres://…); it makes a test database there
	@case "$$DATABASE_URL" in postgres*://*) ;; *) echo "Give DATABASE_URL=postgres://user:password@host:5432/name" >&2; exit 2;; esac
	@$(BIN)/python -m pytest -n 3 --only-database $(PYTEST_ARGS)

# Watching every line costs the suite a quarter of its time, so it is asked for; pytest-cov enforces what pyproject.toml asks for.
coverage:  ## the whole suite with its coverage
	@$(MAKE) --no-print-directory test PYTEST_ARGS="--cov --cov-report=term:skip-covered $(PYTEST_ARGS)"

lint: $(VENV)/.dev  ## ruff, mypy strict on the inner rings, house rules, missing migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_house_rules.py
	@$(MANAGE) makemigrations --check --dry-run -v 0

format: $(VENV)/.dev  ## let ruff format and mend
	@$(BIN)/ruff check --fix -q . || true
	@$(BIN)/ruff format .

bench: $(VENV)/.dev  ## CPU per request on one core against a loopback upstream
	@$(BIN)/python bench/cpu.py

corpus: $(VENV)/.dev  ## count the recorded traffic by group: prints docs/corpus.md and writes it
	@$(BIN)/python -m tests.corpus.table

matrix: $(VENV)/.dev  ## try every feature from every dialect to every upstream: writes docs/support-matrix.md
	@$(BIN)/python -m tests.matrix.page

lock: $(VENV)/.dev  ## requirements*.in to pinned, hashed requirements*.txt (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements.in -o requirements.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements-dev.in -o requirements-dev.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements-sdk-previous.in -o requirements-sdk-previous.txt

clean:  ## remove the virtual environments and caches (never data/)
	@rm -rf $(VENV) $(PREVIOUS) .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.* htmlcov
