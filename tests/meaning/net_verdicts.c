// What the policy function says of the network, for tests/net/verdict.t:  net_verdicts POLICY.sbx
//
// Each line of the input is asked: `PROTOCOL ADDRESS PORT [NAME]`, the first two as numbers (1 tcp, 2 udp; 32 hex
// digits). Answered is what a program gets there: `host` (the host's network), `own` (the sandbox's loopback) or `no`;
// with a name, `host` when the name leads there, `no` when it may not. `pin ADDRESS NAME`: whether it is an answer.
#include <inttypes.h>
#include <stdio.h>

#include "tests/policies.h"

enum { PORT_FIRST = 6999, PORT_LAST = 7010 }; // all that the test's rules tell apart

static bool somewhere(const struct policy *policy, struct net_point point)
{
    for (unsigned protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UDP; protocol <<= 1)
        for (unsigned port = PORT_FIRST; port <= PORT_LAST; port++) {
            point.protocol = protocol;
            point.port = (uint16_t)port;
            if (policy_net_allows(policy, &point))
                return true;
        }
    return false;
}

static bool may_be_answered(const struct policy *policy, net_address address, struct str name)
{
    struct net_point led = {.verb = VERB_CONNECT, .place = NET_NAME, .address = address, .name = name},
                     itself = {.verb = VERB_CONNECT, .place = NET_ADDRESS, .address = address}, anywhere = led;
    anywhere.anywhere = true;
    return somewhere(policy, led) || (somewhere(policy, anywhere) && somewhere(policy, itself));
}

static const char *answer(const struct policy *policy, struct net_point point)
{
    if (point.place == NET_NAME)
        return policy_net_allows(policy, &point) ? "host" : "no";
    struct net_point host = point;
    host.place = NET_HOST_LOOPBACK;
    bool loopback = net_is_loopback(point.address);
    if (loopback && policy_net_allows(policy, &host))
        return "host";
    return !policy_net_allows(policy, &point) ? "no" : loopback ? "own" : "host";
}

int main(int argc, char **argv)
{
    struct compilation *compilation;
    struct policy *policy = argc == 2 ? policy_from_file(&compilation, argv[1], NULL) : NULL;
    if (!policy)
        return 2;
    char line[512], name[256];
    while (fgets(line, sizeof line, stdin)) {
        uint64_t high, low;
        unsigned protocol, port;
        int fields = sscanf(line, "%u %16" SCNx64 "%16" SCNx64 " %u %255s", &protocol, &high, &low, &port, name);
        if (fields >= 4) {
            struct net_point point = {.verb = VERB_CONNECT,
                                      .protocol = protocol,
                                      .place = fields == 5 ? NET_NAME : NET_ADDRESS,
                                      .address = (net_address)high << 64 | low,
                                      .name = str_from(fields == 5 ? name : ""),
                                      .port = (uint16_t)port};
            puts(answer(policy, point));
        } else if (sscanf(line, "pin %16" SCNx64 "%16" SCNx64 " %255s", &high, &low, name) == 3) {
            puts(may_be_answered(policy, (net_address)high << 64 | low, str_from(name)) ? "yes" : "no");
        } else {
            return 2;
        }
    }
    return 0;
}
