# Everything a person types: `make demo`, `make test`, `make check`. The first of them builds .venv.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2

.PHONY: demo test check format lint types imports tests notebooks lock clean

# uv where it exists, else pip; both install exactly the hashed pins, then the project itself.
.venv/.ready: constraints.txt pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  { [ -x $(BIN)/python ] || uv venv --quiet --python $(PYTHON) .venv; } \
	  && uv pip install --quiet --python $(BIN)/python --require-hashes -r constraints.txt \
	  && uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  { [ -x $(BIN)/python ] || $(PYTHON) -m venv .venv; } \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: .venv/.ready
	$(BIN)/forestock demo

test: tests

check: format lint types imports tests notebooks

format: .venv/.ready
	$(BIN)/ruff format --check .

lint: .venv/.ready
	$(BIN)/ruff check .

types: .venv/.ready
	$(BIN)/mypy

imports: .venv/.ready
	$(BIN)/lint-imports

tests: .venv/.ready
	$(BIN)/pytest -n $(JOBS) --dist loadfile --durations=20

# Each in a kernel of its own, the one of .venv.
notebooks: .venv/.ready
	$(BIN)/pytest --nbmake --nbmake-timeout 300 -n $(JOBS) notebooks

# Renew the pins: names, versions and hashes only.
lock:
	uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet -o constraints.txt pyproject.toml

# Compiled functions are kept beside their source; a change in one file does not renew those that call it.
clean:
	rm -rf .venv .forestock
	find . -name '__pycache__' -type d -prune -exec rm -rf {} +
