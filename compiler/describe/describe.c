// What Linux's names mean, from the tables' own words.
#include "compiler/describe/describe.h"

static const char *const summaries[] = {
#include "summaries.inc"
};

const char *describe_call(size_t call)
{
    return summaries[call];
}

const char *describe_limit(enum limit limit)
{
    static const char *const help[] = {
#define LIMIT(name, type, least, most, text) text,
#include "lang/data/limits.def"
#undef LIMIT
    };
    return help[limit];
}

const char *describe_argument_type(enum argument_type type)
{
    switch (type) {
    case ARGUMENT_S32: return "32 bits, signed";
    case ARGUMENT_U32: return "32 bits";
    case ARGUMENT_S64: return "64 bits, signed";
    case ARGUMENT_U64: return "64 bits";
    case ARGUMENT_U16: return "16 bits";
    case ARGUMENT_PTR: return "an address, of which only `== 0` can be asked";
    case ARGUMENT_MASK16: return "16 bits, each for itself: compare with `& MASK ==`";
    case ARGUMENT_MASK32: return "32 bits, each for itself: compare with `& MASK ==`";
    case ARGUMENT_MASK64: return "64 bits, each for itself: compare with `& MASK ==`";
    case ARGUMENT_ENUM32: return "32 bits, one of several names";
    case ARGUMENT_ENUM64: return "64 bits, one of several names";
    }
    return "";
}
