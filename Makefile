# The commands of the book. `make help` lists them.
# A Python other than python3: make PYTHON=python3.12 book. An environment of your own (conda): make BIN=$CONDA_PREFIX/bin book.

PYTHON ?= python3
VENV := .venv
ifdef BIN
INSTALLED :=
else
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
endif

# One thread per process: two chapters execute side by side, and one CPU gives the same digits twice.
export OMP_NUM_THREADS ?= 1

# Tests of one file share what they set up, so a file stays in one process; tests/conftest.py orders the files.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
NUMERIC := $(addprefix tests/, augment inference losses metrics models stats theory training)

.DEFAULT_GOAL := help
.PHONY: help install book serve pdf linkcheck assignments grade test processors bench lint format lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv from requirements.lock (the other commands do it by themselves)

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing into $(VENV), once; this takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

book: $(INSTALLED) ## execute the notebooks and build the book into _build/html
	@$(BIN)/kdutils book

serve: $(INSTALLED) ## build the book, show it on localhost and build again when a file changes
	@$(BIN)/kdutils serve

pdf: $(INSTALLED) ## print the whole book to _build/book.pdf (needs chromium)
	@$(BIN)/kdutils pdf

linkcheck: $(INSTALLED) ## try the book's links to other sites (needs the network)
	@$(BIN)/kdutils linkcheck

assignments: $(INSTALLED) ## make the students' versions of the course assignments into _build/assignments
	@$(BIN)/kdutils assignments

ifdef CONTAINER
# No network, nothing to write to but the grades, which become this user's; root's rights are those to run submissions
# as nobody and to end them.
PHOTOGRAPHS = $(if $(KDUTILS_DATA),$(wildcard $(KDUTILS_DATA)/photographs.npz))
GRADE = docker build --target grading --tag kdutils-grading . && mkdir -p _build/grades && docker run --rm \
	--network none --read-only --tmpfs /tmp:exec --cap-drop ALL $(addprefix --cap-add ,CHOWN DAC_OVERRIDE KILL SETGID SETUID) \
	--security-opt no-new-privileges --pids-limit 1024 --memory 8g \
	$(if $(PHOTOGRAPHS),--volume "$(abspath $(PHOTOGRAPHS)):/data/photographs.npz:ro" --env KDUTILS_DATA=/data) \
	--volume "$(abspath $(SUBMISSIONS)):/submissions:ro" --volume "$(CURDIR)/_build/grades:/grades" kdutils-grading; \
	status=$$?; docker run --rm --network none --volume "$(CURDIR)/_build/grades:/grades" --entrypoint chown \
	kdutils-grading -R "$$(id -u):$$(id -g)" /grades; exit $$status
grade: ## grade SUBMISSIONS=folder into _build/grades; CONTAINER=1: in a container of Docker
else
GRADE = $(BIN)/kdutils grade "$(SUBMISSIONS)"
grade: $(INSTALLED)
endif
	@test -n "$(SUBMISSIONS)" || { echo "Name the folder of submissions: make grade SUBMISSIONS=folder" >&2; exit 1; }
	@$(GRADE)

test: $(INSTALLED) ## run the tests, one process per core
	$(PYTEST)

processors: $(INSTALLED) ## run the numeric tests as on older processors, with one thread and with two
	ATEN_CPU_CAPABILITY=default $(PYTEST) $(NUMERIC)
	ATEN_CPU_CAPABILITY=avx2 OMP_NUM_THREADS=2 $(PYTEST) $(NUMERIC)

bench: $(INSTALLED) ## measure the fast paths beside plain ones into _build/bench.json
	$(BIN)/kdutils bench --threads 1,2 --out _build/bench.json

lint: $(INSTALLED) ## check code and notebooks with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED) ## let ruff tidy code and notebooks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve pyproject.toml's ranges again and write requirements.lock
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --disable-pip-version-check --editable '.[test,book,timm,course,cluster]'
	(sed -n '/^#/p' requirements.lock; _build/lock/bin/python -m pip freeze --all | \
		grep -v -i -E '^(#|-e|pip=|nvidia|cuda|triton)' | sed 's/+[a-z0-9.]*$$//' | sort -f) > _build/requirements.lock
	mv _build/requirements.lock requirements.lock
	rm -r _build/lock

clean: ## remove what the commands made, .venv too
	rm -rf $(VENV) _build
