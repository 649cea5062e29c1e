// The guard: loading, filling its maps, reading what it says.
#include "enforcer/network/net_guard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/network/guard_code.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/host.h"
#include "enforcer/host/outside.h"
#include "enforcer/host/scoped.h"

enum { PINS_MOST = 16384, PLACES_MOST = 16384, DENIALS_BYTES = 16384, LOOKED_AT = 256 };

static const struct {
    enum bpf_prog_type type;
    enum bpf_attach_type where;
} hooks[GUARD_HOOKS] = {
    [GUARD_SOCKET] = {BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE},
    [GUARD_BIND4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND},
    [GUARD_BIND6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND},
    [GUARD_CONNECT4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT},
    [GUARD_CONNECT6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT},
    [GUARD_SENDMSG4] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG},
    [GUARD_SENDMSG6] = {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG},
    [GUARD_EGRESS] = {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS},
    [GUARD_INGRESS] = {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
};

struct counted {
    struct guard_place place;
    struct str operation; // owned
};

struct net_guard {
    struct arena *arena;
    struct net_graphs graphs;
    struct events *events;
    struct cgroup_group group;
    int own; // the group that sbxrun came from
    bool entered;
    int maps[GUARD_MAPS], links[GUARD_HOOKS];
    struct ring_buffer *denials;
    struct watch watch;
    struct counted *counted;
    size_t counted_count;
};

// ---- may it be had? -----------------------------------------------------------------------------------------------

const char *net_guard_lacks(void)
{
    if (!host_can_load_programs())
        return "it takes CAP_BPF and CAP_NET_ADMIN, which root has";
    if (!cgroup_has_unified())
        return "there is no unified control group hierarchy that it may write";
    closing_fd int probe = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "sbx_probe", 0, 0, DENIALS_BYTES, NULL);
    return probe < 0 ? "the kernel loads no programs for it: that takes Linux 5.8 or newer, and root of the machine, "
                       "not of a container"
                     : NULL;
}

static void words_of(net_address address, uint32_t words[4])
{
    for (int i = 3; i >= 0; i--, address >>= 32)
        words[i] = (uint32_t)address;
}

// ---- loading ------------------------------------------------------------------------------------------------------

static bool make_maps(struct net_guard *guard)
{
    struct bpf_map_create_opts sparse = {.sz = sizeof sparse, .map_flags = BPF_F_NO_PREALLOC};
    uint32_t groups = guard->graphs.group_count ? (uint32_t)guard->graphs.group_count : 1;
    guard->maps[GUARD_PINS] = bpf_map_create(BPF_MAP_TYPE_HASH, "sbx_pins", 16, groups * 8, PINS_MOST, &sparse);
    guard->maps[GUARD_TRAFFIC] = bpf_map_create(BPF_MAP_TYPE_HASH, "sbx_traffic", sizeof(struct guard_place),
                                                sizeof(struct guard_traffic), PLACES_MOST, &sparse);
    guard->maps[GUARD_DENIALS] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "sbx_denials", 0, 0, DENIALS_BYTES, NULL);
    for (int i = 0; i < GUARD_MAPS; i++)
        if (guard->maps[i] < 0)
            return false;
    return true;
}

static bool load(struct net_guard *guard, enum guard_hook hook, const struct ebpf_program *program)
{
    for (size_t i = 0; i < program->length; i++)
        if (program->code[i].code == EBPF_MAP)
            program->code[i].immediate = guard->maps[program->code[i].immediate], i++;
    struct bpf_prog_load_opts options = {.sz = sizeof options, .expected_attach_type = hooks[hook].where};
    char name[16];
    snprintf(name, sizeof name, "sbx_%s", guard_hook_names[hook]);
    closing_fd int fd = bpf_prog_load(hooks[hook].type, name, "Apache-2.0", (const struct bpf_insn *)program->code,
                                      program->length, &options);
    if (fd < 0)
        return false;
    guard->links[hook] = bpf_link_create(fd, guard->group.folder, hooks[hook].where, NULL);
    return guard->links[hook] >= 0;
}

