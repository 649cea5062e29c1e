// Names: which address belongs to which, and for how long.
#include "enforcer/network/names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/network/net_rules.h"
#include "compiler/sets/net_range.h"

enum { PINS_MOST = 4096, PINS_OF_A_NAME = 128, NAME_LONGEST = 253 };

struct pin {
    net_address address;
    uint64_t until;
    char name[NAME_LONGEST + 1];
    uint8_t length;
};

struct names {
    const struct plan *plan;
    const struct resolvers *resolvers;
    struct pin *pins; // what has run out is used again
    size_t count;
    uint32_t stand_ins;
    names_pinned *pinned;
    void *context; // of `pinned`
};

bool plan_has_names(const struct plan *plan)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && net_box_has_name(&plan->net[i].box))
            return true;
    return false;
}

struct names *names_new(const struct plan *plan, const struct resolvers *resolvers)
{
    struct names *names = calloc(1, sizeof *names);
    if (names)
        *names = (struct names){.plan = plan, .resolvers = resolvers};
    return names;
}

bool names_are_asked_at(const struct names *names, net_address address, uint16_t port)
{
    for (size_t i = 0; i < names->resolvers->count && port == NAMES_PORT; i++)
        if (names->resolvers->list[i] == address)
            return true;
    return false;
}

void names_free(struct names *names)
{
    if (names)
        free(names->pins);
    free(names);
}

// Does a rule allow it on some port? Asked at the borders of all ports that rules name.
static bool allowed_somewhere(const struct plan *plan, struct net_point point)
{
    uint32_t rule;
    point.verb = VERB_CONNECT;
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct net_box *box = &plan->net[i].box;
        const int32_t ports[4] = {box->port_first, box->port_last, box->port_first - 1, box->port_last + 1};
        for (point.protocol = PROTOCOL_TCP; point.protocol <= PROTOCOL_UDP; point.protocol <<= 1)
            for (int k = 0; k < 4; k++) {
                point.port = (uint16_t)ports[k];
                if (ports[k] >= 0 && ports[k] <= 65535 && network_allows(plan, &point, &rule))
                    return true;
            }
    }
    return false;
}

bool names_allows(const struct plan *plan, struct str name)
{
    return allowed_somewhere(plan, (struct net_point){.place = NET_NAME, .name = name, .anywhere = true});
}

static struct pin *pin_for(struct names *names, struct str name, net_address address, uint64_t now)
{
    struct pin *expired = NULL;
    size_t of_the_name = 0;
    for (size_t i = 0; i < names->count; i++) {
        struct pin *pin = &names->pins[i];
        bool same = pin->length == name.length && memcmp(pin->name, name.text, name.length) == 0;
        if (same && pin->address == address)
            return pin;
        if (pin->until <= now)
            expired = pin;
        else if (same)
            of_the_name++;
    }
    if (of_the_name >= PINS_OF_A_NAME)
        return NULL;
    if (expired)
        return expired;
    if (names->count == PINS_MOST)
        return NULL;
    if (names->count % 16 == 0) {
        struct pin *larger = realloc(names->pins, (names->count + 16) * sizeof *larger);
        if (!larger)
            return NULL;
        names->pins = larger;
    }
    return &names->pins[names->count++];
}

enum pin_result names_pin(struct names *names, struct str name, net_address address, uint32_t seconds, uint64_t now)
{
    // By its own rules, or by those on addresses, which then say what may be done there.
    const struct plan *plan = names->plan;
    struct net_point led = {.place = NET_NAME, .name = name, .address = address},
                     itself = {.place = NET_ADDRESS, .address = address};
    if (name.length > NAME_LONGEST ||
        !(allowed_somewhere(plan, led) || (names_allows(plan, name) && allowed_somewhere(plan, itself))))
        return names_allows(plan, name) && net_is_private(address) ? PIN_PRIVATE : PIN_REFUSED;
    struct pin *pin = pin_for(names, name, address, now);
    if (!pin)
        return PIN_FULL;
    uint64_t until = now + (uint64_t)(seconds > NAMES_LEAST_SECONDS ? seconds : NAMES_LEAST_SECONDS) * 1000000000u;
    if (pin->address != address || pin->length != name.length || memcmp(pin->name, name.text, name.length) != 0)
        pin->until = 0;
    pin->address = address;
    pin->length = (uint8_t)name.length;
    memcpy(pin->name, name.text, name.length);
    pin->until = until > pin->until ? until : pin->until;
    if (names->pinned)
        names->pinned(names->context, name, address, pin->until);
    return PIN_KEPT;
}

void names_tell(struct names *names, names_pinned *pinned, void *context)
{
    names->pinned = pinned;
    names->context = context;
}

// What hosts(5) says of names that are allowed: the inside may see that file too, and then asks nobody.
void names_pin_hosts(struct names *names, uint64_t now)
{
    FILE *file = fopen("/etc/hosts", "re");
    char line[1024];
    net_address address;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "#\n")] = '\0';
        char *rest = NULL, *word = strtok_r(line, " \t", &rest);
        if (!word || !address_read(word, &address))
            continue;
        while ((word = strtok_r(NULL, " \t", &rest))) {
            for (char *letter = word; *letter; letter++)
                *letter = (char)tolower((unsigned char)*letter);
            names_pin(names, str_from(word), address, UINT32_MAX, now);
        }
    }
    if (file)
        fclose(file);
}

enum { STAND_INS_MOST = 4000 };
static const net_address stand_ins = (net_address)0xFFFF << 32 | 0xC6120001; // 198.18.0.1

bool names_is_stand_in(const struct names *names, net_address address)
{
    return names->stand_ins && address >= stand_ins && address < stand_ins + names->stand_ins;
}

net_address names_stand_in(struct names *names, struct str name)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct pin *pin = &names->pins[i];
        if (names_is_stand_in(names, pin->address) && pin->length == name.length &&
            memcmp(pin->name, name.text, name.length) == 0)
            return pin->address;
    }
    net_address address = stand_ins + names->stand_ins;
    struct pin *pin =
        name.length <= NAME_LONGEST && names->stand_ins < STAND_INS_MOST ? pin_for(names, name, address, 0) : NULL;
    if (!pin)
        return 0;
    *pin = (struct pin){.address = address, .until = UINT64_MAX, .length = (uint8_t)name.length};
    memcpy(pin->name, name.text, name.length);
    names->stand_ins++;
    return address;
}

struct str names_of(const struct names *names, net_address address, uint64_t now, size_t *at)
{
    for (; *at < names->count; ++*at) {
        const struct pin *pin = &names->pins[*at];
        if (pin->address == address && pin->until > now) {
            ++*at;
            return (struct str){pin->name, pin->length};
        }
    }
    return (struct str){0};
}
