// `sbxc --lsp`.
#include <unistd.h>

#include "compiler/actions/actions.h"
#include "compiler/lsp/lsp.h"

int serve_editor(const struct options *options, char **files)
{
    (void)files;
    return lsp_serve(STDIN_FILENO, STDOUT_FILENO, &options->driver);
}
