# Everything a person needs to run and work on calsync. Each target sets up all it needs itself:
# a virtual environment in .venv with the packages of requirements-dev.lock, checked by hash.
#
#   make demo      show the main job (ARGS="--headless --seconds 20 --report out.json" for scripts)
#   make test      the tests
#   make long      the tests that take so long that make test leaves them out
#   make scenarios EXCHANGE=ews  the scenario tests by the other calendar adapter (or: graph)
#   make simulate  N histories of STEPS steps under one seed each (N=1000 STEPS=60);
#                  SEED= tells one of them; ARGS="--booking http": a platform is polled
#   make crashes   a death at every point of 300 recorded histories
#   make planted   each of the planted bugs must be caught by a run of make simulate
#   make smallscope  every order of a few acts, calsync's steps and one misfortune; makes
#                  docs/reference/outcomes.md anew
#   make bench     the benchmarks, into bench/report.json
#   make kills     the real process under kill -9 (N=300), while people act on both sides
#   make soak      200 rooms, 5 % faults, real time (MINUTES=30), into soak/report
#   make mutation  mutants of the pure core against its tests (PACKAGE=pacing JOBS=2 FRESH=1)
#   make fuzz      every parser of outside input (SECONDS=20 each; ARGS= names some of them)
#   make audit     known weaknesses and licences of what is locked
#   make sbom      the list of parts as CycloneDX, into sbom.cdx.json
#   make check     format, lint, types, layers
#   make translations  collect what notices say, and compile its translations
#   make lock      resolve the dependencies of pyproject.toml anew
#   make clean     remove .venv and caches

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test long scenarios simulate crashes planted smallscope bench kills soak mutation fuzz audit sbom check translations lock setup clean rebuild

# Python 3.11 or newer. Name one with: make PYTHON=/usr/bin/python3.11 test
PYTHON ?=
# More for the demo, the tests or the benchmarks: make test ARGS="-k guard"
ARGS ?=
# Four processes for two processors: a good part of the tests waits for real sockets, timers and
# children (docs/adr/0008).
WORKERS ?= 4

# Of make simulate. N has no value of its own here: make kills and others take it, too.
STEPS ?= 60
SEED ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Variables that would lead Python or pip away from .venv; and the one that has every process compile
# calsync, and every worker the tests, anew: a third of the time of a start of calsync.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV VIRTUAL_ENV

# A .venv that was moved, or whose Python is gone, is made anew although its stamp is fresh.
ifneq ($(shell cat $(READY) 2>/dev/null && $(BIN)/python -c "print('runs')" 2>/dev/null),$(CURDIR) runs)
$(READY): rebuild
endif

help:
	@sed -n 's/^#   //p' Makefile

demo: $(READY)
	@$(BIN)/python -m calsync demo $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

long: $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS) --long $(ARGS)

# Of make scenarios: by which front of the sandbox calsync reaches its company.
EXCHANGE ?= ews

scenarios: $(READY)
	@$(BIN)/python -m pytest -n $(WORKERS) tests/scenarios --exchange $(EXCHANGE) $(ARGS)

simulate: $(READY)
	@$(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),-n $(or $(N),1000)) --steps $(STEPS) $(ARGS)

crashes: $(READY)
	@$(BIN)/python -m simulation.crashes $(ARGS)

planted: $(READY)
	@$(BIN)/python -m planted $(ARGS)

smallscope: $(READY)
	@$(BIN)/python -m smallscope $(ARGS)

bench: $(READY)
	@$(BIN)/python -m bench $(ARGS)

kills: $(READY)
	@$(BIN)/python -m soak.kills --count $(or $(N),300) $(ARGS)

mutation: $(READY)
	@$(BIN)/python -m mutation $(PACKAGE) --jobs $(or $(JOBS),2) $(if $(FRESH),--fresh) $(ARGS)

soak: $(READY)
	@$(BIN)/python -m soak --minutes $(or $(MINUTES),30) $(ARGS)

# Of make fuzz: seconds for each target.
SECONDS ?= 20

fuzz: $(READY)
	@$(BIN)/python -m fuzz --seconds $(SECONDS) $(ARGS)

# pip-audit lives beside .venv: it is no part of what it looks at.
audit: $(READY)
	@test -x .audit/bin/pip-audit || { $(BIN)/python -m venv .audit && \
	  .audit/bin/python -m pip --disable-pip-version-check install --quiet pip-audit; }
	@$(BIN)/python -m supply audit --tool .audit/bin/pip-audit $(ARGS)

sbom: $(READY)
	@$(BIN)/python -m supply sbom $(ARGS)

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

translations: $(READY)
	@$(BIN)/python -m translations

setup: $(READY)

# The stamp is written last: a set-up that was cut short is begun again from nothing.
$(READY): requirements-dev.lock pyproject.toml
	@set -e; \
	python=""; \
	for one in $(or $(PYTHON),python3.11 python3 python3.12 python3.13 python3.14); do \
	  if "$$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$one; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Error: calsync needs Python 3.11 or newer, and none was found." >&2; \
	  echo "To do: on Debian 12: apt-get install python3 python3-venv;" >&2; \
	  echo "       or name yours: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "Error: $$python cannot make virtual environments." >&2; \
	  echo "To do: on Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  exit 1; \
	fi; \
	if ! rm -rf $(VENV) 2>/dev/null || ! mkdir $(VENV); then \
	  echo "Error: $(CURDIR)/$(VENV) cannot be made anew." >&2; \
	  echo "To do: remove it as the user who made it, and check that you may write here." >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version) (once, about a minute)"; \
	"$$python" -m venv $(VENV); \
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements-dev.lock; \
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .; \
	echo "$(CURDIR)" > $(READY)

# The lock is made by the oldest Python that calsync runs on, so that no package of it needs a
# newer one: Debian 12 has 3.11.2. It names no index: pip takes the one it is set to.
LOCK := --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: $(READY)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:3] > (3, 11, 2))' || { \
	  echo "Error: the lock must be made with Python 3.11.2 or older 3.11, not $$($(BIN)/python --version)." >&2; \
	  echo "To do: make clean, then on Debian 12: make PYTHON=/usr/bin/python3.11 lock" >&2; \
	  exit 1; }
	@$(BIN)/pip-compile $(LOCK) $(ARGS) --output-file requirements.lock pyproject.toml
	@$(BIN)/pip-compile $(LOCK) $(ARGS) --extra dev --constraint requirements.lock \
	  --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) .audit .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
