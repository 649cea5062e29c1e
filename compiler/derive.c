// Rules on system calls that follow from the rules on the network.
#include "compiler/derive.h"
#include "lang/question.h"

#include <stdlib.h>

enum { ALWAYS = -1 };

static const struct {
    int verb, protocol; // derived when no rule allows this verb, or this protocol; ALWAYS: whatever the rules
    const char *operation, *because;
} rows[] = {
    {0, ALWAYS, "syscall socket where family in { AF_INET, AF_INET6 } and not (type & 0xf == SOCK_STREAM or type & 0xf == SOCK_DGRAM)",
     "no net rule can allow raw sockets"},
    {0, ALWAYS, "syscall socket where family in { AF_INET, AF_INET6 } and not protocol in { 0, IPPROTO_TCP, IPPROTO_UDP }",
     "no net rule can allow other protocols than tcp and udp"},
    {0, PROTOCOL_TCP, "syscall socket where family in { AF_INET, AF_INET6 } and type & 0xf == SOCK_STREAM", "no net rule allows tcp"},
    {0, PROTOCOL_UDP, "syscall socket where family in { AF_INET, AF_INET6 } and type & 0xf == SOCK_DGRAM", "no net rule allows udp"},
    {0, PROTOCOL_UNIX, "syscall socket where family == AF_UNIX", "no net rule allows unix"},
    {0, PROTOCOL_UNIX, "syscall socketpair where type & 0xf == SOCK_DGRAM", "no net rule allows unix, and one of a pair could send elsewhere"},
    {VERB_CONNECT, 0, "syscall connect", "no net rule allows connect"},
    {VERB_BIND, 0, "syscall bind", "no net rule allows bind"},
    {VERB_LISTEN, 0, "syscall listen", "no net rule allows listen"},
};

void derive_rules(struct policy *policy, derive_add *add, void *context)
{
    unsigned verbs = 0, protocols = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW)
            for (size_t k = 0; k < rule->net.count; k++) {
                verbs |= rule->net.boxes[k].verbs;
                protocols |= rule->net.boxes[k].protocols;
            }
    }
    struct module *prelude = policy->compilation->prelude;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool wanted = rows[i].verb ? !(verbs & (unsigned)rows[i].verb) : rows[i].protocol == ALWAYS || !(protocols & (unsigned)rows[i].protocol);
        if (!wanted)
            continue;
        struct operation *operation = operation_parse(policy->compilation, prelude, rows[i].operation);
        if (!operation)
            abort(); // the rows are ours
        add(context, operation, rows[i].because, prelude);
    }
}
