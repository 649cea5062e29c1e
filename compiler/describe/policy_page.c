// A policy as one page: facts first, then each domain, then what is shown, then the sources.
#include "compiler/describe/policy_page.h"

#include "compiler/describe/page_calls.h"
#include "compiler/describe/describe.h"
#include "compiler/lint/lint.h"
#include "compiler/sets/quantity.h"

static const char *const no_headers[] = {"", "", NULL};

// ---- at a glance ---------------------------------------------------------------------------------------------------

static struct str places_with(struct writer *w, unsigned verbs)
{
    struct text text = {.arena = w->arena};
    for (size_t i = 0; i < w->plan->view_count; i++)
        if (w->plan->view[i].verbs & verbs)
            text_addf(&text, "%s%.*s", text.length ? ", " : "", STR_ARGS(w->plan->view[i].path));
    return text.length ? text_str(&text) : STR("nothing");
}

static struct str net_summary(struct writer *w)
{
    struct text text = {.arena = w->arena};
    for (size_t i = 0; i < w->plan->net_count; i++)
        if (!w->plan->net[i].deny) {
            text_addf(&text, "%s", text.length ? "; " : "");
            net_box_print(&text, &w->plan->net[i].box);
        }
    return text.length ? text_str(&text) : STR("nothing: not even a loopback");
}

static struct str capabilities_text(struct writer *w)
{
    struct text text = {.arena = w->arena};
    for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
        if (w->plan->capabilities >> c & 1)
            text_addf(&text, "%s%s", text.length ? ", " : "", constant_name_of("CAP_", NULL, c, ARCH_X86_64));
    return text.length ? text_str(&text) : STR("none");
}

static struct str limits_summary(struct writer *w, bool set)
{
    struct text text = {.arena = w->arena};
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (w->plan->limits[i].set == set) {
            text_addf(&text, "%s%s", text.length ? ", " : "", limit_names[i]);
            if (set)
                text_addf(&text, " %.*s", STR_ARGS(limit_text(w->arena, (enum limit)i, w->plan->limits[i].value)));
        }
    return text.length ? text_str(&text) : STR("none");
}

static struct str user_text(struct writer *w)
{
    const struct plan *plan = w->plan;
    switch (plan->user) {
    case PLAN_USER_ROOT: return STR("root inside, which is nobody outside");
    case PLAN_USER_SELF: return STR("the caller's own number");
    case PLAN_USER_NUMBER: return str_format(w->arena, "user %u", plan->user_number);
    default: return STR("nobody");
    }
}

static void write_glance(struct writer *w)
{
    struct page *page = w->page;
    struct str may_lack = STR("nothing");
    struct text lacks = {.arena = w->arena};
    for (size_t i = 0; i < w->plan->require_count; i++)
        if (w->plan->requires[i].degrade)
            text_addf(&lacks, "%s%s", lacks.length ? ", " : "", feature_names[w->plan->requires[i].feature]);
    page_heading(page, 2, "At a glance");
    page_table(page, no_headers, 2);
    page_fact(page, "May write to", PAGE_CODE, places_with(w, VERB_WRITE));
    page_fact(page, "May execute", PAGE_CODE, places_with(w, VERB_EXEC));
    page_fact(page, "May read", PAGE_CODE, places_with(w, VERB_READ));
    page_fact(page, "Network", w->plan->net_count ? PAGE_CODE : PAGE_PLAIN, net_summary(w));
    page_fact(page, "System calls", PAGE_PLAIN, page_calls_summary(w));
    page_fact(page, "Capabilities", PAGE_CODE, capabilities_text(w));
    page_fact(page, "Runs as", PAGE_PLAIN, user_text(w));
    page_fact(page, "Limits", PAGE_PLAIN, limits_summary(w, true));
    page_fact(page, "Without limit", PAGE_PLAIN, limits_summary(w, false));
    page_fact(page, "May go without", PAGE_PLAIN, lacks.length ? text_str(&lacks) : may_lack);
    page_table_end(page);
    page_paragraph(
        page, "Whatever is not on this page is denied. A deny holds whatever else is allowed; rules have no order.");
}

