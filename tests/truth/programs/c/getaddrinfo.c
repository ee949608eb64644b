// needs: dns
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
	struct addrinfo *found;
	int failed = getaddrinfo(argc > 1 ? argv[1] : "localhost", "80", 0, &found);
	puts(failed ? gai_strerror(failed) : "found");
	return failed != 0;
}
