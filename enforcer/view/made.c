// Files that are made for a run.
#include "enforcer/view/made.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "enforcer/view/makers.h"

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
int make_passwd(struct text *text, const struct making *making)
{
    const struct identity *identity = making->identity;
    struct str home = variable(making->plan, "HOME", "/"), shell = variable(making->plan, "SHELL", "/bin/sh");
    text_addf(text, "%s:x:%u:%u:%s:%.*s:%.*s\n", user_name(identity), identity->inside, identity->inside,
              user_name(identity), STR_ARGS(home), STR_ARGS(shell));
    if (identity->inside != 0)
        text_addf(text, "root:x:0:0:root:/:/bin/sh\n");
    if (identity->inside != NOBODY)
        text_addf(text, "nobody:x:%u:%u:nobody:/:/bin/false\n", NOBODY, NOBODY);
    return MADE;
}

int make_group(struct text *text, const struct making *making)
{
    const struct identity *identity = making->identity;
    text_addf(text, "%s:x:%u:\n", identity->inside == NOBODY ? "nogroup" : user_name(identity), identity->inside);
    if (identity->inside != 0)
        text_addf(text, "root:x:0:\n");
    if (identity->inside != NOBODY)
        text_addf(text, "nogroup:x:%u:\n", NOBODY);
    return MADE;
}

int make_hosts(struct text *text, const struct making *)
{
    text_addf(text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tsbx\n");
    return MADE;
}

int make_hostname(struct text *text, const struct making *)
{
    text_addf(text, "sbx\n");
    return MADE;
}

int make_nsswitch(struct text *text, const struct making *)
{
    text_addf(text, "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
                    "protocols: files\nservices: files\n");
    return MADE;
}

int make_timezone(struct text *text, const struct making *)
{
    char link[256];
    ssize_t n = readlink("/etc/localtime", link, sizeof link - 1);
    link[n > 0 ? n : 0] = '\0';
    const char *zone = strstr(link, "/zoneinfo/");
    text_addf(text, "%s\n", zone ? zone + strlen("/zoneinfo/") : "Etc/UTC");
    return MADE;
}

int make_machine_id(struct text *text, const struct making *)
{
    uint64_t number[2];
    if (getrandom(number, sizeof number, 0) != sizeof number)
        return MADE_FAILED;
    text_addf(text, "%016llx%016llx\n", (unsigned long long)number[0], (unsigned long long)number[1]);
    return MADE;
}

int make_folder(struct text *, const struct making *)
{
    return MADE;
}

static int (*const makers[SANDBOX_FILE_COUNT])(struct text *, const struct making *) = {
#define SANDBOX_FILE(name, says) [SANDBOX_FILE_##name] = make_##name,
#include "lang/data/sandbox.def"
#undef SANDBOX_FILE
};

int made_prepare(struct view *view, const struct identity *identity, const cpu_set_t *processors,
                 struct failure *failure)
{
    const struct plan *plan = view->plan;
    const struct making making = {plan, identity, processors};
    for (size_t i = 0; i < plan->view_count; i++) {
        struct text text = {.arena = plan->arena};
        if (plan->view[i].from == PLAN_TEXT)
            view->places[i].text = plan->view[i].text;
        if (plan->view[i].from != PLAN_SANDBOX || !plan->view[i].verbs)
            continue;
        int file = sandbox_file_find(plan->view[i].text), made = makers[file](&text, &making);
        if (made == MADE_FAILED)
            return fail(failure, plan->view[i].rule, errno, "cannot make %s", view->places[i].path);
        view->places[i].skipped = made == MADE_NOTHING;
        view->places[i].is_folder = file == SANDBOX_FILE_folder;
        view->places[i].text = text_str(&text);
    }
    return 0;
}
