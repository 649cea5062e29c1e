// What a run wrote: lines of JSON with the time and the stream of each piece, beneath logs/ while it runs, then a blob.
#pragma once

#include "aisbx/store/store.h"

struct log {
    int fd;
    char run[ID_SIZE];
    char rest[3][4]; // by stream: the beginning of a character whose other bytes have not come yet
    size_t rests[3];
    bool failed;
};

bool log_begin(struct log *, struct store *, const char *run); // false: said
void log_piece(struct log *, int stream, const char *data, size_t length);
// Ends it and keeps it ("": nothing was written). False and errno: some of it could not be written.
bool log_end(struct log *, struct store *, char digest[DIGEST_SIZE]);

// Writes what a run wrote so far to standard output and standard error; `json`: the lines themselves, to standard
// output. `follow`: until it has ended. False: said.
bool log_show(struct store *, const char *run, bool json, bool follow);
