// Classic BPF from a decision graph.
//
// Code is emitted from its end to its start, so that every jump's target is already there and its distance known.
// `code` holds it reversed; a place is an index into that, and a jump from place p to place t skips p - t - 1
// instructions.
#include "compiler/code/cbpf.h"

#include <string.h>

#include "lang/tables.h"

enum { // include/uapi/linux/bpf_common.h
    LOAD = 0x20,
    AND = 0x54,
    JUMP = 0x05,
    JUMP_EQ = 0x15,
    JUMP_GT = 0x25,
    JUMP_GE = 0x35,
    JUMP_SET = 0x45,
    RETURN = 0x06,
};

enum { JUMP_MOST = 255 }; // instructions that a conditional jump can skip
enum { LIST = 64 };       // all but the longest runs are asked value by value
enum { CHAIN_FIRST = 4 }; // this many values are asked one by one; more are halved first

typedef uint32_t place;
#define NOWHERE UINT32_MAX

struct emitter {
    struct arena *arena;
    const struct graph *graph;
    struct bpf_instruction *code;
    size_t count, capacity;
    place *entries; // per node: where its code starts
    place *loaded;  // per node: where it starts for one who has its word in the accumulator, unmasked
    uint32_t chain; // how many values are asked one by one in the node at hand,
    uint32_t few;   // and how many in a row are asked so, instead of by their borders: 1, 2 or LIST
    struct shape {  // per node: both, as the first pass found them best
        uint32_t chain, few;
    } * shapes;
    size_t spare; // cbpf.h
    bool nested;  // the second pass: what a test leads to stands right behind it, not behind all tests of its node
};

static uint32_t word_offset(uint32_t word) // in struct seccomp_data
{
    if (word == WORD_NUMBER)
        return 0;
    if (word == WORD_ARCH)
        return 4;
    uint32_t half = word - WORD_ARGUMENTS; // even: high
    return 16 + 8 * (half / 2) + (half % 2 ? 0 : 4);
}

static int offset_word(uint32_t offset)
{
    for (uint32_t word = 0; word < SECCOMP_WORDS; word++)
        if (word_offset(word) == offset)
            return (int)word;
    return -1; // the instruction pointer, or nothing
}

static place push(struct emitter *e, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (e->count == e->capacity) {
        size_t capacity = e->capacity ? e->capacity * 2 : 512;
        e->code = arena_grow(e->arena, e->code, e->count * sizeof *e->code, capacity * sizeof *e->code);
        e->capacity = capacity;
    }
    e->code[e->count] = (struct bpf_instruction){code, jt, jf, k};
    return (place)e->count++;
}

// A place near enough for an 8-bit jump that leads to `target`: a return is repeated, anything else is reached by a
// long jump.
static place bring_near(struct emitter *e, place target)
{
    if (e->code[target].code == RETURN)
        return push(e, RETURN, 0, 0, e->code[target].k);
    return push(e, JUMP, 0, 0, (uint32_t)e->count - target - 1);
}

static place branch(struct emitter *e, uint16_t code, uint32_t k, place yes, place no)
{
    if (yes == no)
        return yes;
    for (;;) {
        size_t to_yes = e->count - yes - 1, to_no = e->count - no - 1;
        if (to_yes > JUMP_MOST)
            yes = bring_near(e, yes);
        else if (to_no > JUMP_MOST)
            no = bring_near(e, no);
        else
            return push(e, code, (uint8_t)to_yes, (uint8_t)to_no, k);
    }
}

static place emit_node(struct emitter *e, graph_node node);

// Where to go for `node` from code that has `word` (unmasked, unless `masked`) in the accumulator.
static place enter(struct emitter *e, graph_node node, uint32_t word, bool masked)
{
    place entry = emit_node(e, node);
    const struct graph_vertex *vertex = graph_at(e->graph, node);
    return vertex->run_count && vertex->word == word && !masked && e->loaded[node] != NOWHERE ? e->loaded[node] : entry;
}

struct piece { // runs [first, last] of a vertex, within the values [low, high]
    const struct graph_vertex *vertex;
    uint32_t first, last;
    bool masked; // the accumulator holds word & mask
};

static uint32_t run_end(const struct graph_vertex *v, uint32_t run)
{
    return run + 1 < v->run_count ? v->runs[run + 1].start - 1 : UINT32_MAX;
}

static uint64_t run_length(const struct graph_vertex *v, uint32_t run)
{
    return (uint64_t)run_end(v, run) - v->runs[run].start + 1;
}

static bool is_single(const struct piece *piece, uint32_t run)
{
    return run_length(piece->vertex, run) == 1;
}

