# What a person types here. `make` alone prints the list.

GO       ?= go
SHELL    := /bin/bash
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Tools are built once into a folder beside Go's own cache, not into the repository.
TOOLS    := $(dir $(shell $(GO) env GOCACHE))hostfold-tools
LINT     := $(TOOLS)/golangci-lint-$(shell sed -n 's|.*golangci/golangci-lint/v2 \(v[0-9.]*\).*|\1|p' tools/go.mod)
# Runs a command beside a private test Postgres and leaves nothing behind.
BESIDE   := $(GO) run ./projections/postgres/testenv
# Where tools/setup puts playwright-core and the event store's clients, and Node
# where the system's is too old.
CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hostfold
NODE     := PATH="$(CACHE)/node/bin:$$PATH" NODE_PATH=$(CACHE)/browser/node_modules:$(CACHE)/clients/node_modules \
	HOSTFOLD_BROWSER_TESTS=1 HOSTFOLD_NODE_CLIENTS_TESTS=1 \
	HOSTFOLD_CHROMIUM="$$(command -v "$$HOSTFOLD_CHROMIUM" chromium-headless-shell chromium | head -n 1)"
# The packages that have fuzzers.
FUZZED    = $(sort $(dir $(shell grep -rl --include=*_test.go '^func Fuzz' .)))
# How long make soak lets each fuzzer look, and each of the whole front door's.
FUZZTIME ?= 2m
FRONTTIME ?= 10m

# Without the path of the checkout in what is built, every checkout builds the
# same, and go test runs again only what has changed since any of them.
export GOFLAGS ?= -buildvcs=false -trimpath
# Compilers, linters and tests live for seconds: they need not tidy up often.
test check lint race fmt: export GOGC ?= 400

.DEFAULT_GOAL := help
.PHONY: help build run test check lint fmt golden bench soak node vuln setup-run setup-test format-check race tidy-check catalogue

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build bin/hostfold
	$(GO) build -ldflags '-X main.version=$(VERSION)' -o bin/hostfold ./cmd/hostfold

run: setup-run build ## set up, build, and run the portal with the demo
	bin/hostfold serve --demo

# What takes longest comes first, so that nothing waits for it alone; three
# packages at once, with four tests each, since many wait more than they compute.
# The seeds of the fuzzers come apart: they are looked for beside the sources, so
# that go test would take another checkout's packages for others.
test: setup-test ## set up and run every test, those with a browser and with Node included
	$(NODE) $(BESIDE) $(GO) test -skip '^Fuzz' -p 3 -parallel 4 ./http/portal ./http ./cmd/hostfold ./commands/effects ./...
	$(BESIDE) $(GO) test -run '^Fuzz' $(FUZZED)

check: format-check lint race tidy-check catalogue ## format, lint, race tests, tidy and catalogue checks

lint: $(LINT) ## run the linters
	$(LINT) run ./...

fmt: $(LINT) ## format the code
	$(LINT) fmt ./...

golden: ## write the golden JSON of new events, and new commands' names (old ones are never edited)
	$(GO) test ./domain/catalog -update
	$(GO) test ./commands -run TestCommandsKeepTheirNames -update

bench: setup-run ## measure beside the limits and print the table
	$(GO) run ./cmd/hostfold bench

soak: setup-test ## the long proofs: crashes, kills, fuzzing (hours)
	$(NODE) HOSTFOLD_SOAK=1 HOSTFOLD_TEST_KILLS=50 $(BESIDE) $(GO) test -timeout 2h -count=1 ./...
	@grep -rl --include=*_test.go '^func Fuzz' . | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' "$$file" | while read -r fuzz; do \
			echo "$$fuzz in $$(dirname "$$file")"; \
			case "$$fuzz" in FuzzFront*) time=$(FRONTTIME);; *) time=$(FUZZTIME);; esac; \
			$(BESIDE) $(GO) test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime "$$time" "$$(dirname "$$file")" </dev/null || exit 1; \
		done || exit 1; \
	done

node: build ## run the embedded event store alone
	bin/hostfold node

vuln: ## look for known vulnerabilities (needs the Go vulnerability database)
	cd tools && $(GO) run golang.org/x/vuln/cmd/govulncheck -C .. ./...

setup-run:
	@tools/setup run

setup-test:
	@tools/setup test

format-check: $(LINT)
	@out="$$($(LINT) fmt --diff ./... 2>&1)" || { echo "$$out"; echo "run make fmt"; exit 1; }

# What runs at the same time as something else: not domain, whose functions are
# pure, nor the pages, which share what http races (their stream apart). Nor the
# tests with Node, which drive the same code from outside, and what -short leaves
# out, those of quantities and the commands one after the other, nor the seeds of
# the fuzzers: all of them ran in `make test`, as go vet did. The binary that a
# whole-system test starts is raced too, and killed less often than there.
race: setup-test
	HOSTFOLD_TEST_KILLS=4 $(BESIDE) $(GO) test -race -short -vet=off -skip '^Fuzz' -p 3 -parallel 4 -timeout 20m ./http ./cmd/hostfold \
		$$($(GO) list ./... | grep -v -e /domain -e /http/portal)
	$(BESIDE) $(GO) test -race -short -vet=off -run Stream ./http/portal

tidy-check:
	$(GO) mod tidy -diff

catalogue:
	$(GO) test ./domain/catalog

$(LINT): | tools/go.mod
	@mkdir -p $(TOOLS)
	cd tools && $(GO) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
