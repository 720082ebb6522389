# Everything that a developer runs. Needs Python 3.10 or 3.11, make and a network.

PYTHON ?= $(shell for p in python3.11 python3.10 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# A process for each core, up to eight: each has a stand-in WebUI and a browser of its own.
SIDE_BY_SIDE := -n auto --maxprocesses 8 --dist worksteal

.PHONY: help setup test lint demo bench eval fuzz soak clean

help:
	@echo "make demo [ARGS=--once]  three rounds of feedback in the stand-in WebUI, then its page"
	@echo "make test [ARGS=...]     all tests; ARGS go to pytest"
	@echo "make bench [ARGS=...]    what feedback costs, against what the arithmetic says it must"
	@echo "make fuzz [ARGS=...]     10,000 random operations; ARGS=logins, ARGS=\"requests --examples 1000\", --seed N"
	@echo "make soak [ARGS=...]     20 minutes of mixed load on the stand-in, and its memory"
	@echo "make eval [ARGS=...]     how well feedback steers, by several protocols and baselines"
	@echo "make lint                ruff"
	@echo "make setup               only sets up $(VENV)"
	@echo "make clean               removes $(VENV)"

setup: $(VENV)/.done

$(VENV)/.done: tests/requirements.txt tests/requirements-nodeps.txt
	@test -n "$(PYTHON)" || { echo "Python 3.10 or 3.11 is needed (the WebUI's own packages need it)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/requirements-nodeps.txt
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test: lint
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --durations 10 $(ARGS)

demo: setup
	$(BIN)/python -m tests.demo $(ARGS)

bench: setup
	$(BIN)/python -m tests.bench $(ARGS)

fuzz: setup
	$(BIN)/python -m tests.fuzz $(ARGS)

soak: setup
	$(BIN)/python -m tests.fuzz soak $(ARGS)

eval: setup
	$(BIN)/python -m tests.eval $(ARGS)

clean:
	rm -rf $(VENV)
