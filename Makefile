# make demo: the main job on the embedded default.   make test: everything that can be tested here.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint clean

demo: $(VENV)/.demo
	$(BIN)/python projects/embedded/demo.py --out output/demo

test: lint
	$(BIN)/python -m pytest --durations=15

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/.demo: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[bundled,metrics]"
	touch $@

$(VENV)/.test: setup.py $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) output build dist *.egg-info
