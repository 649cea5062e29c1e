// Decisions in eBPF, and reading them.
//
// As in cbpf.c code is emitted from its end to its start: `code` holds it reversed, a place is an index into that, and
// a jump at place p to place t skips p - t - 1 instructions.
#include "compiler/code/ebpf.h"

#include <string.h>

typedef uint32_t place;
#define NOWHERE UINT32_MAX

struct emitter {
    struct arena *arena;
    const struct graph *graph;
    struct ebpf_instruction *code;
    size_t count, capacity;
    place *entries; // per node
    int first;
};

static place push(struct emitter *e, struct ebpf_instruction in)
{
    if (e->count == e->capacity) {
        size_t capacity = e->capacity ? e->capacity * 2 : 256;
        e->code = arena_grow(e->arena, e->code, e->count * sizeof *e->code, capacity * sizeof *e->code);
        e->capacity = capacity;
    }
    e->code[e->count] = in;
    return (place)e->count++;
}

static int16_t distance(const struct emitter *e, place target)
{
    size_t skipped = e->count - target - 1;
    return skipped > INT16_MAX ? -1 : (int16_t)skipped; // beyond it the whole is refused
}

static void go_on_at(struct emitter *e, place target) // what is pushed next goes on there
{
    if (target != e->count - 1)
        push(e, (struct ebpf_instruction){EBPF_JUMP, 0, distance(e, target), 0});
}

static place emit_node(struct emitter *e, graph_node node);

static place emit_runs(struct emitter *e, const struct graph_vertex *v, uint32_t first, uint32_t last)
{
    if (first == last)
        return emit_node(e, v->runs[first].node);
    uint32_t middle = (first + last + 1) / 2;
    place high = emit_runs(e, v, middle, last), low = emit_runs(e, v, first, middle - 1);
    go_on_at(e, low);
    return push(e, (struct ebpf_instruction){EBPF_JUMP_GE32, 1, distance(e, high), (int32_t)v->runs[middle].start});
}

static place emit_node(struct emitter *e, graph_node node)
{
    if (e->entries[node] != NOWHERE)
        return e->entries[node];
    const struct graph_vertex *v = graph_at(e->graph, node);
    if (v->run_count == 0) {
        if (e->count) // the first leaf falls through to the end
            push(e, (struct ebpf_instruction){EBPF_JUMP, 0, (int16_t)(e->count > INT16_MAX ? -1 : (long)e->count), 0});
        return e->entries[node] = push(e, (struct ebpf_instruction){EBPF_MOVE_NUMBER32, 0, 0, (int32_t)v->value});
    }
    for (uint32_t run = v->run_count;
         run-- > 0;) // so that nothing but tests stands between a node's load and its last test
        emit_node(e, v->runs[run].node);
    go_on_at(e, emit_runs(e, v, 0, v->run_count - 1));
    if (v->mask != UINT32_MAX)
        push(e, (struct ebpf_instruction){EBPF_AND_NUMBER32, 1, 0, (int32_t)v->mask});
    return e->entries[node] = push(e, (struct ebpf_instruction){EBPF_LOAD_WORD, 1 | EBPF_FRAME << 4,
                                                                (int16_t)(e->first + 4 * (int)v->word), 0});
}

bool ebpf_decide(struct arena *arena, const struct graph *graph, graph_node node, int first,
                 struct ebpf_program *program)
{
    struct emitter e = {
        .arena = arena, .graph = graph, .first = first, .entries = NEW_ARRAY(arena, place, (size_t)node + 1)};
    for (size_t i = 0; i <= node; i++)
        e.entries[i] = NOWHERE;
    place start = emit_node(&e, node);
    go_on_at(&e, start);
    if (e.count > EBPF_DECISION_MOST)
        return false;
    *program = (struct ebpf_program){NEW_ARRAY(arena, struct ebpf_instruction, e.count), e.count};
    for (size_t i = 0; i < e.count; i++)
        program->code[i] = e.code[e.count - 1 - i];
    return true;
}