// ---- files ---------------------------------------------------------------------------------------------------------

static struct str content_text(struct writer *w, const struct plan_view *place)
{
    static const char *const base[PLAN_BASE_COUNT] = {[PLAN_POLICY] = "beside the policy: ",
                                                      [PLAN_CWD] = "in the caller's folder: ",
                                                      [PLAN_HOME] = "in the caller's home: "};
    struct text text = {.arena = w->arena};
    switch (place->from) {
    case PLAN_HOST:
        if (str_equal(place->host, place->path))
            text_addf(&text, "the host's");
        else
            text_addf(&text, "the host's, %s%.*s", base[place->base] ? base[place->base] : "", STR_ARGS(place->host));
        break;
    case PLAN_TMPFS: text_addf(&text, "memory of its own, %.*s", STR_ARGS(size_text(w->arena, place->size))); break;
    case PLAN_PROC: text_addf(&text, "the sandbox's own processes"); break;
    case PLAN_DEV: text_addf(&text, "null, zero, full, random, urandom, tty, own terminals"); break;
    case PLAN_OVERLAY:
        text_addf(&text, "the host's, %s%.*s; what is written stays in memory, %.*s, and is gone after the run",
                  base[place->base] ? base[place->base] : "", STR_ARGS(place->host),
                  STR_ARGS(size_text(w->arena, place->size)));
        break;
    case PLAN_SECRET: text_addf(&text, "the secret %.*s", STR_ARGS(place->secret)); break;
    case PLAN_TEXT: text_addf(&text, "%zu bytes that the policy has", place->text.length); break;
    case PLAN_SANDBOX: text_addf(&text, "made: %s", sandbox_file_meanings[sandbox_file_find(place->text)]); break;
    case PLAN_INHERIT: text_addf(&text, place->verbs ? "as above it" : "hidden"); break;
    default:
        text_addf(&text, "%s%s%.*s", plan_from_names[place->from], place->host.length ? ", " : "",
                  STR_ARGS(place->host));
    }
    if (place->if_exists)
        text_addf(&text, ", if there is one");
    return text_str(&text);
}

static void write_files(struct writer *w)
{
    static const char *const headers[] = {"Path", "May", "Content", "Why", "Rule", NULL};
    page_heading(w->page, 2, "Files");
    page_paragraph(w->page,
                   "A path means that file, or all beneath that folder until a deeper line says otherwise. The process "
                   "sees these places and no others: "
                   "a view built from nothing, of mounts with their rights, and Landlock as a second layer where the "
                   "kernel has it.");
    page_table(w->page, headers, 5);
    for (size_t i = 0; i < w->plan->view_count; i++) {
        const struct plan_view *place = &w->plan->view[i];
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE, place->path);
        page_cell_text(w->page, place->verbs ? PAGE_PLAIN : PAGE_STRONG, page_verbs(w->arena, place->verbs));
        page_cell_text(w->page, PAGE_PLAIN, content_text(w, place));
        page_plan_reason(w, place->rule);
        page_row_end(w->page);
    }
    page_table_end(w->page);
}

// ---- network -------------------------------------------------------------------------------------------------------

static void write_network(struct writer *w)
{
    static const char *const headers[] = {"", "Which", "Why", "Rule", NULL};
    page_heading(w->page, 2, "Network");
    if (!w->plan->net_count) {
        page_paragraph(w->page,
                       "None. The process is in a network namespace of its own with nothing in it; sockets that could "
                       "reach anything can't be made.");
        return;
    }
    page_paragraph(
        w->page,
        "A network namespace of its own; only what is allowed here gets out of it, and only allowed names resolve.");
    page_table(w->page, headers, 4);
    for (size_t i = 0; i < w->plan->net_count; i++) {
        const struct plan_net *net = &w->plan->net[i];
        struct text box = {.arena = w->arena};
        net_box_print(&box, &net->box);
        page_row(w->page);
        page_cell_text(w->page, PAGE_STRONG, net->exception ? STR("but for") : net->deny ? STR("deny") : STR("allow"));
        page_cell_text(w->page, PAGE_CODE, text_str(&box));
        page_plan_reason(w, net->rule);
        page_row_end(w->page);
    }
    page_table_end(w->page);
}

