// What is known of programs and places.
#include "compiler/learn/learner.h"

#include <string.h>

const struct known_library known_libraries[] = {
    {"python", "base", "python python3*"},
    {"node", "shell", "node nodejs npm npx"},
    {"go", "c", "go gofmt"},
    {"rust", "c", "cargo rustc rustdoc"},
    {"java", "shell", "java javac jar mvn"},
    {"c", "shell",
     "gcc* g++* cc c++ cpp* clang* make gmake cmake ctest ninja ld ld.* as ar cc1* collect2 pkg-config "
     "x86_64-linux-gnu-* aarch64-linux-gnu-*"},
    {"git", "shell", "git git-*"},
    {"shell", "base",
     "sh dash bash ls cat cp mv rm ln mkdir rmdir touch chmod head tail sort uniq wc cut tr sed grep egrep fgrep awk "
     "gawk mawk find xargs tar gzip gunzip bzip2 xz zstd "
     "env printf echo test true false date id whoami tee diff cmp basename dirname readlink realpath mktemp sleep seq "
     "expr dd od stat du file which"},
    {NULL, NULL, NULL},
};
_Static_assert(sizeof known_libraries / sizeof *known_libraries <= LIBRARIES_MOST, "all have a place in a learner");

// What programs ask for the way to, and send nothing there.
static const struct known_probe {
    net_address address;
    unsigned protocol;
    uint16_t port;
    const char *why;
} known_probes[] = {
    {(net_address)0x2001486048600000 << 64 | 0x8888, PROTOCOL_UDP, 443,
     "Chromium asks so whether the host has a way by IPv6, and sends nothing"},
};

const char *known_probe(const struct net_point *point)
{
    for (size_t i = 0; i < sizeof known_probes / sizeof *known_probes && point->verb == VERB_CONNECT; i++)
        if (point->place == NET_ADDRESS && point->address == known_probes[i].address &&
            point->protocol == known_probes[i].protocol && point->port == known_probes[i].port)
            return known_probes[i].why;
    return NULL;
}

static bool is_among(const char *words, struct str name)
{
    for (const char *at = words; *at;) {
        size_t length = strcspn(at, " ");
        bool open = length && at[length - 1] == '*';
        size_t fixed = open ? length - 1 : length;
        if ((open ? name.length >= fixed : name.length == fixed) && memcmp(name.text, at, fixed) == 0)
            return true;
        at += length;
        at += strspn(at, " ");
    }
    return false;
}

static struct str last_name(struct str path)
{
    size_t start = path.length;
    while (start && path.text[start - 1] != '/')
        start--;
    return (struct str){path.text + start, path.length - start};
}

struct str known_folder(struct str path)
{
    size_t end = path.length;
    while (end && path.text[end - 1] != '/')
        end--;
    return end <= 1 ? STR("/") : (struct str){path.text, end - 1};
}

bool known_runs(const struct known_library *library, struct str program)
{
    return is_among(library->programs, last_name(program));
}

// Whoever has these has an identity, or what others pay for.
bool known_is_secret(struct str path)
{
    static const char *const folders[] = {"/.ssh/",     "/.gnupg/",   "/.aws/",      "/.azure/",
                                          "/.kube/",    "/.docker/",  "/gcloud/",    "/.password-store/",
                                          "/keyrings/", "/.mozilla/", "/.config/gh/"};
    static const char names[] =
        "id_rsa id_ed25519 id_ecdsa id_dsa .netrc .pgpass .git-credentials .pypirc .npmrc .env credentials "
        "credentials.json shadow shadow- gshadow gshadow- .vault-token";
    static const char *const ends[] = {".key", ".pem", ".p12", ".pfx", ".kdbx", ".keystore"};
    static const char *const known[] = {"/usr/", "/etc/ssl/certs/", "/lib/",
                                        "/etc/ca-certificates/"}; // what anybody may have
    struct str name = last_name(path);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_starts(path, str_from(known[i])))
            return false;
    if (is_among(names, name) || str_starts(name, STR(".env.")))
        return true;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (memmem(path.text, path.length, folders[i], strlen(folders[i])))
            return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t length = strlen(ends[i]);
        if (name.length > length && memcmp(name.text + name.length - length, ends[i], length) == 0 &&
            !memmem(name.text, name.length, "cacert", 6))
            return true;
    }
    return false;
}

// Folders that hold much that is not the command's.
bool known_is_common(const struct seen *seen, struct str path)
{
    static const char roots[] =
        "/ /home /etc /usr /var /root /opt /srv /mnt /media /run /tmp /bin /sbin /lib /lib64 /boot /sys /proc /dev "
        "/var/lib /var/run /var/cache /var/log /run/user /usr/local /usr/lib";
    static const char users[] = "/run/user/"; // and one user's
    bool is_users = str_starts(path, STR(users)) &&
                    !memchr(path.text + sizeof users - 1, '/', path.length - (sizeof users - 1));
    return is_among(roots, path) || is_users || str_equal(path, seen->home) ||
           (seen->home.length > 1 && path_covers(path, seen->home));
}

// What belongs to the system: a command that changes it is not one for a sandbox.
bool known_is_system(struct str path)
{
    static const char *const folders[] = {"/usr",   "/etc",  "/bin", "/sbin",    "/lib",
                                          "/lib64", "/boot", "/sys", "/var/lib", "/opt"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (path_covers(str_from(folders[i]), path))
            return true;
    return false;
}

struct str known_temporary(struct str path)
{
    return path_covers(STR("/tmp"), path)       ? STR("/tmp")
           : path_covers(STR("/var/tmp"), path) ? STR("/var/tmp")
                                                : STR("");
}
