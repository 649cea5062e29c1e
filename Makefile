# sbx: a policy language for sandboxes, its compiler and its enforcer.
# `make help` prints what stands behind ## here. V=1 shows commands; SANITIZE=1: address, undefined behaviour.

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
SECONDS ?= 60
SUITE   ?= $(or $(KERNEL),bookworm)
VERSION := 0.1.0
ifeq ($(origin CC),default)
CC := gcc
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifdef CI
WARNINGS += -Werror
endif
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPTIMIZE := -O2
LINK     := -Wl,-z,relro,-z,now
STATIC   := -static-pie
ifdef SANITIZE
override BUILD := $(BUILD)/sanitize
OPTIMIZE := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN   := -fstack-protector-strong
STATIC   := -pie
endif
Q        := $(if $(V),,@)
CPPFLAGS := -D_GNU_SOURCE -DSBX_VERSION='"$(VERSION)"' -I. -I$(BUILD)
CFLAGS   := -std=gnu17 -g $(OPTIMIZE) -fPIC -fvisibility=hidden $(HARDEN) $(WARNINGS)

HELPER_CFLAGS := -std=gnu17 -g -O2 -fPIC -fvisibility=hidden -fstack-protector-strong -D_FORTIFY_SOURCE=2 $(WARNINGS) \
                 -static-pie -Wl,-z,relro,-z,now

