// Parsing: what the generated scanner and parser share with the rest of lang/.
#pragma once

#include "lang/ast.h"
#include "lang/diagnostic.h"

struct token_list {
    struct span *spans;
    size_t count, capacity;
};

struct expected {       // what could stand at the end of a text that ends too early
    const char **names; // as the grammar calls them: "allow", "a name", "';'"
    size_t count;
};

enum parse_start { PARSE_MODULE, PARSE_OPERATION, PARSE_VALUE }; // a file; what `--why` asks; what -D gives

struct parse {
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct source *source;
    uint32_t offset;             // where the scanner stands
    struct span token, previous; // the last two tokens
    bool mends;                  // what is told is mended, too
    bool garbled;                // something that is no word stands right before the last
    uint32_t scanned, garbage;   // where the last word that the scanner gave ends, and what is no word
    uint32_t unclosed;           // the last line with a string that has no end, from 1
    struct diagnostic *row;      // of words in a row of this statement that lack a `,`; NULL: none
    unsigned row_length;         // how many they are
    struct diagnostic *bracket;  // of a `[` of this statement that is not closed; NULL: none
    uint32_t said;               // the line of the last place that can't stand there, from 1
    int braces, braces_before;   // how many are open, and were before the last token
    enum parse_start start;
    const char *example;    // how what is read is written, for who wrote something else; NULL for a module
    unsigned errors_before; // in the diagnostics, when this began
    bool started;
    struct token_list *tokens;   // every token, when someone wants them; NULL otherwise
    struct expected *expected;   // likewise
    struct module *module;       // result: a module,
    struct operation *operation; // an operation,
    struct expr *value;          // or a value
};

// Parses parse->source into parse->module, parse->operation or parse->value. Errors are recorded as diagnostics; what
// could be read is kept, so that the checker finds more of them in one run.
void parse_source(struct parse *);

// Where the words of a source stand and, unless NULL, what could go on at its end. True when it has no syntax errors;
// without a module, either way.
bool parse_tokens(struct arena *, const struct source *, struct token_list *, struct expected *);

// The parser's: the next token, or the end; counts braces, and keeps the token where a list is wanted.
void parse_note_token(struct parse *, struct span, bool at_end);

// The literals, from the scanner; each records what is wrong with it.
struct expr *literal_number(struct parse *, struct span, const char *text, size_t length);
struct expr *literal_address(struct parse *, struct span, const char *text, size_t length);
struct str literal_string(struct parse *, struct span, const char *text, size_t length); // with its quotes

// Whether a string that ends there has begun where another one lost its end: a word stands right behind it, and of the
// quotes of the line one is alone.
bool literal_is_torn(const struct source *, uint32_t end);

// Where a string ends that has no end: with its line, but for a comment and what closes the statement and its block.
uint32_t literal_unclosed(const struct source *, uint32_t start);
