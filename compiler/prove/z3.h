// Z3's C interface (z3.h), loaded when it is first needed: a command that proves nothing does not pay for it. And what
// both provers do with it: formulas over words of 32 bits, and whether anything makes one true.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <z3.h>

// clang-format off
#define Z3_FUNCTIONS(F) \
    F(mk_config) F(del_config) F(mk_context) F(del_context) F(set_error_handler) F(get_error_code) F(get_error_msg) \
    F(mk_bv_sort) F(mk_int_symbol) F(mk_string_symbol) F(mk_const) F(mk_unsigned_int64) F(mk_true) F(mk_false) \
    F(mk_not) F(mk_or) F(mk_and) F(mk_eq) F(mk_ite) F(mk_bvand) F(mk_bvule) F(mk_extract) F(mk_params) \
    F(params_inc_ref) F(params_dec_ref) F(params_set_uint) F(mk_solver_for_logic) F(solver_inc_ref) \
    F(solver_dec_ref) F(solver_set_params) F(solver_assert) F(solver_check) F(solver_get_model) \
    F(solver_get_reason_unknown) F(model_inc_ref) F(model_dec_ref) F(model_eval) F(get_numeral_uint64) \
    F(global_param_set) F(solver_push) F(solver_pop)
// clang-format on

struct z3 { // Z3_mk_ite is z3->mk_ite; {0} at first, and again after z3_close
#define F(name) __typeof__(&Z3_##name) name;
    Z3_FUNCTIONS(F)
#undef F
    Z3_context context;
    Z3_sort word; // 32 bits
    Z3_solver solver;
    unsigned seconds; // that the solver is given
    Z3_ast *never;    // formulas that nothing makes true
    size_t never_count, never_capacity;
    size_t weight; // of all that was asked
};

// Makes it ready for another question, of about so many comparisons; a context is for one thread. What was learned from
// earlier ones stays while there is room for it, no formula or model does. False: *why says what is missing. The
// library stays loaded.
bool z3_ready(struct z3 *, size_t weight, const char **why);
void z3_close(struct z3 *);

Z3_ast z3_word(struct z3 *, uint32_t value);
Z3_ast z3_both(struct z3 *, Z3_ast, Z3_ast);
Z3_ast z3_either(struct z3 *, Z3_ast, Z3_ast);
Z3_ast z3_not(struct z3 *, Z3_ast);

#define Z3_LATE "Z3 was not done in time"

// Looks for what makes a formula true, for at most so many seconds. Z3_L_TRUE: *model is it, for z3_value and then
// model_dec_ref. Z3_L_UNDEF: *why says what kept it from an answer, whatever went wrong in making the formula, too; it
// lives until z3_ready or z3_close.
Z3_lbool z3_find(struct z3 *, Z3_ast formula, unsigned seconds, Z3_model *model, const char **why);
uint64_t z3_value(struct z3 *, Z3_model, Z3_ast);
