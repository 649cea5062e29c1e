// Differences of random policies, read back as rules: a `+` line holds exactly what only the second policy allows, a
// `-` line what only the first does.
#include "compiler/diff/diff.h"

#include "tests/meaning/random_rules.h"

enum { PAIRS = 300, QUESTIONS = 200 };

// A policy of denies that hold the lines of one kind, in the given block.
static struct policy *read_back(struct compilation **compilation, const struct policy_diff *diff,
                                enum difference_kind kind, const char *block)
{
    static char text[1 << 20];
    sprintf(text, "sbx 1; policy p { %s { ", block);
    size_t lines = 0;
    for (const struct difference *d = diff->first; d; d = d->next)
        if (d->kind == kind) {
            const char *rule = strchr(d->text.text, ' ');
            sprintf(text + strlen(text), "deny%.*s; ", (int)(d->text.text + d->text.length - rule), rule);
            lines++;
        }
    struct policy *policy = policy_load_text(compilation, strcat(text, "} }"), true);
    // A line's verbs are all that differs there: what a deny of reading hides besides is in other lines.
    const struct rule_decl *decl = policy ? policy->decl->rules : NULL;
    for (size_t i = 0; decl && i < policy->rule_count && !policy->rules[i].derived; i++, decl = decl->next)
        policy->rules[i].verbs = decl->operation.verbs;
    return policy;
}

static bool holds(const struct policy *policy, const struct operation_point *point)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (!policy->rules[i].derived && rule_matches(policy, &policy->rules[i], point))
            return true;
    return false;
}

static struct operation_point random_point(enum domain domain)
{
    static char path[64];
    struct operation_point point = {.domain = domain};
    if (domain == DOMAIN_FILES) {
        random_path(path, 5);
        point.verb = verbs[random_below(5)].verb;
        point.path = str_from(path);
    } else if (domain == DOMAIN_NET) {
        point.verb = VERB_CONNECT;
        point.net = (struct net_point){.verb = VERB_CONNECT,
                                       .protocol = random_below(2) ? PROTOCOL_TCP : PROTOCOL_UDP,
                                       .place = NET_ADDRESS,
                                       .address = (net_address)0xFFFF << 32 | 0x0A000000u | random_below(80),
                                       .port = (uint16_t)random_below(18)};
    } else {
        point.arch = (enum arch)random_below(ARCH_COUNT);
        point.number = (uint32_t)syscall_row((size_t)syscall_find(STR("lseek")))->number[point.arch];
        point.arguments[1] = edge_value();
        point.arguments[2] = random_below(5);
    }
    return point;
}

static unsigned compare(enum domain domain, const char *block, const char *before, const char *after,
                        unsigned *differing, unsigned *unreadable)
{
    struct compilation *compilation, *read[2];
    struct policy *old = policy_load_text(&compilation, before, true), *new = NULL;
    struct module *module = old ? module_from_text(compilation, after) : NULL;
    if (module && !compilation->diagnostics.errors)
        new = policy_build_beside(old, module->policies, NULL);
    unsigned wrong = 0;
    if (new) {
        const struct policy_diff *diff = policy_diff(old, new);
        struct policy *only[2] = {read_back(&read[0], diff, BECOMES_ALLOWED, block),
                                  read_back(&read[1], diff, BECOMES_DENIED, block)};
        bool readable = only[0] && only[1]; // masks of one argument can be too entangled to be written as a rule again
        *differing += readable && diff->first;
        *unreadable += !readable;
        wrong += diff->wider != (diff->counts[BECOMES_ALLOWED] > 0);
        for (int i = 0; i < QUESTIONS && readable && !wrong; i++) {
            struct operation_point point = random_point(domain);
            bool was = policy_verdict(old, &point).allowed, is = policy_verdict(new, &point).allowed;
            wrong += holds(only[0], &point) != (is && !was);
            wrong += holds(only[1], &point) != (was && !is);
            if (wrong)
                printf("# about `%.*s`\n", STR_ARGS(operation_text(new, &point)));
        }
        if (wrong) {
            struct text text = {.arena = compilation->arena};
            diff_text(&text, diff);
            printf("# %s\n# %s\n# %.*s\n", before, after, STR_ARGS(text_str(&text)));
        }
        compilation_free(read[0]);
        compilation_free(read[1]);
    }
    compilation_free(compilation);
    return wrong;
}

int main(void)
{
    static const char *const blocks[] = {"fs", "net", "syscalls"};
    static const enum domain domains[] = {DOMAIN_FILES, DOMAIN_NET, DOMAIN_CALLS};
    for (int d = 0; d < 3; d++) {
        unsigned wrong = 0, differing = 0, unreadable = 0;
        for (int i = 0; i < PAIRS; i++) {
            static char texts[2][65536];
            random_state = (uint64_t)i * 104729 + 3;
            struct arena *arena = arena_new();
            for (int k = 0; k < 2; k++) {
                struct file_rule files[RULES];
                struct net_rule nets[RULES];
                struct call_rule_made calls[RULES];
                sprintf(texts[k], "sbx 1; policy p { %s { ", blocks[d]);
                if (d == 0)
                    make_file_rules(files, texts[k]);
                else if (d == 1)
                    make_net_rules(nets, texts[k]);
                else
                    make_call_rules(arena, calls, texts[k]);
                strcat(texts[k], "} }");
            }
            wrong += compare(domains[d], blocks[d], texts[0], texts[1], &differing, &unreadable) != 0;
            wrong += compare(domains[d], blocks[d], texts[0], texts[0], &(unsigned){0}, &(unsigned){0}) != 0;
            arena_free(arena);
        }
        ok(wrong == 0 && differing > PAIRS / 2 && unreadable <= (d == 2 ? PAIRS / 10 : 0),
           "%s: %u differing pairs of random policies, %u with a wrong difference, %u that can't be read back",
           blocks[d], differing, wrong, unreadable);
    }
    return tap_done();
}
