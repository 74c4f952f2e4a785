# The front door.  meson and ninja do the work; `make help` says what there is.

FLAVOUR ?= release
PREFIX ?= /usr/local
DESTDIR ?=
TESTS ?=
SUITE ?=
QUICK ?=
WERROR ?= 0
SECONDS ?= 60
SEED ?= 1
FAULTS ?=
BENCH ?=
BENCH_OUT ?=
LANES ?= all

# CC is meson's to choose unless somebody named it.
compiler :=
ifneq ($(origin CC),default)
export CC
compiler := $(filter-out cc gcc,$(notdir $(lastword $(CC))))
endif

empty :=
space := $(empty) $(empty)
BUILD ?= $(subst $(space),-,$(strip build $(filter-out release,$(FLAVOUR)) $(compiler)))
packages = build $(if $(findstring clang,$(compiler)),clang)

.PHONY: build demo check model sim bench fuzz fuzz-targets \
	coverage coverage-configured mutation valgrind install clean help configured
.DEFAULT_GOAL := build

configured:
	@scripts/packages $(packages)
	@scripts/configure $(BUILD) $(FLAVOUR) $(PREFIX) $(WERROR)

build: configured
	@ninja -C $(BUILD) $(NINJAFLAGS)

demo: configured
	@ninja -C $(BUILD) --quiet
	@scripts/demo $(BUILD)

check: packages = build check $(if $(findstring clang,$(compiler)),clang)
check: configured
	@ninja -C $(BUILD) --quiet
	@FLAVOUR=$(FLAVOUR) SUITE='$(SUITE)' QUICK=$(QUICK) scripts/check $(BUILD) $(TESTS)

model: configured
	@ninja -C $(BUILD) --quiet tests/model/test-model
	@BUILD=$(BUILD) scripts/model --seed $(SEED) --seconds $(SECONDS) --lanes $(LANES)

sim: configured
	@ninja -C $(BUILD) --quiet tests/simulation/test-simulation
	@BUILD=$(BUILD) scripts/sim --seed $(SEED) --seconds $(SECONDS) --lanes $(LANES)

bench: packages = build bench $(if $(findstring clang,$(compiler)),clang)
bench: configured
	@# a peer that was installed since is found now
	@[ $(BUILD)/build.ninja -nt /var/lib/dpkg/status ] || meson setup --reconfigure $(BUILD) >/dev/null
	@ninja -C $(BUILD) --quiet
	@BENCH_OUT=$(BENCH_OUT) bench/run $(BUILD) $(if $(filter 1,$(QUICK)),--quick) $(BENCH)

# libFuzzer is clang's
FUZZ_TARGETS = arguments frames greeting jobs lane launchd mach_lane mach_lane_client messages \
	mig plist stubs traps welcome
fuzz:
	@$(MAKE) --no-print-directory CC=clang FLAVOUR=fuzz BUILD=build-fuzz fuzz-targets
	@scripts/fuzz build-fuzz $(SECONDS) $(SEED)

fuzz-targets: packages = build check clang
fuzz-targets: configured
	@ninja -C $(BUILD) --quiet berth berthd \
		$(addprefix fuzz/fuzz-,$(addsuffix -coverage,$(FUZZ_TARGETS)))

# gcov is gcc's
coverage:
	@$(MAKE) --no-print-directory CC=gcc FLAVOUR=coverage BUILD=build-coverage coverage-configured
	@scripts/coverage build-coverage

coverage-configured: packages = build check coverage
coverage-configured: configured

mutation: packages = build check
mutation: configured
	@scripts/mutate $(BUILD) $(FAULTS)

valgrind: packages = build check
valgrind: configured
	@ninja -C $(BUILD) --quiet
	@scripts/valgrind $(BUILD)

install: configured
	@ninja -C $(BUILD) --quiet
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	@for folder in build build-*/; do \
		if [ -d "$$folder/meson-info" ]; then rm -rf "$$folder"; fi; \
	done

help:
	@echo 'make              build into build/'
	@echo 'make demo         build, then show what Berth does'
	@echo 'make check        build and run all tests; TESTS="NAME..." runs only those,'
	@echo '                  QUICK=1 leaves out the slow ones, SUITE=threads runs a suite'
	@echo 'make model        random calls of the kernel and of a model of it compared;'
	@echo '                  SECONDS=60 SEED=1 LANES=all (off, forced, flapping)'
	@echo 'make sim          random schedules of many tasks for SECONDS=60, from SEED=1 on;'
	@echo '                  LANES=all (off, forced, flapping)'
	@echo 'make bench        measure speed beside other systems (bench/README.md); QUICK=1 takes less'
	@echo '                  time and is less exact; BENCH="--only WORK --system NAME --runs N";'
	@echo '                  BENCH_OUT=FILE.json writes the figures and FILE.svg'
	@echo 'make fuzz         let libFuzzer try traps, messages, launchd, command lines and more;'
	@echo '                  SECONDS=60 SEED=1'
	@echo 'make coverage     what the tests reach of kernel/, line by line'
	@echo 'make valgrind     the end-to-end tests under memcheck'
	@echo 'make mutation     plant faults in kernel/, one by one: some test must see each;'
	@echo '                  FAULTS="NAME..." plants only those'
	@echo 'make install      PREFIX=/usr/local DESTDIR='
	@echo 'make clean        remove the build folders'
	@echo
	@echo 'FLAVOUR=release|debug|asan|tsan and CC=gcc|clang choose another build, in a'
	@echo 'folder of its own: make FLAVOUR=asan CC=clang check uses build-asan-clang/.'
	@echo 'WERROR=1 makes warnings errors.'
	@echo 'Debian packages that are missing (packaging/packages.txt) are installed first.'
