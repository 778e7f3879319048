# Every workflow of this repository. `make` lists what there is.

# A Python that LocalStack runs on, and that can make virtual environments.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { command -v $$python; break; }; done)
VENV := .venv
DEV := $(VENV)/dev/bin
# The locks are whole, so pip resolves nothing: its resolver may prefer a newer release than the one locked.
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps
UV := $(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test lint typecheck test-unit test-terraform validate security test-integration package benchmark cost format reference \
	release-notes release lock setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## see the whole module at work on a local AWS (KEEP=1 leaves it up, VERBOSE=1 prints the logs)
	@$(DEV)/python scripts/demo.py $(if $(KEEP),--keep) $(if $(VERBOSE),--verbose)

demo-stop: setup ## stop what `make demo KEEP=1` left up
	@$(DEV)/python scripts/demo.py --stop

test: setup ## every gate: lint, types, unit, terraform, security, integration, the zip
	@$(DEV)/python scripts/gates.py

lint: $(VENV)/dev/.ready ## style, direction of imports, dead code, docs/inputs.md, the workflows
	@$(DEV)/python scripts/gates.py lint

typecheck: $(VENV)/dev/.ready ## types of the Python files
	@$(DEV)/python scripts/gates.py typecheck

test-unit: $(VENV)/dev/.ready ## unit and functional tests with coverage, the zip
	@$(DEV)/python scripts/gates.py unit

test-terraform: $(VENV)/dev/.ready ## terraform fmt, validate and test, the newest provider's schema
	@$(DEV)/python scripts/gates.py terraform

validate: $(VENV)/dev/.ready ## terraform validate alone (TERRAFORM=tofu for OpenTofu)
	@$(DEV)/python scripts/gates.py validate

security: $(VENV)/dev/.ready $(VENV)/checkov/.ready ## checkov, zizmor, pip-audit
	@$(DEV)/python scripts/gates.py security

test-integration: setup ## the applied module on the local AWS, or at AWS_ENDPOINT_URL
	@$(DEV)/python scripts/gates.py integration

package: ## build dist/ecr_scan_reporter.zip from lambda_src
	@$(or $(PYTHON),python3) scripts/package.py

benchmark: $(VENV)/dev/.ready ## measure calls and times, and write tests/benchmark/RESULTS.md
	@$(DEV)/python tests/benchmark/run.py

cost: ## print what the module costs per month, from the figures of the benchmark (IMAGES=1000000)
	@$(or $(PYTHON),python3) tests/benchmark/cost.py $(or $(IMAGES),1000000)

format: $(VENV)/dev/.ready ## format Python and Terraform
	@$(DEV)/ruff check --fix --quiet . && $(DEV)/ruff format --quiet . && scripts/terraform fmt -recursive

reference: $(VENV)/dev/.ready ## write docs/inputs.md from variables.tf and outputs.tf, and the table of docs/cost.md
	@$(DEV)/python scripts/reference.py
	@$(DEV)/python tests/benchmark/cost.py --document

release-notes: ## print the notes of a release (TAG=v1.2.3)
	@$(or $(PYTHON),python3) scripts/release_notes.py "$(TAG)"

release: ## publish a release on GitHub, with its notes and the zip (TAG=v1.2.3); the workflow "release" runs it
	@mkdir -p .build && $(MAKE) --silent release-notes TAG="$(TAG)" > .build/release-notes.md
	@gh release create "$(TAG)" dist/ecr_scan_reporter.zip --verify-tag --title "$(TAG)" --notes-file .build/release-notes.md

lock: ## resolve requirements/*.in into *.txt, with hashes
	@test -x $(VENV)/lock/bin/uv || { $(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/python -m pip install --quiet uv; }
	@for name in checkov dev functions; do $(UV) -o requirements/$$name.txt requirements/$$name.in || exit 1; done
	@$(UV) --exclude-newer 2026-03-05 -o requirements/local-aws.txt requirements/local-aws.in

setup: $(VENV)/dev/.ready $(VENV)/checkov/.ready $(VENV)/functions/.ready $(VENV)/local-aws/.ready ## install what the targets need, which they also do

clean: ## remove what was installed and built here (not dist/)
	@rm -rf $(VENV) .build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name .terraform -type d -prune -exec rm -rf {} + ; find . -name .terraform.lock.hcl -delete

$(VENV)/%/.ready: requirements/%.txt tools/local_aws/pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python found: 3.11, 3.12 or 3.13 with venv is needed (PYTHON=... names one)" >&2; exit 1; }
	@echo "installing $(VENV)/$* (once; a minute or two)"
	@rm -rf $(VENV)/$* && $(PYTHON) -m venv $(VENV)/$*
	@$(VENV)/$*/bin/python $(PIP) --requirement requirements/$*.txt
	@test $* = functions || test $* = checkov || $(VENV)/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable tools/local_aws
	@touch $@
