# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CACHE := $(or $(FAIRLEAD_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fairlead)
LOCK := $(shell sha256sum requirements/dev.txt | cut -c1-12)
VENV := $(CACHE)/venv/$(LOCK)
PY := $(VENV)/bin/python
export PYTHONPATH := operator:serving:.

lock: $(VENV)/.ready  ## re-solve the lock files in requirements/ from pyproject.toml
	@for extra in operator serving trainer mlflow; do \
	  $(VENV)/bin/uv pip compile -q --generate-hashes --python-version 3.11 --extra $$extra pyproject.toml \
	    -o requirements/$$extra.txt --custom-compile-command "make lock"; done
	$(VENV)/bin/uv pip compile -q --generate-hashes --python-version 3.11 --extra dev --extra operator --extra serving \
	    pyproject.toml -o requirements/dev.txt --custom-compile-command "make lock"
