# make demo   a synthetic corpus, a study on it, the best student registered; ends with the comparison
# make test   style, types, layers and the whole test suite
# Both install what they need into .venv first. `make clean` removes what the demo made.

VENV   := .venv
ASC    := $(VENV)/bin/asc
CORPUS := demo_corpus
# The first Python on the path that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
            $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: install demo test lint browser clean
.DELETE_ON_ERROR:

install: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on the path; install one, or make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(CORPUS)/meta.csv: | install
	$(ASC) corpus synth $(CORPUS)

demo: install $(CORPUS)/meta.csv
	$(ASC) study run studies/quickstart.yaml --corpus $(CORPUS)
	$(ASC) register quickstart
	@$(ASC) report quickstart
	@echo
	@echo "Read the answer as a page:    $(ASC) report quickstart --format html"
	@echo "Compare the runs in MLflow:   $(ASC) ui"
	@echo "Classify recordings:          $(ASC) predict models:/asc-student@champion FOLDER"

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --config setup.cfg

# The browser of the tests that look at pages. Where it cannot be installed, those are skipped and say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	    as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); $$as_root apt-get update -qq; \
	    $$as_root apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
	  fi; } || echo "Chromium cannot be installed here: tests that need it are skipped"

test: lint browser
	$(VENV)/bin/python -m pytest

clean:
	rm -rf $(CORPUS) .asc mlruns/mlflow.db mlruns/artifacts mlruns/.initialising.lock studies/optuna.journal*
