// Whose rights.
#include "enforcer/host/outside.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct { // of this process: there is one, as it has one set of credentials
    bool entered, as_root;
    struct outside outside;
    struct __user_cap_data_struct own[2]; // capabilities
    gid_t *groups;
    int group_count;
} now;

static int capabilities_set(const struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return (int)syscall(SYS_capset, &header, sets);
}

static int capabilities_get(struct __user_cap_data_struct sets[2])
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    return (int)syscall(SYS_capget, &header, sets);
}

// The signal at the death of the parent, which a change of users forgets (prctl(2)).
static int parent_signal(void)
{
    int number = 0;
    return prctl(PR_GET_PDEATHSIG, &number) == 0 ? number : 0;
}

static void parent_signal_again(int number)
{
    if (number)
        prctl(PR_SET_PDEATHSIG, number);
}

// ---- there and back -----------------------------------------------------------------------------------------------

static int become_outside(void)
{
    struct __user_cap_data_struct none[2] = {{.permitted = now.own[0].permitted}, {.permitted = now.own[1].permitted}};
    int number = now.as_root ? parent_signal() : 0;
    if (now.as_root && (setgroups(0, NULL) != 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
                        setresgid(now.outside.group, now.outside.group, now.outside.group) != 0 ||
                        setresuid(now.outside.user, now.outside.user, now.outside.user) != 0))
        return errno;
    if (capabilities_set(none) != 0)
        return errno;
    parent_signal_again(number);
    return 0;
}

static int become_itself(void)
{
    struct __user_cap_data_struct all[2] = {{.effective = now.own[0].permitted, .permitted = now.own[0].permitted},
                                            {.effective = now.own[1].permitted, .permitted = now.own[1].permitted}};
    int number = now.as_root ? parent_signal() : 0;
    if (now.as_root && (capabilities_set(all) != 0 || setresuid(0, 0, 0) != 0 || setresgid(0, 0, 0) != 0 ||
                        setgroups((size_t)now.group_count, now.groups) != 0))
        return errno;
    if (capabilities_set(now.own) != 0)
        return errno;
    parent_signal_again(number);
    return 0;
}

const struct outside *outside_enter(const struct identity *identity, struct failure *failure)
{
    now.as_root = identity->as_root;
    now.outside = (struct outside){identity->outside_user, identity->outside_group};
    now.group_count = now.as_root ? getgroups(0, NULL) : 0;
    now.groups = now.group_count > 0 ? calloc((size_t)now.group_count, sizeof *now.groups) : NULL;
    int error = capabilities_get(now.own) != 0 || now.group_count < 0 ? errno : 0;
    if (!error && now.group_count && (!now.groups || getgroups(now.group_count, now.groups) != now.group_count))
        error = ENOMEM;
    if (error || (error = become_outside())) {
        if (become_itself() != 0)
            abort();
        fail(failure, NO_RULE, error, "cannot act for the command as user %u", now.outside.user);
        return NULL;
    }
    now.entered = true;
    return &now.outside;
}

void outside_leave(void)
{
    as_itself_begin();
    free(now.groups);
    now.groups = NULL;
    now.entered = false;
}

void as_itself_begin(void)
{
    if (now.entered && become_itself() != 0)
        abort(); // what is left behind then goes with the next run
}

void as_itself_end(void)
{
    if (now.entered && become_outside() != 0)
        abort(); // rather than act as root
}

int outside_for_good(void)
{
    static const struct __user_cap_data_struct none[2];
    return capabilities_set(none) != 0 ? errno : 0;
}

long outside_owning(const struct identity *identity, long (*make)(void *), void *context)
{
    struct __user_cap_data_struct own[2];
    if (!identity->as_root)
        return make(context);
    int number = parent_signal();
    // The capabilities stay: some hosts let only who has them make a user namespace.
    if (capabilities_get(own) != 0 || setresuid(-1, identity->outside_user, -1) != 0)
        return -1;
    long made = capabilities_set(own) == 0 ? make(context) : -1;
    int error = errno;
    if (setresuid(-1, 0, -1) != 0)
        abort();
    parent_signal_again(number);
    errno = error;
    return made;
}
