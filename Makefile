# The front door. Needs python3 with venv, git and make; everything else goes into .venv.

PYTHON ?= python3
# Tests wait for other processes about as long as they calculate.
WORKERS ?= $(shell echo $$((($$(nproc) * 3 + 1) / 2)))
SECONDS ?= 600

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs fuzz stress clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## set up, train the example on its data, and show the record
	$(BIN)/mlproj run example_projects/elasticnet -e train -P alpha=0.5
	$(BIN)/mlproj show last

test: $(READY) ## set up and run every test
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

check: $(READY) ## style, types, layers, and documentation in step with the code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

bench: $(READY) ## measure against bare commands, uv by hand and mlflow, side by side
	$(BIN)/python -m tests.benchmarks.bench $(BENCH)

fuzz: $(READY) ## feed the parsers strange files and values for SECONDS (600)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group fuzz \
		|| echo 'atheris cannot be had here: hypothesis looks alone' >&2
	$(BIN)/python -m tests.fuzz.campaign --seconds $(SECONDS)

stress: $(READY) ## kill mlproj 200 times, and crowd one store with 8 runs at once, 50 times
	$(BIN)/python -m tests.stress.kills 200
	$(BIN)/python -m tests.stress.crowd 50

docs: $(READY) ## write the generated pages of the reference anew
	$(BIN)/python -m docs.generate

clean: ## remove what these targets made (records of runs in .mlproj/ stay)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# A second call is instant: the stamp is newer than the file that says what to install.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo '$(PYTHON) is missing or older than Python 3.10: name another, as in `make PYTHON=python3.12`' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo '$(PYTHON) lacks its venv module: on Debian and Ubuntu, `apt install python3-venv`' >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		"$$(sed -n 's/^ *"\(uv[<>=][^"]*\)",$$/\1/p' pyproject.toml)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev
	@touch $@
