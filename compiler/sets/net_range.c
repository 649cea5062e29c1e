// Which addresses are private.
#include "compiler/sets/net_range.h"

struct range {
    uint64_t high, low; // of the first address
    unsigned length;    // bits that all of them share
};

// IPv4's ranges stand wherever one lies in IPv6: mapped (RFC 4291), behind NAT64's prefix (RFC 6052) and in 6to4
// (RFC 3056).
#define FOUR(first, length)                                                                                            \
    {0, 0xFFFFull << 32 | (first), 96 + (length)}, {0x0064FF9Bull << 32, (first), 96 + (length)},                      \
    {                                                                                                                  \
        0x2002ull << 48 | (uint64_t)(first) << 16, 0, 16 + (length)                                                    \
    }

static const struct range ranges[] = {
    FOUR(0x00000000u, 8),             // this network
    FOUR(0x0A000000u, 8),             // private use
    FOUR(0x64400000u, 10),            // carriers' NAT
    FOUR(0x7F000000u, 8),             // loopback
    FOUR(0xA9FE0000u, 16),            // link-local
    FOUR(0xAC100000u, 12),            // private use
    FOUR(0xC0000000u, 24),            // the IETF's
    FOUR(0xC0A80000u, 16),            // private use
    FOUR(0xC6120000u, 15),            // benchmarks
    FOUR(0xE0000000u, 4),             // multicast
    FOUR(0xF0000000u, 4),             // reserved, broadcast
    {0, 0, 96},                       // :: and ::1, and IPv4 as it was once embedded
    {0x0064FF9B0001ull << 16, 0, 48}, // NAT64 of a network of one's own
    {0x20010000ull << 32, 0, 32},     // Teredo
    {0xFC00ull << 48, 0, 7},          // unique local
    {0xFE80ull << 48, 0, 10},         // link-local
    {0xFEC0ull << 48, 0, 10},         // site-local
    {0xFF00ull << 48, 0, 8},          // multicast
};

enum { RANGES = sizeof ranges / sizeof *ranges };

static net_address first_of(const struct range *range)
{
    return (net_address)range->high << 64 | range->low;
}

static net_address last_of(const struct range *range)
{
    return first_of(range) | ~(net_address)0 >> range->length;
}

bool net_is_private(net_address address)
{
    for (size_t i = 0; i < RANGES; i++)
        if (address >= first_of(&ranges[i]) && address <= last_of(&ranges[i]))
            return true;
    return false;
}

static bool find_private(net_address first, net_address last, net_address *found)
{
    bool any = false;
    for (size_t i = 0; i < RANGES; i++) {
        net_address at = first_of(&ranges[i]) > first ? first_of(&ranges[i]) : first;
        if (at > last_of(&ranges[i]) || at > last || (any && at >= *found))
            continue;
        *found = at;
        any = true;
    }
    return any;
}

static bool find_public(net_address first, net_address last, net_address *found)
{
    *found = first;
    for (size_t i = 0; i < RANGES; i++) {
        if (*found < first_of(&ranges[i]) || *found > last_of(&ranges[i]))
            continue;
        if (last_of(&ranges[i]) >= last)
            return false;
        *found = last_of(&ranges[i]) + 1;
        i = (size_t)-1; // what comes after it may lie in another
    }
    return true;
}

bool net_find(net_address first, net_address last, bool private, net_address *found)
{
    return private ? find_private(first, last, found) : find_public(first, last, found);
}
