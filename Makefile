# make demo: the main job on the embedded default.   make test: everything that can be tested here.
# make bench: training and answering beside a real checkout (docs/speed.md).   make docs: the site.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench docs clean

# one thread a process: more fight over the cores where several processes run
export OMP_NUM_THREADS ?= 1

demo: $(VENV)/.demo
	$(BIN)/python projects/embedded/demo.py --out output/demo

test: lint docs
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations=15

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/.demo: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[bundled,metrics]"
	touch $@

$(VENV)/.test: setup.py $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

bench: $(VENV)/.demo
	$(BIN)/python -m projects.benchmarks.speed --out output/speed
	$(BIN)/python -m projects.benchmarks.data_path
	$(BIN)/python -m projects.benchmarks.epoch_turn

docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir output/site

clean:
	rm -rf $(VENV) output build dist *.egg-info
