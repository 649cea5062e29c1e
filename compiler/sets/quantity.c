// Quantities as the language writes them.
#include "compiler/sets/quantity.h"

#include <inttypes.h>

struct str size_text(struct arena *arena, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    int unit = 0;
    for (; unit < 3 && bytes && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    return str_format(arena, "%" PRIu64 "%s", bytes, units[unit]);
}

struct str limit_text(struct arena *arena, enum limit limit, uint64_t value)
{
    return quantity_text(arena, limit_types[limit], value);
}

struct str quantity_text(struct arena *arena, enum type type, uint64_t value)
{
    switch (type) {
    case TYPE_SIZE: return size_text(arena, value);
    case TYPE_DURATION:
        return str_format(arena, value % 1000 ? "%" PRIu64 "ms" : "%" PRIu64 "s", value % 1000 ? value : value / 1000);
    case TYPE_DECIMAL: {
        struct text text = {.arena = arena};
        text_addf(&text, "%" PRIu64, value / 1000);
        if (value % 1000)
            text_addf(&text, ".%03" PRIu64, value % 1000);
        while (value % 1000 && text.data[text.length - 1] == '0')
            text.length--;
        return text_str(&text);
    }
    default: return str_format(arena, "%" PRIu64, value);
    }
}
