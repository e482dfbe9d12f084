# make            build/release/dockpass
# make run        dockpass and a registry, ready for docker login
# make test       unit tests, then end-to-end tests with real clients
# make asan tsan  the same tests under the sanitizers
# make lint       layers, banned functions, format, analyzers
# make fuzz       each fuzzer for FUZZ_SECONDS (10); fuzz-scope: one alone
# make install    into DESTDIR/PREFIX
MODE    ?= release
B       := build/$(MODE)
PREFIX  ?= /usr/local
PY      := /usr/bin/python3

PKGS_token  := libjwt libcrypto
PKGS_store  := lmdb
PKGS_server := libevent libevent_openssl libevent_pthreads libssl libcyaml yaml-0.1 libcrypt
PKGS        := $(PKGS_server) $(PKGS_store) $(PKGS_token)

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla \
	   -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2 $(HARDEN)
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
		  -fno-sanitize-recover=all
CFLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
CPPFLAGS += -I. -D_GNU_SOURCE
CFLAGS   += -std=gnu17 -g -pthread $(WARN) $(CFLAGS_$(MODE))
LDFLAGS  += $(LDFLAGS_$(MODE))
LDLIBS   += -pthread $(shell pkg-config --libs $(PKGS) 2>/dev/null)

SRC_token  := $(wildcard token/*.c)
SRC_store  := $(wildcard store/*.c)
SRC_server := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c))
SRC        := $(SRC_token) $(SRC_store) $(SRC_server) server/main.c
# Lower layers last: the linker reads from left to right.
LIBS       := $B/server.a $B/store.a $B/token.a
UNIT_token  := $(patsubst %.c,$B/%,$(wildcard test/unit/token/test_*.c))
UNIT_store  := $(patsubst %.c,$B/%,$(wildcard test/unit/store/test_*.c))
UNIT_server := $(patsubst %.c,$B/%,$(wildcard test/unit/server/test_*.c))
UNIT       := $(UNIT_token) $(UNIT_store) $(UNIT_server)

all: $B/dockpass

$B/dockpass: $B/server/main.o $(LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.SECONDEXPANSION:
$B/%.a: $$(patsubst %.c,$B/%.o,$$(SRC_$$*))
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

unit-token unit-store unit-server: unit-%: $$(UNIT_$$*)
	@for t in $^; do echo "# $$t"; $$t || exit 1; done
unit: unit-token unit-store unit-server
e2e: $B/dockpass
	DOCKPASS=$B/dockpass $(PY) -m pytest -q test/e2e
test: unit e2e
clean:
	rm -rf build

.PHONY: all unit unit-token unit-store unit-server e2e test clean
.SECONDARY:
-include $(wildcard $B/*/*.d $B/*/*/*.d $B/test/unit/*/*.d)