bool ebpf_run(const struct ebpf_program *program, int first, const uint32_t *words, size_t word_count, uint32_t *leaf)
{
    uint32_t registers[2] = {0};
    for (size_t pc = 0; pc < program->length; pc++) {
        const struct ebpf_instruction *in = &program->code[pc];
        uint32_t k = (uint32_t)in->immediate, to = in->registers & 15;
        int word = (in->offset - first) / 4;
        bool jumps = false;
        if (to > 1 || (in->registers >> 4 && in->code != EBPF_LOAD_WORD))
            return false;
        switch (in->code) {
        case EBPF_LOAD_WORD:
            if (in->registers >> 4 != EBPF_FRAME || in->offset < first || (in->offset - first) % 4 ||
                (size_t)word >= word_count)
                return false;
            registers[to] = words[word];
            break;
        case EBPF_AND_NUMBER32: registers[to] &= k; break;
        case EBPF_MOVE_NUMBER32: registers[to] = k; break;
        case EBPF_JUMP: jumps = true; break;
        case EBPF_JUMP_GE32: jumps = registers[to] >= k; break;
        default: return false;
        }
        bool is_jump = in->code == EBPF_JUMP || in->code == EBPF_JUMP_GE32;
        if (is_jump && (in->offset < 0 || pc + 1 + (size_t)in->offset > program->length))
            return false;
        pc += jumps ? (size_t)in->offset : 0;
    }
    *leaf = registers[0];
    return true;
}

// ---- as text ------------------------------------------------------------------------------------------------------

static void print_jump(struct text *text, size_t at, const struct ebpf_instruction *in)
{
    static const struct {
        uint8_t code;
        const char *test;
    } tests[] = {{EBPF_JUMP_EQ, "=="},   {EBPF_JUMP_NE, "!="},   {EBPF_JUMP_GE32, ">="}, {EBPF_JUMP_EQ32, "=="},
                 {EBPF_JUMP_NE32, "!="}, {EBPF_JUMP_SET32, "&"}, {EBPF_JUMP_LE, "<="}};
    char bits = (in->code & 7) == 6 ? 'w' : 'r';
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (tests[i].code == in->code) {
            text_addf(text, "if %c%d %s ", bits, in->registers & 15, tests[i].test);
            if (in->code == EBPF_JUMP_LE)
                text_addf(text, "r%d", in->registers >> 4);
            else
                text_addf(text, "0x%x", (unsigned)in->immediate);
            text_addf(text, " ");
        }
    text_addf(text, "go to %zu\n", (size_t)((long)at + 1 + in->offset));
}

void ebpf_print(struct text *text, const struct ebpf_program *program, const char *const *maps,
                const char *const *calls, size_t call_count)
{
    for (size_t i = 0; i < program->length; i++) {
        const struct ebpf_instruction *in = &program->code[i];
        int to = in->registers & 15, from = in->registers >> 4;
        text_addf(text, "%5zu: ", i);
        switch (in->code) {
        case EBPF_MOVE: text_addf(text, "r%d = r%d\n", to, from); break;
        case EBPF_MOVE_NUMBER: text_addf(text, "r%d = %d\n", to, in->immediate); break;
        case EBPF_MOVE_NUMBER32: text_addf(text, "w%d = 0x%x\n", to, (unsigned)in->immediate); break;
        case EBPF_ADD_NUMBER: text_addf(text, "r%d += %d\n", to, in->immediate); break;
        case EBPF_AND_NUMBER32: text_addf(text, "w%d &= 0x%x\n", to, (unsigned)in->immediate); break;
        case EBPF_OR_NUMBER32: text_addf(text, "w%d |= 0x%x\n", to, (unsigned)in->immediate); break;
        case EBPF_SHIFT_LEFT32: text_addf(text, "w%d <<= %d\n", to, in->immediate); break;
        case EBPF_BIG_ENDIAN: text_addf(text, "r%d = big-endian%d r%d\n", to, in->immediate, to); break;
        case EBPF_LOAD_BYTE: text_addf(text, "r%d = byte [r%d %+d]\n", to, from, in->offset); break;
        case EBPF_LOAD_HALF: text_addf(text, "r%d = half [r%d %+d]\n", to, from, in->offset); break;
        case EBPF_LOAD_WORD: text_addf(text, "r%d = word [r%d %+d]\n", to, from, in->offset); break;
        case EBPF_LOAD_LONG: text_addf(text, "r%d = long [r%d %+d]\n", to, from, in->offset); break;
        case EBPF_STORE_WORD: text_addf(text, "word [r%d %+d] = r%d\n", to, in->offset, from); break;
        case EBPF_STORE_NUMBER:
            text_addf(text, "word [r%d %+d] = 0x%x\n", to, in->offset, (unsigned)in->immediate);
            break;
        case EBPF_ATOMIC_LONG: text_addf(text, "long [r%d %+d] += r%d, atomically\n", to, in->offset, from); break;
        case EBPF_MAP:
            text_addf(text, "r%d = map %s\n", to, maps[in->immediate]);
            i++; // its second half holds nothing
            break;
        case EBPF_CALL:
            text_addf(text, "r0 = %s(...)\n",
                      (size_t)in->immediate < call_count && calls[in->immediate] ? calls[in->immediate] : "?");
            break;
        case EBPF_EXIT: text_addf(text, "return r0\n"); break;
        default: print_jump(text, i, in);
        }
    }
}
