# What to run, for people and for CI. `make check` is the whole gate; the rest
# are its parts.

GO      ?= go
TOOL     = $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 2s

# The race detector slows a traced program's tracer, and it can't look into the
# child processes that these packages' tests are about; everything else has it.
NORACE = /internal/(launch|strace|demo|arch)$$|/internal/lens/[a-z]+$$|/cmd/|/e2e(/|$$)

.PHONY: all build check install-deps format vet staticcheck generated test exam fuzz bench bench-kernel bench-code bench-wire fmt clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/culprit

check: install-deps format vet staticcheck generated build test fuzz
	@echo 'make check: all passed'

# Installs what the tests need where it can (Debian, as root or with sudo) and
# says what is missing where it can't.
install-deps:
	@tools/install-deps

format:
	@bad=$$(gofmt -l cmd internal e2e 2>/dev/null); \
	if [ -n "$$bad" ]; then echo "not formatted (make fmt does it):"; echo "$$bad"; exit 1; fi

fmt:
	gofmt -w $$(ls -d cmd internal e2e 2>/dev/null)

vet:
	$(GO) mod tidy -diff
	$(GO) vet ./...

staticcheck:
	$(TOOL) staticcheck ./...

# Runs every generator and fails when a committed result differs from it.
generated:
	@tools/generated

# Unit, golden, script and end-to-end tests. The second half is never taken from
# go's test cache: those tests depend on programs that the cache doesn't know. It
# runs whatever became of the first.
test:
	@failed=0; \
	CGO_ENABLED=1 $(GO) test -race $$($(GO) list ./... | grep -vE '$(NORACE)') || failed=1; \
	$(GO) test -count=1 $$($(GO) list ./... | grep -E '$(NORACE)') || failed=1; \
	exit $$failed

# The development exam: real programs that fail for known reasons. The collection
# lies beside the repository; its README says how it scores.
EXAM ?= ../shared/scenarios
exam: build
	$(EXAM)/exam --culprit bin/culprit --jobs 2 $(EXAM)

# Each fuzz target for FUZZTIME, one after the other.
fuzz:
	@tools/fuzz $(FUZZTIME)

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# The wire lens beside tshark and openssl, on a capture that is generated in a
# temporary folder (4 GB of room; BENCH_WIRE=-large=0 does with 0.5 GB).
bench-wire: build
	$(GO) run ./internal/wire/bench -culprit bin/culprit $(BENCH_WIRE)

# What recording costs, beside strace: a table. As root, on a quiet machine.
bench-kernel:
	$(GO) build -o bin/kernelbench ./e2e/kernelbench
	bin/kernelbench

# What the code lens costs Python programs, over the Pythons of this machine.
bench-code:
	$(GO) build -o bin/codebench ./e2e/codebench
	bin/codebench

clean:
	rm -rf bin
