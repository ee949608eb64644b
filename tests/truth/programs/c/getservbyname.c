// needs: services
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(void) {
	struct servent *found = getservbyname("postgresql", "tcp");
	if (found) {
		printf("%d\n", ntohs(found->s_port));
		return 0;
	}
	puts("no such service");
	return 1;
}
