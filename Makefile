# make lab    set everything up and open the course in JupyterLab
# make test   set everything up and run every test (make check: the quick ones)
# Both do nothing twice: the set-up runs again only when the list of dependencies changed.

PYTHON ?= python3
VENV ?= .venv
LESSON ?=
FORM ?= learner
# One more than a small machine has cores: tests wait for kernels and browsers.
WORKERS ?= 3

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

.PHONY: help lab test llm check site slides notebooks claims bench gpu lint teacher cmudict clean

help:
	@echo "make lab         open the course in JupyterLab (the first time, install it)"
	@echo "make test        run every test (WORKERS=$(WORKERS) processes)"
	@echo "make llm         install TRL and Keras, too: the tests that hold our losses against theirs (240 MB)"
	@echo "make check       the quick tests: no kernel, browser, site or cluster"
	@echo "make site        build the static site into build/site, without a network"
	@echo "make slides      build slides of the lessons into build/slides (LESSON=01 for one), without a network"
	@echo "make notebooks   build and execute the notebooks from notebooks/source (LESSON=01 for one, FORM=solved)"
	@echo "make claims      run the experiments behind the claims again (three to six hours on two cores, by their speed; resumes), and draw them in the README; CHOOSE=1 chooses their settings again (half a day)"
	@echo "make bench       measure every lesson, and write the table in the README"
	@echo "make gpu         with a CUDA card: its tests and the benchmark of stacks, kept under the card's name"
	@echo "make lint        ruff, lint and format, and the types"
	@echo "make teacher     train the Fashion-MNIST teacher again (half an hour on a CPU)"
	@echo "make cmudict     train CMUdict's teacher and student again (an hour or two on a CPU; goes on where it was stopped)"
	@echo "make clean       delete the environment and the caches"

$(VENV)/ready: pyproject.toml constraints.txt tools/install.py
	@$(PYTHON) tools/install.py $(VENV)

$(VENV)/llm: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[llm]"
	@$(BIN)/python -c "open('$@', 'w')"

llm: $(VENV)/llm

lab: $(VENV)/ready
	@$(BIN)/kdcourse lab

# One thread a process: two threads on a busy machine can stall each other, and results then differ in the last digit.
# Compiled modules are kept even where the machine says otherwise: a hundred processes would compile them again.
test: export OMP_NUM_THREADS = 1
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/ready
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --durations 5

check: $(VENV)/ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist worksteal --quiet

site: $(VENV)/ready
	@$(BIN)/python tools/build_site.py

slides: $(VENV)/ready
	@$(BIN)/python tools/build_slides.py $(LESSON)

notebooks: $(VENV)/ready
	@$(BIN)/python tools/build_notebooks.py --form $(FORM) $(LESSON)

claims: $(VENV)/ready
	@$(BIN)/kdcourse claims --run $(if $(CHOOSE),--choose) && $(BIN)/python tools/build_readme.py

bench: $(VENV)/ready
	@$(BIN)/python benchmarks/lessons.py && $(BIN)/python tools/build_readme.py

gpu: $(VENV)/ready
	@$(BIN)/python tools/gpu.py

lint: $(VENV)/ready
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

teacher: $(VENV)/ready
	@$(BIN)/python tools/train_teacher.py

cmudict: $(VENV)/ready
	@$(BIN)/python tools/train_cmudict_teacher.py
	@$(BIN)/python tools/train_cmudict_student.py

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build runs
