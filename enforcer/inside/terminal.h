// The command's own terminal: a pseudo terminal of the sandbox's (pty(7)), which controls its session.
//
// Its other end goes to the supervisor, which relays it (enforcer/supervisor/relay.h). What is done to it inside,
// typing into it too, concerns nobody outside.
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include "enforcer/host/failure.h"

struct terminal {       // filled in by the supervisor, before the sandbox begins
    bool wanted;        // the command gets one
    bool stands_for[3]; // standard input, output and error become it
    bool has_modes;     // `modes` are those that it begins with; else the kernel's own
    struct termios modes;
    struct winsize size;
    int handover; // a socket that its other end goes over (handover.h); -1
};

// Makes it in the view that this process has entered, or beside it where no place of the plan is a /dev; takes the
// place of the standard descriptors that it stands for, and hands its other end over. Returns 0, or -1 and the failure.
int terminal_make(const struct terminal *, const struct plan *, struct failure *);

// In the process of the command, which leads a session: the terminal controls it. Returns 0, or -1 and the failure.
int terminal_control(const struct terminal *, struct failure *);
