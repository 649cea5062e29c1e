// The language server (`sbxc --lsp`): what editors ask about policies, by the Language Server Protocol 3.17.
//
// One thread, one loop: a message is answered before the next is read, findings are published when no message waits. A
// text is checked whole after each change, which takes a few milliseconds; what `--check` does besides, proving the
// filters, is not done here. Positions are lines and units of UTF-16, offsets are bytes; only document.h and source.h
// turn one into the other.
#pragma once

#include "compiler/front/driver.h"

// Serves on two descriptors until the client says `exit` or closes. Returns the exit status: 0 after a `shutdown`,
// else 1.
int lsp_serve(int in, int out, const struct driver_options *);

// One message, without its header: for tests, which send any text. Answers are written to `out`, with their headers.
struct server;
struct server *server_new(const struct driver_options *, struct text *out);
void server_free(struct server *);
void server_message(struct server *, struct str message);
bool server_has_ended(const struct server *);
bool server_was_shut_down(const struct server *);
// Checks one text that changed, and publishes its findings. False when none is left to do.
bool server_work(struct server *);
