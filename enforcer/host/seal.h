// Seals: what sbxrun keeps for later runs is believed by a code (HMAC-SHA-384, RFC 4868, which takes two thirds of the
// time that one of SHA-256 takes on 64 bits) whose secret is a key of the user's keyring (keyrings(7)).
//
// Only the kernel keeps the secret, until the machine is started anew. No sandbox can reach it: it has a user
// namespace, and so another such keyring, and every policy's filter lets keyctl(2) name no key by its number. So
// whoever can write where such things lie can make them useless, and no more. Where there is no keyring, as in most
// containers, nothing has a seal.
#pragma once

#include <stdbool.h>

#include "lang/arena.h"

enum { SEAL = 96 }; // characters

// The seal of `what` and what follows it, which have one meaning for each `kind`: hexadecimal, and a NUL. False: there
// is no secret.
bool seal_make(const char *kind, struct str what, struct str more, char seal[SEAL + 1]);

// True if there is a secret, which is made if need be.
bool seal_possible(void);

// True if they are the same, as long as it may take.
bool seal_equal(const char a[SEAL], const char b[SEAL]);
