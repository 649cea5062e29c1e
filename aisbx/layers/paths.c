// Lists that are sorted by paths.
#include "aisbx/layers/paths.h"

int paths_order(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    unsigned x = *a == '/' ? 1 : (unsigned char)*a, y = *b == '/' ? 1 : (unsigned char)*b;
    return (x > y) - (x < y);
}

size_t path_slot(const void *list, size_t count, const char *(*at)(const void *list, size_t index), const char *path,
                 bool *there)
{
    size_t low = 0, high = count;
    *there = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = paths_order(at(list, middle), path);
        *there |= order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
