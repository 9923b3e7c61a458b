# Two commands do everything on a fresh machine:
#   make check   the conformance suite on the memory and SQLite backends, and the proofs, with reports
#   make test    the project's own tests
# and a third does everything that there is, for a nightly job: make thorough
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Programs that the tests use where they are there: Java for TLC, the second explorer; a browser for pages; Node.js for
# the example in another language.
TOOLS := java=default-jre-headless chromedriver=chromium-driver node=nodejs
APT := apt-get -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20

.PHONY: check thorough check-node workflows test tools lint bench format generate certificate faults pictures wheel clean

check: $(READY)
	$(BIN)/mobstore check memory
	$(BIN)/mobstore check sqlite
	$(BIN)/mobstore prove

# What takes too long for every change: a nightly job.
thorough: test lint check check-node workflows
	$(BIN)/mobstore prove --mutants
	$(BIN)/mobstore protocols --mutants
	$(BIN)/mobstore zoo --jobs 2
	$(BIN)/mobstore durability --profile ci

check-node: $(READY) tools
	! command -v node >/dev/null || $(BIN)/mobstore check "exec:node backends/node/store.js" --profile quick

# What workflow drivers reach on SQLite: every transition, refusal, call and crash window, with how often.
workflows: $(READY)
	$(BIN)/mobstore workflows sqlite --steps 0

test: $(READY) tools
	$(BIN)/pytest -n auto

# Whoever may install what is missing gets it; elsewhere what needs it is skipped, and counted as skipped.
tools:
	@missing=$$(for tool in $(TOOLS); do command -v $${tool%=*} >/dev/null || echo $${tool#*=}; done); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(APT) update >/dev/null 2>&1; \
		for package in $$missing; do \
			$(APT) install --yes --no-install-recommends $$package >/dev/null 2>&1 || true; \
		done; \
	fi; \
	for tool in $(TOOLS); do command -v $${tool%=*} >/dev/null || \
		echo "There is no $${tool%=*}: what needs it is skipped, and counted as skipped."; done

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p mobstore.model -p mobstore.backends -p mobstore.properties
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/mobstore bench

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: $(READY)
	$(BIN)/python -m mobstore.properties.generate

# What SQLite keeps depends on the SQLite that this Python has; the page says which it was.
certificate: $(READY)
	$(BIN)/mobstore durability --certificate > specs/durability.md

faults: $(READY)
	$(BIN)/mobstore durability --profile quick --seed 1 --page specs/faults.md

# The pictures of the README, from real runs; they need the browser.
pictures: $(READY) tools
	$(BIN)/pytest -n0 -q tests/pages/pictures.py

wheel: $(READY)
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# build/mobstore is the checkout under the package's name, for type checkers.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	mkdir -p build && ln -sfn .. build/mobstore
	touch $(READY)
