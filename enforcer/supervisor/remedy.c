// What would allow what was denied.
#include "enforcer/supervisor/remedy.h"

#include <ctype.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

// The rule that would allow each kind of operation, in its block; of a name that may not be resolved, to connect to it.
static const struct form {
    const char *starts, *block, *allow;
    bool folder; // what the path lies in: a name is made and removed there
} forms[] = {
    {"connect ", "net", "connect ", false},  {"bind ", "net", "bind ", false},
    {"listen ", "net", "listen ", false},    {"resolve ", "net", "connect ", false},
    {"syscall ", "syscalls", "", false},     {"read ", "fs", "read ", false},
    {"write ", "fs", "read, write ", false}, {"exec ", "fs", "read, exec ", false},
    {"create ", "fs", "read, write ", true}, {"delete ", "fs", "read, write ", true},
};

// Calls that the kernel refuses without a capability, whatever a filter says (capabilities(7)). Where that is one in
// the user namespace that owns what the call changes, a sandbox can have it; one of the host it never has.
#define CAPABILITY(name) #name, name

static const struct need {
    const char *call, *name;
    int capability;
    // Of a device: of the host, for any mode that begins so. Of an identity: only to become somebody else, and a
    // sandbox has but one.
    enum { OF_SANDBOX, OF_HOST, OF_DEVICE, OF_IDENTITY } whose;
} needs[] = {
    {"chroot", CAPABILITY(CAP_SYS_CHROOT), OF_SANDBOX},
    {"sethostname", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"setdomainname", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"mount", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"umount2", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"pivot_root", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"move_mount", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"mount_setattr", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"fsopen", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"fsmount", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"fspick", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"setns", CAPABILITY(CAP_SYS_ADMIN), OF_SANDBOX},
    {"reboot", CAPABILITY(CAP_SYS_BOOT), OF_SANDBOX},
    {"socket where family == AF_PACKET", CAPABILITY(CAP_NET_RAW), OF_SANDBOX},
    {"setuid", CAPABILITY(CAP_SETUID), OF_IDENTITY},
    {"setreuid", CAPABILITY(CAP_SETUID), OF_IDENTITY},
    {"setresuid", CAPABILITY(CAP_SETUID), OF_IDENTITY},
    {"setgid", CAPABILITY(CAP_SETGID), OF_IDENTITY},
    {"setregid", CAPABILITY(CAP_SETGID), OF_IDENTITY},
    {"setresgid", CAPABILITY(CAP_SETGID), OF_IDENTITY},
    {"setgroups", CAPABILITY(CAP_SETGID), OF_SANDBOX},
    {"acct", CAPABILITY(CAP_SYS_PACCT), OF_HOST},
    {"bpf", CAPABILITY(CAP_BPF), OF_HOST},
    {"clock_settime", CAPABILITY(CAP_SYS_TIME), OF_HOST},
    {"settimeofday", CAPABILITY(CAP_SYS_TIME), OF_HOST},
    {"delete_module", CAPABILITY(CAP_SYS_MODULE), OF_HOST},
    {"finit_module", CAPABILITY(CAP_SYS_MODULE), OF_HOST},
    {"init_module", CAPABILITY(CAP_SYS_MODULE), OF_HOST},
    {"ioperm", CAPABILITY(CAP_SYS_RAWIO), OF_HOST},
    {"iopl", CAPABILITY(CAP_SYS_RAWIO), OF_HOST},
    {"kexec_file_load", CAPABILITY(CAP_SYS_BOOT), OF_HOST},
    {"kexec_load", CAPABILITY(CAP_SYS_BOOT), OF_HOST},
    {"swapoff", CAPABILITY(CAP_SYS_ADMIN), OF_HOST},
    {"swapon", CAPABILITY(CAP_SYS_ADMIN), OF_HOST},
    {"mknod where mode == 0x2", CAPABILITY(CAP_MKNOD), OF_DEVICE},
    {"mknod where mode == 0x6", CAPABILITY(CAP_MKNOD), OF_DEVICE},
    {"mknodat where mode == 0x2", CAPABILITY(CAP_MKNOD), OF_DEVICE},
    {"mknodat where mode == 0x6", CAPABILITY(CAP_MKNOD), OF_DEVICE},
    {"vhangup", CAPABILITY(CAP_SYS_TTY_CONFIG), OF_HOST},
};

static const struct need *need_of(const struct plan *plan, struct str what)
{
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct str call = str_from(needs[i].call);
        bool whole = what.length == call.length || (what.length > call.length && what.text[call.length] == ' ');
        if (str_starts(what, call) && (whole || needs[i].whose == OF_DEVICE))
            return needs[i].whose == OF_SANDBOX && plan->capabilities >> needs[i].capability & 1 ? NULL : &needs[i];
    }
    return NULL;
}

