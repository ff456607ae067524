# Every target is one line of make over a script in scripts/; `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export VENV

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run serve run-cluster test check lint format bench chaos failures soak screenshots deps-system harnesses matrix example clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Create .venv and install requirements.txt (nothing to do the second time)
	@$(PYTHON) -m scripts.setup

setup-dev:
	@$(PYTHON) -m scripts.setup --dev

run: setup ## Start the server (Daphne, SQLite) and a local host; PORT= and DATA_DIR= override
	@exec $(BIN)/python -m omnigent.server --with-host --migrate

serve: setup ## Start the server on uvicorn, the production server; no host of its own
	@exec $(BIN)/python -m omnigent.server --server uvicorn --migrate

run-cluster: setup ## Start two replicas behind a balancer on private PostgreSQL and Redis servers
	@exec $(BIN)/python -m scripts.run_cluster

test: setup-dev ## Run every part of the tests whose programs are installed (REQUIRE_ALL=1: all or fail)
	@$(BIN)/python -m scripts.run_tests $(PARTS)

check: setup-dev ## Format, lint, types, import contracts, migrations, and the tests that start no process
	@$(BIN)/python -m scripts.check
	@$(BIN)/python -m scripts.run_tests unit

lint: setup-dev ## The same without the tests
	@$(BIN)/python -m scripts.check

format: setup-dev ## Rewrite the code in the house format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: setup-dev ## Measure this machine: requests, delivery, relay, memory (SQLite and PostgreSQL)
	@$(BIN)/python -m bench $(ARGS)

chaos: setup-dev ## Repeat the fault tests N times (default 20)
	@$(BIN)/python -m scripts.run_tests chaos chaos-cluster --repeat $(or $(N),20)

failures: setup-dev ## Repeat the failure matrix N times (default 20)
	@$(BIN)/python -m scripts.run_tests failures failures-cluster --repeat $(or $(N),20)

soak: setup-dev ## Ten minutes of 200 sessions and 1,000 readers while runners and a replica are killed; then check
	@$(BIN)/python -m bench.soak $(ARGS)

screenshots: setup-dev ## Take the README's pictures from a fresh server (needs Chromium)
	@$(BIN)/python -m scripts.screenshots
	@$(BIN)/python -m scripts.screenshots policies

deps-system: ## Install what only some tests need: PostgreSQL, Redis, Chromium, tmux, bubblewrap (apt)
	@$(PYTHON) -m scripts.deps_system

matrix: setup-dev ## Write the tables of harnesses in docs/agents.md (needs: make harnesses)
	@$(BIN)/python -m scripts.harness_matrix

harnesses: setup-dev ## Install the vendors' engines: Python packages and, by npm, command line tools
	@$(BIN)/python -m scripts.harnesses

example: setup ## Run an example agent: AGENT=coding-helper; MESSAGE= and ARGS= (none: list them)
	@$(BIN)/python -m examples.run $(if $(AGENT),$(AGENT) "$$MESSAGE",--list) $(ARGS)

clean: ## Remove the virtual environment and the caches; var/ stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
