// Names of objects: a kind and a ULID (github.com/ulid/spec), which sorts by time, in small letters: "run_01jd…".
#pragma once

#include <stdint.h>

enum { ID_SIZE = 5 + 26 + 1 }; // with its kind and NUL

// A new one of a kind ("run", "snap", "prom"). Of one process each is greater than the one before. Ends the process
// where the kernel gives no random bytes.
void id_new(const char *kind, char id[ID_SIZE]);

uint64_t now_milliseconds(void); // since 1970, as clocks of the host say
