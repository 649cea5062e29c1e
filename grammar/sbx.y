/* The grammar of .sbx, edition 1. What it means is docs/language.md. */
%code requires {
#include "lang/parse.h"
typedef void *yyscan_t;
}
%code {
#include "lang/habit.h"
#include "lang/tables.h"
#include "sbx.lex.h"

#include <stdlib.h>
#include <string.h>

#define YYLLOC_DEFAULT(current, rhs, n)                                                             \
    (current) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n))                                 \
                    : (struct span){YYRHSLOC(rhs, 0).source, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end}

static void yyerror(struct span *, struct parse *, yyscan_t, const char *);

#define MAKE(type, ...) \
    ({ struct type *made_ = NEW(parse->arena, struct type); *made_ = (struct type){__VA_ARGS__}; made_; })
#define NAME(str, place) (struct name){(str), (place)}

static struct expr *string_expr(struct parse *parse, struct str text, struct span span)
{
    return MAKE(expr, .kind = EXPR_STRING, .span = span, .text = text, .flawed = !text.text);
}

#define CURRENT_POLICY (parse->module->policies) /* lists are rings until they are closed: the last one */
#define POLICY_OF(list, item) (CURRENT_POLICY->list = RING_ADD(CURRENT_POLICY->list, (item)))
#define POLICY_JOIN(list, ring) (CURRENT_POLICY->list = RING_JOIN(CURRENT_POLICY->list, (ring)))

static struct rule_decl *rule(struct parse *parse, enum effect effect, struct span span, struct operation *operation)
{
    return MAKE(rule_decl, .effect = effect, .span = span, .operation = *operation, .architectures = ARCH_ALL_MASK);
}

// A secret lies where it says, to be read: that is a rule as any other.
static struct rule_decl *secret_rule(struct parse *parse, const struct secret_decl *secret)
{
    struct expr *at = MAKE(expr);
    *at = *secret->at;
    at->next = NULL;
    struct operation operation = {.domain = DOMAIN_FILES, .span = secret->at->span, .verbs = VERB_READ, .paths = at};
    struct rule_decl *made = rule(parse, EFFECT_ALLOW, secret->span, &operation);
    made->content = MAKE(content, .kind = FROM_SECRET, .span = secret->name.span, .secret = secret->name);
    return made;
}

static enum type type_named(struct parse *parse, struct name name)
{
    enum type type = type_from_name(name.text);
    if (type != TYPE_NONE)
        return type;
    struct nearest nearest = diagnostics_nearest(parse->diagnostics, name.text);
    for (int t = TYPE_NONE + 1; t < TYPE_DECIMAL; t++)
        nearest_offer(&nearest, str_from(type_name((enum type)t)));
    struct diagnostic *d = diagnose(parse->diagnostics, SBX0205, name.span, STR_ARGS(name.text));
    diagnostic_suggest(parse->diagnostics, d, name.span, "", &nearest,
                       "a parameter is a path, size, duration, int, bool, string, host, cidr, port or endpoint");
    return type;
}

// `env LANG;`, or with a word before it that is not `keep`.
static struct setting *kept_variables(struct parse *parse, struct name_list *names, const struct name *word,
                                      struct span span)
{
    struct name first = word ? *word : names->next->name; // of a ring
    struct nearest nearest = {.wrong = word ? word->text : STR("")};
    nearest_offer(&nearest, STR("keep"));
    struct diagnostic *d = diagnose(parse->diagnostics, SBX0105, first.span, STR_ARGS(first.text));
    diagnostic_suggest(parse->diagnostics, d, first.span, "", &nearest,
                       "`env keep %.*s;` takes the caller's, `env %.*s = \"…\";` sets it", STR_ARGS(first.text),
                       STR_ARGS(first.text));
    return MAKE(setting, .kind = SETTING_ENV_KEEP, .span = span, .names = RING_LIST(names));
}

static unsigned arch_mask(struct parse *parse, struct name_list *names)
{
    unsigned mask = 0;
    for (; names; names = names->next) {
        int arch = arch_from_name(names->name.text);
        if (arch >= 0)
            mask |= 1u << arch;
        else
            diagnostic_label(parse->diagnostics,
                diagnose(parse->diagnostics, SBX0206, names->name.span, STR_ARGS(names->name.text)),
                             names->name.span, "this edition knows x86_64 and aarch64");
    }
    return mask;
}

// What is joined by `and`, `or` and `|` becomes a tree, which everybody who reads it walks down.
enum { JOINED_MOST = 1000 };

static bool joins(struct parse *parse, struct span span, unsigned depth)
{
    if (depth < JOINED_MOST)
        return true;
    if (depth == JOINED_MOST)
        diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0106, span), span,
                         "at most %d parts are joined: say it with `in { … }`, or as several rules", JOINED_MOST);
    return false;
}

static struct condition *join(struct parse *parse, enum condition_kind kind, struct span span,
                              struct condition *left, struct condition *right)
{
    unsigned depth = 1 + (right && right->depth > left->depth ? right->depth : left->depth);
    struct condition *made = MAKE(condition, .kind = kind, .span = span, .left = left, .right = right, .depth = depth);
    if (joins(parse, span, depth))
        return made;
    *made = *left; // an error stands
    made->depth = depth;
    return made;
}

static struct constant *join_constants(struct parse *parse, struct span span,
                                       struct constant *left, struct constant *right)
{
    unsigned depth = 1 + (right->depth > left->depth ? right->depth : left->depth);
    struct constant *made =
        MAKE(constant, .kind = CONSTANT_OR, .span = span, .left = left, .right = right, .depth = depth);
    if (joins(parse, span, depth))
        return made;
    *made = *left;
    made->depth = depth;
    return made;
}

static struct constant *number_constant(struct parse *parse, struct expr *number)
{
    if (number->kind != EXPR_INT)
        diagnostic_label(parse->diagnostics,
            diagnose(parse->diagnostics, SBX0207, number->span), number->span, "write it without a unit or a point");
    return MAKE(constant, .kind = CONSTANT_NUMBER,
        .span = number->span, .number = number->number, .negative = number->prefix.length != 0);
}
}

%define api.pure full
%define api.push-pull push
%define api.location.type {struct span}
%define parse.error custom
%define lr.default-reduction consistent
%locations
%parse-param {struct parse *parse} {yyscan_t scanner}
%lex-param {yyscan_t scanner}
%expect 0

