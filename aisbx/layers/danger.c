// Files that the host would run or obey.
#include "aisbx/layers/danger.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *pattern, *who;
} dangers[] = {
#define DANGER(pattern, who) {pattern, who},
#include "aisbx/data/danger.def"
#undef DANGER
};

// Names are taken as they are on hosts that tell no case apart, too.
enum { HOW = FNM_PATHNAME | FNM_CASEFOLD | FNM_NOESCAPE };

static bool matches(const char *pattern, const char *path)
{
    if (strchr(pattern, '/'))
        return fnmatch(pattern, path, HOW | FNM_LEADING_DIR) == 0;
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (fnmatch(pattern, part, HOW | FNM_LEADING_DIR) == 0)
            return true;
    return false;
}

const char *danger_of(const char *path)
{
    for (size_t i = 0; i < sizeof dangers / sizeof *dangers; i++)
        if (matches(dangers[i].pattern, path))
            return dangers[i].who;
    return NULL;
}
