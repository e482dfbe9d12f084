# make            build/release/dockpass
# make run        dockpass and a registry, ready for docker login
# make test       unit tests, then end-to-end tests with real clients
# make asan tsan  unit and protocol tests under the sanitizers
# make lint       layers, banned functions, format, analyzers
# make fuzz       each fuzzer for FUZZ_SECONDS; fuzz-scope: one, until ^C
# make soak       what takes hours: see test/soak.py
# make bench      ratios against references of the same run (test/bench)
# make conformance  every client at every registry (test/conformance)
# make install    into DESTDIR and PREFIX
# make deb        build/dockpass_VERSION_ARCH.deb (docker/debian)
#
# run, test, asan, tsan, lint, fuzz, soak, bench, conformance and deb first
# install what is missing (apt).
MODE    ?= release
B       := build/$(MODE)
PREFIX  ?= /usr/local
PY      := /usr/bin/python3
FUZZ_SECONDS ?= 10
E2E     ?= test/e2e
# The end-to-end tests that need no client but HTTP.
PROTOCOL := $(wildcard test/e2e/test_protocol*.py)
CORES   := $(shell nproc)
# Test files run side by side, this many: some wait more than they work.
E2E_JOBS ?= 3
AGAIN    = $(MAKE) --no-print-directory

PKGS_token  := libjwt libcrypto
PKGS_store  := lmdb
PKGS_server := libseccomp libcurl libevent libevent_openssl libevent_pthreads libssl libcyaml yaml-0.1 libcrypt
PKGS        := $(PKGS_server) $(PKGS_store) $(PKGS_token)

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla \
	   -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2 $(HARDEN)
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
		  -fno-sanitize-recover=all
CFLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_fuzz    := $(CFLAGS_asan) -fsanitize=fuzzer-no-link
CPPFLAGS += -I. -D_GNU_SOURCE
CFLAGS   += -std=gnu17 -g -pthread $(WARN) $(CFLAGS_$(MODE))
LDFLAGS  += $(LDFLAGS_$(MODE))
LDLIBS   += -pthread $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ifeq ($(MODE),fuzz)
CC := clang
endif

