// Rules on system calls that follow from the rules on the network.
#include "compiler/meaning/derive.h"
#include "compiler/meaning/broker.h"
#include "lang/question.h"

#include <stdlib.h>

enum { ALWAYS = -1 };

// The rows of a policy with a broker: its sockets may be the host's, connected where a rule allows it. These would lead
// them elsewhere.
#define ONLY(level, names)                                                                                             \
    {                                                                                                                  \
        0, BROKER, "syscall setsockopt where level == " level " and not optname in { " names " }",                     \
            "of the options of sockets only those that choose no destination"                                          \
    }

enum { BROKER = -2 };

static const struct {
    int verb, protocol; // derived when no rule allows this verb (and no broker asks what it is for), or this protocol;
                        // ALWAYS; BROKER: with one
    const char *operation, *because;
} rows[] = {
    {0, BROKER, "syscall sendto where flags & MSG_FASTOPEN == MSG_FASTOPEN", "it connects without connect"},
    {0, BROKER, "syscall sendmsg where flags & MSG_FASTOPEN == MSG_FASTOPEN", "it connects without connect"},
    {0, BROKER, "syscall sendmmsg where flags & MSG_FASTOPEN == MSG_FASTOPEN", "it connects without connect"},
    {0, BROKER, "syscall io_uring_setup", "its connections pass by the broker"},
    {0, BROKER,
     "syscall setsockopt where not level in { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP }",
     "options of other protocols"},
    {0, BROKER,
     "syscall setsockopt where level == SOL_SOCKET and optname in { SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_MARK }",
     "it chooses a way out of the host"},
    ONLY("IPPROTO_IP",
         "IP_TOS, IP_TTL, IP_RECVERR, IP_MTU_DISCOVER, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_BIND_ADDRESS_NO_PORT, "
         "IP_MULTICAST_TTL, "
         "IP_MULTICAST_LOOP"),
    ONLY("IPPROTO_IPV6",
         "IPV6_V6ONLY, IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_RECVERR, IPV6_MTU_DISCOVER, IPV6_RECVPKTINFO, "
         "IPV6_RECVTCLASS, "
         "IPV6_RECVHOPLIMIT, IPV6_AUTOFLOWLABEL, IPV6_DONTFRAG, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP"),
    ONLY("IPPROTO_TCP",
         "TCP_NODELAY, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_QUICKACK, TCP_SYNCNT, "
         "TCP_MAXSEG, "
         "TCP_DEFER_ACCEPT, TCP_CONGESTION, TCP_NOTSENT_LOWAT, TCP_WINDOW_CLAMP, TCP_LINGER2, "
         "TCP_THIN_LINEAR_TIMEOUTS, TCP_ULP"),
    ONLY("IPPROTO_UDP", "1, 103, 104"), // UDP_CORK, UDP_SEGMENT, UDP_GRO
    {0, ALWAYS,
     "syscall socket where family in { AF_INET, AF_INET6 } and not (type & 0xf == SOCK_STREAM or type & 0xf == "
     "SOCK_DGRAM)",
     "no net rule can allow raw sockets"},
    {0, ALWAYS,
     "syscall socket where family in { AF_INET, AF_INET6 } and not protocol in { 0, IPPROTO_TCP, IPPROTO_UDP }",
     "no net rule can allow other protocols than tcp and udp"},
    {0, PROTOCOL_TCP, "syscall socket where family in { AF_INET, AF_INET6 } and type & 0xf == SOCK_STREAM",
     "no net rule allows tcp"},
    {0, PROTOCOL_UDP, "syscall socket where family in { AF_INET, AF_INET6 } and type & 0xf == SOCK_DGRAM",
     "no net rule allows udp"},
    {0, PROTOCOL_UNIX, "syscall socket where family == AF_UNIX", "no net rule allows unix"},
    {0, PROTOCOL_UNIX, "syscall socketpair where type & 0xf == SOCK_DGRAM",
     "no net rule allows unix, and one of a pair could send elsewhere"},
    {VERB_CONNECT, 0, "syscall connect", "no net rule allows connect"},
    {VERB_BIND, 0, "syscall bind", "no net rule allows bind"},
    {VERB_LISTEN, 0, "syscall listen", "no net rule allows listen"},
};

void derive_rules(struct policy *policy, derive_add *add, void *context)
{
    unsigned verbs = 0, protocols = 0, broker = policy_broker(policy);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW)
            for (size_t k = 0; k < rule->net.count; k++) {
                verbs |= rule->net.boxes[k].verbs;
                protocols |= rule->net.boxes[k].protocols;
                if (net_box_has_name(&rule->net.boxes[k]))
                    protocols |= PROTOCOL_UDP; // names are asked for over it
            }
    }
    struct module *prelude = policy->compilation->prelude;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool wanted = rows[i].verb ? !broker && !(verbs & (unsigned)rows[i].verb)
                      : rows[i].protocol == BROKER
                          ? broker != 0
                          : rows[i].protocol == ALWAYS || !(protocols & (unsigned)rows[i].protocol);
        if (!wanted)
            continue;
        struct operation *operation = operation_parse(policy->compilation, prelude, rows[i].operation);
        if (!operation)
            abort(); // the rows are ours
        add(context, operation, rows[i].because, prelude);
    }
}
