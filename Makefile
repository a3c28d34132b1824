# Every target brings what it needs: see scripts/bootstrap.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST ?= $(BIN)/pytest
ARGS ?=

.PHONY: images image-sizes sbom scan pin-images release-prepare release-check release-push release-publish release-test \
  compose-test k8s-check help bootstrap up down wipe status logs demo test test-slow faults faults-long mutation bench alerts-test lint fmt types arch security workflows api-docs lock check

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bootstrap: ## make .venv as requirements.lock says
	@scripts/bootstrap

up: bootstrap ## start Postgres, RabbitMQ, Redis and the services
	@$(BIN)/florin up

down: bootstrap ## stop everything; data stays
	@$(BIN)/florin down

wipe: bootstrap ## stop everything and remove its data, keys and passwords
	@$(BIN)/florin down --wipe

status: bootstrap ## show what runs, where, and whether it is ready
	@$(BIN)/florin status

logs: bootstrap ## show the end of the services' logs (ARGS="account -f" for one, and on)
	@$(BIN)/florin logs $(ARGS)

demo: bootstrap ## start everything, feed a few thousand payments, check the books
	@$(BIN)/florin demo $(ARGS)

test: bootstrap ## run the tests (ARGS="-k name" to choose)
	@scripts/test $(ARGS)

test-slow: bootstrap ## run the tests that take minutes
	@$(PYTEST) -m slow $(ARGS)

faults: bootstrap ## break things under load and account for every payment (ARGS=--list: which)
	@$(BIN)/python -m tests.faults $(ARGS)

faults-long: bootstrap ## the same with longer holds, again and again (ARGS=--minutes=60)
	@$(BIN)/python -m tests.faults $(or $(ARGS),--minutes=60)

bench: bootstrap ## measure this machine: settled payments a second, latency, growth (ARGS=--help: what else)
	@$(BIN)/python -m tests.load $(ARGS)

alerts-test: bootstrap ## try the alert rules and who is told, and see one fire and end on a running stack
	@scripts/alerts-test $(ARGS)

mutation: bootstrap ## take out safeguards one at a time: a test must miss each (ARGS=--list: which)
	@$(BIN)/python -m tests.mutation $(ARGS)

lint: bootstrap ## ruff, mypy, architecture, bandit, the forge's workflows
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory types arch security workflows

fmt: bootstrap ## format, and repair what can be repaired
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

types: bootstrap ## mypy, strict
	@$(BIN)/mypy

arch: bootstrap ## the architecture's rules (.importlinter)
	@$(BIN)/lint-imports

security: bootstrap ## bandit over what ships
	@$(BIN)/bandit -q -r -c pyproject.toml --severity-level medium --confidence-level medium libs/contracts/src libs/messaging/src libs/service_kit/src services/*/src tools/florin/src

workflows: bootstrap ## the forge's workflows: as their schema wants them, and nothing that can be abused
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.renovate renovate.json
	@$(BIN)/zizmor -q --offline .github

api-docs: bootstrap ## write docs/api from the code (ARGS=--check to compare only)
	@$(BIN)/florin api-docs $(ARGS)

lock: bootstrap ## pin anew what the pyproject files allow
	@scripts/lock

check: bootstrap ## everything CI does
	@.ci/run

VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
CREATED ?= $(shell git log -1 --format=%cI 2>/dev/null || echo 1970-01-01T00:00:00Z)
IMAGES := transaction account fraud notification identity tools
RELEASE := python3 -m scripts.release
TRIVY_IMAGE ?= aquasec/trivy:0.65.0
TRIVY := docker run --rm -v "$(CURDIR):/given:ro" -v "$(CURDIR)/build/trivy:/root/.cache/trivy" $(TRIVY_IMAGE)
KNOWN_FAULTS := --quiet --severity HIGH,CRITICAL --ignore-unfixed --exit-code 1

images: ## build the images florin/<service> and florin/tools (VERSION=...)
	@FLORIN_VERSION=$(VERSION) FLORIN_REVISION=$(REVISION) FLORIN_CREATED=$(CREATED) BUILDX_NO_DEFAULT_ATTESTATIONS=1 \
	  docker compose -f deploy/compose.yml --profile tools build -q

image-sizes: ## refuse images of more than 250 MB (ARGS=--limit-mb=...)
	@$(RELEASE) sizes $(VERSION) $(ARGS)

sbom: ## what is inside each image, as CycloneDX in build/sbom (after `make images`)
	@mkdir -p build/sbom
	@for name in $(IMAGES); do \
	  docker run --rm --network none --read-only --entrypoint python3 florin/$$name:$(VERSION) /opt/sbom.py florin/$$name $(VERSION) \
	    >build/sbom/$$name.json && echo "build/sbom/$$name.json" || exit 1; \
	done

scan: ## known faults of what is in the images (after `make sbom`) and in requirements.lock
	@for name in $(IMAGES); do $(TRIVY) sbom $(KNOWN_FAULTS) /given/build/sbom/$$name.json || exit 1; done
	@$(TRIVY) fs $(KNOWN_FAULTS) --scanners vuln --file-patterns 'pip:requirements\.lock$$' /given/requirements.lock

pin-images: ## write the digest of each public image behind its name (ARGS=--check, ARGS=--mirror=host/path)
	@$(RELEASE) pin $(ARGS)

release-prepare: ## write VERSION=1.2.3 into every package and into the changelog
	@$(RELEASE) prepare $(VERSION)

release-check: ## is this checkout what TAG=v1.2.3 says?
	@$(RELEASE) check $(TAG)

release-push: ## push this machine's images to REGISTRY=host/path as candidates (after `make images sbom`)
	@$(RELEASE) push $(VERSION) --registry $(REGISTRY)

release-publish: ## give the candidates of all architectures their version in REGISTRY=host/path
	@$(RELEASE) publish $(VERSION) --registry $(REGISTRY) $(ARGS)

release-test: bootstrap ## release to a registry of its own: real images, pulled back by digest
	@$(PYTEST) -m images tests/release $(ARGS)

compose-test: bootstrap ## bring up the containers, pay, kill, scale, verify (ARGS=--keep)
	@$(BIN)/python -m tests.compose $(ARGS)

k8s-check: bootstrap ## build both overlays, check them strictly against Kubernetes' schemas and against our own rules
	@$(PYTEST) tests/deploy $(ARGS)
