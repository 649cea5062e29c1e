// Ownership in the text of a function: a `closing_fd` closes itself, `take_fd` hands it over.
#pragma once

#include <unistd.h>

static inline void close_scoped(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define closing_fd __attribute__((cleanup(close_scoped)))

#define take_fd(fd)                                                                                                    \
    ({                                                                                                                 \
        int taken_ = (fd);                                                                                             \
        (fd) = -1;                                                                                                     \
        taken_;                                                                                                        \
    })
