// `sbxrun --dry-run`: a plan as a person wants to read it.
#include "enforcer/actions/dry_run.h"

#include "compiler/sets/path_set.h"
#include "compiler/sets/quantity.h"

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
    fprintf(out, "files\n");
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *place = &plan->view[i];
        struct text verbs = {.arena = plan->arena};
        if (place->verbs)
            path_verbs_print(&verbs, place->verbs);
        else
            text_addf(&verbs, "nothing");
        fprintf(out, "  %-18.*s %.*s%s\n", STR_ARGS(text_str(&verbs)), STR_ARGS(place->path),
                place_of(plan, place->rule));
        if (place->from != PLAN_INHERIT && place->verbs)
            fprintf(out, "  %-18s   %.*s\n", "", STR_ARGS(content_text(plan, place, &run->bases)));
        fprintf(out, "  %-18s   %.*s\n", "", STR_ARGS(claim_place(plan, run->claims, place)));
    }
}

static void print_network(FILE *out, const struct plan *plan, const struct network *network)
{
    if (!network->own.up) {
        fprintf(out, "network            none: an empty network namespace, without even a loopback\n");
        return;
    }
    if (network->brokered)
        fprintf(out,
                "network            an empty network namespace with a loopback of its own; sbxrun makes each "
                "connection that a rule allows\n%s%s%s",
                network->guard_lacks ? "                   no guard: "
                                     : "                   a guard in eBPF stands behind it\n",
                network->guard_lacks ? network->guard_lacks : "", network->guard_lacks ? "\n" : "");
    else
        fprintf(out, "network            an empty network namespace with a loopback of its own, ports from %u%s\n",
                network->own.port_start, network->own.needs_landlock ? ", of tcp only:" : "");
    for (size_t i = 0; i < network->own.port_count && i < 32; i++)
        fprintf(out, "                   tcp %u, by Landlock\n", network->own.ports[i].port);
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny) {
            struct text text = {.arena = plan->arena};
            net_box_print(&text, &plan->net[i].box);
            fprintf(out, "                   allow %.*s%s\n", STR_ARGS(text_str(&text)),
                    place_of(plan, plan->net[i].rule));
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
        fprintf(out, "limit %-12s %.*s: %s%s\n", limit_names[i], STR_ARGS(text), keeper ? keeper : "NOT KEPT here",
                place_of(plan, plan->limits[i].rule));
    }
}

void dry_run_print(FILE *out, const struct run *run)
{
    const struct plan *plan = run->plan;
    fprintf(out, "policy             %.*s\ncommand           ", STR_ARGS(plan->name));
    for (char *const *word = run->argv; *word; word++)
        fprintf(out, " %s", *word);
    fprintf(out, "\nuser               %s inside, without a way back to yours; starts in %.*s\n",
            plan->user == PLAN_USER_NUMBER ? str_format(plan->arena, "%u", plan->user_number).text
                                           : plan_user_names[plan->user],
            STR_ARGS(plan->cwd.length ? plan->cwd : STR("/")));
    fprintf(out, "environment       ");
    for (char *const *variable = run->environment; *variable; variable++)
        fprintf(out, " %s", *variable);
    fprintf(out, "\ncapabilities       ");
    for (unsigned c = 0, any = 0; c < 64; c++) {
        const char *name = plan->capabilities >> c & 1 ? constant_name_of("CAP_", NULL, c, ARCH_HERE) : NULL;
        if (name)
            fprintf(out, "%s%s", any++ ? ", " : "", name);
        else if (c == 63 && !any)
            fprintf(out, "none");
    }
    fprintf(out, "\nsystem calls       a filter of %zu instructions, by seccomp\n", plan->filters[ARCH_HERE].length);
    print_network(out, plan, &run->claims->network);
    print_limits(out, run);
    for (size_t i = 0; i < run->claims->degraded_count; i++) {
        const struct degradation *d = &run->claims->degraded[i];
        fprintf(out, "goes without       %.*s: %.*s%s\n", STR_ARGS(d->lost), STR_ARGS(d->because),
                place_of(plan, d->rule));
    }
    print_view(out, run);
}