// The node that most runs of a piece lead to, when every other run is a value or two or lies at an end; *others counts
// what it takes to ask for those.
static bool chain_of(const struct emitter *e, const struct piece *piece, graph_node *common, uint32_t *others)
{
    for (uint32_t candidate = piece->first; candidate <= piece->last && candidate < piece->first + 3; candidate++) {
        *common = piece->vertex->runs[candidate].node;
        *others = 0;
        bool good = true;
        for (uint32_t run = piece->first; run <= piece->last && good; run++)
            if (piece->vertex->runs[run].node != *common) {
                bool few = run_length(piece->vertex, run) <= e->few;
                good = few || run == piece->first || run == piece->last;
                *others += few ? (uint32_t)run_length(piece->vertex, run) : 1;
            }
        if (good)
            return true;
    }
    return false;
}

static place emit_piece(struct emitter *e, struct piece piece)
{
    const struct graph_vertex *v = piece.vertex;
    if (piece.first == piece.last)
        return enter(e, v->runs[piece.first].node, v->word, piece.masked);
    graph_node common;
    uint32_t others;
    if (chain_of(e, &piece, &common, &others) && others <= e->chain) {
        place next = enter(e, common, v->word, piece.masked);
        for (uint32_t run = piece.last + 1; run-- > piece.first;)
            for (uint64_t value = v->runs[run].start;
                 v->runs[run].node != common && run_length(v, run) <= e->few && value <= run_end(v, run); value++)
                next = branch(e, JUMP_EQ, (uint32_t)value, enter(e, v->runs[run].node, v->word, piece.masked), next);
        if (v->runs[piece.last].node != common && run_length(v, piece.last) > e->few)
            next = branch(e, JUMP_GE, v->runs[piece.last].start,
                          enter(e, v->runs[piece.last].node, v->word, piece.masked), next);
        if (v->runs[piece.first].node != common && run_length(v, piece.first) > e->few)
            next = branch(e, JUMP_GE, v->runs[piece.first + 1].start, next,
                          enter(e, v->runs[piece.first].node, v->word, piece.masked));
        return next;
    }
    uint32_t middle = (piece.first + piece.last + 1) / 2;
    // Keep a single value together with equal neighbours: one test takes it out of them.
    if (middle > piece.first + 1 && middle < piece.last && is_single(&piece, middle - 1) &&
        v->runs[middle - 2].node == v->runs[middle].node)
        middle++;
    else if (middle < piece.last && middle > piece.first + 1 && is_single(&piece, middle) &&
             v->runs[middle - 1].node == v->runs[middle + 1].node)
        middle--;
    struct piece left = piece, right = piece;
    left.last = middle - 1;
    right.first = middle;
    place high = emit_piece(e, right), low = emit_piece(e, left);
    return branch(e, JUMP_GE, v->runs[middle].start, high, low);
}

// How many comparisons a plain list would need: one for each value that does not lead where most do, and one for what
// reaches to the end.
static uint64_t list_length(const struct graph_vertex *v)
{
    uint64_t shortest = UINT64_MAX;
    for (uint32_t candidate = 0; candidate < v->run_count && candidate < 3; candidate++) {
        uint64_t others = 0;
        for (uint32_t run = 0; run < v->run_count; run++)
            if (v->runs[run].node != v->runs[candidate].node)
                others += run + 1 < v->run_count ? run_length(v, run) : 1;
        shortest = others < shortest ? others : shortest;
    }
    return shortest;
}

// The tests of one node: balanced, unless scattered values make that longer than a plain list; then with longer chains
// at its ends.
static place emit_tests(struct emitter *e, graph_node node, bool masked)
{
    const struct graph_vertex *v = graph_at(e->graph, node);
    struct piece whole = {v, 0, v->run_count - 1, masked};
    if (e->nested) {
        uint32_t chain = e->chain, few = e->few; // of the node around this one
        e->chain = e->shapes[node].chain;
        e->few = e->shapes[node].few;
        place start = emit_piece(e, whole);
        e->chain = chain;
        e->few = few;
        return start;
    }
    size_t before = e->count, sizes[2];
    for (e->few = 1, e->chain = CHAIN_FIRST; e->few <= 2; e->few++) { // both, to see which is shorter
        emit_piece(e, whole);
        sizes[e->few - 1] = e->count - before;
        e->count = before; // what the tests lead to is there already, so nothing else refers to them
    }
    uint64_t list = list_length(v) + (v->word == WORD_NUMBER ? e->spare : 0);
    bool fits = sizes[0] <= list || sizes[1] <= list;
    e->few = fits && sizes[0] <= sizes[1] ? 1 : 2;
    for (;; e->chain *= 2) {
        place start = emit_piece(e, whole);
        if (!fits && e->count - before > list && e->chain >= v->run_count && e->few < LIST) {
            e->few = LIST;
        } else if (fits || e->count - before <= list || e->chain >= v->run_count) {
            e->shapes[node] = (struct shape){e->chain, e->few};
            return start;
        }
        e->count = before;
    }
}