%union {
    struct str text;
    struct name name;
    unsigned mask;
    uint64_t number;
    enum effect effect;
    enum comparison comparison;
    enum type type;
    struct expr *expr;
    struct ports *ports;
    struct constant *constant;
    struct constant_range *ranges;
    struct condition *condition;
    struct call *call;
    struct content *content;
    struct operation *operation;
    struct rule_decl *rule;
    struct setting *setting;
    struct secret_decl *secret;
    struct require_decl *require;
    struct argument *argument;
    struct use_decl *use;
    struct parameter *parameter;
    struct policy_decl *policy;
    struct name_list *names;
    struct call *calls;
}

%token START_MODULE "a module" START_OPERATION "an operation" START_VALUE "a value"
%token ALLOW "allow" AND "and" ANY "any" AS "as" AT "at" BECAUSE "because" BIND "bind" CAPABILITIES "capabilities"
%token CAPABILITY "capability"
%token COMMAND "command" CONNECT "connect" CREATE "create" CWD "cwd" DEFAULT "default" DEGRADE "degrade" DELETE "delete"
%token DENY "deny"
%token DEV "dev" ELSE "else" ENV "env" EXCEPT "except" EXEC "exec" EXISTS "exists" EXPECT "expect" FALSE "false"
%token FILE_ "file"
%token FOR "for" FROM "from" FS "fs" GROUP "group" HOME "home" HOST_LOOPBACK "host-loopback" IF "if" IMAGE "image"
%token IMPORT "import" IN "in"
%token KEEP "keep" KILL "kill" LET "let" LIMITS "limits" LISTEN "listen" LOOPBACK "loopback" MODIFY "modify" NET "net"
%token NEVER "never"
%token NONE "none" NOT "not" ON "on" OR "or" OVERLAY "overlay" POLICY "policy" PRIVATE "private" PROC "proc"
%token PROCESS "process" PROXY "proxy" READ "read"
%token REQUIRE "require" SANDBOX "sandbox" SBX "sbx" SECRET "secret" SECRETS "secrets" SIZE "size" SUMMARY "summary"
%token SYSCALL "syscall"
%token SYSCALLS "syscalls" TCP "tcp" TESTS "tests" TEXT_ "text" TMPFS "tmpfs" TRUE "true" UDP "udp" UNIX "unix"
%token USE "use" USER "user" VIA "via"
%token WHERE "where" WITH "with" WITHIN "within" WRITE "write"
%token DOTDOT ".." EQ "==" NE "!=" LE "<=" GE ">="
%token <text> WORD "a name" GROUP_NAME "a group (@name)" REFERENCE "a parameter ($name)" STRING "a string"
%token <expr> NUMBER "a number" ADDRESS "an address"

%type <name> word argument_name alias call_word effect_word with
%type <names> words dotted archs capability_names
%type <expr> expr exprs value host port_value of_size
%type <ports> ports port port_set
%type <constant> constant constant_atom
%type <ranges> range ranges
%type <condition> condition where
%type <comparison> comparison
%type <call> call
%type <calls> calls
%type <content> content origin
%type <mask> parts some_parts part fs_verb fs_verbs net_verb net_verbs protocol protocols some_protocols if_exists
%type <operation> operation fs_operation net_operation call_operation call_except
%type <rule> fs_rules fs_rule net_rules net_rule call_rules call_rule tests_rules test
%type <setting> setting limits limit
%type <secret> secret_list secret_item
%type <require> requirement
%type <argument> arguments argument_list argument
%type <parameter> parameters parameter_list parameter
%type <text> because
%type <effect> effect expectation

%%
start:
    START_MODULE module
  | START_OPERATION operation   { parse->operation = $2; }
  | START_VALUE value           { parse->value = $2; }
  ;

module:
    edition declarations
  ;

edition:
    SBX NUMBER ';' {
        if ($2->kind != EXPR_INT || $2->number != 1)
            diagnostic_label(parse->diagnostics, diagnose(parse->diagnostics, SBX0202, @2, (int)(@2.end - @2.start),
                    parse->source->text.text + @2.start), @2, "this sbxc reads edition 1: `sbx 1;`");
    }
  | %empty {
        struct span first = {@$.source, parse->token.start, parse->token.end};
        struct diagnostic *missing = diagnose(parse->diagnostics, SBX0201, first);
        diagnostic_label(parse->diagnostics, missing, first, "a policy file starts with `sbx 1;`");
        diagnostic_fix(parse->diagnostics, missing, true, (struct span){first.source, 0, 0}, "sbx 1;\n");
    }
  ;

declarations:
    %empty
  | declarations declaration
  | declarations error ';'          { yyerrok; }
  | declarations error '}'          { yyerrok; }
  | declarations error unread_block { yyerrok; }
  ;

declaration:
    IMPORT dotted alias ';'
        { parse->module->imports =
            RING_ADD(parse->module->imports, MAKE(import_decl, .path = RING_LIST($2), .alias = $3, .span = @$)); }
  | IMPORT STRING alias ';'
        { parse->module->imports =
            RING_ADD(parse->module->imports, MAKE(import_decl, .file = NAME($2, @2), .alias = $3, .span = @$)); }
  | LET word '=' value ';'
        { parse->module->lets = RING_ADD(parse->module->lets,
                MAKE(let_decl, .name = $2, .value = $4, .module = parse->module, .span = @$)); }
  | GROUP GROUP_NAME '{' calls comma '}'
        { parse->module->groups = RING_ADD(parse->module->groups, MAKE(group_decl,
                    .name = NAME($2, @2), .members = RING_LIST($4), .module = parse->module, .span = @$)); }
  | POLICY word parameters {
        parse->module->policies = RING_ADD(parse->module->policies, MAKE(policy_decl,
                .name = $2, .parameters = RING_LIST($3), .module = parse->module, .span = span_join(@1, @3)));
    } '{' items close               { CURRENT_POLICY->span = span_join(@1, @7); }
  ;

close: '}' | error '}' { yyerrok; } ;
comma: %empty | ',' ;
alias: %empty { $$ = (struct name){0}; } | AS word { $$ = $2; } ;
dotted:
    word                { $$ = RING_ADD((struct name_list *)NULL, MAKE(name_list, .name = $1)); }
  | dotted '.' word     { $$ = RING_ADD($1, MAKE(name_list, .name = $3)); }
  ;

parameters:
    %empty                          { $$ = NULL; }
  | '(' ')'                         { $$ = NULL; }
  | '(' parameter_list comma ')'    { $$ = $2; }
  ;
parameter_list:
    parameter                       { $$ = RING_ADD((struct parameter *)NULL, $1); }
  | parameter_list ',' parameter    { $$ = RING_ADD($1, $3); }
  ;
parameter:
    word ':' word                   { $$ = MAKE(parameter, .name = $1, .type = type_named(parse, $3)); }
  | word ':' word '=' value         { $$ = MAKE(parameter, .name = $1, .type = type_named(parse, $3), .value = $5); }
  ;

