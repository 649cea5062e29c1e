// sysinfo(2) by the limits.
#include "enforcer/supervisor/sized.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/memory.h"

bool sized_asks(const struct plan *plan)
{
    uint32_t words[SECCOMP_WORDS];
    cbpf_words(words, arch_audit[ARCH_HERE], SYS_sysinfo, NULL);
    return plan->limits[LIMIT_memory].set && cbpf_run(&plan->filters[ARCH_HERE], words, NULL) == SECCOMP_ALLOW &&
           !cbpf_arguments_asked(&plan->filters[ARCH_HERE], words);
}

bool sized_is(const struct plan *plan, const struct notified *call)
{
    return call->architecture == arch_audit[ARCH_HERE] && call->number == SYS_sysinfo && sized_asks(plan);
}

void sized_answer(const struct plan *plan, const struct notified *call)
{
    struct sysinfo now = {0};
    struct memory memory = {0};
    int error = sysinfo(&now) != 0 || memory_within(plan, &memory) != 0 ? errno : 0;
    const struct sysinfo told = {
        .uptime = now.uptime,
        .totalram = memory.total,
        .freeram = memory.free,
        .totalswap = memory.swap,
        .freeswap = memory.swap,
        .procs = 1,
        .mem_unit = 1,
    };
    if (!error && notified_write(call, call->arguments[0], &told, sizeof told) != sizeof told)
        error = EFAULT;
    notified_answer(call, error, 0);
}