// A rule on an address of 127.0.0.0/8 or on ::1 is about the sandbox's own loopback, where nobody else serves. So the
// words are said: which of the two is meant nobody else can know.
static bool loopback_remedy(struct arena *arena, const struct form *form, struct str what, struct remedy *remedy)
{
    struct str protocol = {what.text, 0};
    while (protocol.length < what.length && what.text[protocol.length] != ' ')
        protocol.length++;
    if (protocol.length == what.length)
        return false;
    struct str address = {what.text + protocol.length + 1, what.length - protocol.length - 1};
    bool six = str_starts(address, STR("[::1]"));
    if (strcmp(form->block, "net") != 0 || !(six || str_starts(address, STR("127."))))
        return false;
    size_t colon = address.length;
    while (colon > 0 && address.text[colon - 1] != ':' && address.text[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && address.text[colon - 1] == ':';
    struct str port = {address.text + colon - has_port, has_port ? address.length - colon + 1 : 0};
    remedy->rule = str_format(arena, "net { allow %s%.*s loopback%.*s; }", form->allow, STR_ARGS(protocol),
                              STR_ARGS(port));
    if (six || str_starts(address, STR("127.0.0.1")))
        remedy->host = str_format(arena, "net { allow %s%.*s host-loopback%.*s; }", form->allow, STR_ARGS(protocol),
                                  STR_ARGS(port));
    return true;
}

// A rule that gives a file set-user-ID or set-group-ID bits is for nobody to copy: who writes it knows what it does.
static bool gives_identity(struct str what)
{
    static const char mode[] = "mode == 0x";
    const char *at = memmem(what.text, what.length, mode, sizeof mode - 1);
    unsigned long bits = 0;
    for (at = at ? at + sizeof mode - 1 : what.text + what.length;
         at < what.text + what.length && isxdigit((unsigned char)*at); at++)
        bits = bits << 4 | (unsigned)(*at <= '9' ? *at - '0' : (*at | 0x20) - 'a' + 10);
    return bits & (S_ISUID | S_ISGID);
}

struct remedy remedy_of(struct arena *arena, const struct plan *plan, struct str operation)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const struct form *form = &forms[i];
        struct str starts = str_from(form->starts);
        if (!str_starts(operation, starts))
            continue;
        struct str what = {operation.text + starts.length, operation.length - starts.length};
        struct str private = STR(", a private address"); // what follows "name" to ADDRESS (broker_names.c)
        bool quoted = what.length && what.text[what.length - 1] == '"', resolves = str_equal(starts, STR("resolve "));
        if (resolves && what.length > private.length &&
            str_equal((struct str){what.text + what.length - private.length, private.length}, private))
            return (struct remedy){.rule = str_format(arena, "net { allow connect %.*s private; }",
                                                      (int)(1 + strcspn(what.text + 1, "\"") + 1), what.text)};
        if (resolves && !quoted)
            break; // an address: names are what rules have
        if (str_equal(starts, STR("syscall ")) && gives_identity(what))
            break;
        struct remedy loopback = {0};
        if (loopback_remedy(arena, form, what, &loopback))
            return loopback;
        if (form->folder) {
            while (what.length && what.text[what.length - 1] != '/')
                what.length--;
            if (what.length <= 2)
                break; // the root of the view is nobody's to write
            what.length--;
        }
        struct remedy remedy = {.rule = str_format(arena, "%s { allow %s%.*s%s; }", form->block, form->allow,
                                                   STR_ARGS(what), form->folder ? "\"" : "")};
        const struct need *need = str_equal(starts, STR("syscall ")) ? need_of(plan, what) : NULL;
        if (need && need->whose == OF_SANDBOX) {
            remedy.rule = str_format(arena, "%.*s process { capabilities %s; }", STR_ARGS(remedy.rule), need->name);
        } else if (need && need->whose != OF_IDENTITY) {
            remedy.rule = STR("");
            remedy.needs = str_format(arena, "%s of the host", need->name);
        } else if (need) {
            remedy.needs = str_format(arena, "%s of the host to become somebody else", need->name);
        }
        return remedy;
    }
    return (struct remedy){0};
}

const char *remedy_example(struct str rule)
{
    static const struct {
        const char *lacks, *example;
    } examples[] = {
        {"no net rule allows tcp", "net { allow connect tcp \"example.com\":443; }"},
        {"no net rule allows udp", "net { allow connect udp \"example.com\":53; }"},
        {"no net rule allows connect", "net { allow connect tcp \"example.com\":443; }"},
        {"no net rule allows bind", "net { allow bind, listen tcp loopback:8080; }"},
        {"no net rule allows listen", "net { allow bind, listen tcp loopback:8080; }"},
        {"no net rule allows unix", "net { allow connect unix \"/run/server.sock\"; }"},
        {"no net rule allows a path of unix, where datagrams could be sent",
         "net { allow bind, connect unix \"/run/server.sock\"; }"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        if (str_is(rule, examples[i].lacks))
            return examples[i].example;
    return NULL;
}
