.PHONY: up test down status bench drill env

PYTHON ?= python3
on = $(filter 1 y yes true on,$(1))

up: ## bring everything up, or back up
	@$(PYTHON) hack up

test: ## what changed since it passed; anew=1 everything, fast=1 leaves the cluster out
	@$(PYTHON) hack test $(if $(call on,$(fast)),--fast) $(if $(call on,$(anew)),--anew)

down: ## delete the cluster; yes=1 does not ask, purge=1 removes the caches too
	@$(PYTHON) hack down $(if $(call on,$(yes)),--yes) $(if $(call on,$(purge)),--purge)

status: ## what runs, where it is, and what is not ready and why
	@$(PYTHON) hack status

bench: ## measure, print and record
	@$(PYTHON) hack bench

drill: ## which drills there are; name=outage runs that one, yes=1 tells one that asks
	@$(PYTHON) hack drill $(name) $(if $(call on,$(yes)),--yes)

env: ## eval "$$(make -s env)" puts kubectl, helm, kind and the kit on PATH
	@$(PYTHON) hack env
