// What a value of the text stands for in the policy that is being built: beneath all that builds it.
#include "compiler/meaning/builder.h"

#include <stdlib.h>

struct expr *evaluate_in(struct module *module, const struct policy_decl *decl, struct expr *const *values,
                         struct expr *expr)
{
    for (int depth = 0; expr && expr->kind == EXPR_REFERENCE && depth < 66; depth++) {
        struct binding binding = binding_find(module, depth ? NULL : decl, expr->text);
        if (binding.parameter) {
            size_t index = 0;
            for (struct parameter *p = decl->parameters; p != binding.parameter; p = p->next)
                index++;
            return values ? values[index] : NULL;
        }
        if (!binding.let)
            return NULL;
        expr = binding.let->value;
    }
    return expr;
}

struct expr *builder_evaluate(struct builder *b, struct expr *expr)
{
    return evaluate_in(b->module, b->instance ? b->instance->decl : NULL, b->instance ? b->instance->values : NULL,
                       expr);
}

void builder_leave_out(struct builder *b)
{
    if (!b->diagnostics->errors)
        abort(); // the checker let something pass that has no meaning
}
