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
	@echo "All of it needs Python 3.10 or 3.11. Times are those of two quiet cores."
	@echo
	@echo "make setup               everything below, in $(VENV): 2.1 GB (on Linux pip may take PyTorch's"
	@echo "                         build with CUDA: some GB more), 3 to 10 minutes; done by itself"
	@echo "make demo [ARGS=--once]  the stand-in WebUI's page, and rounds of feedback meanwhile: 2 minutes"
	@echo "make test [ARGS=...]     all tests: 20 minutes; ARGS go to pytest"
	@echo "make bench [ARGS=...]    what feedback costs, against what the arithmetic says: over an hour;"
	@echo "                         ARGS=\"--references 4 --only 256\" minutes"
	@echo "make eval [ARGS=...]     how well feedback steers, by protocol and method: hours;"
	@echo "                         ARGS=\"--seeds 1 --protocols Preference\" an hour"
	@echo "make fuzz [ARGS=...]     10,000 random operations: 5 minutes; or ARGS=logins, ARGS=requests"
	@echo "make soak [ARGS=...]     20 minutes of mixed load on the stand-in, and its memory"
	@echo "make lint                ruff: seconds"
	@echo "make clean               removes $(VENV)"
	@echo
	@echo "ARGS=--help tells what demo, bench, eval, fuzz and soak take."

# Where PYTHON= is given, what is there must be of its version.
setup:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' 2>/dev/null \
	|| { echo "Python 3.10 or 3.11 is needed (the WebUI's own packages need it)$(if $(PYTHON),; $(PYTHON) is neither)."; exit 1; }
	@"$(PYTHON)" tests/set_up.py $(VENV) $(if $(filter file,$(origin PYTHON)),,--same-python)
	@$(MAKE) --no-print-directory $(VENV)/gradio4/.done

# The gradio of Forge, for the page's tests; it cannot be beside the other one.
$(VENV)/gradio4/.done: tests/gradio4/requirements.txt
	@echo "Making $(@D) (about 0.4 GB) ..."
	@rm -rf $(@D)
	@"$(PYTHON)" -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

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
