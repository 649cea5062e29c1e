// Rules on system calls that follow from the rules on the network, and those that hold in every policy.
#include "compiler/meaning/derive.h"
#include "compiler/meaning/broker.h"
#include "lang/question.h"

#include <stdlib.h>

struct derivation {
    struct policy *policy;
    derive_add *add;
    void *context;
    unsigned verbs, protocols; // that some net rule allows; PROTOCOL_DATAGRAMS: unix ones
    bool broker;               // sbxrun makes the calls that take an address
    bool outward;              // one of them allows more than the sandbox's own loopback and unix sockets
};

enum { PROTOCOL_DATAGRAMS = PROTOCOL_ALL + 1 };

static void add_text(const struct derivation *d, const char *error, const char *because, struct str what, bool yields)
{
    struct compilation *compilation = d->policy->compilation;
    struct str text = str_format(compilation->arena, "syscall %.*s", STR_ARGS(what));
    struct operation *operation = operation_parse(compilation, compilation->prelude, text.text);
    if (!operation)
        abort(); // the rules are ours
    d->add(d->context, operation, error, because, compilation->prelude, yields);
}

// Denies what the text after `syscall` says.
static void __attribute__((format(printf, 4, 5)))
derive(const struct derivation *d, const char *error, const char *because, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    struct str what = str_vformat(d->policy->arena, format, list);
    va_end(list);
    add_text(d, error, because, what, false);
}

// ---- what may be made ---------------------------------------------------------------------------------------------

// Sockets and pairs by family, type and protocol (socket(2)): what is in no row can't be made, whatever the rules on
// system calls say. The kernel makes SOCK_RAW of AF_UNIX a datagram socket, and SOCK_PACKET of AF_INET a packet socket
// (net/unix/af_unix.c, net/socket.c).
static const struct kind {
    const char *call, *families, *types[3], *protocols;
    unsigned wanted; // a net rule has to allow one of these; 0: none
    const char *lacks;
} kinds[] = {
    {"socket", "AF_INET, AF_INET6", {"SOCK_STREAM"}, "0, IPPROTO_TCP", PROTOCOL_TCP, "no net rule allows tcp"},
    {"socket", "AF_INET, AF_INET6", {"SOCK_DGRAM"}, "0, IPPROTO_UDP", PROTOCOL_UDP, "no net rule allows udp"},
    {"socket",
     "AF_UNIX",
     {"SOCK_STREAM", "SOCK_SEQPACKET"},
     "0, 1", // PF_UNIX
     PROTOCOL_UNIX,
     "no net rule allows unix"},
    {"socket",
     "AF_UNIX",
     {"SOCK_DGRAM"},
     "0, 1",
     PROTOCOL_DATAGRAMS,
     "no net rule allows a path of unix, where datagrams could be sent"},
    {"socket",
     "AF_NETLINK",
     {"SOCK_RAW", "SOCK_DGRAM"},
     "0", // NETLINK_ROUTE: what the sandbox's own network has
     PROTOCOL_TCP | PROTOCOL_UDP | PROTOCOL_UNIX,
     "there is no net rule, and so no network to ask about"},
    {"socketpair", "AF_UNIX", {"SOCK_STREAM", "SOCK_SEQPACKET"}, "0, 1", 0, NULL},
    {"socketpair",
     "AF_UNIX",
     {"SOCK_DGRAM"},
     "0, 1",
     PROTOCOL_DATAGRAMS,
     "no net rule allows a path of unix, and one of a pair could send elsewhere"},
};

// All but the flags that a type may have with it, SOCK_NONBLOCK and SOCK_CLOEXEC.
#define TYPE "type & 0xfff7f7ff"

static struct str kind_text(struct arena *arena, const struct kind *kind)
{
    struct text text = {.arena = arena};
    text_addf(&text, "family in { %s } and (" TYPE " == %s", kind->families, kind->types[0]);
    for (size_t i = 1; i < sizeof kind->types / sizeof *kind->types && kind->types[i]; i++)
        text_addf(&text, " or " TYPE " == %s", kind->types[i]);
    text_addf(&text, ")");
    return text_str(&text);
}