static place emit_node(struct emitter *e, graph_node node)
{
    if (e->entries[node] != NOWHERE)
        return e->entries[node];
    const struct graph_vertex *v = graph_at(e->graph, node);
    place entry;
    if (v->run_count == 0) {
        entry = push(e, RETURN, 0, 0, v->value);
    } else {
        bool masked = v->mask != UINT32_MAX;
        // Code for later questions first, so that what follows a load directly is this node's own first test.
        for (uint32_t run = v->run_count; run-- > 0 && !e->nested;)
            emit_node(e, v->runs[run].node);
        place start;
        if (masked && v->run_count == 2 && v->runs[1].start == 1) { // any bit of the mask
            place set = enter(e, v->runs[1].node, v->word, false), clear = enter(e, v->runs[0].node, v->word, false);
            start = branch(e, JUMP_SET, v->mask, set, clear);
        } else {
            start = emit_tests(e, node, masked);
            if (masked) {
                if (start != e->count - 1)
                    start = push(e, JUMP, 0, 0, (uint32_t)e->count - start - 1);
                start = push(e, AND, 0, 0, v->mask);
            }
        }
        if (start != e->count - 1)
            start = push(e, JUMP, 0, 0, (uint32_t)e->count - start - 1);
        e->loaded[node] = start;
        entry = push(e, LOAD, 0, 0, word_offset(v->word));
    }
    e->entries[node] = entry;
    return entry;
}

static void reset(place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        places[i] = NOWHERE;
}

struct bpf_program cbpf_emit(struct arena *arena, const struct graph *graph, graph_node node, size_t spare)
{
    struct arena *own = arena_new(); // what is not the program goes when it is done
    struct emitter e = {.arena = own, .graph = graph, .spare = spare};
    size_t count = (size_t)node + 1; // a node's children were made before it
    e.entries = NEW_ARRAY(own, place, count);
    e.loaded = NEW_ARRAY(own, place, count);
    e.shapes = NEW_ARRAY(own, struct shape, count);
    struct bpf_program best = {NULL, SIZE_MAX};
    for (int pass = 0; pass < 2 && best.length > JUMP_MOST;
         pass++) { // two layouts: in a long program they need different long jumps
        reset(e.entries, count);
        reset(e.loaded, count);
        e.count = 0;
        e.nested = pass == 1;
        place start = emit_node(&e, node);
        if (start + 1 >= best.length)
            continue;
        best = (struct bpf_program){NEW_ARRAY(arena, struct bpf_instruction, start + 1), start + 1};
        for (size_t i = 0; i <= start; i++)
            best.code[i] = e.code[start - i];
    }
    arena_free(own);
    return best;
}

bool cbpf_check(const struct bpf_program *program, const char **why, size_t *where)
{
    *why = program->length == 0         ? "it is empty"
           : program->length > BPF_MOST ? "it has more than 4096 instructions"
                                        : NULL;
    *where = 0;
    for (size_t i = 0; i < program->length && !*why; i++) {
        const struct bpf_instruction *in = &program->code[i];
        size_t left = program->length - i - 1;
        *where = i;
        switch (in->code) {
        case LOAD:
            if (in->k % 4 || in->k > 60)
                *why = "a load outside of struct seccomp_data";
            break;
        case AND: break;
        case JUMP:
            if (in->k >= left)
                *why = "a jump beyond the end";
            break;
        case JUMP_EQ:
        case JUMP_GT:
        case JUMP_GE:
        case JUMP_SET:
            if (in->jt >= left || in->jf >= left)
                *why = "a jump beyond the end";
            break;
        case RETURN: {
            uint32_t action = in->k & 0xFFFF0000u;
            if (action != SECCOMP_ALLOW && action != SECCOMP_ERRNO && action != SECCOMP_KILL && in->k != SECCOMP_NOTIFY)
                *why = "a return value that no policy gives";
            break;
        }
        default: *why = "an instruction that no policy needs";
        }
        if (!*why && left == 0 && in->code != RETURN)
            *why = "an end without a return";
    }
    return !*why;
}

