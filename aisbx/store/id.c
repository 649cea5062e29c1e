// Names of objects.
#include "aisbx/store/id.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

uint64_t now_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void id_new(const char *kind, char id[ID_SIZE])
{
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's
    static uint64_t last;
    static uint8_t random[10];
    uint64_t now = now_milliseconds();
    if (now <= last) { // also when the clock went back: one more than the last
        now = last;
        for (int i = sizeof random - 1; i >= 0 && ++random[i] == 0; i--)
            ;
    } else if (getrandom(random, sizeof random, 0) != sizeof random) {
        errx(2, "the kernel gives no random bytes");
    }
    last = now;
    size_t at = (size_t)snprintf(id, ID_SIZE - 26, "%s_", kind);
    for (int shift = 45; shift >= 0; shift -= 5)
        id[at++] = letters[now >> shift & 31];
    for (int bit = 0; bit < 80; bit += 5) {
        unsigned two = (unsigned)random[bit / 8] << 8 | (bit / 8 + 1 < 10 ? random[bit / 8 + 1] : 0);
        id[at++] = letters[two >> (11 - bit % 8) & 31];
    }
    id[at] = '\0';
}
