// The guard's programs.
#include "compiler/network/guard_code.h"

#include <stddef.h>
#include <string.h>

const char *const guard_hook_names[GUARD_HOOKS] = {"sock_create", "bind4",    "bind6",  "connect4", "connect6",
                                                   "sendmsg4",    "sendmsg6", "egress", "ingress"};

static const char *const map_names[GUARD_MAPS] = {"pins", "traffic", "denials"};

enum { CALL_LOOK_UP = 1, CALL_TIME = 5, CALL_LOAD_BYTES = 26, CALL_RING_OUTPUT = 130, CALLS = 131 }; // enum bpf_func_id
static const char *const call_names[CALLS] = {[CALL_LOOK_UP] = "map_lookup_elem",
                                              [CALL_TIME] = "ktime_get_ns",
                                              [CALL_LOAD_BYTES] = "skb_load_bytes",
                                              [CALL_RING_OUTPUT] = "ringbuf_output"};

// What the kernel hands over (include/uapi/linux/bpf.h).
enum { SOCK_TYPE = 8, SOCK_PROTOCOL = 12 };                                               // struct bpf_sock
enum { ADDR_FAMILY = 0, ADDR_IP4 = 4, ADDR_IP6 = 8, ADDR_PORT = 24, ADDR_PROTOCOL = 36 }; // struct bpf_sock_addr
enum { SKB_LENGTH = 0, SKB_PROTOCOL = 16 };                                               // struct __sk_buff
enum { IP4_IN_SKB = 0x0008, IP6_IN_SKB = 0xDD86 }; // ETH_P_IP, ETH_P_IPV6 in network order, on a little-endian machine
enum { STREAM = 1, DATAGRAM = 2 };                 // SOCK_STREAM, SOCK_DGRAM

// The stack, from its end: the words; those of the packet's own side; its header; its ports; what goes into the ring
// buffer.
enum { WORDS = GUARD_WORDS_AT, OWN_WORDS = -64, HEADER = -104, PORTS = -108, DENIAL = -152 };

enum { CONTEXT = 6, BITS = 7, NOW = 8, LEAF = 9 }; // registers that calls leave alone

enum label {
    LABEL_NONE,
    LABEL_ALLOW,
    LABEL_DENY,
    LABEL_DROP,
    LABEL_SIX,
    LABEL_HAVE,
    LABEL_UNPINNED,
    LABEL_PUBLISHED,
    LABEL_COUNT,
    LABEL_NEXT,
    LABELS = LABEL_NEXT + 40
};

struct code {
    struct arena *arena;
    struct ebpf_instruction *list;
    enum label *jumps; // per instruction, where it jumps
    size_t count, capacity;
    size_t places[LABELS];
    bool failed;
};

static void add(struct code *c, uint8_t code, int to, int from, int offset, int32_t immediate)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 128;
        c->list = arena_grow(c->arena, c->list, c->count * sizeof *c->list, capacity * sizeof *c->list);
        c->jumps = arena_grow(c->arena, c->jumps, c->count * sizeof *c->jumps, capacity * sizeof *c->jumps);
        c->capacity = capacity;
    }
    c->jumps[c->count] = LABEL_NONE;
    c->list[c->count++] = (struct ebpf_instruction){code, (uint8_t)(to | from << 4), (int16_t)offset, immediate};
}

static void jump(struct code *c, uint8_t code, int reg, int other, int32_t immediate, enum label label)
{
    add(c, code, reg, other, 0, immediate);
    c->jumps[c->count - 1] = label;
}

static void here(struct code *c, enum label label)
{
    c->places[label] = c->count;
}

static void call(struct code *c, int32_t function)
{
    add(c, EBPF_CALL, 0, 0, 0, function);
}

static void map(struct code *c, int reg, enum guard_map which)
{
    add(c, EBPF_MAP, reg, EBPF_IS_MAP, 0, (int32_t)which);
    add(c, 0, 0, 0, 0, 0);
}

