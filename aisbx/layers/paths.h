// Lists that are sorted by paths.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// The order of paths: bytes, but for '/', which comes before all, so that what is in a folder follows it at once.
int paths_order(const char *a, const char *b);

// Where one of that path is in a list, or would be; `at`: the path of an entry.
size_t path_slot(const void *list, size_t count, const char *(*at)(const void *list, size_t index), const char *path,
                 bool *there);
