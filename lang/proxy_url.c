// Where a proxy is.
#include "lang/proxy_url.h"

#include <ctype.h>
#include <string.h>

const char *const proxy_kind_names[PROXY_KINDS] = {"http", "socks5"};

enum { NAME_LONGEST = 253 };

static bool is_host(struct str host, bool bracketed)
{
    for (size_t i = 0; i < host.length; i++) {
        unsigned char c = (unsigned char)host.text[i];
        if (bracketed ? !isxdigit(c) && c != ':' && c != '.' : !isalnum(c) && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.length > 0 && host.length <= NAME_LONGEST;
}

const char *proxy_url_parse(struct arena *arena, struct str text, struct proxy_url *url)
{
    struct str rest = {0};
    for (int kind = 0; kind < PROXY_KINDS; kind++) {
        size_t length = strlen(proxy_kind_names[kind]);
        if (text.length > length + 3 && memcmp(text.text, proxy_kind_names[kind], length) == 0 &&
            memcmp(text.text + length, "://", 3) == 0) {
            url->kind = (enum proxy_kind)kind;
            rest = (struct str){text.text + length + 3, text.length - length - 3};
        }
    }
    if (!rest.length)
        return "it starts with `http://` or `socks5://`";
    if (memchr(rest.text, '@', rest.length))
        return "who may use it is none of a policy's: sbxrun takes `user:password` from SBX_PROXY_CREDENTIALS in its "
               "own environment";
    if (rest.text[rest.length - 1] == '/')
        rest.length--;
    bool bracketed = rest.length && rest.text[0] == '[';
    const char *end = rest.length ? memchr(rest.text, bracketed ? ']' : ':', rest.length) : NULL;
    const char *colon = end && bracketed ? end + 1 : end;
    if (!end || colon >= rest.text + rest.length || *colon != ':')
        return "its port is missing, as in `http://proxy.example:3128`";
    url->host = bracketed ? (struct str){rest.text + 1, (size_t)(end - rest.text) - 1}
                          : (struct str){rest.text, (size_t)(end - rest.text)};
    struct str digits = {colon + 1, (size_t)(rest.text + rest.length - colon) - 1};
    unsigned port = 0;
    for (size_t i = 0; i < digits.length; i++)
        port = digits.text[i] >= '0' && digits.text[i] <= '9' && port <= 65535
                   ? 10 * port + (unsigned)(digits.text[i] - '0')
                   : 65536;
    if (!is_host(url->host, bracketed))
        return "its host is a name or an address, in brackets when of IPv6";
    if (port == 0 || port > 65535)
        return "its port is a number from 1 to 65535, and nothing follows it";
    url->host = str_copy(arena, url->host);
    for (size_t i = 0; i < url->host.length; i++)
        ((char *)url->host.text)[i] = (char)tolower((unsigned char)url->host.text[i]);
    url->port = (uint16_t)port;
    return NULL;
}
