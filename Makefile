# Everything a developer types. `make help` lists it.

PYTHON ?= python3
BIN := .venv/bin
# more than the cores: many tests wait for a deadline to pass
WORKERS ?= 3
TEST_POSTGRES_URL ?= postgres://postgres@127.0.0.1:5432/postgres
DATABASE_TESTS := tests/backoffice tests/crm_bridge tests/bot_campaigns tests/flows

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-postgres lint types deploy audit check bench soak lock capabilities messages

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.installed  ## virtual environment with the locked versions

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

demo: setup  ## the whole product on this machine; Ctrl-C ends it
	$(BIN)/python manage.py demo

test: setup  ## all tests; the browser tests last, on their own
	$(BIN)/pytest -n $(WORKERS) -m "not soak and not browser"
	$(BIN)/pytest -n 2 -m "browser and not soak"

test-postgres: setup  ## what depends on the database, on the server of TEST_POSTGRES_URL
	DATABASE_URL=$(TEST_POSTGRES_URL) $(BIN)/pytest -n $(WORKERS) -m "not soak and not browser" $(DATABASE_TESTS)

lint: setup  ## style, import rules, migrations, docs made from code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py capability_table --check

types: setup  ## mypy
	$(BIN)/mypy

deploy: setup  ## check --deploy with the production example
	set -a; . ./.env.example; eval "$$($(BIN)/python -m backoffice.keys)"; VAR_DIR=$$(mktemp -d); \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

audit: setup  ## known vulnerabilities in the locked versions
	.ci/audit

check: lint types deploy audit  ## every gate except the tests; .ci/run runs both

bench: setup  ## speed against the floors of the machine
	$(BIN)/python -m tests.benchmarks

soak: setup  ## long runs: crashes, restarts, load
	$(BIN)/pytest -m soak

lock:  ## pin the newest allowed versions, with hashes, in requirements.lock
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --all-extras --strip-extras \
		--no-header --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--no-emit-options --output-file requirements.lock pyproject.toml
	@sed -i '/^crm-backoffice @/d; /^#/d; /^$$/d' requirements.lock

capabilities: setup  ## docs/vendors/capabilities.md from the connectors
	$(BIN)/python manage.py capability_table

messages: setup  ## collect and compile the Vietnamese words (needs GNU gettext); commit .po and .mo
	$(BIN)/python manage.py makemessages --locale vi
	msgfmt --check-format --output-file backoffice/locale/vi/LC_MESSAGES/django.mo backoffice/locale/vi/LC_MESSAGES/django.po
