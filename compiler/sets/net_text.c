// Network points, boxes and parts of sets as a policy writes them.
#include "compiler/sets/net_set.h"

#include <arpa/inet.h>
#include <string.h>

#include "compiler/sets/path_set.h"

void net_address_print(struct text *text, net_address address)
{
    uint8_t bytes[16];
    char shown[INET6_ADDRSTRLEN];
    for (int i = 15; i >= 0; i--, address >>= 8)
        bytes[i] = (uint8_t)address;
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    bool v4 = memcmp(bytes, mapped, 12) == 0;
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, shown, sizeof shown);
    text_addf(text, v4 ? "%s" : "[%s]", shown);
}

static void print_protocols(struct text *text, unsigned protocols)
{
    const char *separator = " ";
    if (protocols == PROTOCOL_ALL || protocols == (PROTOCOL_TCP | PROTOCOL_UDP))
        return;
    static const char *const names[] = {"tcp", "udp", "unix"};
    for (int i = 0; i < 3; i++)
        if (protocols >> i & 1) {
            text_addf(text, "%s%s", separator, names[i]);
            separator = ", ";
        }
}

void net_point_print(struct text *text, const struct net_point *point)
{
    path_verbs_print(text, point->verb);
    print_protocols(text, point->protocol);
    text_addf(text, " ");
    switch (point->place) {
    case NET_ADDRESS: net_address_print(text, point->address); break;
    case NET_HOST_LOOPBACK: text_addf(text, "host-loopback"); break;
    case NET_UNIX:
        if (str_equal(point->name, NET_OWN_UNIX)) {
            text_addf(text, "%.*s", STR_ARGS(point->name));
            break;
        }
        __attribute__((fallthrough));
    default: text_quote(text, point->name);
    }
    if (point->place != NET_UNIX)
        text_addf(text, ":%u", point->port);
    if (point->place == NET_NAME && !point->anywhere) {
        text_addf(text, " at ");
        net_address_print(text, point->address);
    }
}

static void print_prefix(struct text *text, net_address first, net_address last)
{
    net_address_print(text, first);
    int bits = 0;
    for (net_address host = first ^ last; host; host >>= 1)
        bits++;
    bool v4 = first >> 32 == 0xFFFF;
    if (bits)
        text_addf(text, "/%d", v4 ? 32 - bits : 128 - bits);
}

static void print_box(struct text *text, const struct net_box *box, const char *name)
{
    path_verbs_print(text, box->verbs);
    print_protocols(text, box->protocols);
    text_addf(text, " ");
    switch (box->place) {
    case NET_ADDRESS:
    case NET_REACHED:
        if (box->place == NET_REACHED && box->first == 0 && box->last == ~(net_address)0)
            text_addf(text, "any");
        else if (name)
            text_addf(text, "%s", name);
        else
            print_prefix(text, box->first, box->last);
        break;
    case NET_HOST_LOOPBACK: text_addf(text, "host-loopback"); break;
    case NET_WILDCARD: text_addf(text, "\"*.%.*s\"", STR_ARGS(box->name)); break;
    default: text_addf(text, net_box_is_own_unix(box) ? "%.*s" : "\"%.*s\"", STR_ARGS(box->name));
    }
    if (box->place != NET_UNIX && (box->port_first != 0 || box->port_last != 65535)) {
        text_addf(text, ":%u", box->port_first);
        if (box->port_last != box->port_first)
            text_addf(text, "..%u", box->port_last);
    }
    if (box->private)
        text_addf(text, " private");
}

void net_box_print(struct text *text, const struct net_box *box)
{
    print_box(text, box, NULL);
}

// The largest prefix that starts at `first` and ends no later than `last`.
static net_address prefix_end(net_address first, net_address last)
{
    net_address host = 0;
    while (host != ~(net_address)0) {
        net_address wider = host << 1 | 1;
        if (first & wider || (first | wider) > last)
            break;
        host = wider;
    }
    return first | host;
}

void net_part_print(struct text *text, const struct net_part *part, const char *name)
{
    struct net_box box = part->box;
    bool prefixes = box.place == NET_ADDRESS && !name;
    for (net_address at = box.first;;) {
        box.first = at;
        box.last = prefixes ? prefix_end(at, part->box.last) : part->box.last;
        struct text one = {.arena = text->arena};
        print_box(&one, &box, name);
        size_t words = 0; // verbs and protocols are said once
        if (at != part->box.first)
            for (size_t i = 0; i < one.length; i++)
                if (one.data[i] == ' ')
                    words = i + 1;
        text_addf(text, "%s%.*s", at != part->box.first ? ", " : "", (int)(one.length - words), one.data + words);
        if (box.last >= part->box.last)
            break;
        at = box.last + 1;
    }
    bool leads = part->box.place == NET_NAME || part->box.place == NET_WILDCARD || part->box.place == NET_HOST_LOOPBACK;
    for (net_address at = part->box.first, end; leads && !(at == 0 && part->box.last == ~(net_address)0);
         at = end + 1) {
        end = prefix_end(at, part->box.last);
        text_addf(text, at == part->box.first ? " at " : ", ");
        print_prefix(text, at, end);
        if (end == part->box.last)
            break;
    }
    for (size_t i = 0; i < part->except_count; i++)
        text_addf(text, "%s\"%.*s\"", i ? ", " : " except ", STR_ARGS(part->excepts[i]));
}
