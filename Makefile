# One command runs it, one tests it; both set up what is missing first, and do nothing the second time.

PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test lint format bench bench-graph bench-debug bench-store screenshot gallery setup clean

help:
	@echo "make run [ARGS=...]    set up, then start the app (ARGS as for tapescope: demo, run script.py, open run.tape, ...)"
	@echo "make test [ARGS=...]   set up, then ruff, mypy and pytest: all tests on all cores, or what ARGS for pytest say"
	@echo "make lint              set up, then ruff and mypy alone"
	@echo "make format            let ruff sort imports and lay out the code"
	@echo "make bench [ARGS=...]  how fast the window is up, what recording costs, and what its peers do"
	@echo "make bench-graph       how fast graphs are laid out and drawn, and how still they stand; some 15 minutes"
	@echo "make bench-debug       breakpoints: what they cost, where they stop, how soon, whether trainings survive; some 30 minutes"
	@echo "make bench-store       the tape: what appending costs, a million steps, live readers, kills, damage; some 30 minutes"
	@echo "make screenshot        let the app take the README's picture of itself"
	@echo "make gallery           record ten models and let the app take pictures of them, light and dark, to docs/gallery"
	@echo "make clean             remove .venv and every cache"

setup:
	@sh scripts/setup.sh test

run: setup
	@$(PYTHON) main.py $(ARGS)

# A part of the tests is done sooner by one process than by several that have to start first. Each holds up to 1 GB.
ALL_TESTS := --numprocesses auto --maxprocesses 8 --dist worksteal

test: lint
	$(PYTHON) -m pytest $(or $(ARGS),$(ALL_TESTS))

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format: setup
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: setup
	@sh scripts/setup.sh bench
	$(PYTHON) -m benchmarks.startup
	$(PYTHON) -m benchmarks.overhead --write $(ARGS)

bench-graph: setup
	@sh scripts/setup.sh bench
	$(PYTHON) -m benchmarks.canvas
	$(PYTHON) -m benchmarks.stepping
	$(PYTHON) -m benchmarks.opening
	$(PYTHON) -m benchmarks.layout
	$(PYTHON) -m benchmarks.stability
	$(PYTHON) -m benchmarks.causes
	$(PYTHON) -m benchmarks.find

bench-debug: setup
	$(PYTHON) -m benchmarks.debugging
	$(PYTHON) -m benchmarks.dead_units

bench-store: setup
	$(PYTHON) -m benchmarks.store
	$(PYTHON) -m benchmarks.tail
	$(PYTHON) -m benchmarks.long_runs
	$(PYTHON) -m benchmarks.kills
	$(PYTHON) -m benchmarks.damage
	$(PYTHON) -m benchmarks.salvage

screenshot: setup
	@mkdir -p tapescope-out
	$(PYTHON) main.py run --headless -o tapescope-out/sentence_rnn.tape assets/demos/sentence_rnn.py --steps 400
	$(PYTHON) main.py open tapescope-out/sentence_rnn.tape --step 17 --size 1440x900 --theme light --screenshot docs/screenshot.png

gallery: setup
	@sh scripts/gallery.sh $(ARGS)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
