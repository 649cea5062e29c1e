// One system call that waits for the supervisor's answer (seccomp_unotify(2)).
//
// What lies in the caller's memory may change at any moment, and so may what its descriptors mean. So memory is read
// once, into a copy, and a descriptor is taken once, as a descriptor of ours; nothing is looked at a second time, and
// no call that is decided here is let through to the kernel.
#pragma once

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { NOTIFIED_KEPT = 16 };

struct notified_caller { // a thread that makes calls
    int thread;          // its number here
    int process;         // a pidfd; -1: not opened
    int table;  // its table of descriptors: the folder fd of proc(5), or fdinfo where that is closed; -1: not opened
    bool again; // it has called before, and so may once more
    int about[NOTIFIED_KEPT]; // what the kernel tells of its first descriptors: the files of fdinfo in proc(5), each +
                              // 1; 0: not opened
};

struct notified_source {
    int listener;                // of the filter
    struct notified_caller last; // whose call was released last: most often the next one's too, and to open these again
                                 // takes 10 microseconds
};

struct notified {
    uint64_t id;
    struct notified_source *source;
    struct notified_caller caller; // owned
    bool stands_for_number;        // the process: while it is there, the thread's number is nobody else's
    int number;                    // of the system call
    uint32_t architecture;         // as audit(7) numbers them
    uint64_t arguments[6];
};

#define NOTIFIED_NOBODY                                                                                                \
    {                                                                                                                  \
        .process = -1, .table = -1                                                                                     \
    }

// Takes the next call that waits, when poll says that one does: else Linux before 6.6 would wait for one. 1; 0 when
// there is none (it was interrupted meanwhile); -1 when the sandbox is over. Release what it gives, or move it on.
int notified_next(struct notified_source *, struct notified *);
void notified_release(struct notified *);
void notified_park(struct notified *);            // it may wait long: keeps no descriptors but the caller's process
struct notified notified_move(struct notified *); // the same call, and nothing to release where it was
void notified_end(struct notified_source *);      // closes all that the source has

bool notified_waits(const struct notified *); // false once it was interrupted or its thread is dead

// Copies from the caller's memory. Returns how much could be read, or -errno.
long notified_read(const struct notified *, uint64_t address, void *to, size_t length);
long notified_gather(const struct notified *, const struct iovec *theirs, int count, void *to,
                     size_t length); // of several places
long notified_write(const struct notified *, uint64_t address, const void *from, size_t length);

long notified_status(int thread, const char *field,
                     int base); // a number of proc(5)'s status, as "Umask"; -1: it has none

// A descriptor of ours for what the caller's descriptor is. -errno when it is none. Where a caller is known from its
// last call, this is what finds out whether it still is that one, so it comes before anything else is asked of its
// descriptors.
int notified_take(struct notified *, int fd);

// The folder of the caller's descriptors, from its beginning; the caller's own, not to be closed. -1 and errno.
int notified_table(struct notified *);

// What the kernel tells of the caller's descriptor (proc(5), fdinfo), ended by a zero. How much it is, or -1 when there
// is no such descriptor. Of a thread that calls again the files stay open: then this takes a sixth of the time.
long notified_about(struct notified *, int fd, char *text, size_t size);

// Puts ours in the place of the caller's descriptor `at`. 0, or -errno.
int notified_place(const struct notified *, int ours, int at, bool close_on_exec);

// Answers it with a new descriptor of the caller's, which is ours. 0, or -errno: then it is not answered.
int notified_give(const struct notified *, int ours, bool close_on_exec);

// Lets the kernel go on with a call as it was made. Only where that decides nothing: its arguments in memory may be
// others by then.
void notified_continue(const struct notified *);

// Answers it: with `value`, or an error when that is not 0 (positive). False when nobody waits for it any more.
bool notified_answer(const struct notified *, int error, int64_t value);
