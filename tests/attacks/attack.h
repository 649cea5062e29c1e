// Programs that try to get out, one function a row of tests/attacks/rows.tsv. Each is tried inside a sandbox and
// outside of it.
#pragma once

#include <errno.h>
#include <stddef.h>

// A try: 0 when it got what it wanted, else the errno that it was refused with. `arguments` are those of the command
// line.
typedef int attack(char **arguments);

struct attack_row {
    const char *name;
    attack *try;
};
extern const struct attack_row kernel_attacks[], file_attacks[], process_attacks[], network_attacks[]; // end with NULL

static inline int result_of(long value) // of a system call
{
    return value < 0 ? errno : 0;
}
