.PHONY: up test down status bench

up: ## bring everything up, or back up
	@python3 hack up

test: ## everything; fast=1 leaves the cluster out
	@python3 hack test $(if $(fast),--fast)

down: ## delete the cluster; yes=1 does not ask, purge=1 removes the caches too
	@python3 hack down $(if $(yes),--yes) $(if $(purge),--purge)

status: ## what runs, where it is, and what is not ready and why
	@python3 hack status

bench: ## measure, print and record
	@python3 hack bench
