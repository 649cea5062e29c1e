// The inside: the first process of the sandbox, which builds it and then reaps, and the command's, which locks itself
// in.
//
// Everything here runs between clone and exec: no allocation, no locks, no streams.
#pragma once

#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>

#include "enforcer/host/identity.h"
#include "enforcer/host/standard.h"
#include "enforcer/inside/loopback.h"
#include "enforcer/inside/probe.h"
#include "enforcer/inside/terminal.h"
#include "enforcer/inside/user_counts.h"
#include "enforcer/limits/limits.h"
#include "enforcer/view/view.h"

struct board { // shared between supervisor, init and the command until its exec
    struct failure failure;
    bool failed;
    bool started;       // init has made the command's process
    bool refused;       // which gave up before its exec: the command never ran
    bool lifetime_over; // init ended it
    int exec_error;     // errno of execve
    bool command_ended;
    int command_status; // as waitpid(2) gives it
    uint64_t ready;     // monotonic nanoseconds, just before exec
    int listener; // of the command's filter, in the table of descriptors that it shares with init until its exec; -1
    int untold;   // the errno, where there could be none
};

struct sandbox { // all that the inside needs; it lies where both sides see it, and the supervisor fills it in before it
                 // says go
    const struct plan *plan;
    const struct bounds *bounds;
    const struct loopback *loopback;
    const struct user_counts *user_counts; // NULL: none are set
    char *const *argv, *const *environment;
    const struct handed *handed; // descriptors besides the standard ones; NULL: none
    const struct probes *probes; // tried in place of the command; NULL: the command runs
    bool landlock;               // there is one
    bool asks_patiently;         // no signal interrupts a call that the supervisor answers
    bool hands_network;          // the supervisor makes sockets in its network (routes.h)
    bool must_ask;               // the filter needs its listener: more than telling hangs on it
    struct view *view;
    const struct identity *identity;
    struct sock_fprog filter, asking; // the second has a listener; of length 0: there is to be none
    struct board board;
    int lifeline;    // a socket of packets: a byte comes when the supervisor has done its part, end of file when it is
                     // gone; what the supervisor needs goes the other way (calls.h)
    bool opens_view; // the inside opens the host's files, as an ordinary user's
    int output[2];   // write ends that may become standard output and standard error
    int input;       // with them, a read end that becomes standard input; -1
    bool piped[3];   // which of standard input, output and error do
    struct terminal terminal; // of the command's own
    int changes;              // a socket that the folders of overlays are sent over (differs.h); -1
    const int *given; // descriptors that the command has as 0, 1, …: it is the first process itself then, and nothing
                      // else is in the sandbox; NULL: the three standard ones, beneath a first process that reaps
    int given_count;
    bool marks; // it marks for an overlay what is gone, by devices of number 0:0 (Landlock knows no numbers)
    sigset_t caller_mask;   // the command's signal mask
    cpu_set_t processors;   // that the command may run on
    struct disk_use *disks; // by the plan's place of the view
};

enum { GIVEN_MOST = 16 };

_Noreturn void sandbox_main(struct sandbox *);

enum {
    SANDBOX_NAMESPACES = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
}; // made inside; user and pid are by clone

// Tells init to pass a signal on. `group`: to the command's whole group, as a terminal does.
int sandbox_signal(int init, int signal, bool group);