static void point_at(struct code *c, int reg, int offset) // into the stack
{
    add(c, EBPF_MOVE, reg, EBPF_FRAME, 0, 0);
    add(c, EBPF_ADD_NUMBER, reg, 0, 0, offset);
}

static void set(struct code *c, int words, enum net_word word, int32_t value)
{
    add(c, EBPF_STORE_NUMBER, EBPF_FRAME, 0, words + 4 * (int)word, value);
}

static void keep(struct code *c, int words, enum net_word word, int reg)
{
    add(c, EBPF_STORE_WORD, EBPF_FRAME, reg, words + 4 * (int)word, 0);
}

// One address from memory in network order: four bytes of IPv4, or sixteen.
static void take_address(struct code *c, int words, int reg, int offset, bool six)
{
    for (int i = 0; i < 4; i++) {
        if (!six && i < 3) {
            set(c, words, NET_WORD_ADDRESS + i, i == 2 ? 0xFFFF : 0);
            continue;
        }
        add(c, EBPF_LOAD_WORD, 1, reg, offset + (six ? 4 * i : 0), 0);
        add(c, EBPF_BIG_ENDIAN, 1, 0, 0, 32);
        keep(c, words, NET_WORD_ADDRESS + i, 1);
    }
}

// Which groups of names the address is pinned for: now, or (for packets of connections that outlive a pin) ever.
static void take_names(struct code *c, size_t groups, bool ever)
{
    set(c, WORDS, NET_WORD_NAMES, 0);
    if (!groups)
        return;
    if (!ever) {
        call(c, CALL_TIME);
        add(c, EBPF_MOVE, NOW, 0, 0, 0);
    }
    map(c, 1, GUARD_PINS);
    point_at(c, 2, WORDS + 4 * NET_WORD_ADDRESS);
    call(c, CALL_LOOK_UP);
    jump(c, EBPF_JUMP_EQ, 0, 0, 0, LABEL_UNPINNED);
    add(c, EBPF_MOVE_NUMBER32, BITS, 0, 0, 0);
    for (size_t g = 0; g < groups; g++) {
        add(c, EBPF_LOAD_LONG, 1, 0, 8 * (int)g, 0);
        if (ever)
            jump(c, EBPF_JUMP_EQ, 1, 0, 0, LABEL_NEXT + (int)g);
        else
            jump(c, EBPF_JUMP_LE, 1, NOW, 0, LABEL_NEXT + (int)g);
        add(c, EBPF_OR_NUMBER32, BITS, 0, 0, (int32_t)(1u << g));
        here(c, LABEL_NEXT + (int)g);
    }
    keep(c, WORDS, NET_WORD_NAMES, BITS);
    here(c, LABEL_UNPINNED);
}

static void decide(struct code *c, const struct net_graphs *graphs, bool listen, struct guard_program *program)
{
    struct ebpf_program decision;
    if (!ebpf_decide(c->arena, graphs->graph, listen ? graphs->listen : graphs->connect, WORDS, &decision)) {
        c->failed = true;
        return;
    }
    program->decisions[program->decision_count++] = (struct guard_decision){c->count, decision.length, listen};
    for (size_t i = 0; i < decision.length; i++)
        add(c, decision.code[i].code, decision.code[i].registers & 15, decision.code[i].registers >> 4,
            decision.code[i].offset, decision.code[i].immediate);
}