// ---- process, limits, secrets --------------------------------------------------------------------------------------

static void write_process(struct writer *w)
{
    const struct plan *plan = w->plan;
    struct text command = {.arena = w->arena}, kept = {.arena = w->arena};
    for (size_t i = 0; i < plan->command_count; i++)
        text_addf(&command, "%s\"%.*s\"", i ? ", " : "", STR_ARGS(plan->command[i]));
    for (size_t i = 0; i < plan->env_count; i++)
        if (plan->env[i].keep)
            text_addf(&kept, "%s%.*s", kept.length ? ", " : "", STR_ARGS(plan->env[i].name));
    page_heading(w->page, 2, "Process");
    page_table(w->page, no_headers, 2);
    page_fact(w->page, "Command", command.length ? PAGE_CODE : PAGE_PLAIN,
              command.length ? text_str(&command) : STR("what the caller gives"));
    page_fact(w->page, "Runs as", PAGE_PLAIN, user_text(w));
    page_fact(w->page, "Capabilities", PAGE_CODE, capabilities_text(w));
    if (plan->proxy.set)
        page_fact(w->page, "Reaches names through", PAGE_PLAIN,
                  str_format(w->arena, "a proxy: %s, %.*s, port %u", proxy_kind_names[plan->proxy.url.kind],
                             STR_ARGS(plan->proxy.url.host), plan->proxy.url.port));
    page_fact(w->page, "Starts in", PAGE_CODE, plan->cwd.length ? plan->cwd : STR("/"));
    for (size_t i = 0; i < plan->env_count; i++)
        if (!plan->env[i].keep)
            page_fact(w->page, "Environment", PAGE_CODE,
                      str_format(w->arena, "%.*s=%.*s", STR_ARGS(plan->env[i].name), STR_ARGS(plan->env[i].value)));
    page_fact(w->page, "Kept of the caller's environment", kept.length ? PAGE_CODE : PAGE_PLAIN,
              kept.length ? text_str(&kept) : STR("nothing"));
    page_table_end(w->page);
}

static void write_limits(struct writer *w)
{
    static const char *const headers[] = {"Limit", "", "Of", "Rule", NULL};
    page_heading(w->page, 2, "Limits");
    page_paragraph(w->page,
                   "Kept by control groups, resource limits of the kernel and the supervisor. Without limit: %.*s.",
                   STR_ARGS(limits_summary(w, false)));
    page_table(w->page, headers, 4);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct plan_limit *limit = &w->plan->limits[i];
        if (!limit->set)
            continue;
        const struct plan_rule *rule = &w->plan->rules[limit->rule];
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE, str_from(limit_names[i]));
        page_cell_text(w->page, PAGE_CODE, limit_text(w->arena, (enum limit)i, limit->value));
        page_reason(w, str_from(describe_limit((enum limit)i)), rule->file, rule->line);
        page_row_end(w->page);
    }
    page_table_end(w->page);
}

static void write_secrets(struct writer *w)
{
    static const char *const headers[] = {"Secret", "From", "At", NULL};
    if (!w->policy->secret_count)
        return;
    page_heading(w->page, 2, "Secrets");
    page_table(w->page, headers, 3);
    for (size_t i = 0; i < w->policy->secret_count; i++) {
        const struct secret_value *secret = &w->policy->secrets[i];
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE, secret->name);
        page_cell_text(w->page, PAGE_PLAIN,
                       secret->variable.length
                           ? str_format(w->arena, "the caller's variable %.*s", STR_ARGS(secret->variable))
                           : str_format(w->arena, "the host's file %.*s", STR_ARGS(secret->host.path)));
        page_cell_text(w->page, PAGE_CODE, secret->at);
        page_row_end(w->page);
    }
    page_table_end(w->page);
}

