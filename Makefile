# Two commands matter:  make demo  shows the system at work,  make test  proves it.
# `make help` lists the others. Everything runs on a laptop, without an account anywhere.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
SHELL := /bin/sh
comma := ,

# Whatever the caller's shell is set up for (another environment, another AWS account) is none of our
# business. Of uv's settings only those stay that say how to reach the network and where to cache.
# (Where the shell forbids Python to keep what it compiled, every process compiles all libraries.)
STRAY := VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PYTHONOPTIMIZE LOG_LEVEL
STRAY += PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
STRAY += $(filter AWS_% SAM_CLI_% POWERTOOLS_% PYTEST_% MYPY% RUFF_% HYPOTHESIS_%,$(.VARIABLES))
STRAY += $(filter-out UV_CACHE_DIR UV_OFFLINE UV_HTTP_% UV_CONCURRENT_% UV_NATIVE_TLS UV_SYSTEM_CERTS \
	UV_INSECURE_HOST UV_LINK_MODE UV_PYTHON_INSTALL_% UV_PYTHON_DOWNLOADS%,$(filter UV_%,$(.VARIABLES)))
unexport $(STRAY)

# A proxy does not know this machine's own addresses.
export NO_PROXY := $(if $(NO_PROXY),$(NO_PROXY)$(comma))127.0.0.1,localhost
export no_proxy := $(NO_PROXY)

# SAM would ask PyPI for newer versions of itself and report usage to AWS.
export SAM_CLI_TELEMETRY := 0

BIN := .venv/bin
# Which uv it is was found out by bootstrap.sh; the environments know the Python.
UV = UV_PYTHON=$(BIN)/python $$(if [ -x .uv/bin/uv ]; then echo .uv/bin/uv; else echo uv; fi)
EXPORT = $(UV) export --quiet --locked --no-dev --no-emit-project --format requirements-txt \
	--no-header

# $(call phase,what it does,command): say it, do it, say how long it took.
define phase
@printf '── %s\n' "$(1)"; began=$$(date +%s); \
if ( $(2) ); then printf '   done in %s s\n' "$$(($$(date +%s) - began))"; \
else printf '   FAILED: %s\n' "$(1)" >&2; exit 1; fi
endef

# What `make simulate` tells, and the seed of what it leaves to chance; with ALL=singles (doubles, triples, pairs)
# all of those of STORIES and nothing else, or a PART of them. COVERAGE=1 shows which accident met what how often.
HISTORIES := 100000
SEED := 1
STORIES := redeem
PART := 1/1
ALL_OF_THEM = --all "$(ALL)" --stories "$(STORIES)" --part "$(PART)"

# What `make test` tells, days apart: the aim is two minutes on two cores (docs/simulator.md).
HISTORIES_IN_TEST := 30000
DAYS_IN_TEST := 20

FAST := not sockets and not deployed and not browser and not slow
STACK := deployed or browser

.PHONY: help setup demo test check mutants simulate proof format lock templates screenshots docs clean \
	_static _template _locks _histories _fast-tests _tests _stack-tests _needs-chromium

help: ## List the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## Make or refresh the environments (the other commands do it by themselves)
	$(call phase,environments from uv.lock,./bootstrap.sh)

demo: setup ## Show the whole system at work on this machine, until Ctrl-C
	@exec $(BIN)/python -m sandbox.demo

check: setup _static _fast-tests ## The quick part, for while you work

test: setup _needs-chromium _static _template _locks _histories _tests _stack-tests ## Everything
	@printf '── all green\n'

mutants: setup ## Break each guard once and see a test go red (ONLY=names: code-*,cap-*)
	@$(BIN)/python -m mutants --only "$(ONLY)"

simulate: setup ## Tell histories with accidents, look at every promise (HISTORIES=n SEED=s ALL=doubles COVERAGE=1)
	@$(BIN)/python -m simulator --seed "$(SEED)"$(if $(COVERAGE), --coverage) \
		$(if $(ALL),$(ALL_OF_THEM),--histories "$(HISTORIES)")

proof: setup ## Run simulate and mutants, and write docs/proof.md of what they came to (hours)
	@$(BIN)/python -m mutants.proof --run simulate,whole,mutants,promises

format: setup ## Format the code, and mend what the linter can mend
	$(call phase,format,$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format .)

lock: ## Lock the dependencies anew, and write the layer's requirements from the lock
	$(call phase,uv.lock and the environments,./bootstrap.sh --lock)
	$(call phase,the layer's requirements,$(EXPORT) --output-file layers/shared/requirements.txt >/dev/null)

templates: setup ## Make Klaviyo's templates anew from klaviyo/layouts and klaviyo/themes.toml
	$(call phase,klaviyo/templates,$(BIN)/python -m ops.klaviyo_templates)

screenshots: setup _needs-chromium ## Take the pictures of the README anew
	$(call phase,screenshots,$(BIN)/python -m sandbox.screenshots)

docs: setup ## Write the parts of docs/*.md that the code itself tells
	$(call phase,docs/proof.md,$(BIN)/python -m mutants.proof)
	$(call phase,docs/redeem.md,$(BIN)/python -m tests.documents.redeem)
	$(call phase,docs/sell.md,$(BIN)/python -m tests.documents.sell)
	$(call phase,docs/costs.md,$(BIN)/python -m tests.documents.costs)
	$(call phase,docs/refunds.md,$(BIN)/python -m tests.documents.refunds)

clean: ## Remove what builds and runs leave behind (environments stay)
	rm -rf .aws-sam .sandbox test-results .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find functions layers mutants ops sandbox simulator tests -name __pycache__ -type d -prune -exec rm -rf {} +

_static:
	$(call phase,format: ruff format --check,$(BIN)/ruff format --quiet --check .)
	$(call phase,lint: ruff check,$(BIN)/ruff check --quiet .)
	$(call phase,types: mypy --strict,$(BIN)/mypy)
	$(call phase,who may import whom: import-linter,$(BIN)/lint-imports --no-logo)

_template:
	$(call phase,template: sam validate --lint,AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint)

_locks:
	$(call phase,uv.lock fits pyproject.toml,$(UV) lock --quiet --check)
	$(call phase,the layer holds what uv.lock says,$(EXPORT) | \
		diff -u layers/shared/requirements.txt - || \
		{ printf '   mend it with: make lock\n' >&2; exit 1; })

_fast-tests:
	$(call phase,tests without sockets,$(BIN)/pytest -q -n 2 --dist worksteal -m '$(FAST)')

_histories:
	$(call phase,$(HISTORIES_IN_TEST) histories with accidents in them,$(BIN)/python -m simulator \
		--histories $(HISTORIES_IN_TEST) --days $(DAYS_IN_TEST) --seed $(SEED))

_tests:
	$(call phase,tests in this process and on loopback,$(BIN)/pytest -q -n 2 --dist worksteal -m 'not ($(STACK))')

_stack-tests:
	$(call phase,tests on the deployed stack and in the browser,$(BIN)/pytest -q -n 2 --dist loadfile \
		-m '$(STACK)')

_needs-chromium:
	$(call phase,a browser for the tests,printf "   " && $(BIN)/python -m sandbox.chromium)
