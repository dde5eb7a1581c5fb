# Every target makes the virtual environment when there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One thread per process: two intra-op threads on two shared cores collapse when anything else runs.
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export RAY_USAGE_STATS_ENABLED = 0
# Bytecode is kept, whatever the shell says: tests and the service start many processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test ui-test quick check fix serve docs bench clean
demo: $(VENV)/installed
	$(BIN)/python -m examples.demo

# Ray's processes are as important as the tests that wait for them (by default they get what others leave).
test: export RAY_worker_niceness = 0
test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The dashboard in the Chromium of this machine's packages (apt install chromium).
ui-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ui]'
	$(BIN)/python -m pytest tests/ui

# What every change should pass at once: the contracts of spaces, gates, balancers, searchers, exports and leases, and a job.
quick: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/contracts tests/search/test_searchers.py tests/supernets/gates \
		tests/training/step/balancing/test_every_balancer.py tests/export/test_folder.py tests/routes/test_graph.py \
		tests/spaces tests/test_imports.py tests/test_errors.py tests/store/jobs/test_leases.py tests/run/test_quick_job.py

check: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/vulture

fix: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python docs/write_reference.py
	$(BIN)/python docs/draw_schemes.py
	$(BIN)/python docs/draw_rooms.py

serve: $(VENV)/installed
	$(BIN)/mtnas serve

# The docs site, in build/site; a link that leads nowhere fails.
docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt 'mkdocs-material>=9.7'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# What is not in benchmarks/results/suite*.parquet yet (hours; make bench ARGUMENTS=--quick: minutes); MTNAS_DATA_DIR names the
# folder of public data sets.
bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[benchmarks,demo]' pandas
	$(BIN)/python -m benchmarks.suite $(ARGUMENTS)

clean:
	rm -rf $(VENV) var demo-output build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[service,demo,test,check]'
	touch $@
