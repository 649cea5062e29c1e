// Classic BPF for seccomp, from a decision graph (seccomp(2), Documentation/networking/filter.rst).
//
// The graph's words are those of seccomp_word. Both architectures of this edition are little-endian.
#pragma once

#include "compiler/sets/seccomp.h"

struct bpf_instruction { // struct sock_filter
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

enum { BPF_MOST = 4096 };

struct bpf_program {
    struct bpf_instruction *code;
    size_t length;
};

// Never fails; a program longer than BPF_MOST is for the caller to refuse. The code lives in the arena. Values are
// asked by halves; where that is longer than asking them one by one, a node is mended until it is not, but the numbers
// of calls may be `spare` instructions longer.
struct bpf_program cbpf_emit(struct arena *, const struct graph *, graph_node, size_t spare);

// True if a program is one that seccomp would take: known instructions, loads inside seccomp_data, jumps forward and in
// range, every path ends in a return. On false, *why and *where (an index) say what is wrong.
bool cbpf_check(const struct bpf_program *, const char **why, size_t *where);

// Runs a checked program on words as the graph has them. *steps, if not NULL, counts instructions.
uint32_t cbpf_run(const struct bpf_program *, const uint32_t words[SECCOMP_WORDS], unsigned *steps);
void cbpf_words(uint32_t words[SECCOMP_WORDS], uint32_t audit, uint32_t number,
                const uint64_t *arguments); // six; NULL: all 0
unsigned cbpf_arguments_asked(const struct bpf_program *,
                              const uint32_t words[SECCOMP_WORDS]); // bits: the call's arguments that decide there

// The same program, which gives one answer in the place of another.
struct bpf_program cbpf_answering(struct arena *, const struct bpf_program *, uint32_t from, uint32_t to);

// As text, one instruction a line, with the names of words, calls and verdicts where they are known.
void cbpf_print(struct text *, const struct bpf_program *, int arch);
