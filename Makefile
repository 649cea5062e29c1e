# sbx: a policy language for sandboxes, its compiler and its enforcer.
#
#   make            build build/sbxc and build/sbxrun        make SANITIZE=1    with address and undefined-behaviour sanitizers
#   make deps       install what building and testing need (Debian, apt)
#   make demo       a Python program under examples/python.sbx, and what it was refused
#   make test       the whole suite, under 10 minutes         make fuzz | bench  deeper
#   make install PREFIX=/usr/local DESTDIR=

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
CC      ?= gcc
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifdef CI
WARNINGS += -Werror
endif
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPTIMIZE := -O2
LINK     := -Wl,-z,relro,-z,now
STATIC   := -static-pie
ifdef SANITIZE
BUILD    := build/sanitize
OPTIMIZE := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN   := -fstack-protector-strong
STATIC   := -pie
endif
CPPFLAGS := -D_GNU_SOURCE -DSBX_VERSION='"$(VERSION)"' -I. -I$(BUILD)
CFLAGS   := -std=gnu17 -g $(OPTIMIZE) -fPIE $(HARDEN) $(WARNINGS)

LANG_OBJECTS     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard lang/*.c)) $(BUILD)/sbx.tab.o $(BUILD)/sbx.lex.o
COMPILER_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out compiler/sbxc.c,$(wildcard compiler/*.c compiler/report/*.c compiler/emit/*.c)))
ENFORCER_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out enforcer/sbxrun.c,$(wildcard enforcer/*.c)))
LIBRARY          := $(sort $(wildcard stdlib-policies/*.sbx))
GENERATED        := $(BUILD)/sbx.tab.h $(BUILD)/sbx.lex.h $(BUILD)/tables.inc $(BUILD)/library.inc

all: $(BUILD)/sbxc $(BUILD)/sbxrun
	@:

ifeq ($(shell command -v flex >/dev/null && command -v bison >/dev/null && command -v gcc >/dev/null && test -e /usr/include/sys/capability.h -a -e /usr/include/sha2.h -o -e /usr/include/sha256.h && echo ok),)
NEEDS_DEPS := deps
endif
$(GENERATED): | $(NEEDS_DEPS)

$(BUILD)/sbxc: $(LANG_OBJECTS) $(COMPILER_OBJECTS) $(BUILD)/compiler/sbxc.o
	$(CC) $(CFLAGS) -pie $(LINK) -o $@ $^ -l:libmd.a

# The enforcer is static: it starts sooner, and nothing it runs beside can change what it loads.
$(BUILD)/sbxrun: $(LANG_OBJECTS) $(COMPILER_OBJECTS) $(ENFORCER_OBJECTS) $(BUILD)/enforcer/sbxrun.o
	$(CC) $(CFLAGS) $(STATIC) $(LINK) -o $@ $^ -l:libcap.a -l:libmd.a

$(BUILD)/%.o: %.c $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/sbx.tab.c $(BUILD)/sbx.tab.h &: grammar/sbx.y
	@mkdir -p $(@D)
	bison -Wall -Werror -o $(BUILD)/sbx.tab.c --header=$(BUILD)/sbx.tab.h $<

$(BUILD)/sbx.lex.c $(BUILD)/sbx.lex.h &: grammar/sbx.l
	@mkdir -p $(@D)
	flex -o $(BUILD)/sbx.lex.c --header-file=$(BUILD)/sbx.lex.h $<

$(BUILD)/sbx.tab.o $(BUILD)/sbx.lex.o: $(BUILD)/%.o: $(BUILD)/%.c $(GENERATED)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-conversion -Wno-shadow -Wno-unused-but-set-variable -MMD -MP -c -o $@ $<

$(BUILD)/tables.inc: lang/data/tables.awk lang/data/syscalls.tsv lang/data/constants.tsv
	@mkdir -p $(@D)
	awk -f $^ > $@

$(BUILD)/library.inc: lang/data/library.awk $(LIBRARY)
	@mkdir -p $(@D)
	awk -f $^ > $@

clean:
	rm -rf build

.PHONY: all clean
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
