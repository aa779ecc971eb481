# `make help` says what each verb does. A machine needs Python 3.11 or later with venv, and make; the rest is installed
# into .venv. Settings of pip that name another index or a folder of wheels (PIP_FIND_LINKS, pip.conf) are kept.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LINKS := $(foreach place,$(PIP_FIND_LINKS),--find-links $(place))
export DATA ?=
NAME ?=
QUICK ?=
ARGS ?=
JOBS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
COMPOSE ?= docker compose
# Images of containers often set this; each of the many processes of tests would then compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench named up contracts secrets

help: ## Say what each verb does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-standalone ## Install, ingest and serve on this machine: DATA=DIR of a collection, else phantoms
	$(BIN)/casekin demo $${DATA:+"$$DATA"} $(ARGS)

# A file's tests stay in one process, as do most of the browser: they share the services that they start.
test: $(VENV)/.installed-dev ## Run all tests, JOBS processes side by side (one more than cores: they often wait): ARGS go to pytest
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

check: $(VENV)/.installed-dev ## Lint, types, import rules, and that the committed OpenAPI documents are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m services.openapi --check

bench: named $(VENV)/.installed-dev ## Measure: NAME=upload and so on, QUICK=1 for a smaller run
	QUICK=$(QUICK) $(BIN)/python -m benchmarks.$(subst -,_,$(NAME)) $(ARGS)

named:
	@test -n "$(NAME)" || { echo "make bench: say which, e.g. make bench NAME=upload" >&2; exit 2; }

up: secrets ## Build and start all in containers, with Docker Compose; the page is on http://127.0.0.1:8100
	$(COMPOSE) up --detach --build --wait

contracts: $(VENV)/.installed-dev ## Write docs/openapi anew after a change of the contracts
	$(BIN)/python -m services.openapi

secrets: ## Make the secrets that `make up` needs, in .env (mode 0600), where there are none
	@$(PYTHON) -m deploy.make_env .env

$(BIN)/uv: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "casekin needs Python 3.11 or later; $(PYTHON) is `$(PYTHON) --version 2>&1`. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks venv or ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@touch $@

# uv is quick; where it cannot reach what pip is configured for (an index in pip.conf, say), pip does it.
$(VENV)/.installed-%: $(BIN)/uv pyproject.toml constraints.txt
	@began=`date +%s`; $(BIN)/uv pip install --quiet --python $(BIN)/python $(LINKS) --constraint constraints.txt --editable ".[$*]" \
		|| { echo "uv could not install; trying pip" >&2; \
		     $(BIN)/python -m pip install --constraint constraints.txt --editable ".[$*]"; } \
		&& echo "installed casekin[$*] in $$((`date +%s` - began)) s"
	@touch $@
