// The relay: between the caller's terminal and one that the command has for itself (enforcer/inside/terminal.h).
//
// While the command runs, the caller's terminal is raw (termios(3), cfmakeraw): what is typed goes in byte for byte,
// and there the command's own terminal makes signals, lines and echoes of it. Bytes that come out are the terminal's to
// interpret, as any program's. At the end, whatever kind of end, the caller's terminal has its own modes again, and
// what a killed program has left switched on (another screen, reports of the mouse, a hidden cursor) is switched off: a
// small process of its own does that where sbxrun itself is killed.
#pragma once

#include <sys/types.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "enforcer/host/failure.h"
#include "enforcer/supervisor/stream.h"

struct screen {  // what was switched on in the caller's terminal by what came out: it lies where the keeper sees it too
    uint32_t on; // bits: private modes (relay.c has the table) that are not as usual
    uint32_t keyboards; // how often a keyboard protocol was pushed and not taken off again
    bool has_keyboard;  // one was set
    bool other_keys;    // so was which keys send other codes (xterm's `>4;Nm`)
    bool is_styled;     // colours or other characters were chosen
    bool is_within;     // what came out ends within a sequence
    bool is_odd;        // or may: it had controls of C1, which one terminal obeys and another does not
    uint32_t settings;  // bits: what else is not as usual (relay.c has the table)
};

enum { CONTROL_NUMBERS = 64 };

struct control { // a control sequence that is being read
    unsigned state, number, numbers[CONTROL_NUMBERS], count;
    char kind;          // '?' for private ones; '>', '<', '=' for a terminal's own; ']' for an operating system's
    char between;       // the last of the characters before the last one (ECMA-48's intermediate bytes)
    unsigned following; // bytes that belong to the last character (UTF-8)
    bool may_be_c1;     // and it may come to be a control
};

struct relay {
    bool wanted;
    struct watch handover; // the end at which the command's terminal comes
    int theirs;            // its other end in the sandbox; closed when that has begun
    int master;            // the command's terminal; -1: it has not come yet
    int input, output;     // the caller's: descriptors of our own; input -1: nothing is read
    bool reads;            // what is typed or read goes to it
    bool is_terminal;      // `input` is one; else it is whatever standard input is
    bool shows;            // `output` is one
    bool has_modes;        // so `modes` and `size` are a terminal's
    bool taken;            // it is sbxrun's: raw, and what is typed is read
    struct termios modes;  // that it had
    struct winsize size;
    struct stream in, out;
    struct screen *screen;
    int keeper; // a pipe: at its end, the keeper restores; a byte first: it need not. -1: there is none
    struct control control;
    bool in_line; // what was read from `input` ends within one
};

#define RELAY_NONE                                                                                                     \
    ((struct relay){.handover.fd = -1,                                                                                 \
                    .theirs = -1,                                                                                      \
                    .master = -1,                                                                                      \
                    .input = -1,                                                                                       \
                    .output = -1,                                                                                      \
                    .in.from.fd = -1,                                                                                  \
                    .out.from.fd = -1,                                                                                 \
                    .keeper = -1})

enum terminal_wish { TERMINAL_WHERE_THERE_IS_ONE, TERMINAL_ALWAYS, TERMINAL_NEVER };

// A descriptor of our own for the terminal that `fd` is: not blocking, which is nobody else's affair then. Where it
// can't be opened again (it belongs to another user, as after su), the caller's, which a stopped terminal blocks.
int relay_open(int fd, int flags);

// Looks at the standard descriptors. Where the command is to have a terminal, it is to stand for those that stands_for
// says. Where standard input is none, nothing is read from the caller's and it is never raw. Nothing is done to the
// caller's yet. Returns 0, or -1 and the failure.
int relay_begin(struct relay *, enum terminal_wish, const bool is_terminal[3], bool stands_for[3], struct failure *);

// To the loop; relays when the command's terminal comes. `left`: of what the command may still write; NULL: no limit.
// 0, or -1 and errno.
int relay_add(struct supervisor *, struct relay *, uint64_t *left);

void relay_resize(struct relay *);                    // the caller's terminal has another size
void relay_take(struct supervisor *, struct relay *); // sbxrun is in the foreground (again): the terminal is made raw
void relay_give_back(struct supervisor *, struct relay *); // it is about to stop

// The terminal is what it was. Can be called at any time, and more than once.
void relay_end(struct relay *);
