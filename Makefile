# Everything a person types is here; `make help` lists it.
#
#   make demo     the first picture that sounds, from nothing to out/
#   make test     sets up and runs every test, notebooks and browser included
#
# Variables:
#   PYTHON=python3.12            which Python makes the environment (3.10 or newer)
#   VENV=.venv                   where the environment lives
#   TORCH="torch==2.13.0"        which PyTorch to install when there is none yet
#   PIP_TORCH_ARGS="..."         extra pip arguments for it; by default PyTorch's index of CPU builds
#                                is added when it can be reached, so that no gigabytes of CUDA come
#   GPU=1                        do not look for a CPU build: PyTorch for an NVIDIA GPU
#   IMAGE="..." SOUND="..." SEED=7 OUT=out      what `make demo` composes
#   LESSONS="0[02]_*"             which lessons `make book` takes; all of them by default
#   WORKERS=2                    how many tests run side by side

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
PIP_TORCH_ARGS ?=
CPU_INDEX := https://download.pytorch.org/whl/cpu
WORKERS ?= 2

IMAGE ?= a palm tree
SOUND ?= birds chirping
SEED ?= 7
OUT ?= out
LESSONS ?= *
export IMAGE SOUND SEED OUT LESSONS

PY := $(VENV)/bin/python
# Bytecode is left to the first import: of all that is installed, little is ever imported.
PIP_INSTALL := $(PY) -m pip --disable-pip-version-check $(if $(CI),-q) install --no-compile
PYTEST := $(PY) -m pytest
# These take hours, or minutes at least: run them by hand.
LONG_BENCHMARKS = $(addprefix benchmarks/, rules.py prune.py many.py scheduler.py)
BENCHMARKS = $(filter-out $(LONG_BENCHMARKS), $(wildcard benchmarks/*.py))
NOTEBOOKS = $(wildcard notebooks/*.ipynb)

.NOTPARALLEL:
.PHONY: help demo gallery book live test test-fast test-unit test-notebooks test-browser lint lab bench chromium clean distclean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1|/' \
	  | while IFS='|' read -r name what; do printf '  make %-16s %s\n' "$$name" "$$what"; done

# ---- what people come for ------------------------------------------------------------------------

demo: $(VENV)/.itskit  ## set up, compose one picture that sounds, write it to out/
	@$(PY) -m itskit compose "$$IMAGE" "$$SOUND" --seed "$$SEED" --out "$$OUT"
	@echo
	@echo "Look, listen, scrub: open the .html file in $$OUT/ with any browser."
	@echo "Another one:         make demo IMAGE=\"a crown\" SOUND=\"a trombone playing\" SEED=3"

gallery: $(VENV)/.itskit  ## make the gallery's missing and stale entries, then its page
	$(PY) gallery/build.py

lab: $(VENV)/.lab  ## open the notebooks in JupyterLab
	$(PY) -m jupyterlab notebooks

book: $(VENV)/.book  ## run the lessons, make a web site of them with gallery and reference: out/book
	$(PY) docs/book/build.py --only "$$LESSONS" --out "$$OUT/book" --live "$$OUT/live"

live: $(VENV)/.itskit  ## make the live page, which composes in a browser: out/live
	$(PY) -m itskit live --only-build --out "$$OUT/live"

bench: $(VENV)/.itskit  ## time a step, a decode, a composition, a cold start
	@for script in $(BENCHMARKS); do echo "== $$script"; $(PY) "$$script" || exit 1; done

# ---- tests ---------------------------------------------------------------------------------------

test: $(VENV)/.test chromium  ## set up and run all tests, notebooks and browser included
	$(PY) -m ruff check .
	@$(MAKE) --no-print-directory test-unit test-notebooks test-browser
	@echo "All tests passed."

test-fast: $(VENV)/.test  ## under two minutes: no slow tests, no notebooks, no browser
	$(PY) -m ruff check .
	$(PYTEST) -n $(WORKERS) --ignore tests/browser -m "not slow"

test-unit: $(VENV)/.test
	$(PYTEST) -n $(WORKERS) --ignore tests/browser

test-notebooks: $(VENV)/.test
	$(if $(NOTEBOOKS),$(PYTEST) -n $(WORKERS) --dist loadscope --nbval-lax --nbval-current-env $(NOTEBOOKS),@echo "No notebooks yet.")

test-browser: $(VENV)/.test
	$(PYTEST) -n $(WORKERS) --dist loadfile tests/browser

lint: $(VENV)/.test  ## ruff: rules and layout
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# A browser for the browser tests: the machine's own, else Debian's package (where one may install
# packages), else Playwright's download, else the tests are skipped and say so.
chromium: $(VENV)/.test
	@if $(PY) tests/chromium.py >/dev/null; then exit 0; fi; \
	root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	if command -v apt-get >/dev/null && { [ -z "$$root" ] || sudo -n true 2>/dev/null; }; then \
	  echo "Installing Chromium for the browser tests (apt-get)..."; \
	  $$root apt-get update -qq </dev/null; \
	  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium fonts-dejavu-core </dev/null >/dev/null; \
	fi; \
	$(PY) tests/chromium.py >/dev/null || $(PY) -m playwright install chromium </dev/null; \
	$(PY) tests/chromium.py || echo "NO CHROMIUM: the browser tests will be SKIPPED. Install Chromium or \
	Chrome, or point ITSKIT_CHROMIUM to one."

# ---- set-up --------------------------------------------------------------------------------------

# A Python that has PyTorch already (conda, a GPU machine) lends it to the environment.
$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "itskit needs Python 3.10 or newer; $(PYTHON) is older or missing. Try: make PYTHON=python3.12 ..."; \
	  exit 1; }
	@lend=; if $(PYTHON) -c 'import torch' 2>/dev/null; then lend=--system-site-packages; fi; \
	$(PYTHON) -m venv $$lend $(VENV) || { \
	  rm -rf $(VENV); echo "No environment could be made. On Debian and Ubuntu: apt-get install python3-venv"; \
	  exit 1; }

$(VENV)/.torch: | $(PY)
	@$(PY) -c 'import torch' 2>/dev/null || { \
	  args="$(PIP_TORCH_ARGS)"; \
	  if [ -z "$$args$(GPU)" ] && [ "$$(uname)" = Linux ] && $(PY) -c "import urllib.request as u; \
	u.urlopen('$(CPU_INDEX)/torch/', timeout=5)" 2>/dev/null; then args="--extra-index-url $(CPU_INDEX)"; fi; \
	  echo "Installing $(TORCH) $$args"; \
	  $(PIP_INSTALL) "$(TORCH)" $$args || { \
	    echo "$(TORCH) is not to be had for this Python. Choose another: make ... TORCH='torch>=2.4'"; exit 1; }; }
	@touch $@

$(VENV)/.itskit: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -e ".[test]"
	@touch $(VENV)/.itskit $@

$(VENV)/.lab: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -e ".[lab,lessons]"
	@touch $(VENV)/.itskit $@

$(VENV)/.book: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -e ".[book,lessons]"
	@touch $(VENV)/.itskit $@

clean:  ## remove results and caches
	rm -rf out build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

distclean: clean  ## remove the environment too
	rm -rf $(VENV)
