# Daily habits. `make help` lists them; options of a command go in ARGS: make up ARGS='--instances 5'
SHELL := /bin/sh
BIN := .venv/bin
DATA_DIR ?= .tandem
COMPILE := $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

.DEFAULT_GOAL := help
.PHONY: help up down test quick lint format types lock docs manifests screenshots bench-floor dev

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name what; do printf '  %-12s %s\n' "$$name" "$$what"; done

dev: ## make .venv, or bring it up to date
	@scripts/ensure_venv.sh dev

up: ## run the stack until Ctrl-C
	@exec ./run.sh --data-dir $(DATA_DIR) $(ARGS)

down: dev ## end the stack
	@$(BIN)/tandem down --data-dir $(DATA_DIR)

test: ## run every check and test
	@./test.sh $(ARGS)

quick: lint types ## run the checks, and the tests that take seconds
	@$(BIN)/pytest tests/unit tests/docs $(ARGS)

lint: dev ## check style and import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

format: dev ## format, and fix what can be fixed
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: dev ## check types
	@$(BIN)/mypy

lock: dev ## pin what pyproject.toml needs, with hashes; ARGS=--upgrade takes the newest
	$(COMPILE) $(ARGS) --extra tracing -o requirements/base.txt
	$(COMPILE) $(ARGS) --extra build -o requirements/build.txt
	$(COMPILE) $(ARGS) --extra local --extra hosts --extra lab --extra build -o requirements/local.txt
	$(COMPILE) $(ARGS) --extra local --extra hosts --extra lab --extra peers --extra tracing --extra build --extra dev -o requirements/dev.txt

docs: dev ## make docs/reference from the program, the tour's steps and the README's numbers from the docs
	@$(BIN)/python scripts/reference.py
	@$(BIN)/python scripts/tour.py
	@$(BIN)/python scripts/numbers_of_peers.py

manifests: dev ## make the files in kubernetes/ that have their source elsewhere
	@$(BIN)/python scripts/manifests.py

screenshots: dev ## take the pictures in docs/images from a stack of its own
	@$(BIN)/python scripts/screenshots.py $(ARGS)

bench-floor: dev ## measure the floor on the running stack's databases
	@status=$$($(BIN)/tandem status --json --data-dir $(DATA_DIR)) || { echo 'No stack is running. Start one with: make up'; exit 1; }; \
	url() { printf '%s' "$$status" | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]]["url"])' "$$1"; }; \
	POSTGRES_URL=$$(url postgres) MONGODB_URL=$$(url mongodb) $(BIN)/python -m tandem_lab.baselines.floor $(ARGS)