// Where several of these rules are about a call, the first answers it.
static void derive_kinds(const struct derivation *d, const char *call)
{
    struct arena *arena = d->policy->arena;
    struct text families = {.arena = arena}, types = {.arena = arena}, protocols = {.arena = arena};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct str text = kind_text(arena, &kinds[i]);
        if (!str_is(str_from(kinds[i].call), call))
            continue;
        text_addf(&families, "%s%s", families.length ? ", " : "", kinds[i].families);
        text_addf(&types, "%s%.*s", types.length ? " or " : "", STR_ARGS(text));
        if (kinds[i].wanted && !(kinds[i].wanted & d->protocols))
            derive(d, "EACCES", kinds[i].lacks, "%s where %.*s", call, STR_ARGS(text));
        else
            text_addf(&protocols, "%s%.*s and protocol in { %s }", protocols.length ? " or " : "", STR_ARGS(text),
                      kinds[i].protocols);
    }
    derive(d, "EAFNOSUPPORT", "no net rule can allow other families than inet, inet6 and unix",
           "%s where not family in { %s }", call, text_str(&families).text);
    derive(d, "ESOCKTNOSUPPORT", "no net rule can allow other types of sockets than those of tcp, udp and unix",
           "%s where not (%s)", call, text_str(&types).text);
    if (protocols.length)
        derive(d, "EPROTONOSUPPORT", "no net rule can allow other protocols than tcp, udp and unix",
               "%s where not (%s)", call, text_str(&protocols).text);
}

// ---- options of sockets -------------------------------------------------------------------------------------------

// The options that may be set; those that choose a way out, which may be set where rules allow tcp or udp, of the
// loopback alone, so that every socket is the sandbox's own (enforcer/host/standard.c keeps others out); and those that
// may be asked for: all that the edition knows but SO_PEERPIDFD (77), a handle on a process outside, as SO_PASSPIDFD
// (76) asks for with each message, and TCP_ZEROCOPY_RECEIVE (35), which maps memory. Some have no name in
// constants.tsv: SO_PASSRIGHTS (83); UDP_CORK, UDP_SEGMENT, UDP_GRO.
static const struct {
    unsigned wanted; // a net rule has to allow one of these, or there are no such sockets; 0: none
    const char *level, *set, *ways_out;
    struct {
        int first, last;
    } asked;
} options[] = {
    {0,
     "SOL_SOCKET",
     "SO_REUSEADDR, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_NO_CHECK, SO_LINGER, "
     "SO_BSDCOMPAT, SO_REUSEPORT, SO_PASSCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD, "
     "SO_TIMESTAMP_OLD, SO_PASSSEC, SO_TIMESTAMPNS_OLD, SO_RXQ_OVFL, SO_MAX_PACING_RATE, SO_TIMESTAMP_NEW, "
     "SO_TIMESTAMPNS_NEW, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW, 83",
     ", SO_DONTROUTE, SO_PRIORITY, SO_BINDTODEVICE, SO_BINDTOIFINDEX",
     {0, 76}},
    {PROTOCOL_TCP | PROTOCOL_UDP,
     "IPPROTO_IP",
     "IP_TOS, IP_TTL, IP_RECVERR, IP_MTU_DISCOVER, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR, "
     "IP_BIND_ADDRESS_NO_PORT, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL",
     ", IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF",
     {0, 52}},
    {PROTOCOL_TCP | PROTOCOL_UDP,
     "IPPROTO_IPV6",
     "IPV6_V6ONLY, IPV6_TCLASS, IPV6_UNICAST_HOPS, IPV6_RECVERR, IPV6_MTU_DISCOVER, IPV6_RECVPKTINFO, "
     "IPV6_RECVTCLASS, IPV6_RECVHOPLIMIT, IPV6_AUTOFLOWLABEL, IPV6_DONTFRAG, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, "
     "IPV6_MULTICAST_ALL",
     ", IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MULTICAST_IF",
     {0, 78}},
    {PROTOCOL_TCP,
     "IPPROTO_TCP",
     "TCP_NODELAY, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_LINGER2, "
     "TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP, TCP_QUICKACK, TCP_CONGESTION, TCP_THIN_LINEAR_TIMEOUTS, TCP_USER_TIMEOUT, "
     "TCP_NOTSENT_LOWAT",
     "",
     {1, 34}},
    {PROTOCOL_UDP, "IPPROTO_UDP", "1, 103, 104", "", {1, 104}},
};