items:
    %empty
  | items item
  | items error ';'                 { yyerrok; }
  | items error unread_block        { yyerrok; }
  ;
// A block that has a name of no block, skipped to its end: what stands in it can't be judged.
unread_block: '{' unread '}' ;
unread: error | unread unread_block | unread unread_block error ;
skipped: ';' | unread_block | unread_block ';' ; /* the rest of a statement */

item:
    USE dotted arguments ';'
        { POLICY_OF(uses, MAKE(use_decl, .path = RING_LIST($2), .arguments = RING_LIST($3), .span = span_join(@1, @3)));
        }
  | WITHIN dotted arguments parts ';'
        { POLICY_OF(uses, MAKE(use_decl,
                    .path = RING_LIST($2), .arguments = RING_LIST($3), .span = span_join(@1, @4), .within = $4)); }
  | SUMMARY STRING ';'
        { POLICY_OF(settings, MAKE(setting, .kind = SETTING_SUMMARY, .span = @$, .values = string_expr(parse, $2, @2)));
        }
  | COMMAND exprs ';'
        { POLICY_OF(settings, MAKE(setting, .kind = SETTING_COMMAND, .span = @$, .values = RING_LIST($2))); }
  | FS '{' fs_rules close           { POLICY_JOIN(rules, $3); }
  | NET '{' net_rules close         { POLICY_JOIN(rules, $3); }
  | SYSCALLS '{' call_rules close   { POLICY_JOIN(rules, $3); }
  | LIMITS '{' limits close         { POLICY_JOIN(settings, $3); }
  | PROCESS '{' process close
  | SECRETS '{' secret_list close   { POLICY_JOIN(secrets, $3); }
  | TESTS '{' tests_rules close     { POLICY_JOIN(rules, $3); }
  | requirement                     { POLICY_OF(requires, $1); }
  ;

parts: %empty { $$ = WITHIN_ALL; } | FOR some_parts { $$ = $2; } ;
some_parts: part | some_parts ',' part { $$ = $1 | $3; } ;
part:
    FS { $$ = WITHIN_FILES; }
  | NET { $$ = WITHIN_NET; }
  | SYSCALLS { $$ = WITHIN_CALLS; }
  | LIMITS { $$ = WITHIN_LIMITS; }
  | PROCESS { $$ = WITHIN_CAPABILITIES; }
  ;

arguments:
    %empty                          { $$ = NULL; }
  | '(' ')'                         { $$ = NULL; }
  | '(' argument_list comma ')'     { $$ = $2; }
  ;
argument_list:
    argument                        { $$ = RING_ADD((struct argument *)NULL, $1); }
  | argument_list ',' argument      { $$ = RING_ADD($1, $3); }
  ;
argument:
    value                           { $$ = MAKE(argument, .value = $1); }
  | word '=' value                  { $$ = MAKE(argument, .name = $1, .value = $3); }
  ;

because: %empty { $$ = (struct str){0}; } | BECAUSE STRING { $$ = $2; } ;
effect: ALLOW { $$ = EFFECT_ALLOW; } | DENY { $$ = EFFECT_DENY; } | NEVER { $$ = EFFECT_NEVER; } ;

/* files */
fs_rules:
    %empty                          { $$ = NULL; }
  | fs_rules fs_rule                { $$ = RING_ADD($1, $2); }
  | fs_rules error skipped              { $$ = $1; yyerrok; }
  ;
fs_rule:
    effect fs_operation content if_exists because ';' {
        $$ = rule(parse, $1, span_join(@1, @5), $2);
        $$->content = $3; $$->if_exists = $4; $$->because = $5;
    }
  | effect fs_operation EXCEPT exprs because ';' {
        $$ = rule(parse, $1, span_join(@1, @5), $2);
        $$->except = MAKE(operation, .domain = DOMAIN_FILES, .span = @4, .verbs = $2->verbs, .paths = RING_LIST($4));
        $$->because = $5;
    }
  ;
fs_operation: fs_verbs exprs
        { $$ = MAKE(operation, .domain = DOMAIN_FILES, .span = @$, .verbs = $1, .paths = RING_LIST($2)); } ;
fs_verbs: fs_verb | fs_verbs ',' fs_verb { $$ = $1 | $3; } ;
fs_verb:
    READ { $$ = VERB_READ; } | WRITE { $$ = VERB_WRITE; } | MODIFY { $$ = VERB_MODIFY; } | CREATE { $$ = VERB_CREATE; }
  | DELETE { $$ = VERB_DELETE; } | EXEC { $$ = VERB_EXEC; }
  ;
if_exists: %empty { $$ = 0; } | IF EXISTS { $$ = 1; } ;
of_size: %empty { $$ = NULL; } | SIZE expr { $$ = $2; } ;
content: %empty { $$ = NULL; } | FROM origin { $$ = $2; $$->span = @$; } ;
origin:
    expr                            { $$ = MAKE(content, .kind = FROM_POLICY, .path = $1); }
  | CWD expr                        { $$ = MAKE(content, .kind = FROM_CWD, .path = $2); }
  | HOME expr                       { $$ = MAKE(content, .kind = FROM_HOME, .path = $2); }
  | TMPFS SIZE expr                 { $$ = MAKE(content, .kind = FROM_TMPFS, .size = $3); }
  | OVERLAY expr of_size
        { $$ = MAKE(content, .kind = FROM_OVERLAY, .path_kind = FROM_POLICY, .path = $2, .size = $3); }
  | OVERLAY CWD expr of_size
        { $$ = MAKE(content, .kind = FROM_OVERLAY, .path_kind = FROM_CWD, .path = $3, .size = $4); }
  | OVERLAY HOME expr of_size
        { $$ = MAKE(content, .kind = FROM_OVERLAY, .path_kind = FROM_HOME, .path = $3, .size = $4); }
  | IMAGE expr of_size
        { $$ = MAKE(content, .kind = FROM_IMAGE, .path_kind = FROM_POLICY, .path = $2, .size = $3); }
  | PROC                            { $$ = MAKE(content, .kind = FROM_PROC); }
  | DEV                             { $$ = MAKE(content, .kind = FROM_DEV); }
  | SECRET word                     { $$ = MAKE(content, .kind = FROM_SECRET, .secret = $2); }
  | TEXT_ expr                      { $$ = MAKE(content, .kind = FROM_TEXT, .text = $2); }
  | SANDBOX word                    { $$ = MAKE(content, .kind = FROM_SANDBOX, .about = $2); }
  ;

