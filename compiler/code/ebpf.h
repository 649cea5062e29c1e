// eBPF: instructions (RFC 9669), and decisions in it from a decision graph.
#pragma once

#include "compiler/sets/graph.h"

struct ebpf_instruction { // struct bpf_insn
    uint8_t code;
    uint8_t registers; // to | from << 4
    int16_t offset;
    int32_t immediate;
};

struct ebpf_program {
    struct ebpf_instruction *code;
    size_t length;
};

enum { // of an instruction's code: what decisions and the guard's programs are made of
    EBPF_MOVE = 0xBF,
    EBPF_MOVE_NUMBER = 0xB7,
    EBPF_MOVE_NUMBER32 = 0xB4,
    EBPF_ADD_NUMBER = 0x07,
    EBPF_AND_NUMBER32 = 0x54,
    EBPF_OR_NUMBER32 = 0x44,
    EBPF_SHIFT_LEFT32 = 0x64,
    EBPF_BIG_ENDIAN = 0xDC,
    EBPF_LOAD_BYTE = 0x71,
    EBPF_LOAD_HALF = 0x69,
    EBPF_LOAD_WORD = 0x61,
    EBPF_LOAD_LONG = 0x79,
    EBPF_STORE_WORD = 0x63,
    EBPF_STORE_NUMBER = 0x62,
    EBPF_ATOMIC_LONG = 0xDB, // with immediate 0: add
    EBPF_MAP = 0x18, // two instructions: the map's number is the first one's immediate, with EBPF_IS_MAP as what it is
                     // taken from
    EBPF_JUMP = 0x05,
    EBPF_JUMP_EQ = 0x15,
    EBPF_JUMP_LE = 0xBD, // of two registers
    EBPF_JUMP_NE = 0x55,
    EBPF_JUMP_GE32 = 0x36,
    EBPF_JUMP_EQ32 = 0x16,
    EBPF_JUMP_NE32 = 0x56,
    EBPF_JUMP_SET32 = 0x46,
    EBPF_CALL = 0x85,
    EBPF_EXIT = 0x95,
};
enum { EBPF_IS_MAP = 1, EBPF_FRAME = 10 }; // BPF_PSEUDO_MAP_FD; the register that points at the end of the stack
enum { EBPF_DECISION_MOST = 30000 };       // jumps have 16 bits

// A decision: reads the graph's words from the stack, word w at frame + first + 4 w, and has the leaf in register 0
// behind its last instruction. Uses registers 0 and 1. False when it would be too long. The code lives in the arena.
bool ebpf_decide(struct arena *, const struct graph *, graph_node, int first, struct ebpf_program *);

// Runs a decision. False when it is none: another instruction, a jump backward or out of it, a load that is no word.
bool ebpf_run(const struct ebpf_program *, int first, const uint32_t *words, size_t word_count, uint32_t *leaf);

void ebpf_print(struct text *, const struct ebpf_program *, const char *const *maps, const char *const *calls,
                size_t call_count);