static void derive_options(const struct derivation *d)
{
    struct text set = {.arena = d->policy->arena}, asked = {.arena = d->policy->arena};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *between = i ? " or " : "";
        if (options[i].wanted && !(options[i].wanted & d->protocols))
            continue;
        text_addf(&set, "%slevel == %s and optname in { %s%s }", between, options[i].level, options[i].set,
                  d->outward || !(d->protocols & (PROTOCOL_TCP | PROTOCOL_UDP)) ? "" : options[i].ways_out);
        text_addf(&asked, "%slevel == %s and optname in { ", between, options[i].level);
        for (int option = options[i].asked.first; option <= options[i].asked.last; option++)
            text_addf(&asked, "%d%s", option, option < options[i].asked.last ? "," : " }");
    }
    derive(d, "ENOPROTOOPT", "of the options of sockets only those that choose no way out and load no code",
           "setsockopt where not (%s)", text_str(&set).text);
    derive(d, "ENOPROTOOPT", "of the options of sockets only those whose answer is a value",
           "getsockopt where not (%s)", text_str(&asked).text);
}

// ---- lists of what else may be asked ------------------------------------------------------------------------------

// A keyring of one's own: thread, process, session (KEY_SPEC_*, as 32 bits).
#define OWN_RING(argument)                                                                                             \
    "(" argument " & 0xffffffff == 0xffffffff or " argument " & 0xffffffff == 0xfffffffe or " argument                 \
    " & 0xffffffff == 0xfffffffd)"

struct list {
    const char *call, *error, *may, *because;
};

static const struct list lists[] = {
    // No lease or delegation: its holder makes whoever opens the file wait, on the host too. No F_NOTIFY, F_SETSIG and
    // write hints, which nothing needs. 1027 and 1028 are F_DUPFD_QUERY and F_CREATED_QUERY.
    {"fcntl", "EINVAL",
     "cmd in { F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_GETSIG, "
     "F_SETOWN_EX, F_GETOWN_EX, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, 1027, 1028, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, "
     "F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS, F_GET_RW_HINT, F_GET_FILE_RW_HINT }",
     "of fcntl's commands none that makes others wait (leases)"},
    // A keyring `_uid.N` grants by user number alone, and any number may be a key's, so keys are named by the keyrings
    // that are the command's own. Nobody outside is asked for a key: that takes callout information.
    {"keyctl", "EACCES",
     "option in { KEYCTL_CAPABILITIES } or option == KEYCTL_JOIN_SESSION_KEYRING and arg2 == 0 or "
     "option in { KEYCTL_GET_KEYRING_ID, KEYCTL_CLEAR, KEYCTL_DESCRIBE, KEYCTL_READ } and " OWN_RING(
         "arg2") " or "
                 "option == KEYCTL_SEARCH and " OWN_RING("arg2") " and (arg5 & 0xffffffff == 0 or " OWN_RING(
                     "arg5") ") or "
                             "option == KEYCTL_UNLINK and " OWN_RING("arg3"),
     "of keys only those in keyrings of the command's own, and no key by its number, which may be another's"},
    {"add_key", "EACCES", "ringid in { -1, -2, -3 }", "of keyrings only the command's own"},
    {"request_key", "EACCES", "_callout_info == 0 and destringid in { 0, -1, -2, -3 }",
     "of keyrings only the command's own, and nobody outside is asked"},
    // With a limit of 1 there is no core dump whatever core_pattern is, with 0 there may be (core(5)).
    {"setrlimit", "EINVAL", "resource != RLIMIT_CORE", "there are no core dumps"},
    {"prlimit64", "EINVAL", "resource != RLIMIT_CORE or new_rlim == 0", "there are no core dumps"},
};

