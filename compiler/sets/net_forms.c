// The table of forms.
#include "compiler/sets/net_forms.h"

static const struct {
    uint64_t high, low; // of the prefix
    unsigned length;    // bits of it; the IPv4 address follows, or lies somewhere behind
    bool exact;
} forms[NET_FORMS] = {
    {0, 0xFFFFull << 32, 96, true},                   // ::ffff:a.b.c.d, mapped (RFC 4291)
    {0, 0, 96, true},                                 // ::a.b.c.d, compatible (RFC 4291)
    {0, 0xFFFF0000ull << 32, 96, true},               // ::ffff:0:a.b.c.d, translated (SIIT, RFC 2765)
    {0x0064FF9Bull << 32, 0, 96, true},               // 64:ff9b::a.b.c.d, NAT64 (RFC 6052)
    {0x0064FF9B0001ull << 16, 0, 48, false},          // 64:ff9b:1::/48, NAT64 of a network of one's own (RFC 8215)
    {0x2002ull << 48, 0, 16, true},                   // 2002:aabb:ccdd::/48, 6to4 (RFC 3056)
    {0x20010000ull << 32, 0, 32, false},              // 2001::/32, Teredo: server, and client veiled (RFC 4380)
    {0, 0x00005EFEull << 32, 96, true},               // ::5efe:a.b.c.d, ISATAP (RFC 5214)
    {0, 0x02005EFEull << 32, 96, true},               // ::200:5efe:a.b.c.d, of a global address
    {0xFE80ull << 48, 0x00005EFEull << 32, 96, true}, // the same on a link
    {0xFE80ull << 48, 0x02005EFEull << 32, 96, true},
};

bool net_form(int form, uint32_t first, uint32_t last, net_address *from, net_address *to, bool *exact)
{
    enum { COMPATIBLE = 1 };
    net_address prefix = (net_address)forms[form].high << 64 | forms[form].low;
    unsigned shift = 96 - forms[form].length;
    if (form == COMPATIBLE && first < 2) // :: and ::1 are none
        first = 2;
    if (first > last)
        return false;
    *exact = forms[form].exact;
    if (!*exact) {
        *from = prefix;
        *to = prefix | ~(net_address)0 >> forms[form].length;
        return true;
    }
    *from = prefix | (net_address)first << shift;
    *to = prefix | (net_address)last << shift | (((net_address)1 << shift) - 1);
    return true;
}
