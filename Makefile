# make demo   a synthetic corpus, a student on labels alone and one with three teachers, the better one registered:
#             four minutes of two idle cores; ends with what came out
# make test   before a change: style, types, layers, documentation, the quick tests and some of each slow tier
# make test-all   every test; `make test-rest`: those that `make test` leaves out; `make nightly`: faults, more often, and the demo
# make docs   the documentation as a site, in build/docs; fails where a link leads nowhere
# make gpu    on a machine with a GPU, ten minutes: the tests that need one, and what it takes for TAU22's clips
# make calibrate   how often the statistics are wrong, by simulation: tables as Markdown
# make release-check   what must hold before a release; `make audit`: known faults of pinned packages; `make fuzz`
# All install what they need into .venv first. `make clean` removes what the demo made.

VENV   := .venv
ASC    := $(VENV)/bin/asc
CORPUS := demo_corpus
# The first Python on the path that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
            $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: install demo test test-rest test-all docs lint browser postgres nightly gpu fuzz calibrate findings audit release-check clean
.DELETE_ON_ERROR:

install: $(VENV)/.installed

$(VENV)/.installed: setup.cfg setup.py pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on the path; install one, or make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	@$(ASC) demo $(CORPUS)

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --config setup.cfg
	$(VENV)/bin/hadolint docker/Dockerfile docker/Dockerfile.store
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker/compose.yaml

# The browser of the tests that look at pages. Where it cannot be installed, those are skipped and say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	    as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); $$as_root apt-get update -qq; \
	    $$as_root apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
	  fi; } || echo "Chromium cannot be installed here: tests that need it are skipped"

# The PostgreSQL that tests of the server stack start for themselves, and the library by which tests of faults set the
# clock of one program. Without them those are skipped and say so.
postgres:
	@{ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 && \
	  ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || { \
	  if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	    as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); $$as_root apt-get update -qq; \
	    $$as_root apt-get install -y -qq --no-install-recommends postgresql faketime >/dev/null; \
	  fi; } || echo "PostgreSQL and faketime cannot be installed here: tests that need them are skipped"

# Not with --quiet: MkDocs then counts no warning, and --strict lets every one pass.
docs: install
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --config-file docs/site/mkdocs.yml

# Tests run in WORKERS processes, a file in one of them. One that takes too long shows the stacks of all threads
# (faulthandler_timeout in setup.cfg) and then ends its process, wherever it hangs, and with it the run: after a process
# is lost, pytest-xdist 3.8 waits for ever for tests that nobody runs.
# Threads of OpenMP that wait sleep instead of turning: two processes have twice as many threads as there are processors.
WORKERS := 2
PYTEST  := OMP_WAIT_POLICY=passive $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0 --timeout-method thread

test: lint docs browser postgres
	$(PYTEST) -m "(unit or integration or sample) and not nightly"

test-rest: install browser postgres
	$(PYTEST) -m "not (unit or integration or sample) and not nightly"

test-all: test test-rest

# Every fault, longer and more often than `make test` injects it, and whether the demo shows what it is said to show:
# half an hour.
nightly: install postgres
	$(VENV)/bin/python -m pytest tests/faults tests/cli/test_demo.py -m "nightly or not nightly" --timeout 3600

# Ten minutes at the most: the tests that need a GPU, then the table of what it takes, with the goals beside, also into
# GPU_RECORD. Fails where a test does, or there is no GPU; a goal that is not met is no failure.
GPU_TESTS_S := 170
GPU_MINUTES := 6.5
GPU_RECORD  := build/gpu.json
gpu: install
	@$(ASC) bench gpu --minutes $(GPU_MINUTES) --list
	@mkdir -p $(dir $(GPU_RECORD)); failed=0; \
	  timeout $(GPU_TESTS_S) $(VENV)/bin/python -m pytest tests/gpu -m gpu || failed=$$?; \
	  $(ASC) bench gpu --minutes $(GPU_MINUTES) --output $(GPU_RECORD) && exit $$failed

# What the readers of study files, tables and sound files make of ten thousand inputs: a few minutes.
fuzz: install
	ASC_FUZZ=1200 $(VENV)/bin/python -m pytest tests/fuzz --timeout 3600

# How often intervals and tests of significance are wrong, where the truth is known: docs/explanation/statistics.md.
# Six minutes on two cores; REPETITIONS=2000 simulates each setting more often.
REPETITIONS := 500
calibrate: install
	@$(VENV)/bin/python -m asc_experiments.statistics.calibration --repetitions $(REPETITIONS)
	@$(VENV)/bin/python -m asc_experiments.bench.teacher_attributes

# Surprises about libraries and methods of this field, a line each; FINDINGS_VENV=.venv takes the packages from there.
findings:
	@for script in findings/*.sh; do sh $$script || exit 1; done

# Fails on a pin with a known fault; says so where no database of faults answers.
audit: install
	$(VENV)/bin/python -m release.audit

# Into dist/: wheel, source distribution, list of parts (CycloneDX). RELEASE=--quick installs the wheel alone.
release-check: install
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	$(VENV)/bin/python -m release.check $(RELEASE)

clean:
	rm -rf $(CORPUS) .asc mlruns/mlflow.db mlruns/artifacts mlruns/.initialising.lock studies/optuna.journal*