// Under a limit of memory. Huge pages are a pool of the host's, which that does not count (cgroup-v2.rst, HugeTLB). Of
// mmap's flags the kernel reads 32 bits.
#define NO_HUGE_PAGES "of the flags of memory none for huge pages of the host's, which no limit of memory counts"

static const struct list memory_lists[] = {
    {"mmap", "EINVAL", "flags & 0xffe40600 == 0", NO_HUGE_PAGES},
    {"shmget", "EINVAL", "shmflg & 0xffffe800 == 0", NO_HUGE_PAGES},
    {"memfd_create", "EINVAL", "flags & 0xffffffe4 == 0", NO_HUGE_PAGES},
};

static void derive_lists(const struct derivation *d, const struct list *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        derive(d, list[i].error, list[i].because, "%s where not (%s)", list[i].call, list[i].may);
}

// A file with such a bit gives whoever runs it on the host the rights of its owner, who may be anybody whose folder a
// rule shows.
static const char *const bits[] = {"S_ISUID", "S_ISGID"};

static const struct {
    const char *call, *makes; // makes: only where it makes a file; O_TMPFILE without O_DIRECTORY
} modes[] = {
    {"open", "flags & (O_CREAT | 0o20000000) != 0 and "},
    {"openat", "flags & (O_CREAT | 0o20000000) != 0 and "},
    {"creat", ""},
    {"mkdir", ""},
    {"mkdirat", ""},
    {"mknod", ""},
    {"mknodat", ""},
    {"chmod", ""},
    {"fchmod", ""},
    {"fchmodat", ""},
    {"fchmodat2", ""},
};

// ---- what follows from verbs, and from sockets that are the host's -------------------------------------------------

// MSG_FASTOPEN connects a socket that is not connected, also one that the command was given.
static const char *const sends[] = {"sendto", "sendmsg", "sendmmsg"};

static const struct {
    unsigned verb; // derived where no rule allows it and no broker asks what it is for; 0: where there is a broker
    const char *operation, *because;
} calls[] = {
    {VERB_CONNECT, "connect", "no net rule allows connect"},
    {VERB_BIND, "bind", "no net rule allows bind"},
    {VERB_LISTEN, "listen", "no net rule allows listen"},
    {0, "io_uring_setup", "its connections pass by the broker"},
};

void derive_rules(struct policy *policy, derive_add *add, void *context)
{
    struct derivation d = {policy, add, context, .broker = policy_broker(policy) != 0};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW)
            for (size_t k = 0; k < rule->net.count; k++) {
                d.verbs |= rule->net.boxes[k].verbs;
                d.protocols |= rule->net.boxes[k].protocols;
                d.outward |= !net_box_is_own(&rule->net.boxes[k]);
                if (rule->net.boxes[k].place == NET_UNIX && net_box_sends_out(&rule->net.boxes[k]))
                    d.protocols |= PROTOCOL_DATAGRAMS;
                if (net_box_has_name(&rule->net.boxes[k]))
                    d.protocols |= PROTOCOL_UDP; // names are asked for over it
            }
    }
    derive_kinds(&d, "socket");
    derive_kinds(&d, "socketpair");
    derive_options(&d);
    derive_lists(&d, lists, sizeof lists / sizeof *lists);
    if (policy->limits[LIMIT_memory].set)
        derive_lists(&d, memory_lists, sizeof memory_lists / sizeof *memory_lists);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (size_t k = 0; k < sizeof bits / sizeof *bits; k++)
            add_text(&d, "EPERM", "set-user-ID bits take a rule about nothing else",
                     str_format(policy->arena, "%s where %smode & %s == %s", modes[i].call, modes[i].makes, bits[k],
                                bits[k]),
                     true);
    for (size_t i = 0; i < sizeof sends / sizeof *sends; i++)
        derive(&d, "EACCES", "it connects without connect", "%s where flags & MSG_FASTOPEN == MSG_FASTOPEN", sends[i]);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].verb ? !d.broker && !(d.verbs & calls[i].verb) : d.broker)
            derive(&d, "EACCES", calls[i].because, "%s", calls[i].operation);
}
