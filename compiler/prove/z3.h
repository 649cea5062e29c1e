// Z3's C interface (z3.h), loaded when it is first needed: a command that proves nothing does not pay for it.
#pragma once

#include <z3.h>

#define Z3_FUNCTIONS(F)                                                                                                \
    F(mk_config)                                                                                                       \
    F(del_config)                                                                                                      \
    F(mk_context)                                                                                                      \
    F(del_context)                                                                                                     \
    F(set_error_handler)                                                                                               \
    F(get_error_code)                                                                                                  \
    F(get_error_msg)                                                                                                   \
    F(mk_bv_sort) F(mk_int_symbol) F(mk_string_symbol) F(mk_const) F(mk_unsigned_int64) F(mk_true) F(mk_false)         \
        F(mk_not) F(mk_or) F(mk_and) F(mk_eq) F(mk_ite) F(mk_bvand) F(mk_bvule) F(mk_extract) F(mk_params)             \
            F(params_inc_ref) F(params_dec_ref) F(params_set_uint) F(mk_solver_for_logic) F(solver_inc_ref)            \
                F(solver_dec_ref) F(solver_set_params) F(solver_assert) F(solver_check) F(solver_get_model)            \
                    F(solver_get_reason_unknown) F(model_inc_ref) F(model_dec_ref) F(model_eval) F(get_numeral_uint64) \
                        F(global_param_set)

struct z3 { // Z3_mk_ite is z3->mk_ite
#define F(name) __typeof__(&Z3_##name) name;
    Z3_FUNCTIONS(F)
#undef F
};

// True once every function is there; else *why says what is missing. The library stays loaded.
_Bool z3_load(struct z3 *, const char **why);
