# `make` alone lists the commands.

PYTHON ?= python3
export PORT STACK_DIR STACK_NAME TOKEN

LOCAL = $(PYTHON) -m infra.local
LINT_VENV = .venv/lint/bin
CARGO_DENY_VERSION = 0.20.2
CARGO_DENY = target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

.DEFAULT_GOAL = help
.PHONY: help run up down test chaos simulate smoke lint lint-rust lint-dependencies lint-template advisories
# Targets run in order even under -j: they share one cargo, and one terminal.
.NOTPARALLEL:

help:
	@echo 'make run          start the local stack, show what it does, stay until Ctrl-C'
	@echo 'make up           start the local stack, return when it is ready'
	@echo 'make down         stop it'
	@echo 'make test         run all tests against a stack of their own; ARGS="name" chooses'
	@echo 'make chaos SEED=1 run the functions under kill -9, minutes long, and check what came out; ARGS= for more or less'
	@echo 'make simulate     compute a day with 10,000 partners, one of them down: tests/simulation/SIMULATION.md'
	@echo 'make smoke URL=…  check a deployment from outside; PROVIDER=, TOKEN=, CLICK_URL= check more'
	@echo 'make lint         formatting, clippy, licences, template.yaml'
	@echo 'make advisories   known vulnerabilities of the dependencies; fetches a database with git'
	@echo
	@echo 'PORT=4570         the local stack'"'"'s port'
	@echo 'STACK_DIR=.stack  where it keeps its files; another directory and port make another stack'
	@echo 'PYTHON=python3    3.10 or newer'

run up down:
	@$(LOCAL) $@

# A stack of its own, on a port of its own, beside whatever is up.
test: export STACK_DIR := $(or $(STACK_DIR),.stack)-test
test:
	@$(LOCAL) test -- $(ARGS)

# As test: the seed decides what is sent, what fails, and when who is killed.
chaos: export STACK_DIR := $(or $(STACK_DIR),.stack)-chaos
chaos:
	@$(LOCAL) chaos -- --seed $(or $(SEED),1) $(ARGS)

simulate:
	cargo build --locked --workspace --bins
	target/debug/simulation --seed $(or $(SEED),1)

smoke:
	@$(LOCAL) smoke --url '$(URL)' --provider '$(PROVIDER)' --click-url '$(CLICK_URL)'

lint: lint-rust lint-dependencies lint-template

lint-rust:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
# Alone, without the features that other crates switch on: so that the rules have no clock, no randomness, no network.
	cargo check --locked -p domain

# Fetched first for every platform, so that the check itself needs no network.
lint-dependencies: $(CARGO_DENY)
	@tree=$$(cargo tree --locked --workspace --target all --prefix none) && \
	if echo "$$tree" | grep '^aws-lc'; then echo 'aws-lc must not be in the tree: use ring'; exit 1; fi
	cargo fetch --locked
	$(CARGO_DENY) --offline --locked check licenses bans sources

lint-template:
	@$(LOCAL) virtualenv lint requirements-lint.txt
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(LINT_VENV)/sam validate --lint --template template.yaml
	$(LINT_VENV)/cfn-lint template.yaml

advisories: $(CARGO_DENY)
	$(CARGO_DENY) --locked check advisories

$(CARGO_DENY):
	cargo install --locked --version $(CARGO_DENY_VERSION) --root target/tools/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny
