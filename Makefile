# Every workflow of this repository. `make` lists what there is.

# A Python that LocalStack runs on, and that can make virtual environments.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { command -v $$python; break; }; done)
VENV := .venv
DEV := $(VENV)/dev/bin
DISK_MB := 2000
USUAL_SECONDS_checkov := 30
USUAL_SECONDS_dev := 35
USUAL_SECONDS_functions := 10
USUAL_SECONDS_local-aws := 45
# The locks are whole, so pip resolves nothing: its resolver may prefer a newer release than the one locked.
PIP := -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --no-deps
UV := $(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-stop check test fuzz test-hours lint typecheck test-unit test-terraform validate security test-integration test-replacements package benchmark cost \
	format reference release-notes release lock setup clean need-python need-terraform need-disk

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: need-terraform need-python need-disk $(VENV)/functions/.ready $(VENV)/local-aws/.ready ## see the whole module at work on a local AWS (KEEP=1 leaves it up, VERBOSE=1 prints the logs)
	@$(VENV)/local-aws/bin/python scripts/demo.py $(if $(KEEP),--keep) $(if $(VERBOSE),--verbose)

demo-stop: $(VENV)/local-aws/.ready ## stop what `make demo KEEP=1` left up
	@$(VENV)/local-aws/bin/python scripts/demo.py --stop

check: need-terraform need-python $(VENV)/functions/.ready $(VENV)/dev/.ready ## the quick gates, before each commit: lint, types, unit but the slow tests, validate
	@$(DEV)/python scripts/gates.py check

test: need-terraform setup ## every gate: lint, types, unit, terraform, security, integration, the zip
	@$(DEV)/python scripts/gates.py

fuzz: $(VENV)/dev/.ready ## the random tests with many examples, new ones each time; an hour or two
	@$(DEV)/python scripts/gates.py fuzz

test-hours: $(VENV)/functions/.ready $(VENV)/dev/.ready ## the unit and functional tests at each hour of a day, and on special days; an hour
	@$(DEV)/python scripts/gates.py hours

lint: $(VENV)/dev/.ready ## style, direction of imports, dead code, tables in documents, the workflows
	@$(DEV)/python scripts/gates.py lint

typecheck: $(VENV)/dev/.ready ## types of the Python files
	@$(DEV)/python scripts/gates.py typecheck

test-unit: $(VENV)/functions/.ready $(VENV)/dev/.ready ## unit and functional tests with coverage, the zip
	@$(DEV)/python scripts/gates.py unit

test-terraform: need-terraform $(VENV)/dev/.ready ## terraform fmt, validate and test, the newest provider's schema
	@$(DEV)/python scripts/gates.py terraform

validate: need-terraform $(VENV)/dev/.ready ## terraform validate alone (TERRAFORM=tofu for OpenTofu)
	@$(DEV)/python scripts/gates.py validate

security: $(VENV)/dev/.ready $(VENV)/checkov/.ready ## checkov, zizmor, pip-audit
	@$(DEV)/python scripts/gates.py security

test-integration: need-terraform $(VENV)/functions/.ready $(VENV)/dev/.ready $(VENV)/local-aws/.ready ## the applied module on the local AWS, or at AWS_ENDPOINT_URL
	@$(DEV)/python scripts/gates.py integration

test-replacements: need-terraform $(VENV)/functions/.ready $(VENV)/dev/.ready $(VENV)/local-aws/.ready ## each resource replaced by itself on the local AWS, and a second plan; 20 minutes
	@$(DEV)/python scripts/gates.py replacements

package: need-python ## build dist/ecr_scan_reporter.zip from lambda_src
	@$(PYTHON) scripts/package.py

benchmark: $(VENV)/dev/.ready ## measure calls and times, and write tests/benchmark/RESULTS.md (RESUME=1 goes on with a run that was interrupted)
	@$(DEV)/python tests/benchmark/run.py $(if $(RESUME),--resume)

cost: need-python ## print what the module costs per month, from the figures of the benchmark (IMAGES=1000000)
	@$(PYTHON) tests/benchmark/cost.py $(or $(IMAGES),1000000)

format: $(VENV)/dev/.ready ## format Python and Terraform
	@$(DEV)/ruff check --fix --quiet . && $(DEV)/ruff format --quiet . && scripts/terraform fmt -recursive

reference: $(VENV)/dev/.ready ## write docs/inputs.md, docs/permissions.json, the example documents, the pictures, and the tables of CONTRIBUTING.md, docs/permissions.md and cost.md
	@$(DEV)/python scripts/code_map.py
	@$(DEV)/python scripts/reference.py
	@$(DEV)/python scripts/permissions.py
	@$(DEV)/python scripts/example_documents.py
	@$(DEV)/python scripts/pictures.py
	@$(DEV)/python tests/benchmark/cost.py --document

release-notes: need-python ## print the notes of a release (TAG=v1.2.3)
	@$(PYTHON) scripts/release_notes.py "$(TAG)"

release: ## publish a release on GitHub, with its notes and the zip (TAG=v1.2.3); the workflow "release" runs it
	@mkdir -p .build && $(MAKE) --silent release-notes TAG="$(TAG)" > .build/release-notes.md
	@gh release create "$(TAG)" dist/ecr_scan_reporter.zip --verify-tag --title "$(TAG)" --notes-file .build/release-notes.md

lock: need-python ## resolve requirements/*.in into *.txt, with hashes
	@test -x $(VENV)/lock/bin/uv || { $(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip install --quiet uv; }
	@for name in checkov dev functions; do $(UV) -o requirements/$$name.txt requirements/$$name.in || exit 1; done
	@$(UV) --exclude-newer 2026-03-05 -o requirements/local-aws.txt requirements/local-aws.in

setup: need-python need-disk $(VENV)/dev/.ready $(VENV)/checkov/.ready $(VENV)/functions/.ready $(VENV)/local-aws/.ready ## install what the targets need, which they also do

clean: ## remove what was installed and built here (not dist/)
	@rm -rf $(VENV) .build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name .terraform -type d -prune -exec rm -rf {} + ; find . -name .terraform.lock.hcl -delete

# What cannot be installed here is checked first, and named in one line.
need-python:
	@test -n "$(PYTHON)" || { echo "no Python was found that can make virtual environments: install Python 3.11, 3.12 or 3.13 (https://www.python.org/downloads/," \
		"or apt install python3 python3-venv), or name one with PYTHON=..." >&2; exit 1; }

need-terraform:
	@command -v "$(or $(TERRAFORM),terraform)" >/dev/null || { echo "$(or $(TERRAFORM),terraform) is not on PATH: install Terraform 1.9 or newer" \
		"(https://developer.hashicorp.com/terraform/install)" >&2; exit 1; }

need-disk:
	@free=$$(df -Pk . | awk 'NR == 2 { print int($$4 / 1024) }'); test "$$free" -ge $(DISK_MB) || { echo "$$free MB are free in $(CURDIR);" \
		"$(DISK_MB) MB are needed: free some disk space, or clone into another folder" >&2; exit 1; }

# Seconds on 2 cores.
$(VENV)/%/.ready: requirements/%.txt tools/local_aws/pyproject.toml | need-python
	@echo "installing $(VENV)/$* (once; usually $(USUAL_SECONDS_$*) s)"
	@rm -rf $(VENV)/$* && $(PYTHON) -m venv $(VENV)/$*
	@$(VENV)/$*/bin/python $(PIP) --requirement requirements/$*.txt
	@test $* = functions || test $* = checkov || $(VENV)/$*/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable tools/local_aws
	@touch $@
