# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CACHE := $(or $(FAIRLEAD_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fairlead)
LOCK := $(shell sha256sum requirements/dev.txt | cut -c1-12)
VENV := $(CACHE)/venv/$(LOCK)
PY := $(VENV)/bin/python
PYTHON ?= python3
export PYTHONPATH := operator:serving:.
export PYTHONUNBUFFERED := 1

.PHONY: help demo env down test test-all lint unit apiserver monitoring e2e bench-reconcile bench-evidence bench-gateway bench-shadow bench-evidence-source bench-rollback soak generate format lock

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | awk -F'\t' '{ printf "make %-21s %s\n", $$1, $$2 }'

demo: $(VENV)/.ready  ## cluster up, train, serve, roll out better and worse versions under traffic; it stays (root, 25 min cold, 5 min warm)
	@$(PY) -m tests.demo

env: $(VENV)/.ready  ## print what points kubectl and helm at the cluster: eval "$(make -s env)"
	@$(PY) -m tests.cluster env

down: $(VENV)/.ready  ## remove the cluster without a trace
	@$(PY) -m tests.cluster down

test: $(VENV)/.ready  ## everything that CI runs: lint, unit, property, processes, apiserver, monitoring, e2e (root, up to 75 min cold)
	@$(PY) -m tests.tiers lint unit processes apiserver monitoring e2e

test-all: $(VENV)/.ready  ## the same and what is slow
	@$(PY) -m tests.tiers lint unit processes apiserver monitoring e2e slow

lint: $(VENV)/.ready  ## format, lint, types, import contracts, generated files
	@$(PY) -m tests.tiers lint

unit: $(VENV)/.ready  ## unit and property tests, no cluster (80 s)
	@$(PY) -m tests.tiers unit

apiserver: $(VENV)/.ready  ## tests against a real etcd and kube-apiserver
	@$(PY) -m tests.tiers apiserver

monitoring: $(VENV)/.ready  ## alerts on the real promtool, the dashboard's queries on the real Prometheus
	@$(PY) -m tests.tiers monitoring

e2e: $(VENV)/.ready  ## tests on the whole cluster (root)
	@$(PY) -m tests.tiers e2e

bench-reconcile: $(VENV)/.ready  ## what 200 ModelDeployments at once cost; writes tests/bench/reconcile.md (5 min)
	@$(PY) -m tests.bench

bench-evidence: $(VENV)/.ready  ## how often a good version would be rolled back, how soon a bad one (5 min)
	@$(PY) -m tests.bench.evidence

bench-gateway: $(VENV)/.ready  ## what the gateway adds to a request, and its memory; writes docs/measurements/gateway.md (5 min)
	@$(PY) -m tests.bench.gateway

bench-shadow: $(VENV)/.ready  ## what a shadow costs stable's users, also one that hangs; writes docs/measurements/shadow.md (90 s)
	@$(PY) -m tests.bench.gateway.shadow

bench-evidence-source: $(VENV)/.ready  ## what it costs the operator to ask 100 namespaces' gateways every second (2 min)
	@$(PY) -m tests.bench.evidence_source

bench-rollback: $(VENV)/.ready  ## how soon bad versions are hauled back on the cluster, what users see of it (root, 40 min)
	@$(PY) -m tests.bench.rollback

soak: $(VENV)/.ready  ## a version a minute on the cluster for half an hour, a third of them bad, while pods die (root)
	@$(PY) -m tests.soak

generate: $(VENV)/.ready  ## write the CRDs and the reference pages from the API models
	@$(PY) -m fairlead.cli.generate

format: $(VENV)/.ready  ## let ruff decide the format
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

lock: $(VENV)/.ready  ## solve the lock files in requirements/ anew from pyproject.toml
	@for extra in operator cli serving gateway trainer streams mlflow; do \
	  $(VENV)/bin/uv pip compile -q --generate-hashes --python-version 3.11 --extra $$extra pyproject.toml \
	    -o requirements/$$extra.txt --custom-compile-command "make lock" || exit 1; done
	@$(VENV)/bin/uv pip compile -q --generate-hashes --python-version 3.11 --extra dev --extra operator --extra cli --extra serving --extra gateway --extra streams \
	    pyproject.toml -o requirements/dev.txt --custom-compile-command "make lock"

# Keyed by the lock file's hash, outside the checkout: a second clone finds it ready, whatever its files' times.
$(VENV)/.ready:
	@echo "[setup] Python packages into $(VENV)"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "[setup] apt-get install python3-venv"; apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; }
	@rm -rf "$(VENV)" && $(PYTHON) -m venv "$(VENV)"
	@"$(PY)" -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch "$@" && echo "[setup] done"