SRC_token  := $(wildcard token/*.c)
SRC_store  := $(wildcard store/*.c)
SRC_server := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c))
OBJ_token  := $(SRC_token:%.c=$B/%.o)
OBJ_store  := $(SRC_store:%.c=$B/%.o)
OBJ_server := $(SRC_server:%.c=$B/%.o)
# Lower layers last: the linker reads from left to right.
LIBS       := $B/server.a $B/store.a $B/token.a
UNIT_token  := $(patsubst %.c,$B/%,$(wildcard test/unit/token/test_*.c))
UNIT_store  := $(patsubst %.c,$B/%,$(wildcard test/unit/store/test_*.c))
UNIT_server := $(patsubst %.c,$B/%,$(wildcard test/unit/server/test_*.c))
UNIT       := $(UNIT_token) $(UNIT_store) $(UNIT_server)
FUZZ       := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
REPLAY     := $(FUZZ:%=$B/test/fuzz/replay_%)
FUZZERS    := $(FUZZ:%=$B/test/fuzz/fuzz_%)

all: $B/dockpass

$B/dockpass: $B/server/main.o $(LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.SECONDEXPANSION:
$(LIBS): $B/%.a: $$(OBJ_$$*)
	@rm -f $@
	$(AR) qcs $@ $^
$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
# A unit test links its own layer and those below, nothing above.
$(UNIT_token): LAYERS := $B/token.a
$(UNIT_token): $B/token.a
$(UNIT_store): LAYERS := $B/store.a $B/token.a
$(UNIT_store): $B/store.a $B/token.a
$(UNIT_server): LAYERS := $(LIBS)
$(UNIT_server): $(LIBS)
$(UNIT): $B/%: $B/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LAYERS) $(LDLIBS) -lcmocka
# A fuzzer, and the same without libFuzzer: what it once found stays found.
$(FUZZERS): $B/%: $B/%.o $(LIBS)
	$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)
$(REPLAY): $B/test/fuzz/replay_%: $B/test/fuzz/fuzz_%.o $B/test/fuzz/replay.o $(LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What is measured with: see test/bench/bench.py.
BENCH := $(addprefix build/bench/,fill writes sign count.so slow.so)
build/bench/%.so: test/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu17 $(WARN) -O2 -fPIC -shared -o $@ $<
build/bench/%: $B/test/bench/%.o $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# From here on, what people type. Those of the second group first install what
# they need, so the work is done by another make that sees it.
unit-token unit-store unit-server: unit-%: $$(UNIT_$$*)
	@bad=0; for t in $^; do echo "# $$t"; $$t || bad=1; done; exit $$bad
unit-fuzz: $(REPLAY)
	@for t in $^; do $$t test/fuzz/corpus/$${t##*/replay_}/* || exit 1; done
unit: unit-token unit-store unit-server unit-fuzz
e2e: $B/dockpass
	DOCKPASS=$B/dockpass $(PY) -m pytest -q -rfEs -n $(E2E_JOBS) --dist loadfile $(E2E)
check-lint:
	@test/lint
programs: $B/dockpass $(UNIT) $(REPLAY)

run:
	@docker/run
test:
	@docker/deps build test
	@$(AGAIN) -j $(CORES) programs
	@$(AGAIN) -k unit e2e
asan tsan:
	@docker/deps build test
	@$(AGAIN) MODE=$@ -j $(CORES) programs
	@$(AGAIN) MODE=$@ -k unit $(if $(PROTOCOL),e2e E2E="$(PROTOCOL)")
lint:
	@docker/deps build lint
	@$(AGAIN) check-lint
fuzz: $(FUZZ:%=fuzz-%)
fuzz: LIMIT := -max_total_time=$(FUZZ_SECONDS) -verbosity=0
# Its log, a line for each request.
fuzz-server: QUIET := -close_fd_mask=2
fuzz-%:
	@docker/deps build fuzz
	@$(AGAIN) MODE=fuzz -j $(CORES) build/fuzz/test/fuzz/fuzz_$*
	@mkdir -p build/fuzz/corpus/$*
	build/fuzz/test/fuzz/fuzz_$* $(LIMIT) $(QUIET) -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$*- \
	    build/fuzz/corpus/$* $(wildcard test/fuzz/corpus/$*)

# ONLY="kills fuzz-server": some parts; SOAK_FUZZ=60: of seconds.
soak:
	@docker/deps build test fuzz
	@for mode in release asan tsan; do \
	    $(AGAIN) MODE=$$mode -j $(CORES) all || exit 1; done
	@$(AGAIN) MODE=fuzz -j $(CORES) fuzzers
	$(PY) test/soak.py $(ONLY)
fuzzers: $(FUZZERS)

# ONLY="--only memory writes": a part.
bench:
	@docker/deps build test bench
	@$(AGAIN) -j $(CORES) $B/dockpass bench-programs
	$(PY) test/bench/bench.py $(ONLY)
bench-programs: $(BENCH)

# ONLY="--clients crane,oras --registries 2.8 --operations mount": a part.
# What cannot be run says why; without Debian's own part it has failed.
conformance:
	@docker/deps build test
	@$(AGAIN) -j $(CORES) $B/dockpass
	DOCKPASS=$B/dockpass $(PY) test/conformance/run.py $(ONLY)

# The unit file and the example name /usr/local/bin; PREFIX is put in.
install: $B/dockpass
	install -D -m 755 $B/dockpass $(DESTDIR)$(PREFIX)/bin/dockpass
	install -D -m 644 docker/dockpass.yaml \
	    $(DESTDIR)$(PREFIX)/share/doc/dockpass/dockpass.yaml
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/bin|$(PREFIX)/bin|' docker/dockpass.service \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/dockpass.service
	install -m 644 docker/dockpass.socket \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/dockpass.socket
deb:
	@docker/deps build deb
	@$(AGAIN) -j $(CORES) $B/dockpass
	@docker/debian/build
clean:
	rm -rf build

.PHONY: all unit unit-token unit-store unit-server unit-fuzz e2e programs \
	check-lint run test asan tsan lint fuzz bench bench-programs \
	soak fuzzers conformance install deb clean
.SECONDARY:
-include $(wildcard $B/*/*.d $B/*/*/*.d $B/test/unit/*/*.d)
