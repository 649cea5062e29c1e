// The texts that an editor has open, and what is known of each.
#pragma once

#include "compiler/front/driver.h"
#include "lang/names.h"
#include "lang/parse.h"

struct analysis {                    // of one text, as it was when this was made
    struct compilation *compilation; // its own; owns all of this
    struct module *module;           // never NULL
    const struct source *source;
    struct policy **policies; // what each policy of the module means, in their order; NULL where that can't be said
    struct names *names;
    struct token_list *tokens; // made when asked for
};

struct document {
    struct arena *arena; // its own
    struct str uri, text;
    struct str path;           // resolved where that is possible; empty for what is no file
    struct str version;        // as the client counts, in JSON
    bool is_stale;             // findings are to be published
    struct analysis *analysis; // NULL: to be made
    struct document *next;
};

struct documents {
    struct document *first;
    const struct driver_options *options;
};

struct document *documents_find(const struct documents *, struct str uri); // NULL when it is not open
struct document *documents_open(struct documents *, struct str uri, struct str text, struct str version);
void documents_close(struct documents *, struct document *);

// Gives a document another text. All that depend on it are stale from then on; without a document: all.
void document_set(struct documents *, struct document *, struct str text, struct str version);
void documents_changed(struct documents *, const struct document *);

const struct analysis *document_analysis(struct documents *, struct document *);
const struct token_list *analysis_tokens(const struct analysis *);

// A compilation that reads what is open instead of the files; the texts are copied into its arena.
struct compilation *documents_compilation(const struct documents *);

// `text` with what stands between two positions replaced.
struct str text_replaced(struct arena *, struct str text, struct position from, struct position to, struct str with);

struct str uri_path(struct arena *, struct str uri); // of a `file:` URI (RFC 8089); empty for others
struct str uri_of(struct arena *, struct str path);
