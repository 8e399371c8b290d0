# make demo: the main job on the embedded default; make demo FAMILY=qwen3 (llama3, qwen2): with that language model.
# make test: everything that can be tested here.
# make test-checkout: the plugin inside a real MiniGPT-4 checkout (docs/drop-in.md).
# make encoders: whether other vision encoders learn as well (docs/vision-encoders.md).
# make views: what a second view of a chest study brings (docs/several-images.md).
# make bench: training and answering beside a real checkout (docs/speed.md).   make docs: the site.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

FAMILY ?= llama
DEMO := demo$(if $(filter-out llama,$(FAMILY)),-$(FAMILY))

.PHONY: demo encoders views test test-checkout lint bench docs clean

# one thread a process: more fight over the cores where several processes run
export OMP_NUM_THREADS ?= 1

demo: $(VENV)/.demo
	$(BIN)/python projects/embedded/demo.py --out output/$(DEMO) --family $(FAMILY)

encoders: $(VENV)/.demo
	$(BIN)/python -m projects.embedded.encoders --out output/encoders

views: $(VENV)/.demo
	$(BIN)/python -m projects.embedded.two_views --out output/two_views

PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# The unit tests say how much of the package they run; the others start processes, which are not counted.
test: lint docs
	$(PYTEST) tests/unit tests/test_layers.py --cov=pefomed_plugin --cov-report=
	@echo "lines of the package that the unit tests run: $$($(BIN)/coverage report --format=total) %"
	$(PYTEST) tests --ignore=tests/unit --ignore=tests/test_layers.py --durations=15

# MINIGPT4_HOME: a clone at d94738a; CHECKOUT_PYTHON: Python 3.9 (or later, where its pins have wheels)
CHECKOUT_PYTHON ?= python3.9
test-checkout: $(VENV)/.test
	test -n "$(MINIGPT4_HOME)" || { echo "set MINIGPT4_HOME to a clone of Vision-CAIR/MiniGPT-4"; exit 2; }
	test -x $(VENV)-checkout/bin/python || $(CHECKOUT_PYTHON) -m venv $(VENV)-checkout
	$(VENV)-checkout/bin/python -m pip install --quiet --requirement tests/toolkit/requirements.txt
	MINIGPT4_HOME=$(abspath $(MINIGPT4_HOME)) MINIGPT4_PYTHON=$(abspath $(VENV)-checkout/bin/python) \
		$(BIN)/python -m pytest tests/toolkit -ra

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
	$(BIN)/python -m pip install --quiet --editable ".[inspect]"
	touch $@

bench: $(VENV)/.demo
	$(BIN)/python -m projects.benchmarks.speed --out output/speed
	$(BIN)/python -m projects.benchmarks.data_path
	$(BIN)/python -m projects.benchmarks.epoch_turn

docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir output/site

clean:
	rm -rf $(VENV) output build dist *.egg-info
