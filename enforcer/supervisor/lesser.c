// Calls that are made with less.
#include "enforcer/supervisor/lesser.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler/code/cbpf.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

#ifndef MFD_NOEXEC_SEAL // linux/memfd.h of Linux 6.3
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif

enum { NAME_MOST = 249 }; // memfd_create(2)

// True if the plan's own filter allows the call with these arguments.
static bool is_allowed(const struct plan *plan, const struct notified *call, const uint64_t arguments[6])
{
    uint32_t words[SECCOMP_WORDS];
    cbpf_words(words, call->architecture, (uint32_t)call->number, arguments);
    return cbpf_run(&plan->filters[ARCH_HERE], words, NULL) == SECCOMP_ALLOW;
}

static bool make_memory(const struct plan *plan, const struct identity *identity, const struct notified *call,
                        unsigned *made)
{
    uint64_t arguments[6];
    memcpy(arguments, call->arguments, sizeof arguments);
    unsigned flags = (unsigned)arguments[1];
    if (flags & (MFD_EXEC | MFD_NOEXEC_SEAL) || *made == LESSER_MEMORIES)
        return false;
    arguments[1] |= MFD_NOEXEC_SEAL;
    char name[NAME_MOST + 1];
    long length;
    if (!is_allowed(plan, call, arguments) ||
        (length = notified_read(call, arguments[0], name, sizeof name)) <= 0 || !memchr(name, '\0', (size_t)length))
        return false;
    closing_fd int memory = memfd_create(name, flags | MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (memory < 0 || (identity->as_root && fchown(memory, identity->outside_user, identity->outside_group) != 0) ||
        notified_give(call, memory, flags & MFD_CLOEXEC) != 0)
        return false;
    ++*made;
    return true;
}

// What the caller's limit is (proc_pid_limits(5)): prlimit(2) takes a capability that sbxrun may not have.
static bool core_limit(int thread, struct rlimit *limit)
{
    char path[32], text[2048];
    unsigned long soft, hard;
    snprintf(path, sizeof path, "/proc/%d/limits", thread);
    closing_fd int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *line = strstr(text, "Max core file size");
    if (!line || sscanf(line + strlen("Max core file size"), "%lu %lu", &soft, &hard) != 2)
        return false;
    *limit = (struct rlimit){soft, hard};
    return true;
}

// No rule can allow it of core dumps; one that denies it altogether holds.
static bool is_allowed_of_another(const struct plan *plan, const struct notified *call, bool own)
{
    uint64_t arguments[6];
    memcpy(arguments, call->arguments, sizeof arguments);
    for (unsigned limit = 0; limit < RLIM_NLIMITS; limit++) {
        arguments[own] = limit;
        if (limit != RLIMIT_CORE && is_allowed(plan, call, arguments))
            return true;
    }
    return false;
}

static bool limit_cores(const struct plan *plan, const struct notified *call)
{
    bool own = call->number == SYS_prlimit64; // that names a process, and asks for what was before
    const uint64_t *at = call->arguments + own, old_at = own ? call->arguments[3] : 0;
    struct rlimit wanted, old;
    if (at[0] != RLIMIT_CORE || !at[1] || (own && call->arguments[0] != 0) || !is_allowed_of_another(plan, call, own) ||
        notified_read(call, at[1], &wanted, sizeof wanted) != sizeof wanted || wanted.rlim_cur != 0)
        return false;
    if (old_at && (!core_limit(call->caller.thread, &old) ||
                   notified_write(call, old_at, &old, sizeof old) != sizeof old))
        return false;
    return notified_answer(call, 0, 0);
}

bool lesser_make(const struct plan *plan, const struct identity *identity, const struct notified *call, unsigned *made)
{
    if (call->architecture != arch_audit[ARCH_HERE])
        return false;
    switch (call->number) {
    case SYS_memfd_create: return make_memory(plan, identity, call, made);
    case SYS_setrlimit:
    case SYS_prlimit64: return limit_cores(plan, call);
    default: return false;
    }
}
