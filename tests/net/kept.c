// What is kept of names: for how long an address is a name's, how many a name has, and all of them.
#include "enforcer/network/names.h"
#include "compiler/plan/lower.h"
#include "tests/policies.h"
#include "tests/tap.h"

#define SECOND 1000000000ull

static const char text[] = "sbx 1;\n"
                           "policy p { net {\n"
                           "    allow connect tcp \"*.wild.test\":443;\n"
                           "    allow connect tcp \"corp.test\":443 private;\n"
                           "    deny connect 9.9.9.9;\n"
                           "} }\n";

static net_address four(unsigned number)
{
    return (net_address)0xFFFF << 32 | number;
}

// How many names the address is pinned to then.
static unsigned pinned(const struct names *names, net_address address, uint64_t now)
{
    unsigned count = 0;
    for (size_t at = 0; names_of(names, address, now, &at).length;)
        count++;
    return count;
}

int main(void)
{
    struct compilation *compilation;
    struct policy *policy = policy_from_text(&compilation, text);
    struct plan *plan = policy ? policy_lower(policy, 0) : NULL;
    if (!plan)
        return 1;
    struct resolvers none = {0};
    struct names *names = names_new(plan, &none);
    uint64_t now = 100 * SECOND;

    struct str name = STR("a.wild.test");
    ok(names_pin(names, name, four(0x08080808), 3, now) == PIN_KEPT, "an address is a name's");
    ok(pinned(names, four(0x08080808), now + 59 * SECOND) == 1, "for a minute, however short its answer's time is");
    ok(pinned(names, four(0x08080808), now + 61 * SECOND) == 0, "and no longer");
    names_pin(names, name, four(0x08080808), 300, now);
    ok(pinned(names, four(0x08080808), now + 299 * SECOND) == 1, "for its answer's time, where that is longer");
    ok(pinned(names, four(0x08080808), now + 301 * SECOND) == 0, "and no longer than that");
    ok(names_pin(names, STR("other.test"), four(0x08080808), 60, now) == PIN_REFUSED, "a name of no rule has none");
    ok(names_pin(names, name, four(0x09090909), 60, now) == PIN_REFUSED, "nor a name one that is denied");
    ok(names_pin(names, name, four(0x0A000001), 60, now) == PIN_PRIVATE, "nor one that is private");
    ok(names_pin(names, STR("corp.test"), four(0x0A000001), 60, now) == PIN_KEPT, "unless its rule says so");
    names_free(names);

    names = names_new(plan, &none);
    unsigned kept = 0;
    while (names_pin(names, name, four(0x08000000 + kept), 60, now) == PIN_KEPT)
        kept++;
    ok(kept == 128, "a name has 128 addresses at a time at most: %u", kept);
    ok(names_pin(names, name, four(0x08000000 + kept), 60, now) == PIN_FULL, "what is beyond that is told");
    ok(names_pin(names, name, four(0x08000000 + kept), 60, now + 61 * SECOND) == PIN_KEPT, "until their time is over");
    names_free(names);

    names = names_new(plan, &none);
    unsigned all = 0;
    for (unsigned i = 0; i < 5000; i++) {
        name = str_format(policy->arena, "n%u.wild.test", i);
        all += names_pin(names, name, four(0x08000000 + i), 60, now) == PIN_KEPT;
    }
    ok(all == 4096, "all names have 4,096 addresses: %u", all);
    names_free(names);
    return tap_done();
}
