# Needs python3 (3.11 or newer) and make.
#
# WHEEL_INDEX: address of another wheel index for pip to look in as well. On Linux, pip's default PyTorch comes with several
# GB of CUDA; without a GPU, give the address of PyTorch's CPU wheels (the install page of pytorch.org has it):
#   make demo WHEEL_INDEX=ADDRESS
PYTHON ?= python3
WHEEL_INDEX ?=
PIP := -m pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(WHEEL_INDEX),--extra-index-url $(WHEEL_INDEX))
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test slow check docs clean

demo: $(VENV)/.installed
	$(BIN)/sanmai run zero
	@echo
	@echo "The command is $(BIN)/sanmai here. To type sanmai alone, as the README does:  . $(BIN)/activate"

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow

check: $(VENV)/.installed-dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ty check src

# The documentation as a site, in site/; a broken link or a name that is not there is an error.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	$(BIN)/python $(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python $(PIP) -e ".[dev]"
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python $(PIP) -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) runs site