// What is denied goes into the ring buffer; where that is full, it is denied all the same.
static void deny(struct code *c, enum guard_hook hook)
{
    here(c, LABEL_DENY); // the leaf in LEAF
    add(c, EBPF_STORE_NUMBER, EBPF_FRAME, 0, DENIAL, (int32_t)hook);
    add(c, EBPF_STORE_WORD, EBPF_FRAME, LEAF, DENIAL + 4, 0);
    for (int w = 0; w < NET_WORDS; w++) {
        add(c, EBPF_LOAD_WORD, 1, EBPF_FRAME, WORDS + 4 * w, 0);
        add(c, EBPF_STORE_WORD, EBPF_FRAME, 1, DENIAL + 8 + 4 * w, 0);
    }
    map(c, 1, GUARD_DENIALS);
    point_at(c, 2, DENIAL);
    add(c, EBPF_MOVE_NUMBER, 3, 0, 0, sizeof(struct guard_denial));
    add(c, EBPF_MOVE_NUMBER, 4, 0, 0, 0);
    call(c, CALL_RING_OUTPUT);
    here(c, LABEL_DROP);
    add(c, EBPF_MOVE_NUMBER, 0, 0, 0, 0);
    add(c, EBPF_EXIT, 0, 0, 0, 0);
}

static void allow(struct code *c)
{
    here(c, LABEL_ALLOW);
    add(c, EBPF_MOVE_NUMBER, 0, 0, 0, 1);
    add(c, EBPF_EXIT, 0, 0, 0, 0);
}

// ---- the programs -------------------------------------------------------------------------------------------------

// Raw sockets, and those of protocols that can have no use.
static void socket_program(struct code *c, const struct net_graphs *graphs)
{
    unsigned protocols = net_graphs_protocols(graphs);
    for (int w = 1; w < NET_WORDS; w++)
        set(c, WORDS, (enum net_word)w, 0);
    add(c, EBPF_MOVE_NUMBER32, LEAF, 0, 0, 0);
    add(c, EBPF_LOAD_WORD, 1, CONTEXT, SOCK_PROTOCOL, 0);
    keep(c, WORDS, NET_WORD_PROTOCOL, 1);
    add(c, EBPF_LOAD_WORD, 2, CONTEXT, SOCK_TYPE, 0);
    for (int i = 0; i < 2; i++) {
        if (!(protocols >> i & 1))
            continue;
        jump(c, EBPF_JUMP_NE32, 1, 0, i ? NET_UDP : NET_TCP, LABEL_NEXT + i);
        jump(c, EBPF_JUMP_EQ32, 2, 0, i ? DATAGRAM : STREAM, LABEL_ALLOW);
        here(c, LABEL_NEXT + i);
    }
    deny(c, GUARD_SOCKET);
    allow(c);
}

static void address_program(struct code *c, const struct net_graphs *graphs, enum guard_hook hook,
                            struct guard_program *program)
{
    bool six = hook == GUARD_BIND6 || hook == GUARD_CONNECT6 || hook == GUARD_SENDMSG6,
         binds = hook == GUARD_BIND4 || hook == GUARD_BIND6;
    // A message with control data and without an address goes where its socket is connected, which was asked about
    // then; its packet is asked about, too.
    if (hook == GUARD_SENDMSG4 || hook == GUARD_SENDMSG6) {
        add(c, EBPF_LOAD_WORD, 1, CONTEXT, ADDR_FAMILY, 0);
        jump(c, EBPF_JUMP_EQ32, 1, 0, 0, LABEL_ALLOW); // AF_UNSPEC
    }
    add(c, EBPF_LOAD_WORD, 1, CONTEXT, ADDR_PROTOCOL, 0);
    keep(c, WORDS, NET_WORD_PROTOCOL, 1);
    add(c, EBPF_LOAD_WORD, 1, CONTEXT, ADDR_PORT, 0);
    add(c, EBPF_BIG_ENDIAN, 1, 0, 0, 16);
    keep(c, WORDS, NET_WORD_PORT, 1);
    take_address(c, WORDS, CONTEXT, six ? ADDR_IP6 : ADDR_IP4, six);
    take_names(c, binds ? 0 : graphs->group_count, false);
    decide(c, graphs, binds, program);
    add(c, EBPF_MOVE, LEAF, 0, 0, 0);
    jump(c, EBPF_JUMP_SET32, LEAF, 0, (int32_t)NET_GRAPH_ALLOW, LABEL_ALLOW);
    deny(c, hook);
    allow(c);
}

