# Two commands on a fresh machine: `make demo` and `make test`. Needs Python 3.11, git and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
# A set PYTHONDONTWRITEBYTECODE makes every stage compile every library anew: 20 s each.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH
# A laboratory behind a proxy has its certificate in the system, not in uv.
export UV_SYSTEM_CERTS := 1
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1
STORE := $(CURDIR)/.assay/mlflow
PORT ?= 5000

# Real dvc processes, kills, stories of their own, all trainings, a browser, the real samples, mutated sets: each is
# dear, or not everywhere.
DEAR := dvc or kill or story or train_all or browser or real or mutations
# By file: what its tests share is made by one worker. (By group does nothing with pytest 9.2 and xdist 3.8: every
# test is dealt by itself.) The dear folders come first by name, so that the many short files of unit/ fill
# both workers to the end.
SUITE := pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help environment demo test test-rest test-all check format ui lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

environment: $(VENV)/.runtime  ## .venv from requirements.lock

demo: $(VENV)/.runtime  ## the whole pipeline on phantoms, then the results
	assay repro
	assay sweep hemoglobin-conjunctiva model.backbone test_resnet test_byobnet
	assay sync
	@echo
	@assay results
	@echo "Look: make ui · reports/*/*.html · reports/*/pictures      Yours: assay snapshot --help"

test: $(VENV)/.dev  ## every gate, stage and verb, in process: minutes
	$(SUITE) -m "not ($(DEAR))"

test-rest: $(VENV)/.dev  ## what test leaves out, and nothing else
	$(SUITE) -m "$(DEAR)"

test-all: $(VENV)/.dev  ## the whole suite
	$(SUITE)

check: $(VENV)/.dev  ## format, lint, types, floors, the repository's truths; shows all failures
	@failed=0; \
	for each in "ruff format --check" "ruff check" "mypy" "lint-imports --no-cache" "pytest -q tests/truths"; do \
	  echo "== $$each"; $$each || failed=1; \
	done; exit $$failed

format: $(VENV)/.dev  ## put the code into its form
	ruff format
	ruff check --fix

ui: $(VENV)/.runtime  ## the MLflow UI over all runs (PORT=5000)
	assay sync
	@echo "runs: http://127.0.0.1:$(PORT)/#/experiments/1/runs?workflowType=machine_learning (each task has a number)"
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --workers 1 --host 127.0.0.1 --port $(PORT) \
	  --backend-store-uri sqlite:///$(STORE)/mlflow.db --artifacts-destination $(STORE)/artifacts

lock: $(VENV)/.runtime  ## resolve both lock files anew, as one resolution
	uv pip compile pyproject.toml --all-extras --group dev --python-version 3.11 --upgrade \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url -q -o requirements-dev.lock
	sed -nE 's/^([^ ]+==[^ ]+).*/\1/p' requirements-dev.lock > $(VENV)/pins.txt
	uv pip compile pyproject.toml --extra detector --python-version 3.11 -c $(VENV)/pins.txt \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url -q -o requirements.lock

# uv itself comes from the lock, by its hash; everything else through uv.
$(VENV)/.runtime: requirements.lock
	$(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@echo "installing what requirements.lock pins: about 6 GB, two minutes with a warm cache"
	UV_COMPILE_BYTECODE=1 uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	uv pip install --python $(BIN)/python --no-deps --no-build-isolation --quiet -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	UV_COMPILE_BYTECODE=1 uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	touch $@