static uint32_t run(const struct bpf_program *program, const uint32_t words[SECCOMP_WORDS], unsigned *steps,
                    unsigned *loaded)
{
    uint32_t a = 0;
    for (size_t pc = 0;; pc++) {
        const struct bpf_instruction *in = &program->code[pc];
        if (steps)
            ++*steps;
        switch (in->code) {
        case LOAD: {
            int word = offset_word(in->k);
            a = word >= 0 ? words[word] : 0;
            if (loaded && word >= 0)
                *loaded |= 1u << word;
            break;
        }
        case AND: a &= in->k; break;
        case JUMP: pc += in->k; break;
        case JUMP_EQ: pc += a == in->k ? in->jt : in->jf; break;
        case JUMP_GT: pc += a > in->k ? in->jt : in->jf; break;
        case JUMP_GE: pc += a >= in->k ? in->jt : in->jf; break;
        case JUMP_SET: pc += a & in->k ? in->jt : in->jf; break;
        default: return in->k;
        }
    }
}

uint32_t cbpf_run(const struct bpf_program *program, const uint32_t words[SECCOMP_WORDS], unsigned *steps)
{
    return run(program, words, steps, NULL);
}

void cbpf_words(uint32_t words[SECCOMP_WORDS], uint32_t audit, uint32_t number, const uint64_t *arguments)
{
    words[WORD_ARCH] = audit;
    words[WORD_NUMBER] = number;
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) {
        words[WORD_HIGH(i)] = arguments ? (uint32_t)(arguments[i] >> 32) : 0;
        words[WORD_LOW(i)] = arguments ? (uint32_t)arguments[i] : 0;
    }
}

unsigned cbpf_arguments_asked(const struct bpf_program *program, const uint32_t words[SECCOMP_WORDS])
{
    unsigned loaded = 0, arguments = 0;
    run(program, words, NULL, &loaded);
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++)
        arguments |= (unsigned)((loaded >> WORD_HIGH(i) & 3) != 0) << i;
    return arguments;
}

static void print_value(struct text *text, int word, uint32_t k, int arch)
{
    int call = word == WORD_NUMBER && arch >= 0 ? syscall_by_number((enum arch)arch, k) : -1;
    if (call >= 0)
        text_addf(text, "%s", syscall_row((size_t)call)->name);
    else if (k < 4096)
        text_addf(text, "%u", k);
    else
        text_addf(text, "0x%x", k);
}

void cbpf_print(struct text *text, const struct bpf_program *program, int arch)
{
    int word = -1;
    for (size_t i = 0; i < program->length; i++) {
        const struct bpf_instruction *in = &program->code[i];
        text_addf(text, "%4zu: ", i);
        const char *test = in->code == JUMP_EQ ? "==" : in->code == JUMP_GT ? ">" : in->code == JUMP_GE ? ">=" : "&";
        switch (in->code) {
        case LOAD:
            word = offset_word(in->k);
            if (word == WORD_ARCH || word == WORD_NUMBER)
                text_addf(text, "load %s\n", word == WORD_ARCH ? "arch" : "number");
            else
                text_addf(text, "load argument %u %s\n", (in->k - 16) / 8, in->k % 8 ? "high" : "low");
            break;
        case AND: text_addf(text, "and 0x%x\n", in->k); break;
        case JUMP: text_addf(text, "go to %zu\n", i + 1 + in->k); break;
        case RETURN:
            if (in->k == SECCOMP_ALLOW)
                text_addf(text, "return allow\n");
            else if (in->k == SECCOMP_KILL)
                text_addf(text, "return kill\n");
            else if (in->k == SECCOMP_NOTIFY)
                text_addf(text, "return to the broker\n");
            else {
                const char *name = errno_name((int)(in->k & 0xFFFF));
                if (name)
                    text_addf(text, "return %s\n", name);
                else
                    text_addf(text, "return errno %u\n", in->k & 0xFFFF);
            }
            break;
        default:
            text_addf(text, "if %s ", test);
            print_value(text, word, in->k, arch);
            text_addf(text, " go to %zu else %zu\n", i + 1 + in->jt, i + 1 + in->jf);
        }
    }
}

struct bpf_program cbpf_answering(struct arena *arena, const struct bpf_program *program, uint32_t from, uint32_t to)
{
    struct bpf_program other = {NEW_ARRAY(arena, struct bpf_instruction, program->length), program->length};
    for (size_t i = 0; i < program->length; i++) {
        other.code[i] = program->code[i];
        if (other.code[i].code == RETURN && other.code[i].k == from)
            other.code[i].k = to;
    }
    return other;
}