static void take_packet(struct code *c, bool six, bool leaves)
{
    int header = six ? 40 : 20;
    add(c, EBPF_MOVE, 1, CONTEXT, 0, 0);
    add(c, EBPF_MOVE_NUMBER, 2, 0, 0, 0);
    point_at(c, 3, HEADER);
    add(c, EBPF_MOVE_NUMBER, 4, 0, 0, header);
    call(c, CALL_LOAD_BYTES);
    jump(c, EBPF_JUMP_NE, 0, 0, 0, LABEL_DROP);
    add(c, EBPF_LOAD_BYTE, 1, EBPF_FRAME, HEADER + (six ? 6 : 9),
        0); // a packet with extension headers has no protocol that a rule allows
    keep(c, WORDS, NET_WORD_PROTOCOL, 1);
    if (six) {
        add(c, EBPF_MOVE_NUMBER, 2, 0, 0, header);
    } else {
        add(c, EBPF_LOAD_HALF, 1, EBPF_FRAME, HEADER + 6, 0); // a fragment, as none is here, has no ports
        add(c, EBPF_AND_NUMBER32, 1, 0, 0, 0xFF1F);
        jump(c, EBPF_JUMP_NE, 1, 0, 0, LABEL_DROP);
        add(c, EBPF_LOAD_BYTE, 2, EBPF_FRAME, HEADER, 0); // the header's length in words
        add(c, EBPF_AND_NUMBER32, 2, 0, 0, 15);
        add(c, EBPF_SHIFT_LEFT32, 2, 0, 0, 2);
    }
    add(c, EBPF_MOVE, 1, CONTEXT, 0, 0);
    point_at(c, 3, PORTS);
    add(c, EBPF_MOVE_NUMBER, 4, 0, 0, 4);
    call(c, CALL_LOAD_BYTES);
    jump(c, EBPF_JUMP_NE, 0, 0, 0, LABEL_DROP);
    int source = HEADER + (six ? 8 : 12), destination = source + (six ? 16 : 4);
    take_address(c, leaves ? OWN_WORDS : WORDS, EBPF_FRAME, source, six);
    take_address(c, leaves ? WORDS : OWN_WORDS, EBPF_FRAME, destination, six);
}

