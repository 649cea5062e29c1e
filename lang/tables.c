// Linux's names and numbers, as data.
#include "lang/tables.h"

#include <stdio.h>
#include <string.h>

#include "tables.inc"

#define COUNT(array) (sizeof(array) / sizeof *(array))

size_t syscall_count(void)
{
    return COUNT(syscall_rows);
}

const struct syscall_row *syscall_row(size_t index)
{
    return &syscall_rows[index];
}

static int compare_name(const char *row, struct str name)
{
    int order = strncmp(row, name.text, name.length);
    return order ? order : row[name.length] != '\0';
}

int syscall_find(struct str name)
{
    size_t low = 0, high = COUNT(syscall_rows);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(syscall_rows[middle].name, name);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

bool syscall_is_foreign(struct str name)
{
    for (size_t i = 0; i < COUNT(foreign_calls); i++)
        if (str_is(name, foreign_calls[i]))
            return true;
    return false;
}

int syscall_by_number(enum arch arch, unsigned number)
{
    for (size_t i = 0; i < COUNT(syscall_rows) && number <= INT16_MAX;
         i++) // beyond lies -1, which stands for no number
        if (syscall_rows[i].number[arch] == (int)number)
            return (int)i;
    return -1;
}

unsigned syscall_numbers_end(enum arch arch)
{
    int last = 0;
    for (size_t i = 0; i < COUNT(syscall_rows); i++)
        if (syscall_rows[i].number[arch] > last)
            last = syscall_rows[i].number[arch];
    return (unsigned)last + 1;
}

int syscall_argument(const struct syscall_row *row, struct str name)
{
    for (int i = 0; i < row->argument_count; i++)
        if (str_is(name, row->arguments[i].name))
            return i;
    return -1;
}

unsigned argument_bits(enum argument_type type)
{
    switch (type) {
    case ARGUMENT_U16:
    case ARGUMENT_MASK16: return 16;
    case ARGUMENT_S32:
    case ARGUMENT_U32:
    case ARGUMENT_MASK32:
    case ARGUMENT_ENUM32: return 32;
    default: return 64;
    }
}

bool argument_is_signed(enum argument_type type)
{
    return type == ARGUMENT_S32 || type == ARGUMENT_S64;
}

bool argument_is_ordered(enum argument_type type)
{
    return type == ARGUMENT_S32 || type == ARGUMENT_U32 || type == ARGUMENT_S64 || type == ARGUMENT_U64 ||
           type == ARGUMENT_U16;
}

bool argument_is_pointer(enum argument_type type)
{
    return type == ARGUMENT_PTR;
}

const struct constant_row *constant_find(struct str name)
{
    size_t low = 0, high = COUNT(constant_rows);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_name(constant_rows[middle].name, name);
        if (order == 0)
            return &constant_rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct constant_row *constant_row(size_t index)
{
    return index < COUNT(constant_rows) ? &constant_rows[index] : NULL;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

const char *constant_name_of(const char *prefix, const char *other_than, int64_t value, enum arch arch)
{
    for (size_t i = 0; i < COUNT(constant_rows); i++)
        if ((constant_rows[i].architectures & 1u << arch) && constant_rows[i].value[arch] == value &&
            has_prefix(constant_rows[i].name, prefix) && !(other_than && has_prefix(constant_rows[i].name, other_than)))
            return constant_rows[i].name;
    return NULL;
}

int errno_find(struct str name)
{
    int number = 0;
    for (size_t i = 0; i < name.length && name.text[i] >= '0' && name.text[i] <= '9' && number <= ERRNO_MOST; i++)
        if ((number = 10 * number + name.text[i] - '0') && i + 1 == name.length && number <= ERRNO_MOST)
            return number;
    if (name.length < 2 || name.text[0] != 'E')
        return -1;
    const struct constant_row *row = constant_find(name);
    return row && row->value[0] > 0 && row->value[0] < 4096 && memchr(name.text, '_', name.length) == NULL
               ? (int)row->value[0]
               : -1;
}

const char *errno_name(int number)
{
    static const char *const synonyms[] = {"EWOULDBLOCK", "EDEADLOCK"};
    for (size_t i = 0; i < COUNT(constant_rows); i++) {
        const char *name = constant_rows[i].name;
        if (name[0] == 'E' && constant_rows[i].value[0] == number && errno_find(str_from(name)) == number &&
            strcmp(name, synonyms[0]) != 0 && strcmp(name, synonyms[1]) != 0)
            return name;
    }
    static char digits[ERRNO_MOST + 1][sizeof "4095"];
    if (number < 1 || number > ERRNO_MOST)
        return NULL;
    snprintf(digits[number], sizeof digits[number], "%u", (unsigned)number % (ERRNO_MOST + 1));
    return digits[number];
}

int capability_find(struct str name)
{
    if (!str_starts(name, STR("CAP_")))
        return -1;
    const struct constant_row *row = constant_find(name);
    return row && row->value[0] >= 0 && row->value[0] < 64 ? (int)row->value[0] : -1;
}

const char *const limit_names[LIMIT_COUNT] = {
#define LIMIT(name, type, least, most, help) #name,
#include "lang/data/limits.def"
#undef LIMIT
};

const enum type limit_types[LIMIT_COUNT] = {
#define LIMIT(name, type, least, most, help) TYPE_##type,
#include "lang/data/limits.def"
#undef LIMIT
};

const struct range limit_ranges[LIMIT_COUNT] = {
#define LIMIT(name, type, least, most, help) {least, most},
#include "lang/data/limits.def"
#undef LIMIT
};

const struct range place_sizes = {1, INT64_MAX}; // the kernel takes 0 for no limit (tmpfs(5))

static int index_of(struct str name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (str_is(name, names[i]))
            return i;
    return -1;
}

int limit_find(struct str name)
{
    return index_of(name, limit_names, LIMIT_COUNT);
}

const char *const sandbox_file_names[SANDBOX_FILE_COUNT] = {
#define SANDBOX_FILE(name, says) #name,
#include "lang/data/sandbox.def"
#undef SANDBOX_FILE
};

const char *const sandbox_file_meanings[SANDBOX_FILE_COUNT] = {
#define SANDBOX_FILE(name, says) says,
#include "lang/data/sandbox.def"
#undef SANDBOX_FILE
};

int sandbox_file_find(struct str name)
{
    return index_of(name, sandbox_file_names, SANDBOX_FILE_COUNT);
}

const char *const feature_names[FEATURE_COUNT] = {
#define FEATURE(name, version) #name,
#include "lang/data/features.def"
#undef FEATURE
};

const char *const feature_versions[FEATURE_COUNT] = {
#define FEATURE(name, version) version,
#include "lang/data/features.def"
#undef FEATURE
};

int feature_find(struct str name)
{
    return index_of(name, feature_names, FEATURE_COUNT);
}

const char *const arch_names[ARCH_COUNT] = {"x86_64", "aarch64"};
const uint32_t arch_audit[ARCH_COUNT] = {0xC000003E, 0xC00000B7};

int arch_from_name(struct str name)
{
    return index_of(name, arch_names, ARCH_COUNT);
}

static const char *const type_names[] = {"",       "path", "size", "duration", "int",     "bool",
                                         "string", "host", "cidr", "port",     "endpoint"};

enum type type_from_name(struct str name)
{
    int index = name.length ? index_of(name, type_names, (int)COUNT(type_names)) : -1;
    return index > 0 ? (enum type)index : TYPE_NONE;
}

const char *type_name(enum type type)
{
    return type == TYPE_DECIMAL ? "number of cores" : type_names[type];
}
