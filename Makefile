# The course's commands. Each builds the environment in .venv first, if that is needed.
PYTHON = python3
CONSTRAINTS = constraints.txt
PORT = 8888
TORCH =
BIN = .venv/bin
MADE = .venv/made
HEADLESS = $(if $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname)),,--no-browser)
FIRST = --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

# The environment comes without bytecode, which Python keeps when it first imports something. Where a machine forbids that,
# as many containers do, each kernel and each sandbox would compile torch anew: 10 of 16 processor seconds.
export PYTHONDONTWRITEBYTECODE =

.PHONY: lab test quick notebooks labs site slides grade gradescope class larger photographs scale compare bench peers seeds findings help

lab: $(MADE) ## JupyterLab at lesson 00; `make lab PORT=8899` for another port
	$(BIN)/jupyter lab --port=$(PORT) $(FIRST) $(HEADLESS) --allow-root

test: $(MADE) ## all that CI runs
	$(BIN)/ruff check && $(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest --nbval -n auto --dist loadscope tests notebooks; status=$$?; $(TOOK); exit $$status

quick: $(MADE) ## the quick tests: no notebook run, browser, sandbox, other environment, peer or answer to a lab, none over a second
	@$(BIN)/pytest -n auto --dist loadscope -m "not slow" tests; status=$$?; $(TOOK); exit $$status

notebooks: $(MADE) ## the notebooks that are out of date, from notebooks/src
	$(BIN)/python tools/build.py

labs: $(MADE) ## the labs and solutions that are out of date, from solutions/src
	$(BIN)/python tools/labs.py

site: $(MADE) ## the course as a web site in build/site; `make site PORT=8000` serves it as well
	$(BIN)/python tools/site_build.py $(if $(filter command line,$(origin PORT)),--port $(PORT))

slides: $(MADE) ## slides of each lesson in build/slides, or of one: `make slides LESSON=03`
	$(BIN)/python tools/slides.py $(LESSON)

grade: $(MADE) ## a class: `make grade LAB=01 FROM=submissions TO=grades`, also from the zip of an LMS
	$(BIN)/python -m grader --lab "$(LAB)" --from "$(FROM)" --to "$(TO)"

gradescope: $(MADE) ## a lab's autograder for Gradescope: `make gradescope LAB=01 TO=autograder.zip`
	$(BIN)/python -m grader.gradescope --lab "$(LAB)" --to "$(or $(TO),autograder.zip)"

class: $(MADE) ## a sample class of five with handout, submissions and grades, to try: `make class TO=class`
	PYTHONPATH=.:tools $(BIN)/python tools/sample_class.py "$(or $(TO),class)"

larger: $(MADE) ## the records on MNIST and larger data that are out of date: minutes each
	$(BIN)/python tools/build.py --larger

photographs: $(MADE) ## the lessons on CIFAR-10, for README, or `make photographs LESSONS=04_building_masks`: minutes each
	$(BIN)/python tools/build.py --on cifar10 $(LESSONS)

scale: $(MADE) ## adversarial training on CIFAR-10, or `make scale RECIPES=ten_minutes`: says first for how long
	PYTHONPATH=. $(BIN)/python tools/scale.py $(RECIPES)

compare: $(MADE) ## what lesson 15 compares on CIFAR-10, or `make compare NAMES=masks`: says first for how long
	PYTHONPATH=. $(BIN)/python tools/at_scale.py $(NAMES)

bench: $(MADE) ## speed and strength beside the peers
	$(BIN)/python tests/bench.py
	$(BIN)/python tests/bench_privacy.py
	PYTHONPATH=. $(BIN)/python tests/bench_checkup.py
	PYTHONPATH=. $(BIN)/python tests/bench_convolution.py
	PYTHONPATH=.:tools $(BIN)/python tests/bench_grading.py
	PYTHONPATH=. $(BIN)/python tests/bench_monitoring.py
	PYTHONPATH=. $(BIN)/python tests/bench_challenges.py
	PYTHONPATH=. $(BIN)/python tests/bench_scale.py

peers: $(MADE) ## ask the other libraries again, or PEERS="foolbox art", and pin their answers: minutes
	PYTHONPATH=.:tools $(BIN)/python tests/pin.py $(PEERS)

seeds: $(MADE) ## each lesson at other seeds and on MNIST, and the sentences to read again: an hour
	PYTHONPATH=.:tools:tests $(BIN)/python tests/seeds.py

findings: ## what this field's libraries do that one would guess wrong: installs and runs each, many minutes
	$(PYTHON) findings/table.py

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 12

# How long a target took, its environment included.
BEGAN := $(shell date +%s)
TOOK = $(PYTHON) -c 'import os, time; print(f"make $@: {time.time() - $(BEGAN):.0f} s on {os.cpu_count()} cores, load", *map("{:.1f}".format, os.getloadavg()))'

NO_PYTHON = There is no $(PYTHON) here. Install Python 3.11 or newer from python.org, or name yours: make PYTHON=python3.12 $(MAKECMDGOALS)
TOO_OLD = The course needs Python 3.11 or newer, and $(PYTHON) is older. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)
NO_VENV = $(PYTHON) cannot make environments. Install its venv module (on Debian and Ubuntu: apt install python3-venv)

# `make TORCH=cpu lab` asks for torch's build without CUDA, which on Linux is most of the environment's size. Pip finds it
# where one of its indexes has it: pytorch.org names the one to put into PIP_EXTRA_INDEX_URL.
CPU_BUILD = $(if $(filter cpu,$(TORCH)),torch==$(shell sed -n 's/^torch==//p' constraints.txt)+cpu)

# `make CONSTRAINTS= test` takes the newest versions instead of the exact ones.
$(MADE): pyproject.toml $(CONSTRAINTS)
	@command -v $(PYTHON) >/dev/null || { echo "$(NO_PYTHON)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(TOO_OLD)")'
	@echo "Building the environment in .venv, once: 2 to 10 minutes. On Linux it takes 6 GB, most of it CUDA for torch (TORCH=cpu: without)"
	@$(PYTHON) -m venv .venv >/dev/null || { echo "$(NO_VENV)"; exit 1; }
	@rm -f .venv/pip.log
	$(BIN)/python -m pip install $(if $(CI),--quiet) --no-compile --log .venv/pip.log $(addprefix -c ,$(CONSTRAINTS)) $(CPU_BUILD) \
		-e '.[dev]' || { $(PYTHON) tools/pip_failed.py .venv/pip.log; exit 1; }
	@$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements >/dev/null 2>&1
	@touch $@
