// `sbxc --explain CODE`: the page of a diagnostic.
#include "compiler/actions/actions.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *code, *text;
} pages[] = {
#include "pages.inc"
};

int explain(const struct options *options, char **files)
{
    (void)options;
    const char *asked = files[0];
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcasecmp(pages[i].code, asked) == 0 ||
            (asked[0] >= '0' && asked[0] <= '9' && atoi(pages[i].code + 3) == atoi(asked))) {
            fputs(pages[i].text, stdout);
            return STATUS_CLEAN;
        }
    return usage_error("--explain takes a code as findings show it, like SBX0421");
}
