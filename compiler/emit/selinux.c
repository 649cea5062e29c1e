// SELinux modules in CIL (SELinux Project: CIL Reference Guide).
#include "compiler/emit/emit.h"

#include <string.h>

static void print_name(struct text *out, struct str name) // CIL's names have no dashes
{
    for (size_t i = 0; i < name.length; i++)
        text_addf(out, "%c", name.text[i] == '-' ? '_' : name.text[i]);
}

static void print_string(struct text *out,
                         struct str text) // of a filecon: a regular expression, in quotes that have no escapes
{
    text_addf(out, "\"");
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        if (c == '"')
            text_addf(out, ".");
        else if (strchr(".^$?*+|[](){}\\", c))
            text_addf(out, "\\%c", c);
        else
            text_add(out, &c, 1);
    }
    text_addf(out, "(/.*)?\"");
}

static const struct {
    const char *name;
    unsigned verbs;
    const char *file, *folder;
} kinds[] = {
    {"hidden", 0, NULL, NULL},
    {"reads", VERB_READ, "getattr open read ioctl lock map", "getattr open read search ioctl lock"},
    {"runs", VERB_READ | VERB_EXEC, "getattr open read ioctl lock map execute execute_no_trans entrypoint",
     "getattr open read search ioctl lock"},
    {"writes", VERB_READ | VERB_WRITE,
     "getattr setattr open read write append create unlink link rename ioctl lock map",
     "getattr setattr open read write add_name remove_name create rmdir rename search ioctl lock"},
    {"everything", VERB_READ | VERB_WRITE | VERB_EXEC,
     "getattr setattr open read write append create unlink link rename ioctl lock map execute execute_no_trans "
     "entrypoint",
     "getattr setattr open read write add_name remove_name create rmdir rename search ioctl lock"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *kind_of(unsigned verbs) // the narrowest that has them
{
    unsigned wanted = (verbs & VERB_WRITE ? VERB_WRITE : 0) | (verbs & VERB_EXEC) | (verbs & VERB_READ);
    for (int i = 0; i < KINDS; i++)
        if ((wanted & ~kinds[i].verbs) == 0)
            return kinds[i].name;
    return "everything";
}

static void print_network(struct text *out, const struct plan *plan)
{
    static const struct {
        unsigned protocol;
        const char *class;
    } sockets[] = {{PROTOCOL_TCP, "tcp_socket"}, {PROTOCOL_UDP, "udp_socket"}};
    for (size_t s = 0; s < sizeof sockets / sizeof *sockets; s++) {
        unsigned verbs = 0;
        for (size_t i = 0; i < plan->net_count; i++)
            if (!plan->net[i].deny && plan->net[i].box.protocols & sockets[s].protocol)
                verbs |= plan->net[i].box.verbs;
        if (verbs)
            text_addf(out,
                      "    (allow process self (%s (create getattr setattr getopt setopt read write shutdown "
                      "ioctl%s%s%s)))\n",
                      sockets[s].class, verbs & VERB_CONNECT ? " connect" : "", verbs & VERB_BIND ? " bind" : "",
                      verbs & VERB_LISTEN ? " listen accept" : "");
    }
}

void emit_selinux(struct text *out, const struct plan *plan)
{
    text_addf(out,
              "; The policy %.*s, for SELinux: one more layer around the sandbox, which holds what this can't say "
              "(system calls and their arguments, "
              "addresses,\n; limits). "
              "Made by sbxc.\n(block sbx_",
              STR_ARGS(plan->name));
    print_name(out, plan->name);
    text_addf(out,
              "\n    (type process)\n    (roletype object_r process)\n    (allow process self (process (fork sigchld "
              "sigkill sigstop signull signal getsched "
              "setsched getattr getpgid setpgid getsession)))\n");
    text_addf(out,
              "    (allow process self (fifo_file (getattr open read write append ioctl lock)))\n    (allow process "
              "self (unix_stream_socket (create getattr "
              "getopt setopt read write shutdown connect)))\n");
    for (int i = 0; i < KINDS; i++) {
        text_addf(out, "    (type %s)\n    (roletype object_r %s)\n", kinds[i].name, kinds[i].name);
        if (kinds[i].file)
            text_addf(out,
                      "    (allow process %s (file (%s)))\n    (allow process %s (dir (%s)))\n    (allow process %s "
                      "(lnk_file (getattr read)))\n",
                      kinds[i].name, kinds[i].file, kinds[i].name, kinds[i].folder, kinds[i].name);
    }
    print_network(out, plan);
    for (size_t i = 0; i < plan->view_count; i++) { // deeper ones come later, and the last that matches counts
        const struct plan_view *place = &plan->view[i];
        if (place->from == PLAN_HOST && place->base == PLAN_ABSOLUTE) {
            text_addf(out, "    (filecon ");
            print_string(out, place->host);
            text_addf(out, " any (system_u object_r %s ((s0) (s0))))\n", kind_of(place->verbs));
        } else if (place->from == PLAN_HOST) {
            text_addf(out, "    ; %.*s, where the caller has it, is for the type %s\n", STR_ARGS(place->host),
                      kind_of(place->verbs));
        }
    }
    text_addf(out, ")\n");
}
