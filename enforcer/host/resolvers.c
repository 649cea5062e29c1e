// The host's resolvers.
#include "enforcer/host/resolvers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool address_read(const char *text, net_address *address)
{
    uint8_t bytes[16] = {[10] = 0xFF, [11] = 0xFF};
    *address = 0;
    if (inet_pton(AF_INET, text, bytes + 12) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
        return false;
    for (int i = 0; i < 16; i++)
        *address = *address << 8 | bytes[i];
    return true;
}

socklen_t address_place(net_address address, uint16_t port, struct sockaddr_storage *place)
{
    struct sockaddr_in *four = (void *)place;
    struct sockaddr_in6 *six = (void *)place;
    *place = (struct sockaddr_storage){0};
    if (address >> 32 == 0xFFFF) {
        *four = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl((uint32_t)address)};
        return sizeof *four;
    }
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    for (int byte = 15; byte >= 0; byte--, address >>= 8)
        six->sin6_addr.s6_addr[byte] = (uint8_t)address;
    return sizeof *six;
}

static const net_address here = (net_address)0xFFFF << 32 | INADDR_LOOPBACK;

void servers_read(struct servers *servers)
{
    FILE *file = fopen("/etc/resolv.conf", "re");
    char line[512], word[64];
    *servers = (struct servers){.timeout_ms = 5000, .attempts = 2};
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "nameserver %63s", word) == 1 && servers->count < SERVERS_MOST)
            servers->count += address_read(word, &servers->list[servers->count]);
        const char *options = strncmp(line, "options", 7) == 0 ? line : "", *at;
        long number;
        if ((at = strstr(options, "timeout:")) && (number = atol(at + 8)) > 0 && number <= 30)
            servers->timeout_ms = 1000 * (unsigned)number;
        if ((at = strstr(options, "attempts:")) && (number = atol(at + 9)) > 0 && number <= 5)
            servers->attempts = (unsigned)number;
    }
    if (file)
        fclose(file);
    if (!servers->count)
        servers->list[servers->count++] = here;
}

void resolvers_read(struct resolvers *resolvers)
{
    struct servers servers;
    servers_read(&servers);
    resolvers->list[0] = here;
    resolvers->count = 1;
    for (size_t i = 0; i < servers.count && resolvers->count < RESOLVERS_MOST; i++) {
        bool known = servers.list[i] == 1; // ::1
        for (size_t k = 0; k < resolvers->count; k++)
            known = known || resolvers->list[k] == servers.list[i];
        if (!known)
            resolvers->list[resolvers->count++] = servers.list[i];
    }
}