/* network */
net_rules:
    %empty                          { $$ = NULL; }
  | net_rules net_rule              { $$ = RING_ADD($1, $2); }
  | net_rules VIA PROXY expr ';'
        { $$ = $1; POLICY_OF(settings, MAKE(setting, .kind = SETTING_PROXY, .span = span_join(@2, @4), .values = $4)); }
  | net_rules error skipped             { $$ = $1; yyerrok; }
  ;
net_rule:
    effect net_operation because ';'              { $$ = rule(parse, $1, span_join(@1, @3), $2); $$->because = $3; }
  | effect net_operation PRIVATE because ';' {
        $$ = rule(parse, $1, span_join(@1, @4), $2);
        $$->operation.private = true; $$->operation.clause = @3; $$->because = $4;
    }
  | effect net_operation EXCEPT exprs because ';' {
        $$ = rule(parse, $1, span_join(@1, @5), $2);
        $$->except = MAKE(operation,
            .domain = DOMAIN_NET, .span = @4, .verbs = $2->verbs, .protocols = $2->protocols, .targets = RING_LIST($4));
        $$->because = $5;
    }
  ;
net_operation:
    net_verbs protocols exprs
        { $$ =
            MAKE(operation, .domain = DOMAIN_NET, .span = @$, .verbs = $1, .protocols = $2, .targets = RING_LIST($3)); }
  ;
net_verbs: net_verb | net_verbs ',' net_verb { $$ = $1 | $3; } ;
net_verb: CONNECT { $$ = VERB_CONNECT; } | BIND { $$ = VERB_BIND; } | LISTEN { $$ = VERB_LISTEN; } ;
protocols: %empty { $$ = 0; } | some_protocols ;
some_protocols: protocol | some_protocols ',' protocol { $$ = $1 | $3; } ;
protocol: TCP { $$ = PROTOCOL_TCP; } | UDP { $$ = PROTOCOL_UDP; } | UNIX { $$ = PROTOCOL_UNIX; } ;

/* system calls */
call_rules:
    %empty                          { $$ = NULL; }
  | call_rules call_rule            { $$ = RING_ADD($1, $2); }
  | call_rules DEFAULT DENY WITH effect_word ';' {
        $$ = $1;
        POLICY_OF(settings, MAKE(setting, .kind = SETTING_DEFAULT, .span = span_join(@2, @5), .name = $5));
    }
  | call_rules ON archs '{' call_rules close {
        unsigned architectures = arch_mask(parse, RING_LIST($3));
        if ($5) {
            struct rule_decl *inner = $5;
            do { inner->architectures &= architectures; inner = inner->next; } while (inner != $5);
        }
        $$ = RING_JOIN($1, $5);
    }
  | call_rules error skipped            { $$ = $1; yyerrok; }
  ;
archs: words ;
call_rule:
    effect call_operation call_except with because ';' {
        $$ = rule(parse, $1, span_join(@1, @5), $2);
        $$->except = $3; $$->deny_with = $4; $$->because = $5;
    }
  ;
call_except: %empty { $$ = NULL; } | EXCEPT call_operation { $$ = $2; } ;
with: %empty { $$ = (struct name){0}; } | WITH effect_word { $$ = $2; } ;
effect_word:
    word
  | KILL                            { $$ = NAME(STR("kill"), @1); }
  | NUMBER                          {
        $$ = NAME(((struct str){parse->source->text.text + @1.start, @1.end - @1.start}), @1);
    }
  ;
call_operation:
    calls where
        { $$ = MAKE(operation, .domain = DOMAIN_CALLS, .span = @$, .calls = RING_LIST($1), .condition = $2); }
  ;
calls:
    call                            { $$ = RING_ADD((struct call *)NULL, $1); }
  | calls ',' call                  { $$ = RING_ADD($1, $3); }
  ;
call:
    call_word                       { $$ = MAKE(call, .name = $1); }
  | GROUP_NAME                      { $$ = MAKE(call, .name = NAME($1, @1), .is_group = true); }
  ;
call_word: word | KILL { $$ = NAME(STR("kill"), @1); } ;
where: %empty { $$ = NULL; } | WHERE condition { $$ = $2; } ;

%left OR;
%left AND;
%precedence NOT;
condition:
    condition OR condition          { $$ = join(parse, CONDITION_OR, @$, $1, $3); }
  | condition AND condition         { $$ = join(parse, CONDITION_AND, @$, $1, $3); }
  | NOT condition                   { $$ = join(parse, CONDITION_NOT, @$, $2, NULL); }
  | '(' condition ')'               { $$ = $2; }
  | argument_name comparison constant
        { $$ = MAKE(condition, .kind = CONDITION_COMPARE, .span = @$, .argument = $1, .comparison = $2, .value = $3); }
  | argument_name '&' constant_atom EQ constant
        { $$ = MAKE(condition, .kind = CONDITION_MASK,
                .span = @$, .argument = $1, .comparison = COMPARE_EQ, .mask = $3, .value = $5); }
  | argument_name '&' constant_atom NE constant
        { $$ = MAKE(condition, .kind = CONDITION_MASK,
                .span = @$, .argument = $1, .comparison = COMPARE_NE, .mask = $3, .value = $5); }
  | argument_name IN '{' ranges comma '}'
        { $$ = MAKE(condition, .kind = CONDITION_IN, .span = @$, .argument = $1, .ranges = RING_LIST($4)); }
  | argument_name IN constant_atom DOTDOT constant_atom {
        $$ = MAKE(condition,
            .kind = CONDITION_IN, .span = @$, .argument = $1, .ranges = MAKE(constant_range, .first = $3, .last = $5));
    }
  ;
argument_name:
    word
  | FROM                            { $$ = NAME(STR("from"), @1); } /* of ioperm */
  ;
comparison:
    EQ { $$ = COMPARE_EQ; } | NE { $$ = COMPARE_NE; } | '<' { $$ = COMPARE_LT; } | LE { $$ = COMPARE_LE; }
  | '>' { $$ = COMPARE_GT; } | GE { $$ = COMPARE_GE; }
  ;
constant:
    constant_atom
  | constant '|' constant_atom      { $$ = join_constants(parse, @$, $1, $3); }
  ;
constant_atom:
    word                            { $$ = MAKE(constant, .kind = CONSTANT_NAME, .span = @$, .name = $1.text); }
  | NUMBER                          { $$ = number_constant(parse, $1); }
  | REFERENCE                       { $$ = MAKE(constant, .kind = CONSTANT_REFERENCE, .span = @$, .name = $1); }
  | '(' constant ')'                { $$ = $2; }
  ;
ranges:
    range                           { $$ = RING_ADD((struct constant_range *)NULL, $1); }
  | ranges ',' range                { $$ = RING_ADD($1, $3); }
  ;
