// What a command is given of the caller's as it is: standard input, output and error, and what is handed over by its
// number (`--fd`). What each may be is a list; a program could make its way out of the sandbox by anything else.
#pragma once

#include "enforcer/host/identity.h"

enum { HANDED_MOST = 64, HANDED_NUMBERS = 1024 };

struct handed { // besides the three: numbers of the command's, from 3 on
    int list[HANDED_MOST];
    int count;
};

struct wished { // on the command line
    struct wish {
        int from, to;
    } list[HANDED_MOST];
    int count;
};

// Reads `N` or `N=M`. False when it is neither, or there are too many.
bool handed_wish(struct wished *, const char *text);

// Puts each at its number, before anything else is opened: those numbers are in use from then on. NULL, or a sentence.
const char *handed_take(struct handed *, const struct wished *);

// Refuses what a descriptor may not be; then root's pipes become the outside identity's. 0, or -1 and the failure.
// `landlock`: it keeps what is open for reading from being opened again for writing.
int standard_prepare(const struct plan *, const struct handed *, const struct identity *, bool landlock,
                     struct failure *);
