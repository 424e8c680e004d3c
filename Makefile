# `make demo` serves the page, `make test` runs the linter and the quick tests. Both make their own .venv first; a second
# call starts at once.
# Both install torch, so that every engine is there, and with it several gigabytes, most of them CUDA. On a machine without
# a GPU torch's CPU build will do: name the package index that PyTorch's own install page gives for it in
# PIP_EXTRA_INDEX_URL (with uv: UV_TORCH_BACKEND=cpu). The package alone needs no torch: pip install .

# PYTHON: 3.11 or newer. WORKERS: test processes. TIER: which tests: unit, model, process or browser, quick for the
# first two, all for everything, slow ones too (tests/tiers.py). SELECT: the same as pytest's -m.
# ARGS: what the page is given, for example ARGS="--port 8080".
PYTHON ?= python3
WORKERS ?= 2
TIER ?= quick
SELECT ?= $(if $(filter all,$(TIER)),,($(if $(filter quick,$(TIER)),unit or model,$(TIER))) and not slow)
ARGS ?=

BIN := .venv/bin
CHECKED := faceinp export demo tests tools examples benchmarks
PAGE := demo,torch
WANTED := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install-demo demo test lint format api image-check clean

help:
	@echo "make demo     serve the page on this machine (make install-demo: only install what it needs)"
	@echo "make test     linter, types and quick tests (unit and model); TIER=unit, model, process or browser: those; TIER=all: all"
	@echo "make lint     linter and types alone"
	@echo "make format   sort imports, lay out the code, mend what the linter can"
	@echo "make api      the reference of the Python interface, in build/api"
	@echo "make image-check  build the Dockerfile's CPU target with buildah and start it without a network (root)"
	@echo "make clean    remove .venv and what checks and builds left"

install-demo: .venv/.installed-demo

demo: .venv/.installed-demo
	$(BIN)/faceinp demo $(ARGS)

# One thread a process: the tests run side by side already.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m "$(SELECT)"

lint: .venv/.installed-dev
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy

format: .venv/.installed-dev
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

api: .venv/.installed-dev
	$(BIN)/python tools/make_api.py

.venv/.installed-demo: $(WANTED)
	$(call install,$(PAGE))
	@touch $@

# What the tests need includes all that the page needs.
.venv/.installed-dev: $(WANTED)
	$(call install,dev)
	@touch $@ .venv/.installed-demo

image-check:
	tools/check_image.sh

define install
	@command -v uv >/dev/null || $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'faceinp needs Python 3.11 or newer; name it: make PYTHON=python3.11 ...')"
	@test -x $(BIN)/python || if command -v uv >/dev/null; then uv venv --quiet --python ">=3.11" .venv; else $(PYTHON) -m venv .venv; fi
	@echo "Installing faceinp[$(1)] into .venv; the first time takes minutes."
	@if command -v uv >/dev/null; then uv pip install --python $(BIN)/python -c constraints.txt -e ".[$(1)]"; \
	else $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[$(1)]"; fi
endef

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache tests/artifacts
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +
