// Diagnostics: what is wrong with a policy, where, and what to write instead.
//
// One record per finding; compiler/report/ prints it as text or JSON. The table of codes is lang/diagnostics.def.
#pragma once

#include "lang/source.h"

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

enum code {
#define DIAGNOSTIC(number, severity, title) SBX##number,
#include "lang/diagnostics.def"
#undef DIAGNOSTIC
    CODE_COUNT
};

struct label {
    struct span span;
    struct str text; // may be empty
    struct label *next;
};

struct fix { // replace what stands there; of no length: insert
    struct span span;
    struct str text;
    struct fix *next; // all of them belong together
};

struct diagnostic {
    enum code code;
    enum severity severity;
    struct str message; // the title, filled in
    struct span span;   // the primary place
    struct str label;   // what to say under it
    struct label *others;
    struct str help; // may be empty
    struct fix *fixes;
    bool fix_is_certain; // it says what was meant, or keeps the meaning: `--fix` applies it; else it is only offered
    struct diagnostic *next;
};

// "SBX0421".
const char *diagnostic_code(enum code);

struct diagnostics {
    struct arena *arena;
    struct diagnostic *first, **last;
    unsigned errors, warnings;
    bool full; // more errors, or more warnings, than DIAGNOSTICS_MOST were found; the rest is not kept
};

enum { DIAGNOSTICS_MOST = 200 };

void diagnostics_init(struct diagnostics *, struct arena *);

// Records a finding; the format is the title's in diagnostics.def. Never NULL: past the limit a record that nobody
// prints is returned.
struct diagnostic *diagnose(struct diagnostics *, enum code, struct span, ...);
void diagnostic_label(struct diagnostics *, struct diagnostic *, struct span, const char *format, ...)
    __attribute__((format(printf, 4, 5))); // the primary place when it has the primary span, else another
// A label that says "did you mean `<sigil>name`?" where a name is near, which is offered as a fix; else what the format
// says.
void diagnostic_suggest(struct diagnostics *, struct diagnostic *, struct span, const char *sigil,
                        const struct nearest *, const char *format, ...) __attribute__((format(printf, 6, 7)));
// Begins to look for the name that was meant; once as many errors are known as are kept, looks for none.
struct nearest diagnostics_nearest(const struct diagnostics *, struct str wrong);
// What to write instead. `certain` as above; the last call decides.
void diagnostic_fix(struct diagnostics *, struct diagnostic *, bool certain, struct span, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void diagnostic_help(struct diagnostics *, struct diagnostic *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The fixes in a source that are certain, in the order of their places; of two that overlap the first. Ends with NULL,
// in the arena.
const struct fix **diagnostics_certain_fixes(const struct diagnostics *, uint32_t source);
