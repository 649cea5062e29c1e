// Which addresses are private.
#include "compiler/sets/net_range.h"

#include "compiler/sets/net_forms.h"

static const struct {
    uint32_t first;
    unsigned length; // bits that all of them share
} four[] = {
    // in each of the forms that they have in IPv6
    {0x00000000, 8},  // this network
    {0x0A000000, 8},  // private use
    {0x64400000, 10}, // carriers' NAT
    {0x7F000000, 8},  // loopback
    {0xA9FE0000, 16}, // link-local
    {0xAC100000, 12}, // private use
    {0xC0000000, 24}, // the IETF's
    {0xC0A80000, 16}, // private use
    {0xC6120000, 15}, // benchmarks
    {0xE0000000, 4},  // multicast
    {0xF0000000, 4},  // reserved, broadcast
};

static const struct {
    uint64_t high, low;
    unsigned length;
} six[] = {
    {0, 0, 96},               // :: and ::1, and IPv4 as it was once embedded
    {0xFC00ull << 48, 0, 7},  // unique local
    {0xFE80ull << 48, 0, 10}, // link-local
    {0xFEC0ull << 48, 0, 10}, // site-local
    {0xFF00ull << 48, 0, 8},  // multicast
};

enum { FOUR = sizeof four / sizeof *four, SIX = sizeof six / sizeof *six, RANGES = FOUR * NET_FORMS + SIX };

struct range {
    net_address first, last;
};

#define MAPPED ((net_address)0xFFFF << 32)

static struct range range_at(size_t i)
{
    struct range range;
    if (i >= FOUR * NET_FORMS) {
        i -= FOUR * NET_FORMS;
        range.first = (net_address)six[i].high << 64 | six[i].low;
        range.last = range.first | ~(net_address)0 >> six[i].length;
        return range;
    }
    uint32_t first = four[i / NET_FORMS].first, last = first | UINT32_MAX >> four[i / NET_FORMS].length;
    bool exact;
    net_form((int)(i % NET_FORMS), first, last, &range.first, &range.last, &exact);
    return range;
}

bool net_is_private(net_address address)
{
    for (size_t i = 0; i < RANGES; i++) {
        struct range range = range_at(i);
        if (address >= range.first && address <= range.last)
            return true;
    }
    return false;
}

static const struct range loopbacks[] = {
    {0, 1}, // :: and ::1
    {MAPPED, MAPPED}, // 0.0.0.0
    {MAPPED | 0x7F000000, MAPPED | 0x7FFFFFFF},
};

static const struct range *loopback_of(net_address address)
{
    for (size_t i = 0; i < sizeof loopbacks / sizeof *loopbacks; i++)
        if (address >= loopbacks[i].first && address <= loopbacks[i].last)
            return &loopbacks[i];
    return NULL;
}

bool net_is_at_loopback(net_address address)
{
    return loopback_of(address);
}

bool net_find_loopback(net_address first, net_address last, net_address *found)
{
    for (size_t i = 0; i < sizeof loopbacks / sizeof *loopbacks; i++) {
        *found = loopbacks[i].first > first ? loopbacks[i].first : first;
        if (*found <= loopbacks[i].last && *found <= last)
            return true;
    }
    return false;
}

static bool find_in_private(net_address first, net_address last, net_address *found)
{
    bool any = false;
    for (size_t i = 0; i < RANGES; i++) {
        struct range range = range_at(i);
        net_address at = range.first > first ? range.first : first;
        if (at > range.last || at > last || (any && at >= *found))
            continue;
        *found = at;
        any = true;
    }
    return any;
}

static bool find_private(net_address first, net_address last, net_address *found)
{
    while (find_in_private(first, last, found)) {
        const struct range *loopback = loopback_of(*found);
        if (!loopback)
            return true;
        if (loopback->last >= last)
            return false;
        first = loopback->last + 1;
    }
    return false;
}

static bool find_public(net_address first, net_address last, net_address *found)
{
    *found = first;
    for (size_t i = 0; i < RANGES; i++) {
        struct range range = range_at(i);
        if (*found < range.first || *found > range.last)
            continue;
        if (range.last >= last)
            return false;
        *found = range.last + 1;
        i = (size_t)-1; // what comes after it may lie in another
    }
    return true;
}

bool net_find(net_address first, net_address last, bool private, net_address *found)
{
    return private ? find_private(first, last, found) : find_public(first, last, found);
}