range:
    constant                        { $$ = MAKE(constant_range, .first = $1); }
  | constant DOTDOT constant_atom   { $$ = MAKE(constant_range, .first = $1, .last = $3); }
  ;

/* limits, process, secrets, requirements, tests */
limits:
    %empty                          { $$ = NULL; }
  | limits limit                    { $$ = RING_ADD($1, $2); }
  | limits error skipped                { $$ = $1; yyerrok; }
  ;
limit: word expr ';'
        { $$ = MAKE(setting, .kind = SETTING_LIMIT, .span = span_join(@1, @2), .name = $1, .values = $2); } ;

process:
    %empty
  | process setting                 { POLICY_OF(settings, $2); }
  | process CAPABILITIES NONE because ';' {
        struct rule_decl *none =
            rule(parse, EFFECT_DENY, span_join(@2, @3), MAKE(operation, .domain = DOMAIN_CAPABILITIES, .span = @3));
        none->because = $4;
        POLICY_OF(rules, none);
    }
  | process CAPABILITIES capability_names because ';' {
        struct rule_decl *some = rule(parse, EFFECT_ALLOW, span_join(@2, @3),
            MAKE(operation, .domain = DOMAIN_CAPABILITIES, .span = @3, .capabilities = RING_LIST($3)));
        some->because = $4;
        POLICY_OF(rules, some);
    }
  | process effect CAPABILITY capability_names because ';' {
        struct rule_decl *some = rule(parse, $2, span_join(@2, @4),
            MAKE(operation, .domain = DOMAIN_CAPABILITIES, .span = @4, .capabilities = RING_LIST($4)));
        some->because = $5;
        POLICY_OF(rules, some);
    }
  | process error skipped           { yyerrok; }
  ;
capability_names: words ;
setting:
    USER word ';'                   { $$ = MAKE(setting, .kind = SETTING_USER, .span = span_join(@1, @2), .name = $2); }
  | USER expr ';'
        { $$ = MAKE(setting, .kind = SETTING_USER, .span = span_join(@1, @2), .values = $2); }
  | CWD expr ';'
        { $$ = MAKE(setting, .kind = SETTING_CWD, .span = span_join(@1, @2), .values = $2); }
  | ENV KEEP words ';'
        { $$ = MAKE(setting, .kind = SETTING_ENV_KEEP, .span = span_join(@1, @3), .names = RING_LIST($3)); }
  | ENV word '=' expr ';'
        { $$ = MAKE(setting, .kind = SETTING_ENV_SET, .span = span_join(@1, @4), .name = $2, .values = $4); }
  | ENV words ';'                   { $$ = kept_variables(parse, $2, NULL, @$); }
  | ENV WORD words ';'              { $$ = kept_variables(parse, $3, &NAME($2, @2), @$); }
  ;

secret_list:
    %empty                          { $$ = NULL; }
  | secret_list secret_item         { $$ = RING_ADD($1, $2); POLICY_OF(rules, secret_rule(parse, $2)); }
  | secret_list error skipped           { $$ = $1; yyerrok; }
  ;
secret_item:
    word FROM ENV expr AT expr ';'
        { $$ = MAKE(secret_decl, .name = $1, .from_env = true, .source = $4, .at = $6, .span = span_join(@1, @6)); }
  | word FROM FILE_ expr AT expr ';'
        { $$ = MAKE(secret_decl,
                .name = $1, .source = $4, .path_kind = FROM_POLICY, .at = $6, .span = span_join(@1, @6)); }
  | word FROM HOME expr AT expr ';'
        { $$ = MAKE(secret_decl, .name = $1, .source = $4, .path_kind = FROM_HOME, .at = $6, .span = span_join(@1, @6));
        }
  ;

requirement:
    REQUIRE word ';'                { $$ = MAKE(require_decl, .feature = $2, .span = span_join(@1, @2)); }
  | REQUIRE word GE NUMBER ';'
        { $$ = MAKE(require_decl, .feature = $2, .version = $4->number, .span = span_join(@1, @4)); }
  | REQUIRE word ELSE DEGRADE BECAUSE STRING ';'
        { $$ = MAKE(require_decl, .feature = $2, .degrade = true, .because = $6, .span = span_join(@1, @6)); }
  | REQUIRE word GE NUMBER ELSE DEGRADE BECAUSE STRING ';'
        { $$ = MAKE(require_decl,
                .feature = $2, .version = $4->number, .degrade = true, .because = $8, .span = span_join(@1, @8)); }
  ;

tests_rules:
    %empty                          { $$ = NULL; }
  | tests_rules test                { $$ = RING_ADD($1, $2); }
  | tests_rules error skipped           { $$ = $1; yyerrok; }
  ;
test: EXPECT expectation operation ';' { $$ = rule(parse, $2, span_join(@1, @3), $3); } ;
expectation: ALLOW { $$ = EFFECT_EXPECT_ALLOW; } | DENY { $$ = EFFECT_EXPECT_DENY; } ;
operation:
    fs_operation
  | net_operation
  | net_operation AT ADDRESS        { $$ = $1; $$->at = $3; $$->clause = span_join(@2, @3); $$->span = @$; }
  | SYSCALL call_operation          { $$ = $2; $$->span = @$; }
  | CAPABILITY capability_names
        { $$ = MAKE(operation, .domain = DOMAIN_CAPABILITIES, .span = @$, .capabilities = RING_LIST($2)); }
  ;

/* values */
exprs:
    expr                            { $$ = RING_ADD((struct expr *)NULL, $1); }
  | exprs ',' expr                  { $$ = RING_ADD($1, $3); }
  ;
value: expr ;
expr:
    host
  | NUMBER
  | TRUE                            { $$ = MAKE(expr, .kind = EXPR_BOOL, .span = @$, .number = 1); }
  | FALSE                           { $$ = MAKE(expr, .kind = EXPR_BOOL, .span = @$); }
  | host ':' port_set
        { $$ = MAKE(expr, .kind = EXPR_ENDPOINT, .span = @$, .host = $1, .ports = RING_LIST($3)); }
  ;
host:
    STRING                          { $$ = string_expr(parse, $1, @1); }
  | REFERENCE                       { $$ = MAKE(expr, .kind = EXPR_REFERENCE, .span = @$, .text = $1); }
  | ADDRESS
  | LOOPBACK                        { $$ = MAKE(expr, .kind = EXPR_LOOPBACK, .span = @$); }
  | HOST_LOOPBACK                   { $$ = MAKE(expr, .kind = EXPR_HOST_LOOPBACK, .span = @$); }
  | ANY                             { $$ = MAKE(expr, .kind = EXPR_ANY, .span = @$); }
  ;
port_set:
    port                            { $$ = RING_ADD((struct ports *)NULL, $1); }
  | '{' ports comma '}'             { $$ = $2; }
  ;
ports:
    port                            { $$ = RING_ADD((struct ports *)NULL, $1); }
  | ports ',' port                  { $$ = RING_ADD($1, $3); }
  ;
port:
    port_value                      { $$ = MAKE(ports, .first = $1); }
  | port_value DOTDOT port_value    { $$ = MAKE(ports, .first = $1, .last = $3); }
  ;
port_value: NUMBER | REFERENCE      { $$ = MAKE(expr, .kind = EXPR_REFERENCE, .span = @$, .text = $1); } ;

words:
    word                            { $$ = RING_ADD((struct name_list *)NULL, MAKE(name_list, .name = $1)); }
  | words ',' word                  { $$ = RING_ADD($1, MAKE(name_list, .name = $3)); }
  ;

/* A word of the grammar is a name wherever it could not be meant as itself. */
word:
    WORD          { $$ = NAME($1, @1); }
  | keyword       { $$ = NAME(((struct str){parse->source->text.text + @1.start, @1.end - @1.start}), @1); }
  ;
keyword:
    AS | AT | BIND | CAPABILITIES | CAPABILITY | COMMAND | CONNECT | CREATE | CWD | DEFAULT | DELETE | DEV | ENV | EXEC
  | EXISTS | EXPECT | FILE_ | FOR | FS | GROUP | HOME | IMAGE | IMPORT | KEEP | LET | LIMITS | LISTEN | MODIFY | NET
  | OVERLAY | POLICY | PRIVATE | PROC | PROCESS | PROXY | READ | REQUIRE | SANDBOX | SBX | SECRET | SECRETS | SIZE
  | SUMMARY | SYSCALL | SYSCALLS | TCP | TESTS
  | TEXT_ | TMPFS | UDP | UNIX | USER | VIA | WITHIN | WRITE
  ;
%%

static struct str token_text(const struct parse *parse, struct span span)
{
    struct str text = {parse->source->text.text + span.start, span.end - span.start};
    if (text.length > 40)
        text.length = 40;
    return text;
}

static bool expects(const yysymbol_kind_t *expected, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(yysymbol_name(expected[i]), name) == 0)
            return true;
    return false;
}

// Whether only a name can stand there.
static bool only_names(const yysymbol_kind_t *expected, int count)
{
    for (int i = 0; i < count; i++)
        if (yysymbol_name(expected[i])[0] < 'a' || yysymbol_name(expected[i])[0] > 'z')
            return false;
    return expects(expected, count, "a name");
}

// Of the words that could stand there the one that is meant, in other letters or nearly.
static struct nearest nearest_word(struct parse *parse, const yysymbol_kind_t *expected, int count, struct str word)
{
    struct str lower = str_copy(parse->arena, word);
    for (size_t i = 0; i < lower.length; i++)
        if (lower.text[i] >= 'A' && lower.text[i] <= 'Z')
            ((char *)lower.text)[i] = (char)(lower.text[i] | 32);
    struct nearest nearest = {.wrong = lower};
    for (int i = 0; i < count; i++) {
        const char *name = yysymbol_name(expected[i]);
        if (name[0] >= 'a' && name[0] <= 'z' && !strchr(name, ' '))
            nearest_offer(&nearest, str_from(name));
    }
    return nearest;
}

// What is missing may be in a string of the line whose end is missing: that is said already.
static bool follows_from_string(const struct parse *parse, struct span here)
{
    return parse->unclosed && source_line_of(parse->source, here.start) == parse->unclosed;
}

static bool on_new_line(const struct parse *parse, struct span here)
{
    uint32_t before = parse->previous.end;
    return memchr(parse->source->text.text + before, '\n', here.start - before) != NULL;
}

// A missing `;` is by far the most common mistake, so it is said where it is missing.
static void report_semicolon(struct parse *parse, struct span here, bool at_end, const char *help)
{
    struct str word = token_text(parse, here), before = token_text(parse, parse->previous);
    struct span gap = {parse->previous.source, parse->previous.end, parse->previous.end};
    if (follows_from_string(parse, gap))
        return;
    struct diagnostic *missing = diagnose(parse->diagnostics, SBX0103, gap, STR_ARGS(before));
    diagnostic_label(parse->diagnostics, missing, gap, "a `;` ends the statement");
    bool ends = at_end || str_is(word, "}") || on_new_line(parse, here); // a line, or a block
    diagnostic_fix(parse->diagnostics, missing, ends, gap, ";");
    if (!at_end)
        diagnostic_label(parse->diagnostics, missing, here, "`%.*s` can't go on from it", STR_ARGS(word));
    if (help && !ends)
        diagnostic_help(parse->diagnostics, missing, "%s", help);
}

// Several that stand in a row without a `,`, as many as there are, are one mistake.
static void report_comma(struct parse *parse, struct span here)
{
    struct str before = token_text(parse, parse->previous);
    struct span gap = {parse->previous.source, parse->previous.end, parse->previous.end};
    enum { MENDED_MOST = 100 };
    if (!parse->row) {
        parse->row_length = 0;
        parse->row = diagnose(parse->diagnostics, SBX0118, gap, STR_ARGS(before));
        diagnostic_label(parse->diagnostics, parse->row, gap, "several are separated by `,`");
        diagnostic_label(parse->diagnostics, parse->row, here, "one more");
    }
    if (parse->row_length++ < MENDED_MOST)
        diagnostic_fix(parse->diagnostics, parse->row, true, gap, ",");
}

