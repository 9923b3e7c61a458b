# Two commands do everything on a fresh machine:
#   make check   the conformance suite on the memory and SQLite backends, and the proofs, with reports
#   make test    the project's own tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
APT := -o Acquire::Retries=0 -o Acquire::http::Timeout=20

# TLC, the second explorer, is a Java program: it is installed where that is allowed.
JAVA := command -v java >/dev/null || \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	apt-get install -qq --yes --no-install-recommends default-jre-headless >/dev/null; } || \
	echo "There is no Java: what needs TLC is skipped, and counted as skipped."

# The example in another language is a program for Node.js.
NODE := command -v node >/dev/null || \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	apt-get install -qq --yes --no-install-recommends nodejs >/dev/null; } || \
	echo "There is no Node.js: the example in JavaScript is not checked, and its tests are skipped."

.PHONY: check check-node test lint bench browser format generate certificate wheel clean

check: $(READY)
	$(BIN)/mobstore check memory
	$(BIN)/mobstore check sqlite
	$(BIN)/mobstore prove

check-node: $(READY)
	@$(NODE)
	! command -v node >/dev/null || $(BIN)/mobstore check "exec:node examples/node/store.js" --profile quick

test: $(READY) browser
	$(BIN)/pytest -n auto

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p mobstore.model -p mobstore.backends -p mobstore.properties
	$(BIN)/lint-imports

# Pages are tested in a real browser where one can be installed; elsewhere their tests say that they are skipped.
browser:
	@command -v chromedriver >/dev/null 2>&1 \
	|| { [ "$$(id -u)" = 0 ] && apt-get $(APT) update && apt-get $(APT) install -y --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 \
	|| echo "no browser, and none can be installed: the tests of pages are skipped"

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
	@$(JAVA)
	@$(NODE)
	touch $(READY)
