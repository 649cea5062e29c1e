// `sbxrun --dry-run`: a plan as a person wants to read it.
#include "enforcer/actions/dry_run.h"

#include "compiler/sets/path_set.h"
#include "compiler/sets/quantity.h"
#include "enforcer/host/say.h"

static const char *place_of(const struct plan *plan, uint32_t rule)
{
    if (rule >= plan->rule_count)
        return "";
    const struct plan_rule *r = &plan->rules[rule];
    return str_format(plan->arena, "  %.*s:%u", STR_ARGS(r->file), r->line).text;
}

static struct str content_text(const struct plan *plan, const struct plan_view *place, const struct view_bases *bases)
{
    const char *const base[PLAN_BASE_COUNT] = {
        [PLAN_ABSOLUTE] = "", [PLAN_POLICY] = bases->policy, [PLAN_CWD] = bases->cwd, [PLAN_HOME] = bases->home};
    struct text text = {.arena = plan->arena};
    if (place->from == PLAN_HOST && str_equal(place->host, place->path))
        text_addf(&text, "the host's");
    else if (place->from == PLAN_HOST)
        text_addf(&text, "the host's %s%s%.*s", base[place->base] ? base[place->base] : "?",
                  place->base == PLAN_ABSOLUTE ? "" : "/", STR_ARGS(place->host));
    else if (place->from == PLAN_OVERLAY)
        text_addf(&text, "the host's %s%s%.*s, and %.*s of memory for what is written",
                  base[place->base] ? base[place->base] : "?", place->base == PLAN_ABSOLUTE ? "" : "/",
                  STR_ARGS(place->host), STR_ARGS(size_text(plan->arena, place->size)));
    else if (place->from == PLAN_TMPFS)
        text_addf(&text, "memory, %.*s", STR_ARGS(size_text(plan->arena, place->size)));
    else if (place->from == PLAN_TEXT)
        text_addf(&text, "text, %zu bytes", place->text.length);
    else if (place->from == PLAN_SANDBOX)
        text_addf(&text, "made: %s", sandbox_file_meanings[sandbox_file_find(place->text)]);
    else if (place->from == PLAN_SECRET)
        text_addf(&text, "the secret %.*s", STR_ARGS(place->secret));
    else
        text_addf(&text, "%s",
                  place->from == PLAN_PROC  ? "own processes"
                  : place->from == PLAN_DEV ? "null, zero, full, random, tty, own terminals"
                                            : plan_from_names[place->from]);
    if (place->if_exists)
        text_addf(&text, ", if it exists");
    return text_str(&text);
}

static void print_view(FILE *out, const struct run *run)
{
    const struct plan *plan = run->plan;
    say(out, "files");
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *place = &plan->view[i];
        struct text verbs = {.arena = plan->arena};
        if (place->verbs)
            path_verbs_print(&verbs, place->verbs);
        else
            text_addf(&verbs, "nothing");
        say(out, "  %-18.*s %.*s%s", STR_ARGS(text_str(&verbs)), STR_ARGS(place->path), place_of(plan, place->rule));
        if (place->from != PLAN_INHERIT && place->verbs)
            say(out, "  %-18s   %.*s", "", STR_ARGS(content_text(plan, place, &run->bases)));
        say(out, "  %-18s   %.*s", "", STR_ARGS(claim_place(plan, run->claims, place)));
    }
}

static void print_origins(FILE *out, const struct plan *plan)
{
    const char *title = "made of";
    for (size_t i = 0; i < plan->origin_count; i++)
        if (plan->origins[i].is_there) {
            say(out, "%-18s %.*s", title, STR_ARGS(plan->origins[i].path));
            title = "";
        }
    for (size_t i = 0; i < plan->secret_count; i++)
        if (!plan->secrets[i].variable.length) {
            say(out, "%-18s the file of the secret %.*s", title, STR_ARGS(plan->secrets[i].name));
            title = "";
        }
    if (!title[0])
        say(out, "%-18s which nothing in the sandbox changes, whatever may be written", title);
}

