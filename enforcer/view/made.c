// Files that are made for a run.
#include "enforcer/view/made.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { NOBODY = 65534 };

// What the policy's environment says, else what is usual.
static struct str variable(const struct plan *plan, const char *name, const char *usual)
{
    for (size_t i = 0; i < plan->env_count; i++)
        if (str_is(plan->env[i].name, name) && !plan->env[i].keep)
            return plan->env[i].value;
    return str_from(usual);
}

static const char *user_name(const struct identity *identity)
{
    return identity->inside == 0 ? "root" : identity->inside == NOBODY ? "nobody" : "user";
}

// The sandbox's user first: of several with one number the first counts.
static void users(struct text *text, const struct plan *plan, const struct identity *identity)
{
    struct str home = variable(plan, "HOME", "/"), shell = variable(plan, "SHELL", "/bin/sh");
    text_addf(text, "%s:x:%u:%u:%s:%.*s:%.*s\n", user_name(identity), identity->inside, identity->inside,
              user_name(identity), STR_ARGS(home), STR_ARGS(shell));
    if (identity->inside != 0)
        text_addf(text, "root:x:0:0:root:/:/bin/sh\n");
    if (identity->inside != NOBODY)
        text_addf(text, "nobody:x:%u:%u:nobody:/:/bin/false\n", NOBODY, NOBODY);
}

static void groups(struct text *text, const struct identity *identity)
{
    text_addf(text, "%s:x:%u:\n", identity->inside == NOBODY ? "nogroup" : user_name(identity), identity->inside);
    if (identity->inside != 0)
        text_addf(text, "root:x:0:\n");
    if (identity->inside != NOBODY)
        text_addf(text, "nogroup:x:%u:\n", NOBODY);
}

static int make(struct text *text, enum sandbox_file file, const struct plan *plan, const struct identity *identity)
{
    uint64_t number[2];
    switch (file) {
    case SANDBOX_FILE_passwd: users(text, plan, identity); return 0;
    case SANDBOX_FILE_group: groups(text, identity); return 0;
    case SANDBOX_FILE_hosts:
        text_addf(text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tsbx\n");
        return 0;
    case SANDBOX_FILE_hostname: text_addf(text, "sbx\n"); return 0;
    case SANDBOX_FILE_nsswitch:
        text_addf(text,
                  "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
                  "protocols: files\nservices: files\n");
        return 0;
    case SANDBOX_FILE_timezone: {
        char link[256];
        ssize_t n = readlink("/etc/localtime", link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        const char *zone = strstr(link, "/zoneinfo/");
        text_addf(text, "%s\n", zone ? zone + strlen("/zoneinfo/") : "Etc/UTC");
        return 0;
    }
    case SANDBOX_FILE_machine_id:
        if (getrandom(number, sizeof number, 0) != sizeof number)
            return -1;
        text_addf(text, "%016llx%016llx\n", (unsigned long long)number[0], (unsigned long long)number[1]);
        return 0;
    case SANDBOX_FILE_COUNT: break;
    }
    errno = EINVAL;
    return -1;
}

int made_prepare(struct view *view, const struct identity *identity, struct failure *failure)
{
    const struct plan *plan = view->plan;
    for (size_t i = 0; i < plan->view_count; i++) {
        struct text text = {.arena = plan->arena};
        if (plan->view[i].from == PLAN_TEXT)
            view->places[i].text = plan->view[i].text;
        if (plan->view[i].from != PLAN_SANDBOX)
            continue;
        if (make(&text, (enum sandbox_file)sandbox_file_find(plan->view[i].text), plan, identity) != 0)
            return fail(failure, plan->view[i].rule, errno, "cannot make %s", view->places[i].path);
        view->places[i].text = text_str(&text);
    }
    return 0;
}