static void write_requires(struct writer *w)
{
    static const char *const headers[] = {"Of the host", "Where it has not", "Why", "Rule", NULL};
    if (!w->plan->require_count)
        return;
    page_heading(w->page, 2, "What it asks of the host");
    page_table(w->page, headers, 4);
    for (size_t i = 0; i < w->plan->require_count; i++) {
        const struct plan_require *require = &w->plan->requires[i];
        const struct plan_rule *rule = &w->plan->rules[require->rule];
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE,
                       require->version ? str_format(w->arena, "%s >= %llu", feature_names[require->feature],
                                                     (unsigned long long)require->version)
                                        : str_from(feature_names[require->feature]));
        page_cell_text(w->page, require->degrade ? PAGE_STRONG : PAGE_PLAIN,
                       require->degrade ? STR("it runs with less") : STR("it does not run"));
        page_reason(w, require->because, rule->file, rule->line);
        page_row_end(w->page);
    }
    page_table_end(w->page);
}

// ---- what is shown -------------------------------------------------------------------------------------------------

static void promise(struct writer *w, struct str what, const char *how, const struct rule *rule)
{
    page_row(w->page);
    page_cell_text(w->page, PAGE_CODE, what);
    page_cell_text(w->page, PAGE_PLAIN, str_from(how));
    page_rule_reason(w, rule);
    page_row_end(w->page);
}

static void write_promises(struct writer *w)
{
    static const char *const headers[] = {"Promise", "Holds", "Why", "Rule", NULL};
    page_heading(w->page, 2, "What is promised, and shown to hold");
    page_paragraph(w->page,
                   "Decided on the policy itself, for all operations that each line is about, not for examples.");
    page_table(w->page, headers, 4);
    for (size_t i = 0; i < w->policy->within_count; i++) {
        const struct rule site = {.span = w->policy->withins[i].use->span};
        promise(w, page_span(w, site.span), "nothing is allowed that it does not allow; no limit is higher", &site);
    }
    for (size_t i = 0; i < w->policy->rule_count; i++) {
        const struct rule *rule = &w->policy->rules[i];
        if (rule->effect == EFFECT_NEVER)
            promise(w, page_span(w, rule->span), "nothing of it is allowed", rule);
    }
    for (size_t i = 0; i < w->policy->rule_count; i++) {
        const struct rule *rule = &w->policy->rules[i];
        if (rule->effect == EFFECT_EXPECT_ALLOW || rule->effect == EFFECT_EXPECT_DENY)
            promise(w, page_span(w, rule->span),
                    rule->effect == EFFECT_EXPECT_ALLOW ? "all of it is allowed" : "all of it is denied", rule);
    }
    page_table_end(w->page);
    struct text lengths = {.arena = w->arena};
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        text_addf(&lengths, "%s%zu instructions for %s", arch ? ", " : "", w->plan->filters[arch].length,
                  arch_names[arch]);
    page_paragraph(w->page,
                   w->facts->proved
                       ? "The finished filters (%.*s) were proved by Z3 to answer what the policy says, for every "
                         "architecture, number and argument."
                       : "The finished filters (%.*s) were NOT proved to answer what the policy says: --no-proof.",
                   STR_ARGS(text_str(&lengths)));
}

static void write_warnings(struct writer *w)
{
    static const char *const headers[] = {"Finding", "", "Place", NULL};
    const struct diagnostic *first = w->policy->compilation->diagnostics.first;
    struct allowed_finding *allowed = lint_allowed(w->policy);
    if (!first && !allowed)
        return;
    page_heading(w->page, 2, "Warnings");
    page_table(w->page, headers, 3);
    for (const struct diagnostic *d = first; d; d = d->next) {
        const struct rule site = {.span = d->span};
        page_row(w->page);
        page_cell_text(w->page, PAGE_STRONG, str_from(diagnostic_code(d->code)));
        page_cell_text(w->page, PAGE_PLAIN, d->message);
        page_cell_text(w->page, PAGE_FAINT, rule_place(w->policy, &site));
        page_row_end(w->page);
    }
    for (; allowed; allowed = allowed->next) {
        const struct rule site = {.span = allowed->span};
        page_row(w->page);
        page_cell_text(w->page, PAGE_PLAIN, str_from(allowed->code));
        page_cell_text(w->page, PAGE_PLAIN,
                       str_format(w->arena, "allowed by its author: %.*s", STR_ARGS(allowed->reason)));
        page_cell_text(w->page, PAGE_FAINT, rule_place(w->policy, &site));
        page_row_end(w->page);
    }
    page_table_end(w->page);
}

