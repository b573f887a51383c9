.PHONY: up test down status bench

on = $(filter 1 y yes true on,$(1))

up: ## bring everything up, or back up
	@python3 hack up

test: ## everything; fast=1 leaves the cluster out
	@python3 hack test $(if $(call on,$(fast)),--fast)

down: ## delete the cluster; yes=1 does not ask, purge=1 removes the caches too
	@python3 hack down $(if $(call on,$(yes)),--yes) $(if $(call on,$(purge)),--purge)

status: ## what runs, where it is, and what is not ready and why
	@python3 hack status

bench: ## measure, print and record
	@python3 hack bench
