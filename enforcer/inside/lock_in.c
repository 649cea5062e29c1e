// The lock-in.
#include "enforcer/inside/lock_in.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/inside/landlock.h"

int sandbox_lock_in(struct sandbox *sandbox, int ruleset, bool filter, struct failure *failure)
{
    if (bounds_apply(sandbox->bounds, failure) || identity_drop(sandbox->identity, failure))
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail(failure, NO_RULE, errno, "cannot give up new privileges");
    if (ruleset >= 0 && landlock_enter(ruleset, failure))
        return -1;
    // Everything but standard input, output and error, and what is handed over on purpose, ends with exec, also what
    // sbxrun's caller left open.
    if (close_range(sandbox->given ? (unsigned)sandbox->given_count : 3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        return fail(failure, NO_RULE, errno, "cannot close the descriptors that are not the command's");
    for (int i = 0; sandbox->handed && i < sandbox->handed->count; i++)
        if (fcntl(sandbox->handed->list[i], F_SETFD, 0) != 0)
            return fail(failure, NO_RULE, errno, "cannot hand over descriptor %d", sandbox->handed->list[i]);
    if (filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &sandbox->filter) != 0)
        return fail(failure, NO_RULE, errno, "cannot load the filter of system calls");
    return 0;
}
