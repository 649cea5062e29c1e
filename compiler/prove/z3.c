// Z3, loaded by name, and asked.
#include "compiler/prove/z3.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static bool load(struct z3 *z3, const char **why)
{
    void *library = dlopen("libz3.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        *why = "libz3.so.4 can't be loaded: install libz3-4";
        return false;
    }
#define F(name)                                                                                                        \
    {                                                                                                                  \
        void *address = dlsym(library, "Z3_" #name);                                                                   \
        if (!address) {                                                                                                \
            *why = "libz3.so.4 lacks Z3_" #name;                                                                       \
            return false;                                                                                              \
        }                                                                                                              \
        memcpy(&z3->name, &address, sizeof address);                                                                   \
    }
    Z3_FUNCTIONS(F)
#undef F
    return true;
}

static void note_failure(Z3_context context, Z3_error_code code)
{
    (void)context, (void)code; // what failed is NULL, and the last call's code is asked for
}

static bool open(struct z3 *z3, const char **why)
{
    if (!load(z3, why))
        return false;
    z3->global_param_set("memory_max_size", "4096"); // MiB; beyond it, a failure
    Z3_config config = z3->mk_config();
    z3->context = z3->mk_context(config);
    z3->del_config(config);
    if (!z3->context) {
        *why = "Z3 has no memory";
        return false;
    }
    z3->set_error_handler(z3->context, note_failure);
    z3->word = z3->mk_bv_sort(z3->context, 32);
    z3->solver = z3->mk_solver_for_logic(z3->context, z3->mk_string_symbol(z3->context, "QF_BV"));
    z3->solver_inc_ref(z3->context, z3->solver);
    return true;
}

void z3_close(struct z3 *z3)
{
    if (z3->context) {
        z3->solver_dec_ref(z3->context, z3->solver);
        z3->del_context(z3->context);
    }
    free(z3->never);
    *z3 = (struct z3){0};
}

// All formulas live as long as their context, at kilobytes for each comparison.
enum { WEIGHT_MOST = 50000 };

bool z3_ready(struct z3 *z3, size_t weight, const char **why)
{
    if (z3->weight + weight > WEIGHT_MOST)
        z3_close(z3);
    z3->weight += weight;
    return z3->context || open(z3, why);
}

Z3_ast z3_word(struct z3 *z3, uint32_t value)
{
    return z3->mk_unsigned_int64(z3->context, value, z3->word);
}

Z3_ast z3_both(struct z3 *z3, Z3_ast a, Z3_ast b)
{
    return z3->mk_and(z3->context, 2, (Z3_ast[]){a, b});
}

Z3_ast z3_either(struct z3 *z3, Z3_ast a, Z3_ast b)
{
    return z3->mk_or(z3->context, 2, (Z3_ast[]){a, b});
}

Z3_ast z3_not(struct z3 *z3, Z3_ast a)
{
    return z3->mk_not(z3->context, a);
}

static void give(struct z3 *z3, unsigned seconds)
{
    if (seconds == z3->seconds)
        return;
    Z3_params params = z3->mk_params(z3->context);
    z3->params_inc_ref(z3->context, params);
    z3->params_set_uint(z3->context, params, z3->mk_string_symbol(z3->context, "timeout"), seconds * 1000);
    z3->solver_set_params(z3->context, z3->solver, params);
    z3->params_dec_ref(z3->context, params);
    z3->seconds = seconds;
}

static Z3_lbool ask(struct z3 *z3, Z3_model *model, const char **why)
{
    Z3_lbool found = z3->get_error_code(z3->context) == Z3_OK ? z3->solver_check(z3->context, z3->solver) : Z3_L_UNDEF;
    Z3_error_code error = z3->get_error_code(z3->context);
    if (error != Z3_OK) {
        *why = z3->get_error_msg(z3->context, error);
        return Z3_L_UNDEF;
    }
    if (found == Z3_L_TRUE) {
        *model = z3->solver_get_model(z3->context, z3->solver);
        z3->model_inc_ref(z3->context, *model);
    } else if (found == Z3_L_UNDEF) {
        *why = z3->solver_get_reason_unknown(z3->context, z3->solver);
        if (strcmp(*why, "timeout") == 0 || strcmp(*why, "canceled") == 0)
            *why = Z3_LATE;
    }
    return found;
}

static void remember(struct z3 *z3, Z3_ast formula)
{
    if (z3->never_count == z3->never_capacity) {
        size_t capacity = 2 * z3->never_capacity + 64;
        Z3_ast *never = realloc(z3->never, capacity * sizeof *never);
        if (!never)
            return;
        z3->never = never;
        z3->never_capacity = capacity;
    }
    z3->never[z3->never_count++] = formula;
}

Z3_lbool z3_find(struct z3 *z3, Z3_ast formula, unsigned seconds, Z3_model *model, const char **why)
{
    for (size_t i = 0; i < z3->never_count; i++) // a formula exists once and is not freed, so this is it
        if (z3->never[i] == formula)
            return Z3_L_FALSE;
    give(z3, seconds);
    // Z3 keeps what it made of earlier formulas, and nothing that they say; without, each costs it megabytes.
    z3->solver_push(z3->context, z3->solver);
    z3->solver_assert(z3->context, z3->solver, formula);
    Z3_lbool found = ask(z3, model, why);
    z3->solver_pop(z3->context, z3->solver, 1);
    if (found == Z3_L_FALSE)
        remember(z3, formula);
    return found;
}

uint64_t z3_value(struct z3 *z3, Z3_model model, Z3_ast ast)
{
    Z3_ast value = NULL;
    uint64_t number = 0;
    if (z3->model_eval(z3->context, model, ast, true, &value))
        z3->get_numeral_uint64(z3->context, value, &number);
    return number;
}