// A packet goes to, or comes from, where the command may connect; or it is of a server that is published.
static void packet_program(struct code *c, const struct net_graphs *graphs, bool leaves, struct guard_program *program)
{
    add(c, EBPF_LOAD_WORD, 1, CONTEXT, SKB_PROTOCOL, 0);
    jump(c, EBPF_JUMP_EQ32, 1, 0, IP6_IN_SKB, LABEL_SIX);
    jump(c, EBPF_JUMP_NE32, 1, 0, IP4_IN_SKB, LABEL_DROP);
    take_packet(c, false, leaves);
    jump(c, EBPF_JUMP, 0, 0, 0, LABEL_HAVE);
    here(c, LABEL_SIX);
    take_packet(c, true, leaves);
    here(c, LABEL_HAVE);
    for (int side = 0; side < 2; side++) {
        add(c, EBPF_LOAD_HALF, 1, EBPF_FRAME, PORTS + 2 * side, 0);
        add(c, EBPF_BIG_ENDIAN, 1, 0, 0, 16);
        keep(c, (side == 0) == leaves ? OWN_WORDS : WORDS, NET_WORD_PORT, 1);
    }
    take_names(c, graphs->group_count, true);
    decide(c, graphs, false, program);
    add(c, EBPF_MOVE, LEAF, 0, 0, 0);
    jump(c, EBPF_JUMP_SET32, LEAF, 0, (int32_t)NET_GRAPH_ALLOW, LABEL_COUNT);
    // Not where it connects. Is it where it listens? The other side's words stay in what is their place so far.
    for (int w = NET_WORD_ADDRESS; w <= NET_WORD_PORT; w++) {
        add(c, EBPF_LOAD_WORD, 1, EBPF_FRAME, WORDS + 4 * w, 0);
        add(c, EBPF_LOAD_WORD, 2, EBPF_FRAME, OWN_WORDS + 4 * w, 0);
        keep(c, OWN_WORDS, (enum net_word)w, 1);
        keep(c, WORDS, (enum net_word)w, 2);
    }
    decide(c, graphs, true, program);
    jump(c, EBPF_JUMP_SET32, 0, 0, (int32_t)NET_GRAPH_ALLOW, LABEL_PUBLISHED);
    for (int w = NET_WORD_ADDRESS; w <= NET_WORD_PORT; w++) {
        add(c, EBPF_LOAD_WORD, 1, EBPF_FRAME, OWN_WORDS + 4 * w, 0);
        keep(c, WORDS, (enum net_word)w, 1);
    }
    deny(c, leaves ? GUARD_EGRESS : GUARD_INGRESS);
    here(c, LABEL_PUBLISHED);
    add(c, EBPF_LOAD_WORD, 1, EBPF_FRAME, WORDS, 0);
    add(c, EBPF_OR_NUMBER32, 1, 0, 0, (int32_t)GUARD_PUBLISHED);
    keep(c, WORDS, NET_WORD_PROTOCOL, 1);
    here(c, LABEL_COUNT);
    map(c, 1, GUARD_TRAFFIC);
    point_at(c, 2, WORDS); // a struct guard_place
    call(c, CALL_LOOK_UP);
    jump(c, EBPF_JUMP_EQ, 0, 0, 0, LABEL_ALLOW);
    add(c, EBPF_LOAD_WORD, 1, CONTEXT, SKB_LENGTH, 0);
    add(c, EBPF_ATOMIC_LONG, 0, 1,
        leaves ? offsetof(struct guard_traffic, sent) : offsetof(struct guard_traffic, received), 0);
    allow(c);
}

bool guard_programs(struct arena *arena, const struct plan *plan, struct net_graphs *graphs,
                    struct guard_program programs[GUARD_HOOKS], const char **why)
{
    *why = "its names may go to more than 32 different sets of ports";
    if (!net_graphs_make(arena, plan, graphs))
        return false;
    *why = "its network rules make a program longer than the kernel takes";
    bool datagrams = net_graphs_protocols(graphs) & 2;
    for (int hook = 0; hook < GUARD_HOOKS; hook++) {
        struct code c = {.arena = arena};
        programs[hook] = (struct guard_program){.decision_count = 0};
        if ((hook == GUARD_SENDMSG4 || hook == GUARD_SENDMSG6) && !datagrams)
            continue; // no socket that could
        add(&c, EBPF_MOVE, CONTEXT, 1, 0, 0);
        if (hook == GUARD_SOCKET)
            socket_program(&c, graphs);
        else if (hook == GUARD_EGRESS || hook == GUARD_INGRESS)
            packet_program(&c, graphs, hook == GUARD_EGRESS, &programs[hook]);
        else
            address_program(&c, graphs, (enum guard_hook)hook, &programs[hook]);
        for (size_t i = 0; i < c.count && !c.failed; i++) {
            size_t skipped = c.jumps[i] ? c.places[c.jumps[i]] - i - 1 : 0;
            c.failed = skipped > INT16_MAX;
            c.list[i].offset = c.jumps[i] ? (int16_t)skipped : c.list[i].offset;
        }
        if (c.failed)
            return false;
        programs[hook].program = (struct ebpf_program){c.list, c.count};
    }
    return true;
}

void guard_print(struct text *text, const struct guard_program programs[GUARD_HOOKS])
{
    for (int hook = 0; hook < GUARD_HOOKS; hook++) {
        if (!programs[hook].program.length)
            continue;
        text_addf(text, "%s%s:\n", hook ? "\n" : "", guard_hook_names[hook]);
        ebpf_print(text, &programs[hook].program, map_names, call_names, CALLS);
    }
}