// One sentence: what stands there, what could.
static int yyreport_syntax_error(const yypcontext_t *context, struct parse *parse, yyscan_t scanner)
{
    (void)scanner;
    enum { MOST = 9 };
    yysymbol_kind_t expected[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, expected, YYNTOKENS);
    bool semicolon = expects(expected, count, "';'");
    struct span here = *yypcontext_location(context);
    bool at_end = yypcontext_token(context) == YYSYMBOL_YYEOF;
    if (at_end && parse->expected) {
        parse->expected->names = NEW_ARRAY(parse->arena, const char *, count + 1);
        for (int i = 0; i < count; i++)
            parse->expected->names[parse->expected->count++] = yysymbol_name(expected[i]);
    }
    struct str word = token_text(parse, here),
        before = parse->previous.source ? token_text(parse, parse->previous) : STR("");
    if (follows_from_string(parse, here))
        return 0;
    if (str_is(word, "}") && parse->braces >= 0 && parse->diagnostics->errors)
        return 0; // the end of a block whose start could not be read: that is said already
    enum habit_place place = parse->braces_before == 0
        ? HABIT_TOP : parse->braces_before == 1 ? HABIT_POLICY : HABIT_ANYWHERE;
    const char *help = at_end ? NULL : habit_help(word, before, place);
    bool is_word = word.length && ((word.text[0] | 32) >= 'a' && (word.text[0] | 32) <= 'z');
    bool named = is_word && !at_end && only_names(expected, count);
    if (parse->garbled && !(help && is_word))
        return 0; // something that is no word stands right before it: that is said already
    if (semicolon && !parse->mends && parse->previous.source && parse->start == PARSE_MODULE) {
        report_semicolon(parse, here, at_end, help);
        return 0;
    }
    if (parse->said && !help && !parse->mends && source_line_of(parse->source, here.start) == parse->said)
        return 0; // on the line of another one: it follows from that, as often as not
    parse->said = source_line_of(parse->source, here.start);
    struct text wanted = {.arena = parse->arena};
    for (int i = 0; i < count && count <= MOST; i++) {
        const char *name = yysymbol_name(expected[i]);
        bool quoted = name[0] == '\'';
        bool plain = strchr(name, ' ') == NULL && !quoted;
        text_addf(&wanted, "%s%s%.*s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", plain || quoted ? "`" : "",
                  quoted ? (int)strlen(name) - 2 : (int)strlen(name),
                      quoted ? name + 1 : name, plain || quoted ? "`" : "");
    }
    struct diagnostic *diagnostic = at_end
        ? diagnose(parse->diagnostics, SBX0104, here) : diagnose(parse->diagnostics, SBX0105, here, STR_ARGS(word));
    struct nearest nearest = {0};
    if (is_word && !at_end && !named)
        nearest = nearest_word(parse, expected, count, word);
    if (named)
        diagnostic_label(parse->diagnostics, diagnostic, here, "a word of the language: choose another name");
    else if (nearest.best.length)
        diagnostic_suggest(parse->diagnostics, diagnostic, here, "", &nearest, "not here");
    else if (wanted.length)
        diagnostic_label(parse->diagnostics, diagnostic, here, "here %.*s is possible", STR_ARGS(text_str(&wanted)));
    else
        diagnostic_label(parse->diagnostics, diagnostic,
            here, at_end  ? "something is missing before this end"
                         : !is_word && (word.text[0] == ';' || word.text[0] == '}' || word.text[0] == ')')
                             ? "something is missing before it"
                             : "no statement starts or goes on like this here");
    if (help)
        diagnostic_help(parse->diagnostics, diagnostic, "%s", help);
    else if (parse->example && !parse->previous.source)
        diagnostic_help(parse->diagnostics, diagnostic, "%s", parse->example);
    else if (yypcontext_token(context) == YYSYMBOL_WORD && !nearest.best.length && expects(expected, count, "a string"))
        diagnostic_help(parse->diagnostics, diagnostic, "paths and names stand in quotes: `\"%.*s\"`", STR_ARGS(word));
    return 0;
}

// Bison's own words for what yyreport_syntax_error does not cover: only "memory exhausted", its bound on nesting.
static void yyerror(struct span *span, struct parse *parse, yyscan_t scanner, const char *message)
{
    (void)scanner;
    (void)message;
    diagnostic_label(parse->diagnostics,
        diagnose(parse->diagnostics, SBX0106, *span), *span, "the parser gives up here");
}

// ---- marks that are missing ---------------------------------------------------------------------------------------

struct lexeme {
    int token;
    YYSTYPE value;
    struct span span;
    bool garbled; // something that is no word stands right before it
};

static struct lexeme next_lexeme(struct parse *parse, yyscan_t scanner)
{
    struct lexeme lexeme;
    uint32_t before = parse->scanned;
    lexeme.token = yylex(&lexeme.value, &lexeme.span, scanner);
    lexeme.garbled = parse->garbage > before;
    parse->scanned = lexeme.span.end;
    return lexeme;
}

// Whether the parser could go on with these tokens from where it is: its own automaton, on states beside its stack.
static bool accepts(const yypstate *state, const int *tokens, size_t count)
{
    enum { MOST = 64 };
    yy_state_t added[MOST];
    const yy_state_t *kept = state->yyssp;
    size_t above = 0;
    for (size_t i = 0; i < count;) {
        yysymbol_kind_t symbol = tokens[i] <= YYEOF ? YYSYMBOL_YYEOF : YYTRANSLATE(tokens[i]);
        yy_state_t top = above ? added[above - 1] : *kept;
        int action = yypact[top], at = action + (int)symbol, rule;
        if (!yypact_value_is_default(action) && at >= 0 && at <= YYLAST && yycheck[at] == symbol) {
            if (yytable_value_is_error(yytable[at]) || above == MOST)
                return false;
            if (yytable[at] > 0) {
                added[above++] = (yy_state_t)yytable[at];
                i++;
                continue;
            }
            rule = -yytable[at];
        } else {
            rule = yydefact[top];
        }
        if (rule == 0)
            return false;
        size_t length = (size_t)yyr2[rule], own = length < above ? length : above;
        above -= own;
        kept -= length - own;
        top = above ? added[above - 1] : *kept;
        int made = yyr1[rule] - YYNTOKENS, to = yypgoto[made] + top;
        if (above == MOST)
            return false;
        added[above++] = (yy_state_t)(to >= 0 && to <= YYLAST && yycheck[to] == top ? yytable[to] : yydefgoto[made]);
    }
    return true;
}

// The first letter of a word, or the mark that all of its kind begin with.
static char kind_of(const struct parse *parse, struct span span)
{
    char first = parse->source->text.text[span.start];
    return (first | 32) >= 'a' && (first | 32) <= 'z' ? 'a' : first;
}

// What is needed of the parser and the scanner, and the token that was read ahead.
struct reader {
    struct parse *parse;
    yypstate *state;
    yyscan_t scanner;
    struct lexeme token, next;
    bool ahead; // `next` is read
};

static int token_after(struct reader *reader)
{
    if (!reader->ahead)
        reader->next = next_lexeme(reader->parse, reader->scanner);
    reader->ahead = true;
    return reader->next.token;
}

// Could it go on after a mark, and the word after it too? Only then is that read.
static bool goes_on_after(struct reader *reader, int mark, bool alone)
{
    int tokens[] = {mark, reader->token.token, 0, 0};
    if (!accepts(reader->state, tokens, 2))
        return false;
    if (alone)
        return true;
    tokens[2] = token_after(reader);
    if (accepts(reader->state, tokens, 3))
        return true;
    tokens[3] = tokens[2]; // it is missing again
    tokens[2] = mark;
    return accepts(reader->state, tokens, 4);
}

