// Linux's names and numbers, as data: system calls and their arguments, constants, limits, features, architectures,
// units.
//
// The rows come from lang/data/. Names that are not there are errors of the policy that uses them.
#pragma once

#include "lang/ast.h"

enum argument_type { // width and sign as the kernel compares them
    ARGUMENT_S32,
    ARGUMENT_U32,
    ARGUMENT_S64,
    ARGUMENT_U64,
    ARGUMENT_U16,
    ARGUMENT_PTR,
    ARGUMENT_MASK16,
    ARGUMENT_MASK32,
    ARGUMENT_MASK64,
    ARGUMENT_ENUM32,
    ARGUMENT_ENUM64,
};

enum { SYSCALL_ARGUMENTS = 6 };

struct syscall_row { // rows hold no pointers, so that loading the program relocates none
    char name[24];
    int16_t number[ARCH_COUNT]; // -1: not on that architecture
    uint8_t argument_count;
    struct {
        char name[20];
        uint8_t type; // enum argument_type
    } arguments[SYSCALL_ARGUMENTS];
};

struct constant_row {
    char name[48];
    int64_t value[ARCH_COUNT];
    uint8_t architectures; // bits of enum arch
};

size_t syscall_count(void);
const struct syscall_row *syscall_row(size_t index);
int syscall_find(struct str name);                 // index, or -1
bool syscall_is_foreign(struct str name);          // exists on architectures that this edition does not compile for
int syscall_by_number(enum arch, unsigned number); // index, or -1
unsigned syscall_numbers_end(enum arch);           // one more than the largest number the edition knows
int syscall_argument(const struct syscall_row *, struct str name); // position, or -1

unsigned argument_bits(enum argument_type); // 16, 32 or 64
bool argument_is_signed(enum argument_type);
bool argument_is_ordered(enum argument_type); // false for masks, enums and pointers: `<` means nothing there
bool argument_is_pointer(enum argument_type);

const struct constant_row *constant_find(struct str name); // NULL when unknown
const struct constant_row *constant_row(size_t index);     // NULL past the end
// The first with that value and prefix, and not with the prefix `other_than` (NULL: none); NULL when there is none.
const char *constant_name_of(const char *prefix, const char *other_than, int64_t value, enum arch);
enum { ERRNO_MOST = 4095 };           // what the kernel returns at most
int errno_find(struct str name);      // its number, or -1; one in digits is its own name
enum { CAPABILITY_COUNT = 41 };       // CAP_CHECKPOINT_RESTORE, 40, is the last of Linux 6.18
int capability_find(struct str name); // its number, or -1
const char *errno_name(int number);   // "EPERM"; its digits when it has no name; NULL when it is none

enum limit {
#define LIMIT(name, type, least, most, help) LIMIT_##name,
#include "lang/data/limits.def"
#undef LIMIT
    LIMIT_COUNT
};
extern const char *const limit_names[LIMIT_COUNT];
extern const enum type limit_types[LIMIT_COUNT];
struct range {
    uint64_t least, most;
};
extern const struct range limit_ranges[LIMIT_COUNT];
extern const struct range place_sizes; // bytes: of a tmpfs, and of what may differ in a copy-on-write folder
int limit_find(struct str name);       // enum limit, or -1

enum sandbox_file { // what `from sandbox` can be
#define SANDBOX_FILE(name, says) SANDBOX_FILE_##name,
#include "lang/data/sandbox.def"
#undef SANDBOX_FILE
    SANDBOX_FILE_COUNT
};
extern const char *const sandbox_file_names[SANDBOX_FILE_COUNT];
extern const char *const sandbox_file_meanings[SANDBOX_FILE_COUNT];
int sandbox_file_find(struct str name); // enum sandbox_file, or -1

enum feature {
#define FEATURE(name, version) FEATURE_##name,
#include "lang/data/features.def"
#undef FEATURE
    FEATURE_COUNT
};
extern const char *const feature_names[FEATURE_COUNT];
extern const char *const feature_versions[FEATURE_COUNT]; // what its version means, or NULL
int feature_find(struct str name);                        // enum feature, or -1

extern const char *const arch_names[ARCH_COUNT];
extern const uint32_t arch_audit[ARCH_COUNT]; // seccomp_data.arch; include/uapi/linux/audit.h
int arch_from_name(struct str);               // enum arch, or -1

#if defined __aarch64__ // the machine that this program is built for
#define ARCH_HERE ARCH_AARCH64
#else
#define ARCH_HERE ARCH_X86_64
#endif

enum type type_from_name(struct str); // TYPE_NONE when unknown
const char *type_name(enum type);
