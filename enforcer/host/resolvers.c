// The host's resolvers.
#include "enforcer/host/resolvers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

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

void resolvers_read(struct resolvers *resolvers)
{
    FILE *file = fopen("/etc/resolv.conf", "re");
    char line[512], word[64];
    net_address address;
    resolvers->list[0] = (net_address)0xFFFF << 32 | INADDR_LOOPBACK;
    resolvers->count = 1;
    while (file && resolvers->count < RESOLVERS_MOST && fgets(line, sizeof line, file)) {
        bool known = false;
        if (sscanf(line, "nameserver %63s", word) != 1 || !address_read(word, &address))
            continue;
        for (size_t i = 0; i < resolvers->count; i++)
            known = known || resolvers->list[i] == address;
        if (!known && address != 1)
            resolvers->list[resolvers->count++] = address;
    }
    if (file)
        fclose(file);
}
