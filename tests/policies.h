// Policies from text, for the tests in C, and random numbers that are the same on every run.
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/meaning/broker.h"
#include "compiler/code/call_code.h"
#include "compiler/code/cbpf.h"
#include "compiler/front/driver.h"
#include "compiler/report/report.h"
#include "lang/load.h"

// xorshift64* (Vigna): good enough to choose cases, and repeatable.
static uint64_t random_state = 1;

static inline uint64_t random_bits(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

static inline unsigned random_below(unsigned end)
{
    return (unsigned)((random_bits() >> 33) % end);
}

// The policy called `name` (NULL: the one that is meant) of a file. NULL, with the findings printed unless `quiet`,
// when it has errors.
static inline struct policy *policy_load(struct compilation **compilation, const char *path, const char *name,
                                         bool quiet)
{
    *compilation = compilation_new(arena_new());
    struct driver_options options = {.policy = name};
    struct module *module = module_load(*compilation, path);
    struct policy_decl *decl =
        module && !(*compilation)->diagnostics.errors ? driver_select(*compilation, module, &options) : NULL;
    struct policy *policy = decl ? policy_build(*compilation, decl, NULL) : NULL;
    if (!policy && !quiet)
        report_text(stderr, *compilation, false);
    return policy;
}

static inline struct policy *policy_from_file(struct compilation **compilation, const char *path, const char *name)
{
    return policy_load(compilation, path, name, false);
}

static inline void text_to_file(char *path, const char *text) // path: a template that ends in .sbx
{
    int fd = mkstemps(path, 4);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
        abort();
}

static inline struct policy *policy_load_text(struct compilation **compilation, const char *text, bool quiet)
{
    char path[] = "/tmp/sbx-test-XXXXXX.sbx";
    text_to_file(path, text);
    struct policy *policy = policy_load(compilation, path, NULL, quiet);
    unlink(path);
    return policy;
}

// One more module of a compilation; its errors are among the findings.
static inline struct module *module_from_text(struct compilation *compilation, const char *text)
{
    char path[] = "/tmp/sbx-test-XXXXXX.sbx";
    text_to_file(path, text);
    struct module *module = module_load(compilation, path);
    unlink(path);
    return module;
}

static inline struct policy *policy_from_text(struct compilation **compilation, const char *text)
{
    return policy_load_text(compilation, text, false);
}

// The text of a policy whose filter has thousands of instructions: so many calls (at most 6), each with so many
// constants of 64 bits.
static inline const char *long_policy(int calls, int constants)
{
    static const char *const conditions[] = {"lseek where offset",     "mmap where length", "pread64 where pos",
                                             "ftruncate where length", "read where count",  "write where count"};
    static char text[1 << 16];
    char *at = text + sprintf(text, "sbx 1; policy p { syscalls {\n");
    for (int c = 0; c < calls; c++) {
        at += sprintf(at, "allow %s in { ", conditions[c]);
        for (int i = 0; i < constants; i++)
            at += sprintf(at, "%s0x%llx", i ? ", " : "", (unsigned long long)(random_bits() >> 1));
        at += sprintf(at, " };\n");
    }
    strcpy(at,
           "deny lseek where offset in 5..1000000000000 with EINVAL; deny getpid with kill; allow getppid, exit_group; "
           "} }");
    return text;
}

// The words of the decision graph for one call (compiler/code/cbpf.h).
static inline void words_of(uint32_t words[SECCOMP_WORDS], uint32_t audit, uint32_t number, const uint64_t arguments[6])
{
    words[WORD_ARCH] = audit;
    words[WORD_NUMBER] = number;
    for (int i = 0; i < 6; i++) {
        words[WORD_HIGH(i)] = (uint32_t)(arguments[i] >> 32);
        words[WORD_LOW(i)] = (uint32_t)arguments[i];
    }
}

// What seccomp would return for a verdict.
static inline uint32_t action_of(struct verdict verdict)
{
    return verdict.allowed ? SECCOMP_ALLOW : verdict.killed ? SECCOMP_KILL : SECCOMP_ERRNO | (uint32_t)verdict.error;
}

// What the loaded filter returns for a call: what the policy says, or what the broker takes of it.
static inline uint32_t wanted_of(const struct policy *policy, const struct operation_point *point)
{
    int call = syscall_by_number(point->arch, point->number);
    uint32_t action = action_of(policy_verdict(policy, point));
    return call < 0 ? action : broker_answer(policy_broker(policy), (size_t)call, point->arguments, action);
}

// A policy's filter as it is loaded.
static inline struct bpf_program filter_of(struct policy *policy, enum arch arch)
{
    size_t spare;
    graph_node filter = policy_code(policy, arch, &spare);
    return cbpf_emit(policy->arena, policy->graph, filter, spare);
}
