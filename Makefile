# Needs Python 3.10 or newer and make. Everything else is installed into .venv.
.PHONY: demo test docs bench bench-full campaign campaign-full
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
BENCH := .venv-bench

demo: $(INSTALLED)
	$(BIN)/ct2pet_demo -o ct2pet_demo

# Two processes, a file of tests in one of them: what several tests of a file share is made once. Several threads gain
# nothing on the tests' small arrays, and make them slower where cores are shared. Compiled modules are kept: many tests
# start Python. mypy checks the types meanwhile.
test: export OMP_NUM_THREADS := 1
test: export ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS := 1
test: export PYTHONDONTWRITEBYTECODE :=
test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy & types=$$!; status=0; \
		$(BIN)/python -m pytest -n 2 --dist loadfile || status=$$?; \
		wait $$types || status=1; exit $$status

# The documentation as a web site, in the folder site. Needs Python 3.11 or newer.
docs: $(INSTALLED)
	$(BIN)/python -m mkdocs build --strict

# Against peers, in an environment of their own; writes documentation/benchmarks.md. Half an hour on two idle cores;
# bench-full takes hours.
bench: $(BENCH)/installed
	$(BENCH)/bin/python benchmarks/run_all.py --size quick

bench-full: $(BENCH)/installed
	$(BENCH)/bin/python benchmarks/run_all.py --size full

# Changed files, kills and signals against all commands, which must not fail in silence. A quarter of an hour;
# campaign-full takes four hours.
campaign: $(INSTALLED)
	$(BIN)/python benchmarks/campaign.py

campaign-full: $(INSTALLED)
	$(BIN)/python benchmarks/campaign.py --full

$(BENCH)/installed: setup.py constraints.txt benchmarks/requirements.txt
	@$(BENCH)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
		-c constraints.txt -e . -r benchmarks/requirements.txt
	@touch $@

$(INSTALLED): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "ct2pet needs Python 3.10 or newer as $(PYTHON) (another one: make PYTHON=/path/to/python)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
