/* A name server that takes ten seconds: loaded before the C library, it answers for it where a name ends in
 * ".invalid", and for nothing else. No other way is portable: the resolver's own settings belong to the machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int (*resolver)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    if (node != NULL && strstr(node, ".invalid") != NULL) {
        sleep(10);
        return EAI_NONAME;
    }
    return ((resolver)dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, found);
}
