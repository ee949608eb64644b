// needs: protocols
#include <netdb.h>
#include <stdio.h>

int main(void) {
	struct protoent *found = getprotobyname("ospf");
	if (found) {
		printf("%d\n", found->p_proto);
		return 0;
	}
	puts("no such protocol");
	return 1;
}