static void print_network(FILE *out, const struct plan *plan, const struct network *network)
{
    if (!network->own.up && !network->brokered) {
        say(out, "network            none: an empty network namespace, without even a loopback");
        return;
    }
    if (network->brokered) {
        say(out,
            "network            an empty network namespace%s; sbxrun makes each connection that a rule allows",
            network->own.up ? " with a loopback of its own" : ", without even a loopback");
        if (network->guard_lacks)
            say(out, "                   no guard: %s", network->guard_lacks);
        else
            say(out, "                   a guard in eBPF stands behind it");
    } else
        say(out, "network            an empty network namespace with a loopback of its own, ports from %u%s",
            network->own.port_start, network->own.needs_landlock ? ", of tcp only:" : "");
    for (size_t i = 0; i < network->own.port_count && i < 32; i++)
        say(out, "                   tcp %u, by Landlock", network->own.ports[i].port);
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny) {
            struct text text = {.arena = plan->arena};
            net_box_print(&text, &plan->net[i].box);
            say(out, "                   allow %.*s%s", STR_ARGS(text_str(&text)), place_of(plan, plan->net[i].rule));
        }
}

static void print_limits(FILE *out, const struct run *run)
{
    const struct plan *plan = run->plan;
    for (int i = 0; i < LIMIT_COUNT; i++) {
        if (!plan->limits[i].set)
            continue;
        uint64_t value = plan->limits[i].value;
        struct str text = limit_text(plan->arena, (enum limit)i, value);
        const char *keeper = limit_keeper(&run->claims->bounds, (enum limit)i);
        say(out, "limit %-12s %.*s: %s%s", limit_names[i], STR_ARGS(text), keeper ? keeper : "NOT KEPT here",
            place_of(plan, plan->limits[i].rule));
    }
}

static struct str words_of(struct arena *arena, char *const *words)
{
    struct text text = {.arena = arena};
    for (; *words; words++)
        text_addf(&text, " %s", *words);
    return text_str(&text);
}

static struct str capabilities_of(const struct plan *plan)
{
    struct text text = {.arena = plan->arena};
    for (unsigned c = 0; c < 64; c++) {
        const char *name = plan->capabilities >> c & 1 ? constant_name_of("CAP_", NULL, c, ARCH_HERE) : NULL;
        if (name)
            text_addf(&text, "%s%s", text.length ? ", " : "", name);
    }
    return text.length ? text_str(&text) : STR("none");
}

void dry_run_print(FILE *out, const struct run *run)
{
    const struct plan *plan = run->plan;
    say(out, "policy             %.*s", STR_ARGS(plan->name));
    say(out, "command           %.*s", STR_ARGS(words_of(plan->arena, run->argv)));
    say(out, "user               %s inside, without a way back to yours; starts in %.*s",
        plan->user == PLAN_USER_NUMBER ? str_format(plan->arena, "%u", plan->user_number).text
                                       : plan_user_names[plan->user],
        STR_ARGS(plan->cwd.length ? plan->cwd : STR("/")));
    say(out, "environment       %.*s", STR_ARGS(words_of(plan->arena, run->environment)));
    say(out, "capabilities       %.*s", STR_ARGS(capabilities_of(plan)));
    say(out, "system calls       a filter of %zu instructions, by seccomp", plan->filters[ARCH_HERE].length);
    print_network(out, plan, &run->claims->network);
    print_limits(out, run);
    for (size_t i = 0; i < run->layer_count; i++)
        say(out, "layer              %s, which overlays begin with", run->layers[i]);
    for (size_t i = 0; i < run->claims->degraded_count; i++) {
        const struct degradation *d = &run->claims->degraded[i];
        say(out, "goes without       %.*s: %.*s%s", STR_ARGS(d->lost), STR_ARGS(d->because), place_of(plan, d->rule));
    }
    print_view(out, run);
    print_origins(out, plan);
}
