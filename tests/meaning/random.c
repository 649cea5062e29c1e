// Random policies against a naive evaluator: what the language says, written down once more in the dullest way, over
// the same generated rules. Compared are the policy function, the sets behind it, and the answers about whole sets.
#include "tests/meaning/random_rules.h"

enum { POLICIES = 400, QUESTIONS = 200 };

static unsigned wrong_files(struct policy *policy, const struct file_rule *rules, int count)
{
    unsigned wrong = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        char path[64];
        random_path(path, 5);
        unsigned verb = verbs[random_below(5)].verb;
        struct operation_point point = {.domain = DOMAIN_FILES, .verb = verb, .path = str_from(path)};
        bool want = naive_file(rules, count, path, verb);
        wrong += policy_verdict(policy, &point).allowed != want;
        wrong += !(path_set_verbs(policy_paths(policy), str_from(path)) & verb) != !want;
        // The whole subtree: allowed when every path that a rule could tell apart is.
        struct str one = str_from(path);
        struct rule set = {.effect = EFFECT_ASK, .domain = DOMAIN_FILES, .verbs = verb, .paths = &one, .path_count = 1};
        struct operation_point witness;
        int denied = operation_find(policy, &set, false, &witness),
            allowed = operation_find(policy, &set, true, &witness);
        bool some_denied = false, some_allowed = false;
        for (int a = 0; a < 4 * 4 * 4 * 4 + 4 * 4 * 4 + 21; a++) { // path itself and all up to four components deeper
            char deeper[128];
            strcpy(deeper, strcmp(path, "/") == 0 ? "" : path);
            int levels = a == 0   ? 0
                         : a < 5  ? 1
                         : a < 21 ? 2
                         : a < 85 ? 3
                                  : 4,
                rest = a - (a == 0   ? 0
                            : a < 5  ? 1
                            : a < 21 ? 5
                            : a < 85 ? 21
                                     : 85);
            for (int l = 0; l < levels; l++, rest /= 4)
                strcat(strcat(deeper, "/"), components[rest % 4]);
            if (!deeper[0])
                strcpy(deeper, "/");
            *(naive_file(rules, count, deeper, verb) ? &some_allowed : &some_denied) = true;
        }
        wrong += denied != some_denied;
        wrong += allowed != some_allowed;
    }
    return wrong;
}

static unsigned wrong_net(struct policy *policy, const struct net_rule *rules, int count)
{
    unsigned wrong = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        uint32_t address = 0x0A000000u | random_below(80);
        uint16_t port = (uint16_t)random_below(18);
        unsigned protocol = random_below(2) ? PROTOCOL_TCP : PROTOCOL_UDP;
        struct net_point point = {.verb = VERB_CONNECT,
                                  .protocol = protocol,
                                  .place = NET_ADDRESS,
                                  .address = (net_address)0xFFFF << 32 | address,
                                  .port = port};
        wrong += policy_net_allows(policy, &point) != naive_net(rules, count, address, port, protocol);
    }
    // A whole range at once, against asking one by one.
    struct net_box box = {.verbs = VERB_CONNECT,
                          .protocols = PROTOCOL_TCP,
                          .place = NET_ADDRESS,
                          .port_first = (uint16_t)random_below(8),
                          .port_last = 12};
    box.first = (net_address)0xFFFF << 32 | 0x0A000000u | random_below(32);
    box.last = box.first + random_below(32);
    struct rule set = {.effect = EFFECT_ASK, .domain = DOMAIN_NET, .verbs = VERB_CONNECT, .net = {&box, 1}};
    struct operation_point witness;
    bool some_denied = false, some_allowed = false;
    for (net_address a = box.first; a <= box.last; a++)
        for (unsigned port = box.port_first; port <= box.port_last; port++)
            *(naive_net(rules, count, (uint32_t)a, (uint16_t)port, PROTOCOL_TCP) ? &some_allowed : &some_denied) = true;
    wrong += operation_find(policy, &set, false, &witness) != some_denied;
    wrong += operation_find(policy, &set, true, &witness) != some_allowed;
    return wrong;
}

static unsigned wrong_calls(struct policy *policy, const struct call_rule_made *rules, int count)
{
    unsigned wrong = 0;
    int lseek = syscall_find(STR("lseek"));
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        for (int i = 0; i < QUESTIONS; i++) {
            struct operation_point point = {.domain = DOMAIN_CALLS,
                                            .arch = (enum arch)arch,
                                            .number = (uint32_t)syscall_row((size_t)lseek)->number[arch]};
            for (int k = 0; k < 6; k++)
                point.arguments[k] = edge_value();
            point.arguments[2] = random_below(5) | (uint64_t)random_below(2) << 32; // high bits that the kernel ignores
            bool want = naive_call(rules, count, point.arguments);
            wrong += policy_verdict(policy, &point).allowed != want;
            uint32_t words[SECCOMP_WORDS];
            words_of(words, arch_audit[arch], point.number, point.arguments);
            wrong += (graph_evaluate(policy->graph, policy_call(policy, (enum arch)arch, (size_t)lseek), words) ==
                      SECCOMP_ALLOW) != want;
            wrong +=
                (graph_evaluate(policy->graph, policy_filter(policy, (enum arch)arch), words) == SECCOMP_ALLOW) != want;
        }
    return wrong;
}

int main(void)
{
    unsigned wrong[3] = {0}, built[3] = {0}, refused = 0;
    for (int i = 0; i < POLICIES; i++) {
        random_state = (uint64_t)i * 7919 + 1;
        static char text[65536];
        struct compilation *compilation;
        struct arena *arena = arena_new();
        struct file_rule files[RULES];
        struct net_rule nets[RULES];
        struct call_rule_made calls[RULES];
        int count;

        strcpy(text, "sbx 1; policy p { fs { ");
        count = make_file_rules(files, text);
        struct policy *policy = policy_from_text(&compilation, strcat(text, "} }"));
        unsigned bad = policy ? wrong_files(policy, files, count) : 1;
        if (bad)
            printf("# %s\n", text);
        wrong[0] += bad;
        built[0]++;
        compilation_free(compilation);

        strcpy(text, "sbx 1; policy p { net { ");
        count = make_net_rules(nets, text);
        policy = policy_from_text(&compilation, strcat(text, "} }"));
        bad = policy ? wrong_net(policy, nets, count) : 1;
        if (bad)
            printf("# %s\n", text);
        wrong[1] += bad;
        built[1]++;
        compilation_free(compilation);

        strcpy(text, "sbx 1; policy p { syscalls { ");
        count = make_call_rules(arena, calls, text);
        strcat(text, "} }");
        policy =
            policy_load_text(&compilation, text, true); // some conditions are always true or false, which is refused
        if (policy) {
            bad = wrong_calls(policy, calls, count);
            if (bad)
                printf("# %s\n", text);
            wrong[2] += bad;
            built[2]++;
        } else {
            refused++;
        }
        compilation_free(compilation);
        arena_free(arena);
    }
    ok(wrong[0] == 0, "files: %u policies, %u answers wrong", built[0], wrong[0]);
    ok(wrong[1] == 0, "network: %u policies, %u answers wrong", built[1], wrong[1]);
    ok(wrong[2] == 0, "system calls: %u policies, %u answers wrong", built[2], wrong[2]);
    ok(built[2] > POLICIES / 4 && refused > 0,
       "of %d with conditions %u were refused for one that is always true or false", POLICIES, refused);
    return tap_done();
}
