// Seals.
#include "enforcer/host/seal.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <sha2.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCK = 128, SECRET = 32 };

// A key that those can read who possess it: who has the user's keyring in a keyring of their own, as sessions have.
static bool find_secret(uint8_t secret[BLOCK])
{
    enum { POSSESSOR_VIEW = 0x01000000, POSSESSOR_READ = 0x02000000, POSSESSOR_SEARCH = 0x08000000 }; // linux/key.h
    static const char name[] = "sbxrun-seal";
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", name, 0);
    if (key < 0 && errno == ENOKEY && getrandom(secret, SECRET, 0) == SECRET) {
        key = syscall(SYS_add_key, "user", name, secret, (size_t)SECRET, KEY_SPEC_USER_KEYRING);
        if (key >= 0 &&
            syscall(SYS_keyctl, KEYCTL_SETPERM, key, POSSESSOR_VIEW | POSSESSOR_READ | POSSESSOR_SEARCH) != 0)
            return false;
    }
    // Read also what was made: another run may have been sooner.
    return key >= 0 && syscall(SYS_keyctl, KEYCTL_READ, key, secret, (size_t)SECRET) == SECRET;
}

// Nothing of the secret stays in memory: root's sandboxes begin as copies of this process.
bool seal_make(const char *kind, struct str what, struct str more, char seal[SEAL + 1])
{
    uint8_t secret[BLOCK] = {0}, inner[BLOCK], outer[BLOCK], digest[SHA384_DIGEST_LENGTH];
    SHA2_CTX context;
    bool found = find_secret(secret);
    for (int i = 0; i < BLOCK; i++) {
        inner[i] = secret[i] ^ 0x36;
        outer[i] = secret[i] ^ 0x5c;
    }
    if (found) {
        SHA384Init(&context);
        SHA384Update(&context, inner, BLOCK);
        SHA384Update(&context, (const uint8_t *)kind, strlen(kind) + 1);
        SHA384Update(&context, (const uint8_t *)what.text, what.length);
        SHA384Update(&context, (const uint8_t *)more.text, more.length);
        SHA384Final(digest, &context);
        SHA384Init(&context);
        SHA384Update(&context, outer, BLOCK);
        SHA384Update(&context, digest, sizeof digest);
        SHA384End(&context, seal);
    }
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(inner, sizeof inner);
    explicit_bzero(outer, sizeof outer);
    explicit_bzero(&context, sizeof context);
    return found;
}

bool seal_possible(void)
{
    uint8_t secret[BLOCK];
    bool found = find_secret(secret);
    explicit_bzero(secret, sizeof secret);
    return found;
}

bool seal_equal(const char a[SEAL], const char b[SEAL])
{
    unsigned differs = 0;
    for (int i = 0; i < SEAL; i++)
        differs |= (unsigned)(a[i] ^ b[i]);
    return !differs;
}