# What the C files of some folders are compiled to.
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(addsuffix /*.c,$(1))))

LANG_OBJECTS     := $(call objects,lang) $(BUILD)/sbx.tab.o $(BUILD)/sbx.lex.o
COMPILER_OBJECTS := $(call objects,$(addprefix compiler/,sets meaning code plan network lint front learn diff report))
PROVE_OBJECTS    := $(call objects,compiler/prove)
IMPORT_OBJECTS   := $(call objects,compiler/import)
LSP_OBJECTS      := $(call objects,$(addprefix compiler/,lsp describe files emit))
ACTION_OBJECTS   := $(call objects,compiler/actions)
ENFORCER_OBJECTS := $(call objects,enforcer/*)
ENFORCER_LIBRARIES := -l:libcap.a -l:libmd.a -l:libbpf.a -l:libelf.a -l:libz.a -l:libresolv.a
AISBX_OBJECTS    := $(patsubst $(BUILD)/%,$(BUILD)/objects/%,$(call objects,aisbx/*))
AISBX_LIBRARIES  := -lsqlite3 -larchive -lzstd -lcjson -lgit2
LIBSBX_OBJECTS   := $(LANG_OBJECTS) $(COMPILER_OBJECTS) $(PROVE_OBJECTS) $(call objects,libsbx)
LIBRARY          := $(sort $(wildcard stdlib-policies/*.sbx))
GENERATED        := $(BUILD)/sbx.tab.h $(BUILD)/sbx.lex.h $(BUILD)/tables.inc $(BUILD)/library.inc
TEST_PROGRAMS    := $(basename $(call objects,tests/meaning tests/codegen tests/live)) \
                    $(addprefix $(BUILD)/tests/,\
                        attacks/attack net/race net/control net/model net/guard net/kept faults/inject faults/confined)
# Tests run side by side, the long ones first; those that measure time, or count what others have, too, alone at last.
LONG_TESTS       := tests/net/toolchains.t tests/live/examples.t
TIMED_TESTS      := $(addprefix tests/lang/,bad-input.t budget.t growth.t lsp.t neovim.t) \
                    $(addprefix tests/live/,leftovers.t limits.t many.t own.t races.t) \
                    $(addprefix tests/net/,budget.t model.t races.t)
FUZZ_PROGRAMS    := $(patsubst %,$(BUILD)/tests/fuzz/%,lsp names policy plan profile question)

BENCH_PROGRAMS   := $(addprefix $(BUILD)/tests/bench/,launcher time calls filters net naive pty)

BUILD_PACKAGES := gcc libc6-dev make flex bison libcap-dev libmd-dev libz3-dev libarchive-dev libbz2-dev liblzma-dev \
                  libzstd-dev libldns-dev libssl-dev libbpf-dev libelf-dev zlib1g-dev libsqlite3-dev libcjson-dev \
                  libgit2-dev
DEMO_PACKAGES  := python3-minimal libpython3-stdlib
TEST_PACKAGES  := $(BUILD_PACKAGES) $(DEMO_PACKAGES) perl git libseccomp-dev iproute2 util-linux neovim apparmor \
                  bubblewrap runc crun systemd secilc ldnsutils pkg-config python3-yaml tmux vim-tiny less procps \
                  ghostscript
TOOLCHAINS     := python3-venv python3-pytest python3-wheel python3-requests nodejs npm golang-go rustc cargo \
                  default-jdk-headless maven libmaven-compiler-plugin-java libmaven-resources-plugin-java \
                  libsurefire-java libmaven-jar-plugin-java junit4 g++ clang cmake ninja-build
PROGRAMS       := $(shell awk -F '\t' '!/^\#/ { print $$2 }' tests/live/programs.tsv)
BENCH_PACKAGES := bubblewrap crun procps passt slirp4netns curl socat ripgrep
VM_PACKAGES    := qemu-system-x86 busybox-static cpio e2fsprogs kmod debootstrap xz-utils zstd debian-archive-keyring

## all: the programs and libsbx, in build/; installs what it needs, on Debian
all: $(addprefix $(BUILD)/,sbxc sbxrun aisbx sbximage sbxnames libsbx.so.0 compile_commands.json)
	@:

# Where something to build with is missing, it is installed before anything else.
BUILD_HEADERS := stdlib.h sys/capability.h sha2.h z3.h archive.h bzlib.h lzma.h zstd.h ldns/ldns.h bpf/bpf.h zlib.h \
                 libelf.h sqlite3.h cjson/cJSON.h git2.h
PRESENT       := $(shell command -v gcc && command -v flex && command -v bison) \
                 $(wildcard $(addprefix /usr/include/,$(BUILD_HEADERS)))
ifneq ($(words $(PRESENT)),$(words gcc flex bison $(BUILD_HEADERS)))
$(GENERATED): | build-deps
endif
build-deps:
	tools/deps.sh $(BUILD_PACKAGES)
demo-deps:
	@tools/deps.sh $(BUILD_PACKAGES) $(DEMO_PACKAGES)
test-deps:
	@tools/deps.sh $(TEST_PACKAGES)
vm-deps:
	@tools/deps.sh $(TEST_PACKAGES) $(VM_PACKAGES)
bench-deps:
	@tools/deps.sh $(TEST_PACKAGES) $(BENCH_PACKAGES)
## deps: installs what all of it needs (Debian)
deps: bench-deps

# What a policy means, for both programs and for others.
$(BUILD)/libsbx.a: $(LIBSBX_OBJECTS)
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libsbx.so.0: $(BUILD)/libsbx.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) -shared $(LINK) -Wl,-soname,libsbx.so.0 -Wl,--whole-archive $< -Wl,--no-whole-archive -o $@ -lmd

$(BUILD)/sbxc: $(IMPORT_OBJECTS) $(LSP_OBJECTS) $(ACTION_OBJECTS) $(BUILD)/compiler/sbxc.o $(BUILD)/libsbx.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $^ -l:libmd.a

# The enforcer is static: it starts sooner, and nothing beside it can change what it loads.
$(BUILD)/sbxrun: $(ENFORCER_OBJECTS) $(BUILD)/enforcer/sbxrun.o $(BUILD)/libsbx.a
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LINK) -o $@ $^ $(ENFORCER_LIBRARIES)

# Where agents work: above both, and of them it knows only libsbx.
$(BUILD)/aisbx: $(AISBX_OBJECTS) $(BUILD)/libsbx.a # (its name is the room's: objects lie elsewhere)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $^ -l:libmd.a $(AISBX_LIBRARIES)

# What unpacks images and layers, and writes layers: a program of its own, for the library of archives. Static: it needs
# no file of the host. One function of the library's tar stands beside a table of all formats, which need more
# libraries: what nothing calls is left out.
$(BUILD)/sbximage: image/sbximage.c image/layer.c image/layer.h image/marks.c image/marks.h \
    enforcer/helpers/layer_wire.h
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CPPFLAGS) $(HELPER_CFLAGS) -Wl,--gc-sections -o $@ $(filter %.c,$^) \
	    $(addsuffix .a,$(addprefix -l:lib,archive bz2 lzma zstd z))

# What speaks DNS, likewise.
# The linker warns of functions that look into files of the host: there, sbxnames sees none, and asks for none.
$(BUILD)/sbxnames: QUIETLY := $(shell ld --help | grep -q -e --no-warnings && echo -Wl,--no-warnings)
$(BUILD)/sbxnames: names/sbxnames.c names/answers.c names/answers.h enforcer/network/names_wire.h
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CPPFLAGS) $(HELPER_CFLAGS) $(QUIETLY) -o $@ $(filter %.c,$^) -l:libldns.a -l:libcrypto.a -pthread

define compile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
endef
$(BUILD)/%.o: %.c $(GENERATED)
	$(compile)
$(BUILD)/objects/%.o: %.c
	$(compile)

$(BUILD)/sbx.tab.c $(BUILD)/sbx.tab.h &: grammar/sbx.y
	@mkdir -p $(BUILD)
	@echo "  BISON $<"
	$(Q)bison -Wall -Werror -o $(BUILD)/sbx.tab.c --header=$(BUILD)/sbx.tab.h $<

$(BUILD)/sbx.lex.c $(BUILD)/sbx.lex.h &: grammar/sbx.l
	@mkdir -p $(BUILD)
	@echo "  FLEX  $<"
	$(Q)flex -o $(BUILD)/sbx.lex.c --header-file=$(BUILD)/sbx.lex.h $<

$(BUILD)/sbx.tab.o $(BUILD)/sbx.lex.o: $(BUILD)/%.o: $(BUILD)/%.c $(GENERATED)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-conversion -Wno-shadow -Wno-unused-but-set-variable -MMD -MP -c -o $@ $<

$(BUILD)/tables.inc: lang/data/tables.awk lang/data/syscalls.tsv lang/data/foreign-calls.tsv lang/data/constants.tsv
	@mkdir -p $(BUILD)
	@echo "  AWK   $@"
	$(Q)awk -f $^ > $@

$(BUILD)/library.inc: lang/data/library.awk $(LIBRARY)
	@mkdir -p $(BUILD)
	@echo "  AWK   $@"
	$(Q)awk -f $^ > $@

PAGES := $(sort $(wildcard docs/diagnostics/*.md))
$(BUILD)/pages.inc: lang/data/pages.awk $(PAGES)
	@mkdir -p $(BUILD)
	@echo "  AWK   $@"
	$(Q)awk -f $^ > $@
$(BUILD)/compiler/actions/explain.o: $(BUILD)/pages.inc

# The helpers' policies, as text.
HELPERS := $(sort $(wildcard enforcer/helpers/*.sbx))
$(BUILD)/helpers.inc: tools/helpers.awk $(HELPERS)
	@mkdir -p $(BUILD)
	@echo "  AWK   $@"
	$(Q)awk -f $^ > $@
$(BUILD)/enforcer/helpers/helper.o: $(BUILD)/helpers.inc

$(BUILD)/summaries.inc: lang/data/summaries.awk lang/data/syscalls.tsv lang/data/summaries.tsv
	@mkdir -p $(BUILD)
	@echo "  AWK   $@"
	$(Q)awk -f $^ > $@
$(BUILD)/compiler/describe/describe.o: $(BUILD)/summaries.inc

# Where each shell looks for the completions of a program.
COMPLETIONS := $(addprefix $(BUILD)/completions/,\
                   bash/sbxc bash/sbxrun zsh/_sbxc zsh/_sbxrun fish/sbxc.fish fish/sbxrun.fish)
$(BUILD)/completions/%: tools/completions.awk compiler/options.def enforcer/options.def
	@mkdir -p $(@D)
	$(Q)program=$$(basename $@ .fish); program=$${program#_}; table=compiler; [ $$program = sbxc ] || table=enforcer; \
	    awk -v shell=$(notdir $(patsubst %/,%,$(dir $@))) -v program=$$program -f $< $$table/options.def > $@

# How each file is compiled, for editors that ask: clangd looks into build/. Made anew when files come or go.
ROOMS   := lang compiler compiler/* enforcer enforcer/* libsbx names image aisbx/* tests/*
SOURCES := $(wildcard $(addsuffix /*.c,$(ROOMS)))
$(BUILD)/compile_commands.json: export COMPILE := $(CC) $(CPPFLAGS) $(CFLAGS)
$(BUILD)/compile_commands.json: tools/compile_commands.awk Makefile $(sort $(dir $(SOURCES)))
	@mkdir -p $(@D)
	@echo "  AWK   $@"
	$(Q)printf '%s\n' $(SOURCES) | awk -v folder='$(CURDIR)' -f $< > $@

# For editors: Vim's colours, TextMate's for those that take them, and a folder that is a VS Code extension.
VSCODE  := $(addprefix $(BUILD)/editors/vscode/,\
               package.json extension.js language-configuration.json sbx.tmLanguage.json)
EDITORS := $(addprefix $(BUILD)/editors/,vim/syntax/sbx.vim vim/ftdetect/sbx.vim sbx.tmLanguage.json) $(VSCODE)
$(BUILD)/editors/vim/ftdetect/sbx.vim:
	@mkdir -p $(@D)
	@echo 'autocmd BufRead,BufNewFile *.sbx setfiletype sbx' > $@
$(BUILD)/editors/%: tools/editors.awk grammar/sbx.l
	@mkdir -p $(@D)
	$(Q)awk -v form=$(if $(filter %.json,$@),textmate,vim) -f $^ > $@
$(BUILD)/editors/vscode/sbx.tmLanguage.json: $(BUILD)/editors/sbx.tmLanguage.json
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/editors/vscode/%: tools/vscode/%
	@mkdir -p $(@D)
	$(Q)cp $< $@

# ---- demo, tests, bench ------------------------------------------------------------------------------------------

## demo: a real program under a policy, and what it was refused
demo: | demo-deps
	@$(MAKE) --no-print-directory all >/dev/null
	@tools/demo.sh $(BUILD)/sbxc $(BUILD)/sbxrun

$(addprefix $(BUILD)/tests/codegen/,filters import chains): LIBRARIES := -lseccomp
$(addprefix $(BUILD)/tests/codegen/,filters prove guard import chains emitted): $(PROVE_OBJECTS)
$(addprefix $(BUILD)/tests/codegen/,import chains emitted): $(IMPORT_OBJECTS)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LANG_OBJECTS) $(COMPILER_OBJECTS)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $^ -l:libmd.a $(LIBRARIES)
$(FUZZ_PROGRAMS): $(BUILD)/tests/fuzz/fuzz.o
$(BUILD)/tests/fuzz/profile: $(IMPORT_OBJECTS) $(PROVE_OBJECTS)
$(BUILD)/tests/fuzz/lsp: $(LSP_OBJECTS)
$(BUILD)/tests/fuzz/names: $(BUILD)/names/answers.o
$(BUILD)/tests/fuzz/names: LIBRARIES := -lldns

# Programs that run inside sandboxes need nothing from them.
$(BUILD)/tests/faults/%: tests/faults/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) -D_GNU_SOURCE -I. -O1 -Wall -Wextra -static -o $@ $<
$(BUILD)/tests/attacks/attack: $(wildcard tests/attacks/*.c) tests/attacks/attack.h
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -D_GNU_SOURCE -I. -O1 -Wall -Wextra -static -pthread -o $@ $(filter %.c,$^)
# A broker gone wrong, on the enforcer's own guard.
$(BUILD)/tests/live/space: $(BUILD)/tests/live/space.o $(LANG_OBJECTS) $(COMPILER_OBJECTS)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $^ -l:libmd.a -lcap
$(addprefix $(BUILD)/tests/net/,guard kept): $(BUILD)/tests/net/%: $(BUILD)/tests/net/%.o $(LANG_OBJECTS) \
    $(COMPILER_OBJECTS) $(ENFORCER_OBJECTS)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) $(STATIC) $(LINK) -o $@ $^ $(ENFORCER_LIBRARIES)
$(BUILD)/tests/net/%: tests/net/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) -D_GNU_SOURCE -O1 -Wall -Wextra -static -pthread -o $@ $<
$(BUILD)/tests/live/%: tests/live/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) -D_GNU_SOURCE -I. -O1 -Wall -Wextra -static -o $@ $<

## test: the whole suite, under 12 minutes; PROVE_FLAGS=-v shows each case
test: | test-deps
	@$(MAKE) --no-print-directory test-programs >/dev/null
	@tools/deps.sh systemd || echo "without systemd: its groups are not imported by the tests" >&2
	@tools/deps.sh --optional $(sort $(TOOLCHAINS) $(PROGRAMS))
	@tools/profiles.sh $(abspath $(BUILD))/profiles || echo "without seccomp profiles: they are not imported" >&2
	@tools/npm.sh $(abspath $(BUILD))/npm @microsoft/sarif-multitool@5.7.0 || \
	    echo "without the SARIF validator: its tests are skipped" >&2
	@tools/npm.sh $(abspath $(BUILD))/kubernetes kubernetes-models@5.1.0 || \
	    echo "without Kubernetes' schemas: what is made for it is not validated" >&2
	@tools/npm.sh $(abspath $(BUILD))/playwright playwright-core@1.56.0 || \
	    echo "without Playwright: its test is skipped" >&2
	SBX_BUILD=$(abspath $(BUILD)) prove -j$(shell nproc) $(PROVE_FLAGS) $(LONG_TESTS) tests/codegen tests/faults \
	    tests/meaning tests/attacks tests/fuzz \
	    tests/aisbx $(filter-out $(LONG_TESTS) $(TIMED_TESTS),$(wildcard $(addsuffix /*.t,\
	    tests/live tests/net tests/lang)))
	SBX_BUILD=$(abspath $(BUILD)) prove $(PROVE_FLAGS) $(TIMED_TESTS)

test-programs: all $(COMPLETIONS) $(EDITORS) $(TEST_PROGRAMS) $(FUZZ_PROGRAMS)

# Each by itself, for what can be had.
AGENTS := claude=@anthropic-ai/claude-code codex=@openai/codex gemini=@google/gemini-cli opencode=opencode-ai
## test-agents: coding agents from npm (a gigabyte) do a task under examples/agent.sbx
test-agents: | test-deps
	@$(MAKE) --no-print-directory test-programs >/dev/null
	@for agent in $(AGENTS); do tools/npm.sh $(abspath $(BUILD))/agents/$${agent%%=*} $${agent#*=} || \
	    echo "without $${agent#*=}" >&2; done
	SBX_BUILD=$(abspath $(BUILD)) prove $(PROVE_FLAGS) tests/live/agents.t

## fuzz: each fuzzer for SECONDS=60
fuzz: | test-deps
	@$(MAKE) --no-print-directory SANITIZE=1 $(FUZZ_PROGRAMS:$(BUILD)/%=$(BUILD)/sanitize/%) >/dev/null
	@for target in $(FUZZ_PROGRAMS:$(BUILD)/%=$(BUILD)/sanitize/%); do \
	    case $$target in *policy) more='tests/lang/cases tests/lang/broken';; \
	        *profile) more=tests/lang/profiles;; *) more=;; esac; \
	    $$target --seconds $(SECONDS) tests/fuzz/corpus/$$(basename $$target) $$more || exit 1; done

## test-vm: live tests and attacks, or VM_TESTS, under KERNEL=bookworm (trixie, sid, bookworm-backports), in QEMU
test-vm: | vm-deps
	@$(MAKE) --no-print-directory all $(addprefix $(BUILD)/tests/,\
	    live/probe live/space live/under live/stranger attacks/attack net/guard net/race net/control \
	    faults/inject) >/dev/null
	tests/vm/run.sh $(abspath $(BUILD)) $(SUITE) $(VM_TESTS)

# What each try of tests/attacks came to, here and in the virtual machines that were run: the page of it.
## matrix: docs/attacks.md, from the attacks here and in the machines that were run
matrix: | test-deps
	@$(MAKE) --no-print-directory test-programs >/dev/null
	@mkdir -p $(BUILD)/matrix && rm -f $(BUILD)/matrix/host.tsv
	SBX_MATRIX=$(abspath $(BUILD))/matrix/host.tsv SBX_BUILD=$(abspath $(BUILD)) prove tests/attacks
	awk -f tools/matrix.awk $(BUILD)/matrix/*.tsv > docs/attacks.md

## bench: figures beside bubblewrap and libseccomp, as ratios
bench: | bench-deps
	@$(MAKE) --no-print-directory all $(BENCH_PROGRAMS) >/dev/null
	@tools/deps.sh --optional $(TOOLCHAINS)
	@tools/profiles.sh $(abspath $(BUILD))/profiles || echo "without seccomp profiles" >&2
	@tools/npm.sh $(abspath $(BUILD))/npm-bench @anthropic-ai/sandbox-runtime@0.0.78 || \
	    echo "without sandbox-runtime: it is not measured" >&2
	@tests/bench/run.sh $(abspath $(BUILD))

## bench-against: whether a run starts, and sbxc proves, as fast as at an older COMMIT=..., which is built beside
bench-against: | build-deps
	@$(MAKE) --no-print-directory all $(BUILD)/tests/bench/time >/dev/null
	@tests/bench/against.sh $(abspath $(BUILD)) $(COMMIT)

$(BUILD)/tests/bench/net: tests/bench/net.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -o $@ $<
$(BUILD)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -static-pie -o $@ $<
$(BUILD)/tests/bench/filters: $(BUILD)/tests/bench/filters.o $(LANG_OBJECTS) $(COMPILER_OBJECTS) $(PROVE_OBJECTS) \
    $(IMPORT_OBJECTS)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $^ -l:libmd.a -lseccomp

AT  := $(DESTDIR)$(PREFIX)
PUT := install -D -m 644

## install: into PREFIX=/usr/local, beneath DESTDIR
install: all $(COMPLETIONS) $(EDITORS)
	install -D -t $(AT)/bin $(addprefix $(BUILD)/,sbxc sbxrun aisbx sbximage sbxnames)
	$(PUT) -t $(AT)/lib $(BUILD)/libsbx.a $(BUILD)/libsbx.so.0
	ln -sf libsbx.so.0 $(AT)/lib/libsbx.so
	$(PUT) -t $(AT)/include libsbx/sbx.h
	$(PUT) libsbx/sbx.pc.in $(AT)/lib/pkgconfig/sbx.pc
	sed -i 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' $(AT)/lib/pkgconfig/sbx.pc
	$(PUT) -t $(AT)/share/man/man1 docs/man/sbxc.1 docs/man/sbxrun.1
	$(PUT) -t $(AT)/share/man/man5 docs/man/sbx.5
	$(PUT) -t $(AT)/share/bash-completion/completions $(filter %/bash/sbxc %/bash/sbxrun,$(COMPLETIONS))
	$(PUT) -t $(AT)/share/zsh/site-functions $(filter %/_sbxc %/_sbxrun,$(COMPLETIONS))
	$(PUT) -t $(AT)/share/fish/vendor_completions.d $(filter %.fish,$(COMPLETIONS))
	$(PUT) -t $(AT)/share/sbx/stdlib-policies $(LIBRARY)
	$(PUT) -t $(AT)/share/doc/sbx README.md CONTRIBUTING.md LICENSE
	$(PUT) -t $(AT)/share/doc/sbx/docs docs/*.md
	$(PUT) -t $(AT)/share/doc/sbx/docs/diagnostics $(PAGES)
	$(PUT) $(BUILD)/editors/vim/syntax/sbx.vim $(AT)/share/vim/vimfiles/syntax/sbx.vim
	$(PUT) $(BUILD)/editors/vim/ftdetect/sbx.vim $(AT)/share/vim/vimfiles/ftdetect/sbx.vim
	$(PUT) -t $(AT)/share/sbx $(BUILD)/editors/sbx.tmLanguage.json
	$(PUT) -t $(AT)/share/sbx/vscode $(VSCODE)

## uninstall: takes it away again
uninstall:
	rm -f $(addprefix $(AT)/bin/,sbxc sbxrun aisbx sbximage sbxnames)
	rm -f $(addprefix $(AT)/lib/,libsbx.a libsbx.so.0 libsbx.so pkgconfig/sbx.pc) $(AT)/include/sbx.h
	rm -f $(addprefix $(AT)/share/man/,man1/sbxc.1 man1/sbxrun.1 man5/sbx.5)
	rm -f $(addprefix $(AT)/share/bash-completion/completions/,sbxc sbxrun)
	rm -f $(addprefix $(AT)/share/zsh/site-functions/,_sbxc _sbxrun)
	rm -f $(addprefix $(AT)/share/fish/vendor_completions.d/,sbxc.fish sbxrun.fish)
	rm -f $(addprefix $(AT)/share/vim/vimfiles/,syntax/sbx.vim ftdetect/sbx.vim)
	rm -rf $(AT)/share/sbx $(AT)/share/doc/sbx

## help: these lines
help:
	@sed -n 's/^## \([a-z-]*\): /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 17

## clean: removes build/
clean:
	rm -rf $(BUILD)

.PHONY: all help demo matrix test test-agents test-vm test-programs fuzz bench bench-against install uninstall clean \
        deps build-deps demo-deps test-deps vm-deps bench-deps
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -path $(BUILD)/vm -prune -o -name '*.d' -type f -print 2>/dev/null)
