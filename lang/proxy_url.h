// Where a proxy is: "http://proxy.example:3128", "socks5://127.0.0.1:1080".
#pragma once

#include "lang/arena.h"

// The variable of sbxrun's environment that says who may use the proxy, `user:password`, which no sandbox sees.
#define PROXY_CREDENTIALS "SBX_PROXY_CREDENTIALS"

enum proxy_kind { PROXY_HTTP, PROXY_SOCKS5, PROXY_KINDS };
extern const char
    *const proxy_kind_names[PROXY_KINDS]; // as URLs name them (RFC 9110 for http; socks5 is everybody's habit)

struct proxy_url {
    enum proxy_kind kind;
    struct str host; // a name, in lower case, or an address without brackets
    uint16_t port;
};

// NULL when the text is one, else what is wrong with it. Allocates in the arena.
const char *proxy_url_parse(struct arena *, struct str text, struct proxy_url *);
