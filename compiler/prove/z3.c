// Z3, loaded by name.
#include "compiler/prove/z3.h"

#include <dlfcn.h>
#include <string.h>

_Bool z3_load(struct z3 *z3, const char **why)
{
    void *library = dlopen("libz3.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        *why = "libz3.so.4 can't be loaded: install libz3-4";
        return 0;
    }
#define F(name)                                                                                                        \
    {                                                                                                                  \
        void *address = dlsym(library, "Z3_" #name);                                                                   \
        if (!address) {                                                                                                \
            *why = "libz3.so.4 lacks Z3_" #name;                                                                       \
            return 0;                                                                                                  \
        }                                                                                                              \
        memcpy(&z3->name, &address, sizeof address);                                                                   \
    }
    Z3_FUNCTIONS(F)
#undef F
    return 1;
}
