// Text of strangers.
#include "aisbx/store/shown.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lang/source.h"

const char *shown(const char *text)
{
    static char buffers[4][4 * PATH_MAX + 1];
    static unsigned turn;
    char *to = buffers[turn++ % 4], *end = to;
    struct str all = str_from(text);
    for (uint32_t i = 0, length; i < all.length && end < to + 4 * PATH_MAX - 16; i += length) {
        bool seen;
        length = text_character(all, i, &seen);
        for (uint32_t k = 0; k < length; k++)
            end += sprintf(end, seen ? "%c" : "\\x%02x", (unsigned char)text[i + k]);
    }
    *end = '\0';
    return to;
}
