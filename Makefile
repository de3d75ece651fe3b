# Needs Python 3.11 or later and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check format docs bench bench-micro guard guard-record fuzz soak autobahn clean

run: .venv/run  ## Start the main example on http://127.0.0.1:3000
	$(BIN)/python examples/main.py

test: check .venv/node  ## Every check and test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: .venv/dev  ## Format, lint, types, layers, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	PATH="$(CURDIR)/$(BIN):$$PATH" basedpyright --verifytypes ohia --ignoreexternal
	$(BIN)/lint-imports
	$(BIN)/codespell

format: .venv/dev  ## Rewrite the code in the project's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/dev  ## Build the docs site into site/
	$(BIN)/zensical build --strict

bench:  ## Whole requests beside other frameworks, for hours; writes docs/benchmarks.md
	$(PYTHON) benchmarks/macro
	$(PYTHON) benchmarks/macro --growth

bench-micro: .venv/dev  ## Time parts of a request
	$(BIN)/python benchmarks/micro.py

guard: .venv/dev  ## What a request costs beside what was recorded; PROFILE=hello shows where
	$(BIN)/python benchmarks/guard $(if $(PROFILE),--profile $(PROFILE))

guard-record: .venv/dev  ## Record it anew, with PYTHONS="python3.12 python3.13" for these too
	$(BIN)/python benchmarks/guard --record $(PYTHONS:%=--python %)

fuzz: .venv/dev  ## The fuzz tests with twenty times as many examples, all random
	OHIA_FUZZ=20 $(BIN)/python -m pytest tests/fuzz

soak: .venv/dev  ## A minute of mixed load, and what it leaves in the server
	$(BIN)/python benchmarks/soak.py

autobahn: .venv/dev  ## The Autobahn|Testsuite against the server; needs python2.7
	$(BIN)/python tools/autobahn.py

clean:  ## Remove what the targets made
	rm -rf .venv .cache site dist tests/differential/node_modules

.venv/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ohia needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

.venv/run: .venv/pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

.venv/dev: .venv/pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]' --group dev
	touch $@ .venv/run

# Koa itself, for the differential tests; without npm they are skipped.
.venv/node: .venv/pip tests/differential/package.json
	if command -v npm; then cd tests/differential && \
		npm install --no-package-lock --no-audit --no-fund --loglevel=error; fi
	touch $@
