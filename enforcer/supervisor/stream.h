// Streams: bytes from one descriptor to another, as sources of the supervisor's loop, without ever waiting for either.
#pragma once

#include "enforcer/supervisor/loop.h"

struct stream {
    struct watch from, to;                               // `from` is closed at its end; -1: there is nothing to do
    uint64_t *left;                                      // how much more may come, and the run is ended; NULL: no limit
    bool is_output;                                      // of the command's: the loop goes on until its end
    bool never_blocks;                                   // neither descriptor does
    void (*passes)(struct stream *, size_t length);      // what is in `data`, before it goes on; NULL: nobody looks
    void (*ended)(struct supervisor *, struct stream *); // `from` has no more; NULL: nobody asks
    void *context;                                       // of both
    bool waits_from, waits_to;                           // a regular file is always ready and can't be waited for
    size_t used, sent;
    char data[4096]; // at most what a ready pipe takes without blocking
};

// Begins one that is filled in down to `context`. 0, or -1 and errno.
int stream_add(struct supervisor *, struct stream *);
void stream_end(struct supervisor *, struct stream *);

void stream_pause(struct supervisor *, struct stream *); // until stream_resume it waits for nothing
void stream_resume(struct supervisor *, struct stream *);