// ---- sources -------------------------------------------------------------------------------------------------------

static bool came_through(const struct rule *rule, const struct use_decl *use)
{
    const struct use_chain *chain = rule->chain;
    while (chain && chain->up)
        chain = chain->up;
    return chain && chain->use == use && !rule->derived;
}

static void write_inherited(struct writer *w, const struct use_decl *use)
{
    static const char *const headers[] = {"Rule", "Why", "Place", NULL};
    size_t count = 0;
    for (size_t i = 0; i < w->policy->rule_count; i++)
        count += came_through(&w->policy->rules[i], use);
    page_fold(w->page, "%.*s: %zu rules", STR_ARGS(page_span(w, use->span)), count);
    page_table(w->page, headers, 3);
    for (size_t i = 0; i < w->policy->rule_count; i++) {
        const struct rule *rule = &w->policy->rules[i];
        if (!came_through(rule, use))
            continue;
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE, page_span(w, rule->span));
        page_rule_reason(w, rule);
        page_row_end(w->page);
    }
    page_table_end(w->page);
    page_fold_end(w->page);
}

static void write_sources(struct writer *w)
{
    const struct policy_decl *decl = w->policy->decl;
    page_heading(w->page, 2, "Where it comes from");
    bool inherits = false;
    for (const struct use_decl *use = decl->uses; use; use = use->next)
        if (!use->within) {
            write_inherited(w, use);
            inherits = true;
        }
    if (!inherits)
        page_paragraph(w->page, "It uses no other policy.");
    page_fold(w->page, "%.*s, the file itself", STR_ARGS(decl->module->source->name));
    page_block(w->page, decl->module->source->text);
    page_fold_end(w->page);
}

static void write_host(struct writer *w)
{
    page_heading(w->page, 2, "On the host where this page was made");
    if (w->facts->host_refuses.length) {
        page_paragraph(w->page, "It would not run:");
        page_block(w->page, w->facts->host_refuses);
    } else if (w->facts->host.length) {
        page_paragraph(w->page, "What would be done, and which layer enforces each part, as sbxrun --dry-run says it:");
        page_block(w->page, w->facts->host);
    } else {
        page_paragraph(w->page,
                       "There was no sbxrun to ask. `sbxrun --dry-run` says what enforces each part on a host.");
    }
}

static void write_facts(struct writer *w)
{
    const struct policy_decl *decl = w->policy->decl;
    struct page *page = w->page;
    if (w->policy->summary.set)
        page_paragraph(page, "%.*s", STR_ARGS(w->policy->summary.text));
    page_table(page, no_headers, 2);
    page_fact(page, "Policy", PAGE_CODE,
              str_format(w->arena, "%.*s of %.*s", STR_ARGS(decl->name.text), STR_ARGS(decl->module->source->name)));
    for (const struct parameter *p = decl->parameters; p; p = p->next)
        page_fact(page, "Parameter", PAGE_CODE,
                  page_span(w, p->value ? span_join(p->name.span, p->value->span) : p->name.span));
    for (size_t i = 0; i < w->facts->value_count; i++)
        page_fact(page, "Given", PAGE_CODE, str_from(w->facts->values[i]));
    page_fact(page, "Plan", PAGE_CODE, w->facts->hash);
    page_fact(page, "Made by", PAGE_PLAIN, STR("sbxc " SBX_VERSION ", edition 1"));
    page_table_end(page);
}

void policy_page(struct page *page, struct policy *policy, const struct page_facts *facts)
{
    struct writer w = {page, policy, facts, facts->plan, policy->arena};
    write_facts(&w);
    write_glance(&w);
    write_files(&w);
    write_network(&w);
    page_calls(&w);
    write_process(&w);
    write_limits(&w);
    write_secrets(&w);
    write_requires(&w);
    write_promises(&w);
    write_warnings(&w);
    write_sources(&w);
    write_host(&w);
}
