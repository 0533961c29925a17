# The two commands: `make run` and `make test`. The scripts under deploy/scripts do the work; CI runs the same ones.
.PHONY: run test check install lock docs clean help

run: ## install, prepare the models, ingest the samples, serve on http://127.0.0.1:8000
	@deploy/scripts/run

test: ## install what the tests need, then ruff, mypy, import-linter and pytest
	@deploy/scripts/install dev
	@deploy/scripts/check

check: ## the same without the install
	@deploy/scripts/check

install: ## .venv with everything that `make run` needs
	@deploy/scripts/install train

lock: ## pin the dependencies of pyproject.toml again (deploy/requirements/README.md)
	@deploy/scripts/lock

docs: ## write the tables of settings into the READMEs
	@.venv/bin/python deploy/scripts/docs.py

clean: ## remove .venv and caches; models and data in ~/.triptych stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