// The word of the language that is meant by one that is nearly it, and with which it goes on. 0: none.
static int meant_word(struct reader *reader)
{
    yysymbol_kind_t expected[YYNTOKENS];
    yypcontext_t context = {reader->state, YYTRANSLATE(reader->token.token), &reader->token.span};
    int count = yypcontext_expected_tokens(&context, expected, YYNTOKENS);
    struct str word = token_text(reader->parse, reader->token.span);
    struct nearest nearest = nearest_word(reader->parse, expected, count, word);
    for (int code = YYUNDEF + 1; nearest.best.length && code <= YYMAXUTOK; code++) {
        int tokens[] = {code, 0};
        if (!str_is(nearest.best, yysymbol_name(YYTRANSLATE(code))) || !accepts(reader->state, tokens, 1))
            continue;
        tokens[1] = token_after(reader);
        return accepts(reader->state, tokens, 2) ? code : 0;
    }
    return 0;
}

static void report_here(struct reader *reader)
{
    yypcontext_t context = {reader->state, YYTRANSLATE(reader->token.token), &reader->token.span};
    reader->parse->mends = true;
    yyreport_syntax_error(&context, reader->parse, reader->scanner);
    reader->parse->mends = false;
}

static void report_block(struct parse *parse, struct span here)
{
    struct str word = token_text(parse, here);
    struct diagnostic *d = diagnose(parse->diagnostics, SBX0105, here, STR_ARGS(word));
    diagnostic_label(parse->diagnostics, d, here, "the block above goes on here");
    diagnostic_help(parse->diagnostics, d, "is the `}` of the block above missing?");
}

static void put(struct reader *reader, int mark)
{
    reader->parse->braces += mark == '{' ? 1 : mark == '}' ? -1 : 0;
    yypush_parse(reader->state, mark, &reader->token.value, &reader->token.span, reader->parse, reader->scanner);
}

// Where one mark is all that is missing before a token, or a word is nearly one of the language, it is told and mended,
// and nothing follows from it.
static void mend(struct reader *reader)
{
    struct parse *parse = reader->parse;
    struct lexeme *token = &reader->token;
    bool at_end = token->token <= YYEOF;
    int mark = 0, meant;
    if (reader->state->yyerrstatus || !parse->previous.source || (at_end && parse->expected))
        return;
    bool starts = at_end || token->token == '}' || on_new_line(parse, token->span),
         is_word = !at_end && kind_of(parse, token->span) == 'a';
    bool habit = (token->token == WORD || token->token == KILL) && // another tool's word
                 habit_help(token_text(parse, token->span), token_text(parse, parse->previous), HABIT_ANYWHERE);
    if (goes_on_after(reader, ';', starts)) {
        mark = ';';
        if (!token->garbled)
            report_semicolon(parse, token->span, at_end, NULL);
    } else if (is_word && !habit && (meant = meant_word(reader))) {
        report_here(reader);
        token->token = meant;
    } else if (!starts && !habit && kind_of(parse, token->span) == kind_of(parse, parse->previous) &&
               goes_on_after(reader, ',', false)) {
        mark = ',';
        if (!token->garbled)
            report_comma(parse, token->span);
    } else if (is_word && goes_on_after(reader, '}', false)) {
        mark = '}';
        report_block(parse, token->span);
    } else if (token->token == ';' && goes_on_after(reader, '}', false)) {
        mark = '}';
        report_here(reader);
    } else if (is_word && goes_on_after(reader, '{', false)) {
        mark = '{';
        report_here(reader);
    }
    if (mark)
        put(reader, mark);
}

// A word of the language at the start of a line that could be a name in the block above, but does not go on as one
// does: the block is not closed.
static void mend_block(struct reader *reader)
{
    const struct lexeme *token = &reader->token;
    if (reader->state->yyerrstatus || token->token <= YYEOF || token->token == WORD ||
        reader->parse->braces_before < 2 || kind_of(reader->parse, token->span) != 'a' ||
        !on_new_line(reader->parse, token->span))
        return;
    int tokens[] = {'}', token->token, token_after(reader)};
    if (accepts(reader->state, tokens + 1, 2) || !accepts(reader->state, tokens, 3))
        return;
    report_block(reader->parse, token->span);
    put(reader, '}');
}

static void parse_all(struct parse *parse, yypstate *state, yyscan_t scanner)
{
    struct reader reader = {parse, state, scanner, next_lexeme(parse, scanner), {0}, false};
    struct lexeme *token = &reader.token;
    int status = yypush_parse(state, token->token, &token->value, &token->span, parse, scanner); // what is to be read
    while (status == YYPUSH_MORE) {
        *token = reader.ahead ? reader.next : next_lexeme(parse, scanner);
        reader.ahead = false;
        parse_note_token(parse, token->span, token->token <= YYEOF);
        parse->garbled = token->garbled;
        if (!accepts(state, &token->token, 1))
            mend(&reader);
        else
            mend_block(&reader);
        if (state->yyerrstatus && token->token == '}' && token_after(&reader) == ';' &&
            !accepts(state, (const int[]){'}', ';'}, 2))
            continue; // of a set in the statement that is skipped: no block ends so
        if (token->token == ';' || token->token == '{' || token->token == '}')
            parse->row = parse->bracket = NULL;
        status = yypush_parse(state, token->token, &token->value, &token->span, parse, scanner);
    }
}

void parse_source(struct parse *parse)
{
    parse->errors_before = parse->diagnostics->errors;
    if (parse->start == PARSE_MODULE)
        parse->module = NEW(parse->arena, struct module);
    if (parse->module)
        parse->module->source = parse->source;
    yyscan_t scanner;
    yypstate *state = yypstate_new();
    if (!state || yylex_init_extra(parse, &scanner))
        abort();
    // The text may be a large one that is mapped or compiled in: the scanner wants a copy with two NULs at its end.
    char *text = arena_alloc(parse->arena, parse->source->text.length + 2);
    memcpy(text, parse->source->text.text, parse->source->text.length);
    yy_scan_buffer(text, parse->source->text.length + 2, scanner);
    parse_all(parse, state, scanner);
    yylex_destroy(scanner);
    yypstate_delete(state);
    struct module *module = parse->module;
    if (!module)
        return;
    module->imports = RING_LIST(module->imports);
    module->lets = RING_LIST(module->lets);
    module->groups = RING_LIST(module->groups);
    module->last_policy = module->policies;
    module->policies = RING_LIST(module->policies);
    // also one that the file ends in
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next) {
        policy->uses = RING_LIST(policy->uses);
        policy->rules = RING_LIST(policy->rules);
        policy->settings = RING_LIST(policy->settings);
        policy->secrets = RING_LIST(policy->secrets);
        policy->requires = RING_LIST(policy->requires);
    }
}
