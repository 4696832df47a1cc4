# Two commands are enough: `make demo` and `make test`. Both set up all they need; `make help` lists the rest.

SHELL := /bin/sh
export PATH := $(PATH):/usr/sbin:/sbin

BIN := .venv/bin
LAB := .lab
# A size for slow suites: small for a quick look, full for numbers that are worth writing down.
BENCH_SIZE ?= full
BENCH_MINUTES ?= $(if $(filter small,$(BENCH_SIZE)),3,20)
CHAOS_ROUNDS ?= 20
# So many processes share the tests, each with servers of its own: one for each processor, from 2 (much of a test is
# waiting) to 4 (a folder of tests stays together, and a few take most of the time).
TEST_WORKERS ?= $(shell n=$$(nproc); echo $$((n < 2 ? 2 : n > 4 ? 4 : n)))
# How many crash points of each step are tried; empty for all.
CHAOS_POINTS ?=
BENCH_ROUNDS ?= 3
export BENCH_SIZE BENCH_ROUNDS BENCH_MINUTES CHAOS_ROUNDS CHAOS_POINTS
# Container images set this. Python must keep what it compiled: uv leaves that to the first import, and without it each
# process of Airflow, each task and each service compiles thousands of modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-down lab lab-down lab-status test test-again test-contract test-mysql test-schemas test-docker
.PHONY: test-chaos
.PHONY: bench bench-storage bench-metadata bench-rpo bench-cutover lint types setup

help: ## show what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: setup ## the whole story on two sites: replicate, kill the primary, cut over, compare; leaves the UI up
	@$(BIN)/python -m lab.demo up --root $(LAB)

demo-down: setup ## stop everything that `make demo` started
	@$(BIN)/python -m lab.demo down --root $(LAB)

lab: setup ## start the servers of both sites
	@$(BIN)/python -m lab up --root $(LAB)

lab-down: setup ## stop them
	@$(BIN)/python -m lab down --root $(LAB)

lab-status: setup ## show what runs
	@$(BIN)/python -m lab status --root $(LAB)

test: setup ## every test but the long ones
	@$(BIN)/pytest -n $(TEST_WORKERS) --no-loadscope-reorder -m "not chaos and not bench and not mixed and not mysql and not schemas and not docker"

test-again: setup ## what failed in the last run of tests, by itself: does it fail always, or now and then?
	@$(BIN)/pytest -v --last-failed --last-failed-no-failures none

test-contract: setup ## every pair of source and target; writes docs/storage-backends.md
	@$(BIN)/python -m tests.contract.table

test-mysql: setup ## a real MySQL (downloaded once, no installation); writes docs/metadata-engines.md
	@$(BIN)/pytest -m mysql tests/integration/metadata_engines

test-schemas: setup ## schemas and data of Zabbix, Bacula and MediaWiki, from downloaded packages, come through equal
	@$(BIN)/pytest -m schemas tests/integration/metadata

test-docker: setup ## docker/ built and started, on stand-ins (or AIRFLOW_IMAGE, POSTGRES_IMAGE); needs an engine and root
	@$(BIN)/pytest -m docker tests/docker

test-chaos: setup ## every crash point (or CHAOS_POINTS of each step), and CHAOS_ROUNDS=20 long fault runs; .bench/chaos.json
	@$(BIN)/pytest -m chaos

bench: bench-storage bench-metadata bench-rpo bench-cutover ## all measurements

bench-storage: setup ## files against the usual tools: BENCH_SIZE=small or full; .bench/storage.json
	@$(BIN)/pytest -m bench tests/benchmarks/test_storage*.py

bench-metadata: setup ## dump, proof and switch against the usual tools: BENCH_SIZE; .bench/metadata.json
	@$(BIN)/pytest -m bench tests/benchmarks/test_metadata.py

bench-rpo: setup ## the RPO under load for BENCH_MINUTES (20; small: 3), through Airflow; .bench/rpo.json
	@$(BIN)/pytest -m bench tests/benchmarks/test_rpo.py

bench-cutover: setup ## the RTO of a cutover through Airflow against a shell script and a drill's forecast: BENCH_ROUNDS; .bench/cutover.json
	@$(BIN)/pytest -m bench tests/benchmarks/test_cutover.py

lint: setup ## style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy, strict
	@$(BIN)/mypy

setup: ## install what the other targets need
	@scripts/setup.sh
