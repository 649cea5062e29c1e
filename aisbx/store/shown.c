// Text of strangers.
#include "aisbx/store/shown.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *shown(const char *text)
{
    static char buffers[4][4 * PATH_MAX + 1];
    static unsigned turn;
    char *to = buffers[turn++ % 4], *at = to;
    for (const unsigned char *c = (const unsigned char *)text; *c && at < to + 4 * PATH_MAX - 16;) {
        int more = *c < 0x80 ? 0 : *c >= 0xC2 && *c < 0xE0 ? 1 : *c >= 0xE0 && *c < 0xF0 ? 2 : *c >= 0xF0 ? 3 : -1;
        int come = 0;
        while (come < more && (c[1 + come] & 0xC0) == 0x80)
            come++;
        bool plain = more >= 0 && come == more && *c >= 0x20 && *c != 0x7F && !(*c == 0xC2 && c[1] < 0xA0) &&
                     !(*c == 0xE2 && (c[1] == 0x80 || c[1] == 0x81)); // C1; marks of direction and of lines
        if (plain) {
            memcpy(at, c, (size_t)more + 1);
            at += more + 1;
            c += more + 1;
        } else {
            at += sprintf(at, "\\x%02x", *c++);
        }
    }
    *at = '\0';
    return to;
}
