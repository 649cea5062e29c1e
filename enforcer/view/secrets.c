// Secrets.
#include "enforcer/view/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"
#include "enforcer/view/hidden.h"
#include "enforcer/view/view_source.h"

static bool is_shown(const struct plan *plan, struct str name)
{
    for (size_t i = 0; i < plan->view_count; i++)
        if (plan->view[i].from == PLAN_SECRET && str_equal(plan->view[i].secret, name))
            return true;
    return false;
}

static int from_variable(struct secret *secret, const struct plan *plan, const struct plan_secret *p,
                         struct failure *failure)
{
    char *value = getenv(str_copy(plan->arena, p->variable).text);
    if (!value)
        return fail_with_advice(failure, p->rule, 0, "set it for sbxrun; the command does not see the variable itself",
                                "the secret %.*s is to come from the variable %.*s, which is not set",
                                STR_ARGS(p->name), STR_ARGS(p->variable));
    size_t length = strlen(value);
    if (length > SECRET_LARGEST)
        return fail(failure, p->rule, 0, "the secret %.*s is larger than 1 MiB", STR_ARGS(p->name));
    *secret = (struct secret){arena_alloc(plan->arena, length + 1), length, value};
    memcpy(secret->value, value, length);
    return 0;
}

static int from_file(struct secret *secret, const struct view *view, const struct plan_secret *p,
                     const struct view_bases *bases, struct failure *failure)
{
    struct arena *arena = view->plan->arena;
    const char *path = view_host_path(arena, p->base, p->host, bases);
    if (!path)
        return fail(failure, p->rule, 0, "cannot tell where the file of the secret %.*s is on the host: %s",
                    STR_ARGS(p->name), view_base_lacks(p->base));
    closing_fd int place = host_open(view, path, NULL);
    struct stat status;
    if (place < 0 && errno == ELOOP)
        return host_refused(p->rule, errno, path, NULL, failure);
    if (place < 0 || fstat(place, &status) != 0)
        return fail(failure, p->rule, errno, "cannot open %s, which the secret %.*s is to come from", path,
                    STR_ARGS(p->name));
    if (hidden_refuse(view, place, p->rule, failure))
        return -1;
    if (!S_ISREG(status.st_mode) || status.st_size > SECRET_LARGEST)
        return fail(failure, p->rule, 0,
                    "%s, which the secret %.*s is to come from, is not a regular file of at most 1 MiB", path,
                    STR_ARGS(p->name));
    char again[64];
    snprintf(again, sizeof again, "/proc/self/fd/%d", place);
    closing_fd int fd = open(again, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(failure, p->rule, errno, "cannot read %s, which the secret %.*s is to come from", path,
                    STR_ARGS(p->name));
    *secret = (struct secret){arena_alloc(arena, (size_t)status.st_size + 1), 0, NULL};
    for (ssize_t n = 1; secret->length < (size_t)status.st_size && n > 0; secret->length += n > 0 ? (size_t)n : 0) {
        n = read(fd, secret->value + secret->length, (size_t)status.st_size - secret->length);
        if (n < 0)
            return fail(failure, p->rule, errno, "cannot read %s, which the secret %.*s is to come from", path,
                        STR_ARGS(p->name));
    }
    return 0;
}

int secrets_read(struct secrets *secrets, const struct view *view, const struct view_bases *bases,
                 struct failure *failure)
{
    const struct plan *plan = view->plan;
    *secrets = (struct secrets){NEW_ARRAY(plan->arena, struct secret, plan->secret_count + 1), plan->secret_count};
    for (size_t i = 0; i < plan->secret_count; i++) {
        const struct plan_secret *p = &plan->secrets[i];
        if (!is_shown(plan, p->name))
            continue;
        if (p->variable.length ? from_variable(&secrets->list[i], plan, p, failure)
                               : from_file(&secrets->list[i], view, p, bases, failure))
            return -1;
    }
    for (size_t i = 0; i < secrets->count; i++) // when all are read: two may come from one variable
        if (secrets->list[i].in_environment)
            explicit_bzero(secrets->list[i].in_environment, secrets->list[i].length);
    return 0;
}

void secrets_wipe(const struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        const struct secret *secret = &secrets->list[i];
        if (secret->value)
            explicit_bzero(secret->value, secret->length);
        if (secret->in_environment)
            explicit_bzero(secret->in_environment, secret->length);
    }
}