static struct str operation_of(struct arena *arena, const struct guard_denial *denial)
{
    static const char *const verbs[GUARD_HOOKS] = {"have a socket",     "bind",    "bind",    "connect",
                                                   "connect",           "connect", "connect", "send a packet to",
                                                   "take a packet from"};
    struct text text = {.arena = arena};
    net_address address = 0;
    for (int i = 0; i < 4; i++)
        address = address << 32 | denial->words[NET_WORD_ADDRESS + i];
    uint32_t protocol = denial->words[NET_WORD_PROTOCOL];
    text_addf(&text, "%s ", denial->hook < GUARD_HOOKS ? verbs[denial->hook] : "?");
    if (protocol == NET_TCP || protocol == NET_UDP)
        text_addf(&text, protocol == NET_TCP ? "tcp" : "udp");
    else
        text_addf(&text, "protocol %u", protocol);
    if (denial->hook != GUARD_SOCKET) {
        text_addf(&text, " ");
        net_address_print(&text, address);
        text_addf(&text, ":%u", denial->words[NET_WORD_PORT]);
    }
    return text_str(&text);
}

static int denied(void *context, void *data, size_t size)
{
    struct net_guard *guard = context;
    struct guard_denial denial;
    if (size < sizeof denial)
        return 0;
    memcpy(&denial, data, sizeof denial);
    struct arena *arena = arena_new();
    event_denied(guard->events, EVENT_DESTINATION, operation_of(arena, &denial),
                 denial.leaf ? denial.leaf - 1 : NO_RULE);
    arena_free(arena);
    return 0;
}

static bool allow_proxy(struct net_guard *guard, const struct proxy_place *proxy)
{
    struct destination to;
    uint64_t always = UINT64_MAX;
    uint32_t key[4];
    if (!proxy->length)
        return true;
    if (destination_of(&to, (const struct sockaddr *)&proxy->address, proxy->length) != 0)
        return false;
    words_of(to.number, key);
    return bpf_map_update_elem(guard->maps[GUARD_PINS], key, &always, BPF_ANY) == 0;
}

struct net_guard *net_guard_new(const struct plan *plan, const struct proxy_place *proxy, struct events *events,
                                const char **why)
{
    struct net_guard *guard = calloc(1, sizeof *guard);
    struct guard_program programs[GUARD_HOOKS];
    struct failure failure = {0};
    *why = "memory ran out";
    if (!guard)
        return NULL;
    *guard = (struct net_guard){.arena = arena_new(), .events = events, .group = {.folder = -1}, .own = -1};
    for (int i = 0; i < GUARD_MAPS; i++)
        guard->maps[i] = -1;
    for (int i = 0; i < GUARD_HOOKS; i++)
        guard->links[i] = -1;
    bool made = guard_programs(guard->arena, plan, &guard->graphs, programs, why);
    if (made && !(made = cgroup_make_plain(&guard->group, &guard->own, &failure) == 0))
        *why = "it can't make a control group in the unified hierarchy";
    if (made && !(made = make_maps(guard) && allow_proxy(guard, proxy)))
        *why = "the kernel does not make its maps";
    for (int hook = 0; hook < GUARD_HOOKS && made; hook++)
        if (programs[hook].program.length && !(made = load(guard, (enum guard_hook)hook, &programs[hook].program)))
            *why = "the kernel does not take its programs";
    if (made && !(guard->denials = ring_buffer__new(guard->maps[GUARD_DENIALS], denied, guard, NULL))) {
        *why = "its ring buffer can't be read";
        made = false;
    }
    if (!made) {
        net_guard_free(guard);
        return NULL;
    }
    *why = NULL;
    return guard;
}

int net_guard_enter(struct net_guard *guard)
{
    int error = cgroup_join(guard->group.folder, 0);
    guard->entered = !error;
    return error;
}

int net_guard_own_group(const struct net_guard *guard)
{
    return guard ? guard->own : -1;
}

// ---- while it runs ------------------------------------------------------------------------------------------------

static void denials_came(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    ring_buffer__consume(((struct net_guard *)watch->context)->denials);
}

int net_guard_add(struct supervisor *supervisor, struct net_guard *guard)
{
    guard->watch = (struct watch){ring_buffer__epoll_fd(guard->denials), denials_came, guard};
    return supervisor_pace(supervisor, &guard->watch, EPOLLIN);
}

// Addresses that no name is pinned to any more make room: a connection that outlived all of that is cut.
static void forget_old_pins(struct net_guard *guard)
{
    uint32_t key[4], next[4];
    uint64_t until[NET_GROUPS_MOST], now = clock_now();
    bool more = bpf_map_get_next_key(guard->maps[GUARD_PINS], NULL, next) == 0;
    while (more) {
        memcpy(key, next, sizeof key);
        more = bpf_map_get_next_key(guard->maps[GUARD_PINS], key, next) == 0;
        bool holds = bpf_map_lookup_elem(guard->maps[GUARD_PINS], key, until) != 0;
        for (size_t g = 0; g < guard->graphs.group_count && !holds; g++)
            holds = until[g] > now;
        if (!holds)
            bpf_map_delete_elem(guard->maps[GUARD_PINS], key);
    }
}

void net_guard_pin(void *net_guard, struct str name, net_address address, uint64_t until)
{
    struct net_guard *guard = net_guard;
    int group = guard ? net_graphs_group(&guard->graphs, name) : -1;
    uint64_t value[NET_GROUPS_MOST] = {0};
    uint32_t key[4];
    if (group < 0)
        return;
    words_of(address, key);
    as_itself_begin(); // before Linux 5.19 maps were for those who have CAP_BPF, whatever descriptors others have
    bpf_map_lookup_elem(guard->maps[GUARD_PINS], key, value);
    if (value[group] < until) {
        value[group] = until;
        if (bpf_map_update_elem(guard->maps[GUARD_PINS], key, value, BPF_ANY) != 0 && errno == E2BIG) {
            forget_old_pins(guard);
            bpf_map_update_elem(guard->maps[GUARD_PINS], key, value, BPF_ANY);
        }
    }
    as_itself_end();
}

void net_guard_count(struct net_guard *guard, unsigned verb, unsigned protocol, const struct destination *to,
                     struct str operation)
{
    if (!guard || (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP))
        return;
    struct guard_place place = {.protocol = protocol == PROTOCOL_TCP ? NET_TCP : NET_UDP, .port = to->port};
    struct guard_traffic none = {0, 0};
    place.protocol |= verb == VERB_LISTEN ? GUARD_PUBLISHED : 0;
    words_of(to->number, place.address);
    for (size_t i = guard->counted_count, looks = LOOKED_AT; i-- && looks--;)
        if (memcmp(&guard->counted[i].place, &place, sizeof place) == 0)
            return; // as most are
    if (guard->counted_count == PLACES_MOST)
        return;
    as_itself_begin();
    bool counted = bpf_map_update_elem(guard->maps[GUARD_TRAFFIC], &place, &none, BPF_NOEXIST) != 0;
    as_itself_end();
    if (counted)
        return;
    struct counted *larger = guard->counted_count % 16
                                 ? guard->counted
                                 : realloc(guard->counted, (guard->counted_count + 16) * sizeof *larger);
    if (!larger)
        return;
    guard->counted = larger;
    guard->counted[guard->counted_count++] = (struct counted){place, str_copy(guard->arena, operation)};
}

void net_guard_free(struct net_guard *guard)
{
    if (!guard)
        return;
    if (guard->denials)
        ring_buffer__consume(guard->denials);
    for (size_t i = 0; i < guard->counted_count; i++) {
        struct guard_traffic traffic = {0, 0};
        if (bpf_map_lookup_elem(guard->maps[GUARD_TRAFFIC], &guard->counted[i].place, &traffic) == 0)
            event_traffic(guard->events, guard->counted[i].operation, traffic.sent, traffic.received);
    }
    ring_buffer__free(guard->denials);
    if (guard->entered)
        cgroup_join(guard->own, 0);
    for (int i = 0; i < GUARD_HOOKS; i++)
        close_scoped(&guard->links[i]);
    for (int i = 0; i < GUARD_MAPS; i++)
        close_scoped(&guard->maps[i]);
    cgroup_remove_group(&guard->group);
    close_scoped(&guard->own);
    free(guard->counted);
    arena_free(guard->arena);
    free(guard);
}
